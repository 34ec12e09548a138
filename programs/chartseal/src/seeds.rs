//! Seeds of every program-derived address. Ids are 16 random bytes, chosen by the client.

/// `registry`: the one account of its kind.
pub const REGISTRY: &[u8] = b"registry";
/// `institution`, id.
pub const INSTITUTION: &[u8] = b"institution";
/// `member`, institution's id, id.
pub const MEMBER: &[u8] = b"member";
/// `patient`, id.
pub const PATIENT: &[u8] = b"patient";
/// `record`, patient's id, id.
pub const RECORD: &[u8] = b"record";
/// `grant`, patient's id, id.
pub const GRANT: &[u8] = b"grant";
/// `log`, patient's id.
pub const ACCESS_LOG: &[u8] = b"log";
/// `refusals`, patient's id.
pub const REFUSAL_LOG: &[u8] = b"refusals";

/// An id: 16 random bytes. All zeros means "none".
pub type Id = [u8; 16];

/// The id that stands for "none".
pub const NO_ID: Id = [0; 16];

/// Addresses as clients, the indexer and tests derive them.
#[cfg(not(target_os = "solana"))]
pub mod address {
    use super::*;
    use anchor_lang::prelude::Address;

    fn find(seeds: &[&[u8]]) -> Address {
        Address::find_program_address(seeds, &crate::ID).0
    }

    pub fn registry() -> Address {
        find(&[REGISTRY])
    }
    pub fn institution(id: &Id) -> Address {
        find(&[INSTITUTION, id])
    }
    pub fn member(institution: &Id, id: &Id) -> Address {
        find(&[MEMBER, institution, id])
    }
    pub fn patient(id: &Id) -> Address {
        find(&[PATIENT, id])
    }
    pub fn record(patient: &Id, id: &Id) -> Address {
        find(&[RECORD, patient, id])
    }
    pub fn grant(patient: &Id, id: &Id) -> Address {
        find(&[GRANT, patient, id])
    }
    pub fn access_log(patient: &Id) -> Address {
        find(&[ACCESS_LOG, patient])
    }
    pub fn refusal_log(patient: &Id) -> Address {
        find(&[REFUSAL_LOG, patient])
    }
    /// Signs the self-calls that carry events (Anchor's `emit_cpi!`).
    pub fn event_authority() -> Address {
        find(&[b"__event_authority"])
    }
}
