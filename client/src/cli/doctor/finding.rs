//! What the doctor found of one part. A part that does not answer in time is broken, and one that cannot be looked at
//! because another is broken is not called broken itself.

use std::time::Duration;

use reqwest::Url;
use serde_json::{Value, json};

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// As it ought to be.
    Ok,
    /// Not as it ought to be.
    Broken,
    /// It cannot be told.
    Unknown,
    /// Nothing names one, and nothing needs one.
    None,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
            Self::None => "none",
        }
    }
}

/// What was found of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// Which part.
    pub(super) part: &'static str,
    /// Where it is.
    pub(super) at: Option<String>,
    /// How it is.
    pub(super) state: State,
    /// What was seen.
    pub(super) what: String,
    /// What to do about it.
    pub(super) mend: Option<String>,
}

impl Finding {
    fn new(part: &'static str, state: State, what: impl Into<String>) -> Self {
        Self {
            part,
            at: None,
            state,
            what: what.into(),
            mend: None,
        }
    }

    /// As it ought to be.
    pub(super) fn ok(part: &'static str, what: impl Into<String>) -> Self {
        Self::new(part, State::Ok, what)
    }

    /// Not as it ought to be, and what to do about it.
    pub(super) fn broken(part: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        let mut finding = Self::new(part, State::Broken, what);
        finding.mend = Some(mend.into());
        finding
    }

    /// It cannot be told.
    pub(super) fn unknown(part: &'static str, what: impl Into<String>) -> Self {
        Self::new(part, State::Unknown, what)
    }

    /// Nothing names one.
    pub(super) fn none(part: &'static str, what: impl Into<String>) -> Self {
        Self::new(part, State::None, what)
    }

    /// Where it is.
    pub(super) fn at(mut self, place: impl Into<String>) -> Self {
        self.at = Some(place.into());
        self
    }

    /// For people.
    pub(super) fn line(&self) -> String {
        let at = self.at.as_deref().map(|at| format!(" {at}")).unwrap_or_default();
        let mend = self.mend.as_deref().map(|mend| format!("; {mend}")).unwrap_or_default();
        format!("{:<8} {}{at}: {}{mend}", self.state.word(), self.part, self.what)
    }

    /// For programs.
    pub(super) fn object(&self) -> Value {
        json!({ "part": self.part, "at": self.at, "state": self.state.word(), "what": self.what, "mend": self.mend })
    }
}

/// What is found within so much time; a part that takes longer is broken.
pub(super) async fn within(limit: Duration, part: &'static str, found: impl Future<Output = Finding>) -> Finding {
    tokio::time::timeout(limit, found).await.unwrap_or_else(|_| {
        Finding::broken(
            part,
            format!("it does not answer within {} s", limit.as_secs()),
            "look at its log, and at the network between",
        )
    })
}

/// An address without what may be secret in it: passwords, and keys behind a question mark.
pub(in crate::cli) fn plain(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return address.to_owned();
    };
    // Addresses that can have neither have neither.
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_hangs_is_broken() {
        let found = within(Duration::ZERO, "gateway", std::future::pending()).await;
        assert_eq!((found.part, found.state), ("gateway", State::Broken));
        assert!(found.mend.is_some());
    }

    #[test]
    fn addresses_are_said_without_secrets() {
        assert_eq!(
            plain("https://me:hush@rpc.example/v1?api-key=hush#hush"),
            "https://me@rpc.example/v1"
        );
        assert_eq!(plain("http://127.0.0.1:8899"), "http://127.0.0.1:8899");
    }
}
