//! The statement, as constraints over the scalar field of BN254.
//!
//! In public: a root, a nullifier, a scope, the time, a record's handle, a message and the rights that are asked for. What
//! is proved is that the prover knows a secret, a leaf that was made for it, and the leaf's path, such that
//! 1. the leaf lies under the root, at some index, twenty levels down;
//! 2. every right that is asked for is among the leaf's, and at least one is asked for;
//! 3. the leaf expires after the time given;
//! 4. the nullifier is the hash of secret, scope and record: one per grant and scope, and it names neither;
//! 5. the handle is the hash of the leaf's record and a blind;
//! 6. the message takes part, so that it cannot be exchanged in a finished proof. The other six inputs already do.

mod poseidon;
#[cfg(test)]
mod tests;
mod values;

use ark_bn254::Fr;
use ark_ff::{Field as _, One as _};
use ark_r1cs_std::{
    GR1CSVar as _,
    alloc::AllocVar as _,
    boolean::Boolean,
    eq::EqGadget as _,
    fields::{FieldVar as _, fp::FpVar},
    select::CondSelectGadget as _,
};
use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystemRef, SynthesisError};

use crate::DEPTH;
pub(crate) use values::Values;

/// How many public inputs there are: root, nullifier, scope, now, handle, message, rights, in this order.
pub const PUBLIC_INPUTS: usize = chartseal_program::proof::INPUTS;
/// Bits of a mask of rights.
const RIGHTS: usize = 8;
/// Bits of what may lie between now and a grant's end, in seconds. Both are below 2^63 where the program wrote them.
const TIME: usize = 64;

/// The circuit: with values it can be proved, without it has its shape only.
pub(crate) struct Membership<'a>(Option<&'a Values>);

impl<'a> Membership<'a> {
    /// The shape, from which keys are made.
    pub(crate) fn shape() -> Self {
        Self(None)
    }

    pub(crate) fn of(values: &'a Values) -> Self {
        Self(Some(values))
    }

    fn value(&self, of: impl FnOnce(&Values) -> Fr) -> Result<Fr, SynthesisError> {
        self.0.map(of).ok_or(SynthesisError::AssignmentMissing)
    }

    /// The index and the siblings, each bound to the level above it: the root that they lead to.
    fn climb(&self, leaf: FpVar<Fr>, system: &ConstraintSystemRef<Fr>) -> Result<FpVar<Fr>, SynthesisError> {
        let mut node = leaf;
        for level in 0..DEPTH {
            let sibling = FpVar::new_witness(system.clone(), || self.value(|v| v.siblings[level]))?;
            let is_right = Boolean::new_witness(system.clone(), || {
                self.0.map(|v| v.index[level]).ok_or(SynthesisError::AssignmentMissing)
            })?;
            let left = FpVar::conditionally_select(&is_right, &sibling, &node)?;
            let right = node + sibling - &left;
            node = poseidon::hash(&[left, right])?;
        }
        Ok(node)
    }
}

impl ConstraintSynthesizer<Fr> for Membership<'_> {
    fn generate_constraints(self, system: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let input = |of: fn(&Values) -> Fr| FpVar::new_input(system.clone(), || self.value(of));
        let root = input(|v| v.root)?;
        let nullifier = input(|v| v.nullifier)?;
        let scope = input(|v| v.scope)?;
        let now = input(|v| v.now)?;
        let handle = input(|v| v.handle)?;
        let message = input(|v| v.message)?;
        let asked = input(|v| v.asked)?;

        let witness = |of: fn(&Values) -> Fr| FpVar::new_witness(system.clone(), || self.value(of));
        let secret = witness(|v| v.secret)?;
        let salt = witness(|v| v.salt)?;
        let record = witness(|v| v.record)?;
        let granted = witness(|v| v.granted)?;
        let expires = witness(|v| v.expires)?;
        let key_high = witness(|v| v.key_high)?;
        let key_low = witness(|v| v.key_low)?;
        let blind = witness(|v| v.blind)?;

        let identity = poseidon::hash(std::slice::from_ref(&secret))?;
        let commitment = poseidon::hash(&[identity, salt])?;
        let leaf = poseidon::hash(&[
            record.clone(),
            granted.clone(),
            expires.clone(),
            key_high,
            key_low,
            commitment,
        ])?;
        self.climb(leaf, &system)?.enforce_equal(&root)?;

        covers(&asked, &granted)?;
        let _ = (expires - now - Fr::one()).to_bits_le_with_top_bits_zero(TIME)?;

        poseidon::hash(&[secret, scope, record.clone()])?.enforce_equal(&nullifier)?;
        poseidon::hash(&[record, blind])?.enforce_equal(&handle)?;
        let _ = message.square()?;
        Ok(())
    }
}

/// Every bit that is asked for is granted, and there is one. Both are masks of eight bits.
fn covers(asked: &FpVar<Fr>, granted: &FpVar<Fr>) -> Result<(), SynthesisError> {
    let (asked_bits, _) = asked.to_bits_le_with_top_bits_zero(RIGHTS)?;
    let (granted_bits, _) = granted.to_bits_le_with_top_bits_zero(RIGHTS)?;
    let nothing = FpVar::zero();
    for (asked, granted) in asked_bits.into_iter().zip(granted_bits) {
        let refused = FpVar::one() - FpVar::from(granted);
        FpVar::from(asked).mul_equals(&refused, &nothing)?;
    }
    // What has an inverse is not zero.
    let inverse = FpVar::new_witness(asked.cs(), || Ok(asked.value()?.inverse().unwrap_or_default()))?;
    asked.mul_equals(&inverse, &FpVar::one())
}
