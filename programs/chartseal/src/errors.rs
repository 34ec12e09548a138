//! What makes an instruction fail. A refusal by policy is no error: it is decided, logged, and the instruction succeeds.

use anchor_lang::prelude::*;

/// Numbers are stable: new errors are appended.
#[error_code]
pub enum ChartsealError {
    #[msg("only the program's upgrade authority may create the registry")]
    NotUpgradeAuthority,
    #[msg("only the registry's admin may do this")]
    NotAdmin,
    #[msg("only the admin that was proposed may accept")]
    NotProposedAdmin,
    #[msg("the program is paused: revoking and reviewing still work, everything else waits")]
    Paused,
    #[msg("only the institution's authority may do this")]
    NotInstitutionAuthority,
    #[msg("the institution is not active: it must have accepted and not be suspended")]
    InstitutionNotActive,
    #[msg("this was accepted before")]
    AlreadyAccepted,
    #[msg("only the wallet that was invited may accept")]
    NotInvited,
    #[msg("this member belongs to another institution")]
    ForeignMember,
    #[msg("only the patient's wallet, or the steward of a patient without one, may do this")]
    NotPatient,
    #[msg("the signer is not registered here: it is neither the patient, nor this member, nor named by this grant")]
    Stranger,
    #[msg("this account belongs to another patient")]
    ForeignPatient,
    #[msg("the account passed as a grant is neither a grant nor an empty address of one")]
    NotAGrantSlot,
    #[msg("a member acts together with its institution: pass both or neither")]
    InstitutionMissing,
    #[msg("refusals of this actor reached their cap for the hour: nothing was decided, try again later")]
    RefusalCap,
    #[msg("the record is at another version than expected: read it again and amend that one")]
    StaleVersion,
    #[msg("the sharing class is out of range (0 to 31)")]
    BadClass,
    #[msg("a grant needs at least one right and one purpose, and none that does not exist")]
    BadMask,
    #[msg("a grant is on one record or on a set of classes, not on both and not on neither")]
    BadSubject,
    #[msg("a grant ends after it begins, and in the future")]
    BadValidity,
    #[msg("a grant that may be used no times is no grant")]
    NoUses,
    #[msg("the grantee's account is not of the kind that the grant names")]
    BadGrantee,
    #[msg("the grant was revoked before")]
    AlreadyRevoked,
    #[msg("an id or a key of zeros stands for none and cannot be used")]
    ZeroId,
    #[msg("the status is not one that may be set")]
    BadStanding,
    #[msg("a counter would overflow")]
    Overflow,
    #[msg("the expiry is in the past")]
    ExpiryInPast,
    #[msg("the record was erased")]
    RecordErased,
    #[msg("the address of this id has another bump than 255: draw another id")]
    BumpNot255,
}
