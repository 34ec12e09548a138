//! Whoever does not sign, and whoever signs in another's place.

use solana_instruction::error::InstructionError;
use solana_signer::Signer;

use crate::{catalogue::stories, common::*};

#[test]
fn missing_signer() {
    for mut story in stories() {
        let signers: Vec<_> = story
            .places()
            .into_iter()
            .filter(|place| place.signer && !place.absent)
            .collect();
        // Whoever pays the fee may return a nullifier's rent to whoever paid that.
        let nobody = story.name == "close_nullifier";
        assert_eq!(signers.is_empty(), nobody, "{}: who signs", story.name);
        for place in signers {
            let unsigned = unsign(story.instruction.clone(), place.address);
            let failure = story.fail(&format!("{} does not sign", place.name), &unsigned);
            let missing = Failure::Runtime(InstructionError::MissingRequiredSignature);
            assert_eq!(failure, missing, "{}: {}", story.name, place.name);
        }
    }
}

/// Signers whom anybody may be: who pays the rent, and who opens a patient of its own.
const ANYBODY: &[(&str, &str)] = &[("", "payer"), ("open_patient: by itself", "opener")];

#[test]
fn stranger_signs_in_anothers_place() {
    for mut story in stories() {
        let stranger = story.chain.wallet();
        story.signers.push(stranger.insecure_clone());
        for place in story.places() {
            let anybody = |(name, of): &(&str, &str)| story.name.starts_with(name) && place.name == *of;
            if place.signer && !place.absent && !ANYBODY.iter().any(anybody) {
                let forged = story.with(&place, stranger.pubkey());
                story.fail(&format!("a stranger signs as {}", place.name), &forged);
            }
        }
    }
}
