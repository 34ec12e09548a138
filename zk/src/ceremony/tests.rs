//! Ceremonies on a small circuit: that honest parties get keys that work, and that whatever somebody does to a transcript
//! is found, where it was done.

mod tampering;

use std::{ops::Range, sync::LazyLock};

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr as _, CurveGroup as _, PrimeGroup as _};
use ark_ff::{One as _, UniformRand as _};
use ark_groth16::{Groth16, r1cs_to_qap::LibsnarkReduction};
use ark_r1cs_std::{
    alloc::AllocVar as _,
    fields::{FieldVar as _, fp::FpVar},
};
use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystemRef, SynthesisError};
use chartseal_program::membership::small;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

use super::{share::Weights, *};
use crate::{
    circuit::{Membership, PUBLIC_INPUTS},
    encoding,
    keys::Refused,
    prove::groth16,
    relation::assign,
};

/// The public inputs are the second to the eighth power of a secret; or times a factor, which makes another circuit of it.
struct Small {
    secret: Option<Fr>,
    factor: u64,
}

const SHAPE: Small = Small {
    secret: None,
    factor: 1,
};

impl ConstraintSynthesizer<Fr> for Small {
    fn generate_constraints(self, system: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let secret = self.secret.ok_or(SynthesisError::AssignmentMissing);
        let mut powers = vec![FpVar::new_witness(system.clone(), || secret)?];
        let mut value = secret;
        for _ in 0..PUBLIC_INPUTS {
            value = value.and_then(|value| Ok(value * secret?));
            let next = FpVar::new_input(system.clone(), || value)?;
            let before = powers.last().unwrap() * Fr::from(self.factor);
            before.mul_equals(&powers[0], &next)?;
            powers.push(next);
        }
        Ok(())
    }
}

fn relation() -> Relation {
    Relation::of(SHAPE).unwrap()
}

fn nobody(_: Progress<'_>) {}

const NAMES: [&str; 3] = ["Hospital North", "Patients' union", "Åsa"];

/// A transcript, and where its sections begin and end: the header first.
struct Transcript {
    bytes: Vec<u8>,
    sections: Vec<Range<usize>>,
}

/// Three parties in both phases.
static HONEST: LazyLock<Transcript> = LazyLock::new(|| held(&relation()).0);

fn held(relation: &Relation) -> (Transcript, Ceremony) {
    let mut bytes = Vec::new();
    let mut ends = vec![0];
    let mut ceremony = Ceremony::begin(relation.clone(), &mut bytes).unwrap();
    ends.push(bytes.len());
    for phase in [1, 2] {
        for name in NAMES {
            ceremony
                .contribute(name, b"dice: 4 2 6", &mut bytes, &mut nobody)
                .unwrap();
            ends.push(bytes.len());
        }
        if phase == 1 {
            ceremony.enter_phase_two(&mut bytes, &mut nobody).unwrap();
            ends.push(bytes.len());
        }
    }
    let sections = ends.windows(2).map(|ends| ends[0]..ends[1]).collect();
    (Transcript { bytes, sections }, ceremony)
}

fn verify(bytes: &[u8]) -> Report {
    Ceremony::verify(relation(), &mut &bytes[..], &mut nobody).unwrap()
}

/// The section that the first fault lies in, as the header is section 0.
fn faulty(report: &Report) -> Option<(usize, Fault)> {
    match report.fault.as_ref()? {
        CeremonyError::Unsound { place, fault } => {
            let section = match place {
                Place::Header => 0,
                Place::Contribution { phase: 1, number, .. } => *number,
                Place::Contribution { number, .. } => *number + 1,
                Place::PhaseTwo => 4,
            };
            Some((section, fault.clone()))
        }
        other => panic!("{other}"),
    }
}

#[test]
fn three_honest_parties_get_keys_that_work() {
    let (transcript, ceremony) = held(&relation());
    let report = verify(&transcript.bytes);
    assert!(report.fault.is_none(), "{:?}", report.fault);
    let who: Vec<_> = report
        .contributions
        .iter()
        .map(|c| (c.phase, c.number, c.name.as_str()))
        .collect();
    let [a, b, c] = NAMES;
    assert_eq!(who, [(1, 1, a), (1, 2, b), (1, 3, c), (2, 4, a), (2, 5, b), (2, 6, c)]);
    assert_eq!(report.contributions, ceremony.contributions());
    assert_eq!(report.transcript, <[u8; 32]>::from(Sha256::digest(&transcript.bytes)));

    let keys = ceremony.keys().unwrap();
    let verifying = keys.verifying_key();
    assert!(report.gives(verifying));
    assert_eq!(
        (verifying.kind, verifying.transcript),
        (KeyKind::Ceremony, report.transcript)
    );
    assert!(*verifying == VerifyingKey::parse(&verifying.to_bytes()).unwrap());

    let assignment = assign(Small {
        secret: Some(Fr::from(3)),
        factor: 1,
    })
    .unwrap();
    let proof = groth16(&keys, &assignment).unwrap();
    let mut inputs = [9, 27, 81, 243, 729, 2_187, 6_561].map(small);
    verifying.verify_inputs(&inputs, &proof).unwrap();
    inputs[0] = small(8);
    assert_eq!(verifying.verify_inputs(&inputs, &proof), Err(Refused));
}

#[test]
fn the_keys_are_those_that_arkworks_makes_of_the_same_numbers() {
    let relation = relation();
    let domain = relation.domain().unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let drawn = PhaseOne {
        tau: domain.sample_element_outside_domain(&mut rng.clone()),
        alpha: Fr::from(7),
        beta: Fr::from(11),
    };
    let delta = Fr::from(13);
    let (g1, g2) = (G1Projective::generator(), G2Projective::generator());
    let made = Groth16::<Bn254, LibsnarkReduction>::generate_parameters_with_qap(
        SHAPE,
        drawn.alpha,
        drawn.beta,
        Fr::one(),
        delta,
        g1,
        g2,
        &mut rng,
    )
    .unwrap();

    let mut ceremony = Ceremony::before_anybody(relation.clone()).unwrap();
    let powers = Powers::begin(domain.size()).moved_by(&drawn);
    let queries = Queries::of(&powers, &relation).unwrap();
    queries.check(&powers, &relation, &mut Weights::new(&[0; 32])).unwrap();
    ceremony.stage = second_stage(&powers, queries, &relation);
    if let Stage::Two(_, moved) = &mut ceremony.stage {
        **moved = moved.moved_by(&delta);
    }
    ceremony.note("somebody".into());
    assert!(*ceremony.keys().unwrap().inner() == made);
}

/// The circuit itself is too large for a whole ceremony in a test (see the example `rehearsal`); that its polynomials are
/// those that proofs are made with, is what a ceremony adds to it.
#[test]
fn the_polynomials_of_the_circuit_itself_are_those_of_its_keys() {
    let relation = Relation::membership().unwrap();
    let domain = relation.domain().unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    let drawn = PhaseOne {
        tau: domain.sample_element_outside_domain(&mut rng.clone()),
        alpha: Fr::from(7),
        beta: Fr::from(11),
    };
    let (g1, g2) = (G1Projective::generator(), G2Projective::generator());
    let key = Groth16::<Bn254, LibsnarkReduction>::generate_parameters_with_qap(
        Membership::shape(),
        drawn.alpha,
        drawn.beta,
        Fr::one(),
        Fr::one(),
        g1,
        g2,
        &mut rng,
    )
    .unwrap();
    let powers = Powers::begin(domain.size()).moved_by(&drawn);
    assert!(queries::vanishing(&powers) == key.h_query);
    let mut queries = Queries {
        a: key.a_query,
        b_g1: key.b_g1_query,
        b_g2: key.b_g2_query,
        k: [key.vk.gamma_abc_g1, key.l_query].concat(),
    };
    queries.check(&powers, &relation, &mut Weights::new(&[0; 32])).unwrap();
    queries.k.swap(20, 21);
    assert!(queries.check(&powers, &relation, &mut Weights::new(&[0; 32])).is_err());
}

#[test]
fn what_is_done_out_of_turn_is_refused_and_changes_nothing() {
    let mut bytes = Vec::new();
    let mut ceremony = Ceremony::begin(relation(), &mut bytes).unwrap();
    let before = ceremony.transcript();
    let refused = ceremony.enter_phase_two(&mut bytes, &mut nobody);
    assert!(matches!(refused, Err(CeremonyError::NobodyContributed(1))));
    assert!(matches!(ceremony.keys(), Err(CeremonyError::OtherPhase(2))));
    for name in ["", "a\nb", &"x".repeat(65)] {
        let refused = ceremony.contribute(name, b"", &mut bytes, &mut nobody);
        assert!(matches!(refused, Err(CeremonyError::BadName)), "{name:?}");
    }
    // An output that takes nothing.
    assert!(
        ceremony
            .contribute("somebody", b"", &mut &mut [0_u8; 100][..], &mut nobody)
            .is_err()
    );
    assert_eq!((ceremony.transcript(), bytes.len()), (before, 40));
    assert!(ceremony.contributions().is_empty());

    ceremony.contribute("somebody", b"", &mut bytes, &mut nobody).unwrap();
    ceremony.enter_phase_two(&mut bytes, &mut nobody).unwrap();
    assert!(matches!(
        ceremony.enter_phase_two(&mut bytes, &mut nobody),
        Err(CeremonyError::OtherPhase(1))
    ));
    assert!(matches!(ceremony.keys(), Err(CeremonyError::NobodyContributed(2))));
    assert!(verify(&bytes).keys.is_none());
}

#[test]
fn a_ceremony_goes_from_file_to_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let [begun, first, second, both] = ["begun", "first", "second", "both"].map(file);
    begin_file(relation(), &begun).unwrap();
    contribute_to_file(relation(), (&begun, &first), "North", b"", &mut nobody).unwrap();
    enter_phase_two_of_file(relation(), (&first, &second), &mut nobody).unwrap();
    let mut heard = Vec::new();
    let mut listener = |progress: Progress<'_>| heard.push(format!("{progress:?}"));
    let noted = contribute_to_file(relation(), (&second, &both), "South", b"", &mut listener).unwrap();
    assert_eq!((noted.phase, noted.number, noted.name.as_str()), (2, 2, "South"));
    assert!(
        heard[0].contains("North") && heard[1] == "VerifiedPhaseTwo" && heard[2] == "Contributing",
        "{heard:?}"
    );

    let keys = [file("verifying.key"), file("proving.key")];
    let made = finish_file(relation(), &both, (&keys[0], &keys[1]), &mut nobody).unwrap();
    let report = verify_file(relation(), &both, &mut nobody).unwrap();
    assert!(report.gives(&VerifyingKey::parse(&std::fs::read(&keys[0]).unwrap()).unwrap()));
    assert_eq!(std::fs::metadata(&keys[1]).unwrap().len(), made.size() as u64);

    // Nothing is written over, and nothing is made of a transcript that is not sound.
    let taken = contribute_to_file(relation(), (&begun, &first), "South", b"", &mut nobody);
    assert!(
        matches!(taken, Err(CeremonyError::File { action: "write", .. })),
        "{taken:?}"
    );
    let mut bytes = std::fs::read(&both).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&both, bytes).unwrap();
    let refused = contribute_to_file(relation(), (&both, &file("more")), "South", b"", &mut nobody);
    assert!(matches!(refused, Err(CeremonyError::Unsound { .. })), "{refused:?}");
    assert!(!file("more").exists());
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 6, "{left:?}");
}

#[test]
fn a_circuit_that_says_nothing_has_no_ceremony() {
    struct Nothing;
    impl ConstraintSynthesizer<Fr> for Nothing {
        fn generate_constraints(self, _: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
            Ok(())
        }
    }
    let begun = Ceremony::begin(Relation::of(Nothing).unwrap(), &mut Vec::new());
    assert!(matches!(begun, Err(CeremonyError::TooSmall)), "{begun:?}");
}
