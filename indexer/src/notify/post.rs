//! Posts one notification to one receiver, signed. Address and secret are read from their files each time, so that they can be
//! changed there; what is said of a failure has neither in it.

use std::path::Path;

use reqwest::{Client, Url};

use super::{AddressError, Notification, Secret, address};

/// Who is posted to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receiver<'a> {
    pub(super) origin: &'a str,
    pub(super) private: bool,
    pub(super) url_file: &'a Path,
    pub(super) secret_file: &'a Path,
}

impl Receiver<'_> {
    /// The whole address, which is where the webhook was said to be.
    fn url(self) -> Result<Url, AddressError> {
        let url = address::read(self.url_file, self.private)?;
        match address::origin(&url) == self.origin {
            true => Ok(url),
            false => Err(AddressError::Elsewhere(self.origin.to_owned())),
        }
    }
}

/// Posts one notification. Says why it was not taken.
pub(super) async fn post(client: &Client, receiver: Receiver<'_>, notification: &Notification) -> Result<(), String> {
    let url = receiver.url().map_err(|error| error.to_string())?;
    let secret = Secret::read(receiver.secret_file).map_err(|error| error.to_string())?;
    let body = serde_json::to_string(notification).map_err(|error| error.to_string())?;
    let id = format!("notification_{}", notification.id);
    let seconds = time::OffsetDateTime::now_utc().unix_timestamp();
    let answer = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-signature", secret.sign(&id, seconds, &body))
        .header("webhook-id", id)
        .header("webhook-timestamp", seconds)
        .body(body)
        .send()
        .await
        // Without the URL, in which there may be a secret of the receiver's.
        .map_err(|error| format!("no answer: {}", cause(&error.without_url())))?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("it answered {status}")),
    }
}

/// What is at the bottom of an error.
fn cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
