//! Poseidon within the circuit: the permutation that `light-poseidon` and the chain's syscall compute, with the constants
//! of the former, so that there is one table of them.

use std::sync::OnceLock;

use ark_bn254::Fr;
use ark_ff::Zero as _;
use ark_r1cs_std::fields::{FieldVar as _, fp::FpVar};
use ark_relations::gr1cs::SynthesisError;
use light_poseidon::{PoseidonParameters, parameters::bn254_x5::get_poseidon_parameters};

/// Elements that one permutation can hash.
const MOST_INPUTS: usize = 12;

/// The hash of 1 to 12 elements. Three constraints for every power that is taken.
pub(super) fn hash(inputs: &[FpVar<Fr>]) -> Result<FpVar<Fr>, SynthesisError> {
    let parameters = parameters(inputs.len())?;
    let half = parameters.full_rounds / 2;
    let mut state = vec![FpVar::constant(Fr::zero())];
    state.extend_from_slice(inputs);
    for (round, constants) in parameters.ark.chunks(parameters.width).enumerate() {
        for (element, constant) in state.iter_mut().zip(constants) {
            *element = &*element + *constant;
        }
        let full = round < half || round >= half + parameters.partial_rounds;
        let powered = if full { state.len() } else { 1 };
        for element in &mut state[..powered] {
            *element = fifth_power(element)?;
        }
        state = parameters
            .mds
            .iter()
            .map(|row| weigh(row, &state))
            .collect::<Result<_, _>>()?;
    }
    Ok(state.swap_remove(0))
}

fn weigh(weights: &[Fr], state: &[FpVar<Fr>]) -> Result<FpVar<Fr>, SynthesisError> {
    let weights: Vec<_> = weights.iter().map(|weight| FpVar::constant(*weight)).collect();
    FpVar::inner_product(&weights, state)
}

fn fifth_power(x: &FpVar<Fr>) -> Result<FpVar<Fr>, SynthesisError> {
    let square = x.square()?;
    Ok(square.square()? * x)
}

/// The constants for a number of inputs, made once.
fn parameters(inputs: usize) -> Result<&'static PoseidonParameters<Fr>, SynthesisError> {
    static MADE: [OnceLock<PoseidonParameters<Fr>>; MOST_INPUTS] = [const { OnceLock::new() }; MOST_INPUTS];
    let made = inputs
        .checked_sub(1)
        .and_then(|at| MADE.get(at))
        .ok_or(SynthesisError::Unsatisfiable)?;
    if let Some(parameters) = made.get() {
        return Ok(parameters);
    }
    let width = u8::try_from(inputs + 1).map_err(|_| SynthesisError::Unsatisfiable)?;
    let parameters = get_poseidon_parameters(width).map_err(|_| SynthesisError::Unsatisfiable)?;
    Ok(made.get_or_init(|| parameters))
}
