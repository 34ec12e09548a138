//! The key for tests: made from a seed that stands here for everybody to read, so that nobody has to carry its proving key
//! about. Whoever knows the seed can prove anything.

use ark_bn254::{Bn254, Fr, G1Projective, G2Projective};
use ark_ec::PrimeGroup as _;
use ark_ff::{One as _, UniformRand as _};
use ark_groth16::{Groth16, r1cs_to_qap::LibsnarkReduction};
use ark_relations::gr1cs::{ConstraintSynthesizer, SynthesisError};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

const SEED: &[u8; 32] = b"chartseal test-only groth16 seed";

/// The proving key that follows from the seed: always the same for the same circuit.
pub(super) fn proving_key(
    circuit: impl ConstraintSynthesizer<Fr>,
) -> Result<ark_groth16::ProvingKey<Bn254>, SynthesisError> {
    let mut rng = ChaCha20Rng::from_seed(*SEED);
    let [alpha, beta, delta] = std::array::from_fn(|_| Fr::rand(&mut rng));
    Groth16::<Bn254, LibsnarkReduction>::generate_parameters_with_qap(
        circuit,
        alpha,
        beta,
        Fr::one(),
        delta,
        G1Projective::generator(),
        G2Projective::generator(),
        &mut rng,
    )
}
