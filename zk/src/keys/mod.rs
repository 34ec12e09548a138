//! The keys of a circuit. The verifying key is small and stands in the contract; it names the proving key by its hash, the
//! circuit by its hash, and says where both come from: a ceremony, or a seed that everybody knows.

mod proving;
mod seed;
mod verifying;

use std::{io, path::PathBuf};

use ark_relations::gr1cs::SynthesisError;
use ark_serialize::SerializationError;
use thiserror::Error;

pub use chartseal_program::proof::KeyKind;
pub use proving::ProvingKey;
pub use verifying::{Refused, VerifyingKey};

/// What is wrong with a key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The key is for tests, and this is not one.
    #[error(
        "the contract's verifying key is for tests only: everybody can make proofs of anything with it. Hold a ceremony \
         (`chartseal zk ceremony`), put the verifying key that it gives into the contract and build that again"
    )]
    TestOnly,
    /// The bytes are no verifying key of this version.
    #[error("not a verifying key: {0}; take the file that the ceremony wrote, or the one that came with the contract")]
    Malformed(&'static str),
    /// The key belongs to another circuit than this program proves.
    #[error("the key was made for another circuit than this program has; use the program that the key was made with")]
    OtherCircuit,
    /// The proving key is not the one that the verifying key names.
    #[error("{} is not the proving key that the verifying key names; fetch the one that the ceremony wrote", path.display())]
    OtherProvingKey {
        /// The file.
        path: PathBuf,
    },
    /// The file system.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The circuit gives no constraints.
    #[error("cannot make constraints of the circuit: {0}")]
    Synthesis(#[from] SynthesisError),
    /// A key that cannot be read or written.
    #[error("cannot read or write a proving key: {0}")]
    Serialization(#[from] SerializationError),
}
