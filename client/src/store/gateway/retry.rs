//! Trying again: how often, after which pause, and for what. A pause that the server names goes before one of our own.

use std::future::Future;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::RETRY_AFTER;

use super::GatewayOptions;
use crate::{backoff::Backoff, store::StoreError};

/// How one try ended when it did not end well.
pub(in crate::store) struct Attempt {
    error: StoreError,
    again: bool,
    /// What the server asked us to wait.
    pause: Option<Duration>,
}

impl Attempt {
    /// Trying again would give the same.
    pub(in crate::store) fn over(error: StoreError) -> Self {
        Self {
            error,
            again: false,
            pause: None,
        }
    }

    /// It may pass.
    pub(in crate::store) fn again(error: StoreError) -> Self {
        Self::after(error, None)
    }

    /// It may pass after a pause that the server names.
    pub(in crate::store) fn after(error: StoreError, pause: Option<Duration>) -> Self {
        Self {
            error,
            again: true,
            pause,
        }
    }
}

/// Tries until it works, cannot work, or has been tried often enough; the last error is the answer then.
pub(in crate::store) async fn with_retries<T, F, Tried>(
    options: &GatewayOptions,
    mut request: F,
) -> Result<T, StoreError>
where
    F: FnMut() -> Tried + Send,
    Tried: Future<Output = Result<T, Attempt>> + Send,
    T: Send,
{
    let backoff = Backoff::new(options.first_pause, options.longest_pause);
    let mut tried = 0;
    loop {
        let failed = match request().await {
            Ok(done) => return Ok(done),
            Err(failed) => failed,
        };
        if !failed.again || tried + 1 >= options.attempts {
            return Err(failed.error);
        }
        let pause = failed
            .pause
            .map_or_else(|| backoff.pause(tried), |asked| asked.min(options.longest_pause));
        tokio::time::sleep(pause).await;
        tried += 1;
    }
}

/// The `Retry-After` of a response, in its form of seconds.
pub(super) fn asked_pause(response: &Response) -> Option<Duration> {
    let seconds = response
        .headers()
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}
