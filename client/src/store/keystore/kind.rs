//! What kinds of envelopes a key store keeps: data keys for readers, with and without a name, and shares of data keys for
//! emergencies.

use serde::{Deserialize, Serialize};

/// What is in an envelope, and what it is for.
///
/// In JSON it is written as in the names of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum EnvelopeKind {
    /// The data key, for a reader.
    Reader,
    /// A share of the data key, for an institution that holds it for emergencies.
    BreakGlass {
        /// How many such shares make the key.
        threshold: u8,
    },
    /// A share that its holder re-wrapped for somebody who opened an emergency.
    Released {
        /// The address of the holder's Institution account.
        holder: [u8; 32],
        /// The emergency's id.
        emergency: [u8; 16],
    },
    /// The data key, for a grant without a name: its recipient is the one-time X25519 public key that it is wrapped to.
    Anonymous,
}

impl EnvelopeKind {
    /// What a file's name says of the kind, after the recipient. Also bound into the file's encryption.
    pub(super) fn suffix(&self) -> String {
        match self {
            Self::Reader => String::new(),
            Self::Anonymous => ".anonymous".to_owned(),
            Self::BreakGlass { threshold } => format!(".break-glass-{threshold}"),
            Self::Released { holder, emergency } => {
                format!(".released-{}-{}", hex::encode(emergency), hex::encode(holder))
            }
        }
    }

    /// The opposite of [`suffix`](Self::suffix).
    pub(super) fn from_suffix(suffix: &str) -> Option<Self> {
        let kind = if suffix.is_empty() {
            Self::Reader
        } else if suffix == ".anonymous" {
            Self::Anonymous
        } else if let Some(threshold) = suffix.strip_prefix(".break-glass-") {
            Self::BreakGlass {
                threshold: threshold.parse().ok()?,
            }
        } else {
            let (emergency, holder) = suffix.strip_prefix(".released-")?.split_once('-')?;
            let (mut kept_emergency, mut kept_holder) = ([0; 16], [0; 32]);
            hex::decode_to_slice(emergency, &mut kept_emergency).ok()?;
            hex::decode_to_slice(holder, &mut kept_holder).ok()?;
            Self::Released {
                holder: kept_holder,
                emergency: kept_emergency,
            }
        };
        // One name for each kind, so that no envelope is found under two.
        (kind.suffix() == suffix).then_some(kind)
    }
}

impl From<EnvelopeKind> for String {
    fn from(kind: EnvelopeKind) -> Self {
        kind.suffix()
    }
}

impl TryFrom<String> for EnvelopeKind {
    type Error = String;

    fn try_from(suffix: String) -> Result<Self, String> {
        Self::from_suffix(&suffix).ok_or_else(|| format!("'{suffix}' is no kind of envelope"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_kind_has_one_name() {
        let released = EnvelopeKind::Released {
            holder: [7; 32],
            emergency: [9; 16],
        };
        for kind in [
            EnvelopeKind::Reader,
            EnvelopeKind::BreakGlass { threshold: 3 },
            released,
            EnvelopeKind::Anonymous,
        ] {
            assert_eq!(EnvelopeKind::from_suffix(&kind.suffix()), Some(kind));
        }
        let upper = released.suffix().replace("07", "0A").replace("0a", "0A");
        for other in [
            ".break-glass-",
            ".break-glass-+3",
            ".break-glass-03",
            ".released-",
            ".tmp",
            ".anonymous-1",
            &upper,
        ] {
            assert_eq!(EnvelopeKind::from_suffix(other), None, "{other}");
        }
    }
}
