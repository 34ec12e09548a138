//! A circuit brought into its final form: three matrices over the field, in an order that every run of the same code
//! gives alike, so that their hash says which circuit a key was made for.

use std::fmt;

use ark_bn254::Fr;
use ark_ff::Zero as _;
use ark_poly::{EvaluationDomain as _, Radix2EvaluationDomain};
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystem, Matrix, OptimizationGoal, R1CS_PREDICATE_LABEL, SynthesisError,
    SynthesisMode,
};
use sha2::{Digest as _, Sha256};
use tracing::{Dispatch, dispatcher, subscriber::NoSubscriber};
use zeroize::Zeroizing;

use crate::{circuit::Membership, field};

/// The constraints `(A z) * (B z) = C z`, where z is 1, the public inputs, the witness.
#[derive(Clone)]
pub struct Relation {
    /// A, B and C: for each constraint, coefficients and the index in z that they are of, ascending.
    matrices: [Matrix<Fr>; 3],
    /// Public inputs and the constant 1.
    instance: usize,
    witness: usize,
    hash: [u8; 32],
}

impl fmt::Debug for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relation")
            .field("constraints", &self.constraints())
            .field("instance", &self.instance)
            .field("witness", &self.witness)
            .field("hash", &hex::encode(self.hash))
            .finish()
    }
}

impl Relation {
    /// The relation of the proof of access.
    ///
    /// # Errors
    /// None that is known; the circuit's own.
    pub fn membership() -> Result<Self, SynthesisError> {
        Self::of(Membership::shape())
    }

    /// The relation of a circuit, whose shape must not depend on any value.
    ///
    /// # Errors
    /// Whatever the circuit gives; a circuit with constraints other than rank one.
    pub fn of(circuit: impl ConstraintSynthesizer<Fr>) -> Result<Self, SynthesisError> {
        let system = ConstraintSystem::new_ref();
        system.set_optimization_goal(OptimizationGoal::Constraints);
        system.set_mode(SynthesisMode::Setup);
        unheard(|| circuit.generate_constraints(system.clone()))?;
        system.finalize();
        let matrices = system
            .to_matrices()?
            .remove(R1CS_PREDICATE_LABEL)
            .ok_or(SynthesisError::PredicateNotFound)?;
        let mut matrices: [Matrix<Fr>; 3] = matrices.try_into().map_err(|_| SynthesisError::PredicateNotFound)?;
        matrices.iter_mut().flatten().for_each(sort_row);
        let (instance, witness) = (system.num_instance_variables(), system.num_witness_variables());
        let hash = hash(&matrices, instance, witness);
        Ok(Self {
            matrices,
            instance,
            witness,
            hash,
        })
    }

    /// How many constraints there are.
    pub fn constraints(&self) -> usize {
        self.matrices[0].len()
    }

    /// How many public inputs, without the constant 1.
    pub fn public_inputs(&self) -> usize {
        self.instance - 1
    }

    /// How many values are secret, those in between included.
    pub fn witness(&self) -> usize {
        self.witness
    }

    /// SHA-256 over the matrices: which circuit this is. See the module's source for the order of the bytes.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    pub(crate) fn matrices(&self) -> &[Matrix<Fr>; 3] {
        &self.matrices
    }

    /// Public inputs and the constant 1.
    pub(crate) fn instance(&self) -> usize {
        self.instance
    }

    pub(crate) fn variables(&self) -> usize {
        self.instance + self.witness
    }

    /// Where the constraints are interpolated: one point each, and one for every public input, which binds these.
    ///
    /// # Errors
    /// More constraints than the field has roots of unity (2^28).
    pub(crate) fn domain(&self) -> Result<Radix2EvaluationDomain<Fr>, SynthesisError> {
        Radix2EvaluationDomain::new(self.constraints() + self.instance).ok_or(SynthesisError::PolynomialDegreeTooLarge)
    }

    /// Whether an assignment meets every constraint.
    pub(crate) fn is_satisfied(&self, assignment: &[Fr]) -> bool {
        let [a, b, c] = &self.matrices;
        let at = |row: &Vec<(Fr, usize)>| {
            row.iter()
                .map(|(coefficient, at)| assignment[*at] * coefficient)
                .sum::<Fr>()
        };
        assignment.len() == self.variables() && a.iter().zip(b).zip(c).all(|((a, b), c)| at(a) * at(b) == at(c))
    }
}

/// What a circuit with values assigns: 1, the public inputs, the witness.
///
/// # Errors
/// Whatever the circuit gives.
pub(crate) fn assign(circuit: impl ConstraintSynthesizer<Fr>) -> Result<Zeroizing<Vec<Fr>>, SynthesisError> {
    let system = ConstraintSystem::new_ref();
    system.set_mode(SynthesisMode::Prove {
        construct_matrices: false,
        generate_lc_assignments: false,
    });
    unheard(|| circuit.generate_constraints(system.clone()))?;
    let mut system = system.into_inner().ok_or(SynthesisError::MissingCS)?;
    let witness = Zeroizing::new(std::mem::take(&mut system.assignments.witness_assignment));
    let instance = std::mem::take(&mut system.assignments.instance_assignment);
    let mut assignment = Zeroizing::new(Vec::with_capacity(instance.len() + witness.len()));
    assignment.extend(instance);
    assignment.extend_from_slice(&witness);
    Ok(assignment)
}

/// arkworks opens a tracing span for each operation and puts the operands into it: secrets, in whatever log is kept. So
/// nobody listens meanwhile, which is faster too.
pub(crate) fn unheard<T>(synthesise: impl FnOnce() -> T) -> T {
    dispatcher::with_default(&Dispatch::new(NoSubscriber::default()), synthesise)
}

/// One coefficient for each index, ascending, none of them zero.
fn sort_row(row: &mut Vec<(Fr, usize)>) {
    row.sort_by_key(|(_, at)| *at);
    row.dedup_by(|next, kept| {
        let same = next.1 == kept.1;
        if same {
            kept.0 += next.0;
        }
        same
    });
    row.retain(|(coefficient, _)| !coefficient.is_zero());
}

/// Counts as u64 little-endian: constraints, instance, witness; then each matrix, row by row: the row's length, and for
/// each entry its index and its coefficient (32 bytes, big-endian).
fn hash(matrices: &[Matrix<Fr>; 3], instance: usize, witness: usize) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"chartseal/r1cs/v1");
    for count in [matrices[0].len(), instance, witness] {
        hash.update((count as u64).to_le_bytes());
    }
    for row in matrices.iter().flatten() {
        hash.update((row.len() as u64).to_le_bytes());
        for (coefficient, at) in row {
            hash.update((*at as u64).to_le_bytes());
            hash.update(field::write(coefficient));
        }
    }
    hash.finalize().into()
}
