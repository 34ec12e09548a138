//! What can be wrong with a ceremony or its transcript.

use std::{fmt, io, path::PathBuf};

use ark_relations::gr1cs::SynthesisError;
use thiserror::Error;

use super::share::Exponent;
use crate::keys::KeyError;

/// Which part of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The beginning.
    Header,
    /// A contribution.
    Contribution {
        /// 1 or 2.
        phase: u8,
        /// From 1, in both phases together.
        number: usize,
        /// What the party calls itself; empty where the fault lies before the name.
        name: String,
    },
    /// What the second phase begins with: the circuit at the point that the first has found.
    PhaseTwo,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("the header"),
            Self::Contribution { phase, number, name } => {
                write!(f, "contribution {number} ({name:?}, in phase {phase})")
            }
            Self::PhaseTwo => f.write_str("the beginning of phase two"),
        }
    }
}

/// What is wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// The file does not begin as a transcript does.
    #[error("is not that of a transcript of version 1")]
    NotATranscript,
    /// The transcript is another circuit's.
    #[error("names another circuit than this program's")]
    OtherCircuit,
    /// The file ends too early.
    #[error("is cut short")]
    Truncated,
    /// Bytes that stand for no section.
    #[error("begins with an unknown mark, {0}")]
    UnknownSection(u8),
    /// A section that may not come here.
    #[error("stands where it may not")]
    OutOfOrder,
    /// More contributions than a transcript may have.
    #[error("is one too many")]
    TooMany,
    /// A party's name that is too long or not text.
    #[error("has a name that is not 1 to 64 bytes of printable UTF-8")]
    BadName,
    /// Bytes that are no point of the curve.
    #[error("has a point that is none of the curve's group, or not written as points are")]
    BadPoint,
    /// The proof that the party knew its share does not hold here.
    #[error("does not prove that its party knew its share of {0}, at this place and under this name")]
    Knowledge(Exponent),
    /// The result does not follow from what stood before by the party's share.
    #[error("does not go on from what stood before it, in {0}")]
    Step(Exponent),
    /// Values that do not belong together.
    #[error("has values that are not what they should be: {0}")]
    Inconsistent(&'static str),
}

/// Why a ceremony does not go on.
#[derive(Debug, Error)]
pub enum CeremonyError {
    /// The transcript is not sound.
    #[error("{place} {fault}; do not build upon this transcript, go back to the last one that verifies")]
    Unsound {
        /// Where.
        place: Place,
        /// What.
        fault: Fault,
    },
    /// A name that no contribution can have.
    #[error("a party's name is 1 to 64 bytes of printable text; choose another")]
    BadName,
    /// Contributions of one phase are made before the next begins.
    #[error("nobody has contributed to phase {0} yet; at least one party has to")]
    NobodyContributed(u8),
    /// The second phase has begun, or has not.
    #[error("this is only possible in phase {0}")]
    OtherPhase(u8),
    /// No more contributions are taken.
    #[error("a transcript has at most {0} contributions; finish the ceremony")]
    Full(usize),
    /// The system gave no randomness.
    #[error("the system gave no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The transcript cannot be read or written.
    #[error("cannot read or write the transcript: {0}")]
    Io(#[from] io::Error),
    /// A file of the ceremony cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A circuit that says nothing.
    #[error("the circuit has neither constraints nor public inputs, so there is nothing to make keys for")]
    TooSmall,
    /// The circuit cannot be set up.
    #[error("cannot set up the circuit: {0}")]
    Synthesis(#[from] SynthesisError),
    /// The finished key.
    #[error(transparent)]
    Key(#[from] KeyError),
}
