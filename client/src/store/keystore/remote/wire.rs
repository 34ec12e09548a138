//! What a key store that serves others over HTTP is asked, and what it answers: JSON, one call a request.

use serde::{Deserialize, Serialize};

use super::super::{
    AnonymousAsking, Claim, EnvelopeCopy, EnvelopeSlot, GateError, KeyStoreError, ShareSlot, base64_text,
};
use crate::hexed;

/// Where calls go.
pub const CALLS: &str = "/v1/calls";
/// No request is longer, in bytes: an envelope has 4096 at most.
pub const LONGEST_REQUEST: usize = 64 * 1024;
/// No answer is longer, in bytes: some thousand envelopes of one record.
pub const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// What is shown of what a service says, in characters.
const LONGEST_DETAIL: usize = 500;

/// A call, and the capacity in which it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// As who the wallet acts; without one, for itself.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none", default)]
    pub acting: Option<Acting>,
    /// What for.
    pub call: Call,
}

/// A capacity that the chain confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Acting {
    /// A member of an institution.
    Member {
        /// The institution's id.
        #[serde(with = "hexed")]
        institution: [u8; 16],
        /// The member's id.
        #[serde(with = "hexed")]
        member: [u8; 16],
    },
    /// The authority of an institution.
    Authority {
        /// The institution's id.
        #[serde(with = "hexed")]
        institution: [u8; 16],
    },
    /// A patient.
    Patient {
        /// The patient's id.
        #[serde(with = "hexed")]
        patient: [u8; 16],
    },
    /// A patient's delegate.
    Delegate {
        /// The patient's id.
        #[serde(with = "hexed")]
        patient: [u8; 16],
        /// The delegate's id.
        #[serde(with = "hexed")]
        delegate: [u8; 16],
    },
}

/// A patient's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordId {
    /// The patient's id.
    #[serde(with = "hexed")]
    pub patient: [u8; 16],
    /// The record's id.
    #[serde(with = "hexed")]
    pub record: [u8; 16],
}

/// One operation of [`KeyStore`](crate::store::KeyStore).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "they are those of the trait")]
pub enum Call {
    Name,
    Patients,
    Put {
        slot: EnvelopeSlot,
        #[serde(with = "base64_text")]
        envelope: Vec<u8>,
    },
    Slots(RecordId),
    Wrapping(EnvelopeSlot),
    Discard(EnvelopeSlot),
    Destroy(RecordId),
    Copies(RecordId),
    Opens(EnvelopeCopy),
    Release(Asking),
    ReleaseAnonymously(AnonymousAsking),
    PutShare {
        slot: ShareSlot,
        #[serde(with = "base64_text")]
        share: Vec<u8>,
    },
    Share(ShareSlot),
    Shares {
        #[serde(with = "hexed")]
        patient: [u8; 16],
    },
    DiscardShare(ShareSlot),
    PutPublicKey {
        #[serde(with = "base64_text")]
        key: Vec<u8>,
    },
    PublicKey {
        #[serde(with = "hexed")]
        hash: [u8; 32],
    },
}

impl Call {
    /// Whether it matters who calls: other calls are for everybody, or rest on the wallet alone.
    #[must_use]
    pub fn depends_on_capacity(&self) -> bool {
        match self {
            Self::Name
            | Self::PublicKey { .. }
            | Self::Share(_)
            | Self::Shares { .. }
            | Self::Release(_)
            | Self::ReleaseAnonymously(_)
            | Self::PutShare { .. }
            | Self::DiscardShare(_) => false,
            Self::Patients
            | Self::Put { .. }
            | Self::Slots(_)
            | Self::Wrapping(_)
            | Self::Discard(_)
            | Self::Destroy(_)
            | Self::Copies(_)
            | Self::Opens(_)
            | Self::PutPublicKey { .. } => true,
        }
    }

    /// The patient whom it is about.
    #[must_use]
    pub fn patient(&self) -> Option<[u8; 16]> {
        match self {
            Self::Name | Self::Patients | Self::PutPublicKey { .. } | Self::PublicKey { .. } | Self::Release(_) => None,
            Self::Put { slot, .. } | Self::Wrapping(slot) | Self::Discard(slot) => Some(slot.patient),
            Self::Slots(of) | Self::Destroy(of) | Self::Copies(of) => Some(of.patient),
            Self::ReleaseAnonymously(asking) => Some(asking.patient),
            Self::Opens(copy) => Some(copy.slot.patient),
            Self::PutShare { slot, .. } | Self::Share(slot) | Self::DiscardShare(slot) => Some(slot.patient),
            Self::Shares { patient } => Some(*patient),
        }
    }
}

/// What a reader asks for, and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asking {
    /// The id that the reader put into `access_record`.
    #[serde(with = "hexed")]
    pub request_id: [u8; 16],
    /// The account that asks.
    #[serde(with = "hexed")]
    pub recipient: [u8; 32],
    /// Where the decision is found.
    pub claim: Claim,
}

/// Bytes, in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(#[serde(with = "base64_text")] pub Vec<u8>);

/// A patient's id, in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PatientId(#[serde(with = "hexed")] pub [u8; 16]);

/// Why a call was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "failure", rename_all = "snake_case")]
#[allow(missing_docs, reason = "those of the error types")]
pub enum Failure {
    NoEnvelope,
    Destroyed,
    NotTheReader,
    Refused {
        reason: String,
    },
    NoDecision,
    NotProven {
        reason: String,
    },
    /// What its ledger said is for the service's own log.
    LedgerUnavailable,
    Damaged,
    TooLong {
        bytes: usize,
    },
    NoPublicKey {
        bytes: usize,
    },
    /// Who asks is nobody who may, or nobody that is known.
    NotAllowed {
        detail: String,
    },
    /// Not signed as it must be: out of time, for the second time, or not at all. `now` is the service's clock.
    NotSigned {
        detail: String,
        now: i64,
    },
    /// Not now, but in so many seconds.
    Later {
        detail: String,
        seconds: u64,
    },
    /// The service itself failed.
    Broken {
        detail: String,
    },
}

impl From<&KeyStoreError> for Failure {
    fn from(error: &KeyStoreError) -> Self {
        match error {
            KeyStoreError::NoEnvelope => Self::NoEnvelope,
            KeyStoreError::Destroyed => Self::Destroyed,
            KeyStoreError::NotTheReader | KeyStoreError::Gate(GateError::NotTheReader) => Self::NotTheReader,
            KeyStoreError::Gate(GateError::Refused { reason }) => Self::Refused { reason: reason.clone() },
            KeyStoreError::Gate(GateError::NotProven { reason }) => Self::NotProven { reason: reason.clone() },
            KeyStoreError::Gate(GateError::NoDecision) => Self::NoDecision,
            KeyStoreError::Gate(GateError::Unavailable(_)) => Self::LedgerUnavailable,
            KeyStoreError::Damaged => Self::Damaged,
            KeyStoreError::TooLong(bytes) => Self::TooLong { bytes: *bytes },
            KeyStoreError::NoPublicKey(bytes) => Self::NoPublicKey { bytes: *bytes },
            // What else there is names files, which are nobody's business.
            _ => Self::Broken {
                detail: "its storage failed; see its log".to_owned(),
            },
        }
    }
}

impl Failure {
    /// The same as an error of the key store at `url`.
    /// What the service says comes into a terminal, so of it only what is text is taken.
    #[must_use]
    pub fn into_error(self, url: &str) -> KeyStoreError {
        let service = |detail: String| KeyStoreError::Service {
            url: url.to_owned(),
            detail,
        };
        match self {
            Self::NoEnvelope => KeyStoreError::NoEnvelope,
            Self::Destroyed => KeyStoreError::Destroyed,
            Self::NotTheReader => KeyStoreError::NotTheReader,
            Self::Refused { reason } => GateError::Refused { reason: shown(&reason) }.into(),
            Self::NotProven { reason } => GateError::NotProven { reason: shown(&reason) }.into(),
            Self::NoDecision => GateError::NoDecision.into(),
            Self::LedgerUnavailable => {
                service("it gets no answer from its ledger; run again, or see its log".to_owned())
            }
            Self::Damaged => KeyStoreError::Damaged,
            Self::TooLong { bytes } => KeyStoreError::TooLong(bytes),
            Self::NoPublicKey { bytes } => KeyStoreError::NoPublicKey(bytes),
            Self::NotAllowed { detail } | Self::NotSigned { detail, .. } => KeyStoreError::NotAllowed {
                url: url.to_owned(),
                detail: shown(&detail),
            },
            Self::Later { detail, seconds } => service(format!("{}; try again in {seconds} s", shown(&detail))),
            Self::Broken { detail } => service(shown(&detail)),
        }
    }
}

/// What a service says, as people are shown it.
fn shown(said: &str) -> String {
    said.chars()
        .filter(|char| !char.is_control())
        .take(LONGEST_DETAIL)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_moves_nothing_in_the_terminal_that_shows_it() {
        let said = || "\u{1b}[2Jdone\r\n\u{9b}1A".repeat(1000);
        for failure in [
            Failure::Refused { reason: said() },
            Failure::NotProven { reason: said() },
            Failure::NotAllowed { detail: said() },
            Failure::NotSigned { detail: said(), now: 0 },
            Failure::Later {
                detail: said(),
                seconds: 1,
            },
            Failure::Broken { detail: said() },
        ] {
            let shown = failure.into_error("https://keys.example").to_string();
            assert!(shown.contains("[2Jdone1A") && shown.len() < 1000, "{shown}");
            assert!(!shown.contains(char::is_control), "{shown:?}");
        }
    }
}
