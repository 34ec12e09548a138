//! Trying again: how often, after which pause, and for what. Pauses double and are drawn at random between nothing and
//! their bound ("full jitter"), so that many clients that failed together do not come back together.

use std::future::Future;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::RETRY_AFTER;

use super::GatewayOptions;
use crate::store::StoreError;

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
    let mut tried = 0;
    loop {
        tried += 1;
        let failed = match request().await {
            Ok(done) => return Ok(done),
            Err(failed) => failed,
        };
        if !failed.again || tried >= options.attempts {
            return Err(failed.error);
        }
        let pause = failed
            .pause
            .map_or_else(|| drawn_pause(options, tried), |asked| asked.min(options.longest_pause));
        tokio::time::sleep(pause).await;
    }
}

/// A random share of the bound for the try that comes next.
fn drawn_pause(options: &GatewayOptions, tried: u32) -> Duration {
    let doubled = options.first_pause.saturating_mul(1 << (tried - 1).min(16));
    let mut byte = [u8::MAX];
    // Without randomness the pause is its bound: later than needed, never wrong.
    let _ = getrandom::fill(&mut byte);
    doubled.min(options.longest_pause).saturating_mul(u32::from(byte[0])) / u32::from(u8::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let options = GatewayOptions::default();
        for tried in [1, 2, 5, 40, u32::MAX] {
            assert!(drawn_pause(&options, tried) <= options.longest_pause);
        }
        assert!(drawn_pause(&options, 1) <= options.first_pause);
    }
}
