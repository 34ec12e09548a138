//! What the circuit is filled with: field elements, whether they make sense or not.

use std::fmt;

use ark_bn254::Fr;
use light_poseidon::PoseidonError;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{DEPTH, field::poseidon};

/// A value for every input of the circuit; those in the first part are public.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Values {
    pub(crate) root: Fr,
    pub(crate) nullifier: Fr,
    pub(crate) scope: Fr,
    pub(crate) now: Fr,
    pub(crate) handle: Fr,
    pub(crate) message: Fr,
    pub(crate) asked: Fr,

    pub(crate) secret: Fr,
    pub(crate) salt: Fr,
    pub(crate) record: Fr,
    pub(crate) granted: Fr,
    pub(crate) expires: Fr,
    pub(crate) key_high: Fr,
    pub(crate) key_low: Fr,
    pub(crate) blind: Fr,
    /// The nodes beside the way up, the leaf's first.
    pub(crate) siblings: [Fr; DEPTH],
    /// Whether the way up comes from the right, the leaf's level first: the bits of its index.
    pub(crate) index: [bool; DEPTH],
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").finish_non_exhaustive()
    }
}

impl Values {
    /// Nothing but zeros, to begin with.
    pub(crate) fn blank() -> Self {
        let zero = Fr::default();
        Self {
            root: zero,
            nullifier: zero,
            scope: zero,
            now: zero,
            handle: zero,
            message: zero,
            asked: zero,
            secret: zero,
            salt: zero,
            record: zero,
            granted: zero,
            expires: zero,
            key_high: zero,
            key_low: zero,
            blind: zero,
            siblings: [zero; DEPTH],
            index: [false; DEPTH],
        }
    }

    /// Computes what follows from the rest: root, nullifier and handle.
    pub(crate) fn complete(&mut self) -> Result<(), PoseidonError> {
        self.root = self.climb(self.leaf()?)?;
        self.nullifier = poseidon(&[self.secret, self.scope, self.record])?;
        self.handle = poseidon(&[self.record, self.blind])?;
        Ok(())
    }

    pub(crate) fn leaf(&self) -> Result<Fr, PoseidonError> {
        let identity = Zeroizing::new(poseidon(&[self.secret])?);
        let commitment = poseidon(&[*identity, self.salt])?;
        poseidon(&[
            self.record,
            self.granted,
            self.expires,
            self.key_high,
            self.key_low,
            commitment,
        ])
    }

    /// The root that a leaf leads to.
    pub(crate) fn climb(&self, leaf: Fr) -> Result<Fr, PoseidonError> {
        self.siblings
            .iter()
            .zip(self.index)
            .try_fold(leaf, |node, (sibling, is_right)| {
                poseidon(&if is_right { [*sibling, node] } else { [node, *sibling] })
            })
    }
}
