//! Addresses of what is reached over HTTP, as people write them down.

use reqwest::Url;

/// An address of something that is reached over HTTP. No message repeats it: there may be a password in it.
///
/// # Errors
/// What is wrong with it, in words for whoever wrote it.
pub(crate) fn web_address(text: &str) -> Result<String, String> {
    let url =
        Url::parse(text).map_err(|error| format!("it is no address ({error}); give one like https://host:port"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it begins neither with https:// nor with http://".into());
    }
    no_password_in(&url)?;
    Ok(text.to_owned())
}

/// Refuses an address with a password in it.
///
/// # Errors
/// That there is one.
pub(crate) fn no_password_in(url: &Url) -> Result<(), String> {
    match url.password() {
        Some(_) => Err("there is a password in it, and it would be kept where nothing secret is".into()),
        None => Ok(()),
    }
}
