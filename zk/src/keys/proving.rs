//! The proving key: made from the seed for tests, or read from the file that a ceremony wrote, and then only if it is the
//! one that the verifying key names.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
};

use ark_bn254::Bn254;
use ark_poly::EvaluationDomain as _;
use ark_serialize::{CanonicalDeserialize as _, CanonicalSerialize as _};
use sha2::{Digest as _, Sha256};

use super::{KeyError, KeyKind, VerifyingKey, seed};
use crate::{Relation, circuit::Membership, file::Whole, relation::unheard};

/// What proofs are made with. It goes with one circuit and one verifying key.
#[derive(Clone)]
pub struct ProvingKey {
    key: ark_groth16::ProvingKey<Bn254>,
    relation: Relation,
    verifying: VerifyingKey,
}

impl fmt::Debug for ProvingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvingKey")
            .field("relation", &self.relation)
            .field("kind", &self.verifying.kind)
            .finish()
    }
}

impl ProvingKey {
    /// Makes the key for tests, in memory, which takes its time; see [`Self::test_only_in`].
    ///
    /// # Errors
    /// None that is known; the circuit's own.
    pub fn test_only() -> Result<Self, KeyError> {
        let key = unheard(|| seed::proving_key(Membership::shape()))?;
        Self::of(key, Relation::membership()?, KeyKind::TestOnly, [0; 32])
    }

    /// Makes the verifying key to a proving key, and puts both together.
    pub(crate) fn of(
        key: ark_groth16::ProvingKey<Bn254>,
        relation: Relation,
        kind: KeyKind,
        transcript: [u8; 32],
    ) -> Result<Self, KeyError> {
        let hash = Sha256::digest(serialised(&key)?).into();
        let verifying = VerifyingKey::of(&key.vk, kind, [relation.hash(), transcript, hash])?;
        Self::assemble(key, relation, &verifying)
    }

    /// The key for tests that belongs to a verifying key, from a folder, where it is put if it is not there yet.
    ///
    /// # Errors
    /// The folder cannot be written to; the verifying key is not the one that the seed gives.
    pub fn test_only_in(folder: &Path, verifying: &VerifyingKey) -> Result<Self, KeyError> {
        let path = folder.join(format!("test-only-{}.key", hex::encode(&verifying.proving_key[..8])));
        match Self::read(&path, verifying) {
            Ok(key) => return Ok(key),
            // Not there, or not whole: made anew.
            Err(KeyError::Io { .. } | KeyError::OtherProvingKey { .. }) => {}
            Err(error) => return Err(error),
        }
        let made = Self::test_only()?;
        if made.verifying != *verifying {
            return Err(KeyError::OtherProvingKey { path });
        }
        made.save(&path)?;
        Ok(made)
    }

    /// The key with which the contract's proofs are made. A ceremony's is read from `file`. One for tests is made, and kept
    /// in the folder of `file`; outside of development it is refused.
    ///
    /// # Errors
    /// Any of [`KeyError`].
    pub fn of_contract(verifying: &VerifyingKey, file: &Path) -> Result<Self, KeyError> {
        verifying.fit_for_use()?;
        match verifying.kind {
            KeyKind::Ceremony => Self::read(file, verifying),
            KeyKind::TestOnly => Self::test_only_in(file.parent().unwrap_or(Path::new(".")), verifying),
        }
    }

    /// Reads a proving key's file, if it is the one that the verifying key names.
    ///
    /// # Errors
    /// The file is missing or another one; the verifying key is of another circuit.
    pub fn read(path: &Path, verifying: &VerifyingKey) -> Result<Self, KeyError> {
        let relation = Relation::membership()?;
        if relation.hash() != verifying.circuit {
            return Err(KeyError::OtherCircuit);
        }
        let bytes = read_at_most(path, size_limit(&relation)).map_err(|source| KeyError::Io {
            action: "read",
            path: path.to_path_buf(),
            source,
        })?;
        if <[u8; 32]>::from(Sha256::digest(&bytes)) != verifying.proving_key {
            return Err(KeyError::OtherProvingKey {
                path: path.to_path_buf(),
            });
        }
        // These are the bytes that the key's maker wrote, so its points need not be looked at again.
        let key = ark_groth16::ProvingKey::deserialize_uncompressed_unchecked(bytes.as_slice())?;
        Self::assemble(key, relation, verifying)
    }

    /// Writes the key's file, whole or not at all, over what is there.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        self.write(path, Whole::publish)
    }

    /// Writes the key's file, whole or not at all, where there is none.
    ///
    /// # Errors
    /// The file exists or cannot be written.
    pub fn save_new(&self, path: &Path) -> Result<(), KeyError> {
        self.write(path, Whole::publish_new)
    }

    fn write(&self, path: &Path, publish: fn(Whole, &Path) -> io::Result<()>) -> Result<(), KeyError> {
        let bytes = serialised(&self.key)?;
        let written = Whole::beside(path).and_then(|mut file| {
            file.write_all(&bytes)?;
            publish(file, path)
        });
        written.map_err(|source| KeyError::Io {
            action: "write",
            path: path.to_path_buf(),
            source,
        })
    }

    /// The verifying key that goes with it.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The circuit.
    pub fn relation(&self) -> &Relation {
        &self.relation
    }

    /// Bytes of the key's file.
    pub fn size(&self) -> usize {
        self.key.uncompressed_size()
    }

    pub(crate) fn inner(&self) -> &ark_groth16::ProvingKey<Bn254> {
        &self.key
    }

    /// Puts a key together, and looks that its parts go together, so that proving cannot run past the end of one.
    fn assemble(
        key: ark_groth16::ProvingKey<Bn254>,
        relation: Relation,
        verifying: &VerifyingKey,
    ) -> Result<Self, KeyError> {
        let variables = relation.variables();
        let fits = [key.a_query.len(), key.b_g1_query.len(), key.b_g2_query.len()]
            .iter()
            .all(|len| *len == variables)
            && key.l_query.len() == relation.witness()
            && key.h_query.len() + 1 == relation.domain()?.size();
        let hashes = [verifying.circuit, verifying.transcript, verifying.proving_key];
        if !fits || VerifyingKey::of(&key.vk, verifying.kind, hashes)? != *verifying {
            return Err(KeyError::OtherCircuit);
        }
        Ok(Self {
            key,
            relation,
            verifying: verifying.clone(),
        })
    }
}

/// More bytes than any key of this circuit has: what a file holds beyond would not have the hash anyway. For each variable
/// four points of at most 128 bytes; one of 64 for each point of the domain, which is less than twice what is needed.
fn size_limit(relation: &Relation) -> u64 {
    512 * (relation.variables() as u64) + 128 * (relation.constraints() as u64) + 65_536
}

fn read_at_most(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn serialised(key: &ark_groth16::ProvingKey<Bn254>) -> Result<Vec<u8>, KeyError> {
    let mut bytes = Vec::with_capacity(key.uncompressed_size());
    key.serialize_uncompressed(&mut bytes)?;
    Ok(bytes)
}
