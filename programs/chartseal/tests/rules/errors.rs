//! Errors have numbers that stay, and texts that say what to do.

use anchor_lang::prelude::ProgramError;
use chartseal_program::ChartsealError;

#[test]
fn numbers_are_stable() {
    for (error, number) in [
        (ChartsealError::NotUpgradeAuthority, 6000),
        (ChartsealError::NotAdmin, 6001),
        (ChartsealError::Paused, 6003),
        (ChartsealError::Stranger, 6010),
        (ChartsealError::RefusalCap, 6014),
        (ChartsealError::StaleVersion, 6015),
        (ChartsealError::Overflow, 6025),
        (ChartsealError::BumpNot255, 6028),
        (ChartsealError::GrantMismatch, 6029),
        (ChartsealError::RoleNotOfKind, 6030),
        (ChartsealError::NoContent, 6031),
        (ChartsealError::NoSteward, 6032),
        (ChartsealError::OneClaim, 6033),
        (ChartsealError::NotProposed, 6035),
        (ChartsealError::NotGuardian, 6040),
        (ChartsealError::RequestCap, 6047),
        (ChartsealError::OwnReview, 6052),
        (ChartsealError::BadBatch, 6056),
        (ChartsealError::BadMint, 6061),
        (ChartsealError::NotAgreed, 6065),
        (ChartsealError::UnexpectedBalance, 6067),
        (ChartsealError::VoteCap, 6070),
        (ChartsealError::OwnHandover, 6071),
        (ChartsealError::NotAField, 6072),
        (ChartsealError::NotInTree, 6075),
        (ChartsealError::BadProof, 6078),
        (ChartsealError::EpochNotOver, 6080),
    ] {
        let name = format!("{error:?}");
        assert_eq!(ProgramError::from(error), ProgramError::Custom(number), "{name}");
        assert_eq!(ChartsealError::text(number).unwrap().0, name);
    }
    assert_eq!(ChartsealError::TEXTS.len(), 81);
}

#[test]
fn number_that_is_not_ours_has_no_text() {
    for number in [0, 1, 2000, 5999, 6081, u32::MAX] {
        assert_eq!(ChartsealError::text(number), None);
    }
}

#[test]
fn every_error_has_a_text_of_its_own() {
    let mut texts: Vec<_> = ChartsealError::TEXTS.iter().map(|(_, text)| text).collect();
    assert!(texts.iter().all(|text| text.len() > 15));
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), ChartsealError::TEXTS.len());
}
