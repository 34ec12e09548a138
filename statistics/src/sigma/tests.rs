use super::*;
use crate::group::{h, random_scalar};

fn about(what: &str) -> Transcript {
    let mut transcript = Transcript::new("test");
    transcript.append("about", what.as_bytes());
    transcript
}

/// Every single bit of the proof's bytes is turned, and none of what comes of it may be believed.
fn no_bit_can_be_turned<P: BorshSerialize + BorshDeserialize>(
    proof: &P,
    verify: impl Fn(&P) -> Result<(), ProofError>,
) {
    let bytes = borsh::to_vec(proof).unwrap();
    verify(proof).unwrap();
    for bit in 0..8 * bytes.len() {
        let mut turned = bytes.clone();
        turned[bit / 8] ^= 1 << (bit % 8);
        let turned = borsh::from_slice(&turned).unwrap();
        assert!(verify(&turned).is_err(), "bit {bit}");
    }
}

#[test]
fn knowledge_is_proved_for_one_statement_on_one_occasion() {
    let secret = random_scalar().unwrap();
    let (base, public) = (h(), *secret * h());
    let proof = Knowledge::prove(&mut about("this"), &base, &secret).unwrap();
    no_bit_can_be_turned(&proof, |proof| proof.verify(&mut about("this"), &base, &public));
    let refused = Err(ProofError::Refused);
    assert_eq!(proof.verify(&mut about("that"), &base, &public), refused);
    assert_eq!(proof.verify(&mut about("this"), &G, &public), refused);
    assert_eq!(proof.verify(&mut about("this"), &base, &(public + G)), refused);
    let identity = RistrettoPoint::default();
    assert_eq!(
        proof.verify(&mut about("this"), &identity, &identity),
        Err(EncodingError::Identity.into())
    );
}

#[test]
fn one_logarithm_is_proved_of_many_pairs_and_not_of_one_that_differs() {
    let secret = random_scalar().unwrap();
    let public = *secret * h();
    let pairs: Vec<_> = (0..5)
        .map(|_| random_scalar().map(|x| (*x * G, *secret * *x * G)).unwrap())
        .collect();
    let proof = Equality::prove(&mut about("this"), &h(), &pairs, &secret).unwrap();
    no_bit_can_be_turned(&proof, |proof| proof.verify(&mut about("this"), &h(), &public, &pairs));
    let refused = Err(ProofError::Refused);
    assert_eq!(proof.verify(&mut about("that"), &h(), &public, &pairs), refused);
    assert_eq!(proof.verify(&mut about("this"), &G, &public, &pairs), refused);
    assert_eq!(proof.verify(&mut about("this"), &h(), &(public + G), &pairs), refused);
    assert_eq!(proof.verify(&mut about("this"), &h(), &public, &pairs[1..]), refused);
    assert_eq!(proof.verify(&mut about("this"), &h(), &public, &[]), refused);
    for place in 0..pairs.len() {
        for change_first in [true, false] {
            let mut wrong = pairs.clone();
            let (first, second) = &mut wrong[place];
            *(if change_first { first } else { second }) += G;
            assert_eq!(proof.verify(&mut about("this"), &h(), &public, &wrong), refused);
            // An honest prover's algorithm makes no proof of it either.
            let proof = Equality::prove(&mut about("this"), &h(), &wrong, &secret).unwrap();
            assert_eq!(proof.verify(&mut about("this"), &h(), &public, &wrong), refused);
        }
    }
    // Errors that cancel in the plain sum do not cancel in the weighed one.
    let mut wrong = pairs.clone();
    wrong[0].1 += G;
    wrong[1].1 -= G;
    let proof = Equality::prove(&mut about("this"), &h(), &wrong, &secret).unwrap();
    assert_eq!(proof.verify(&mut about("this"), &h(), &public, &wrong), refused);
    let mut wrong = pairs;
    wrong[2].0 = RistrettoPoint::default();
    assert_eq!(
        proof.verify(&mut about("this"), &h(), &public, &wrong),
        Err(EncodingError::Identity.into())
    );
}

#[test]
fn openings_are_proved_of_all_commitments() {
    let openings: Vec<(Scalar, Scalar)> = (0..4u64)
        .map(|x| (Scalar::from(x), *random_scalar().unwrap()))
        .collect();
    let commitments: Vec<_> = openings.iter().map(|(x, r)| x * G + r * h()).collect();
    let proof = Openings::prove(&mut about("this"), &openings).unwrap();
    no_bit_can_be_turned(&proof, |proof| proof.verify(&mut about("this"), &commitments));
    let refused = Err(ProofError::Refused);
    assert_eq!(proof.verify(&mut about("that"), &commitments), refused);
    assert_eq!(proof.verify(&mut about("this"), &commitments[..3]), refused);
    for place in 0..commitments.len() {
        let mut wrong = commitments.clone();
        wrong[place] += h();
        assert_eq!(proof.verify(&mut about("this"), &wrong), refused);
    }
    // Knowing the plain sum of two openings is not enough.
    let unknown = *random_scalar().unwrap() * G;
    let mut blinded = commitments;
    blinded[0] += unknown;
    blinded[1] -= unknown;
    let proof = Openings::prove(&mut about("this"), &openings).unwrap();
    assert_eq!(proof.verify(&mut about("this"), &blinded), refused);
}
