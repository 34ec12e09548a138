//! Words, bytes and Borsh tags are one and the same, and nothing else stands for a word.

use anchor_lang::{wincode::config, BORSH_CONFIG};
use chartseal_program::vocabulary::*;

/// Everything that must hold of each kind of word. The count is written out, so that a new word is a decision.
macro_rules! holds {
    ($($test:ident: $name:ident, $count:literal;)+) => { $(
        #[test]
        fn $test() {
            assert_eq!($name::ALL.len(), $count);
            for (index, &word) in $name::ALL.iter().enumerate() {
                let byte = u8::try_from(index).unwrap();
                assert_eq!(word.byte(), byte, "bytes count up from zero");
                assert_eq!($name::from_byte(byte), Some(word));
                assert_eq!($name::from_word(word.word()), Some(word));
                assert!(word.word().bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'-'));
                assert_eq!(config::serialize(&word, BORSH_CONFIG).unwrap(), [byte], "the Borsh tag is the byte");
                assert_eq!(config::deserialize::<$name, _>(&[byte], BORSH_CONFIG).unwrap(), word);
            }
            for byte in $count..=u8::MAX {
                assert_eq!($name::from_byte(byte), None);
                assert!(config::deserialize::<$name, _>(&[byte], BORSH_CONFIG).is_err());
            }
            for other in ["", " ", "Active", "nobody"] {
                assert_eq!($name::from_word(other), None);
            }
        }
    )+ };
}

holds! {
    institution_kinds_round_trip: InstitutionKind, 5;
    standings_round_trip: Standing, 3;
    roles_round_trip: Role, 6;
    actions_round_trip: Action, 5;
    purposes_round_trip: Purpose, 7;
    grantee_kinds_round_trip: GranteeKind, 3;
    actor_kinds_round_trip: ActorKind, 4;
    bases_round_trip: Basis, 8;
    reasons_round_trip: Reason, 41;
    claim_kinds_round_trip: ClaimKind, 5;
    record_states_round_trip: RecordStatus, 2;
    request_states_round_trip: RequestState, 3;
    reviewers_round_trip: Reviewer, 2;
    verdicts_round_trip: Verdict, 2;
    agreement_states_round_trip: AgreementState, 3;
}

#[test]
fn bits_of_rights_and_purposes_are_one_each_and_fill_their_masks() {
    let rights = Action::ALL.iter().map(|action| action.bit());
    let purposes = Purpose::ALL.iter().map(|purpose| purpose.bit());
    assert!(rights.clone().all(|bit| bit.count_ones() == 1));
    assert!(purposes.clone().all(|bit| bit.count_ones() == 1));
    assert_eq!(rights.fold(0, |mask, bit| mask | bit), Action::MASK);
    assert_eq!(purposes.fold(0, |mask, bit| mask | bit), Purpose::MASK);
    assert_eq!((Action::MASK, Purpose::MASK), (0b1_1111, 0b111_1111));
}
