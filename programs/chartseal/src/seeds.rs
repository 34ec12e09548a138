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

/// The bump of every record's and every grant's address.
///
/// The chain looks for an address's bump from 255 downwards, and each step costs 326 compute units. Ids are random, so
/// the client draws them until the very first bump fits (two draws on average): making a record then costs the same
/// each time, and no id has two addresses.
pub const BUMP: u8 = u8::MAX;

/// Addresses as clients, the indexer and tests derive them.
#[cfg(not(target_os = "solana"))]
pub mod address {
    use super::*;
    use anchor_lang::prelude::Address;

    fn find(seeds: &[&[u8]]) -> Address {
        Address::find_program_address(seeds, &crate::ID).0
    }

    /// The Registry.
    pub fn registry() -> Address {
        find(&[REGISTRY])
    }

    /// The Institution of this id.
    pub fn institution(id: &Id) -> Address {
        find(&[INSTITUTION, id])
    }

    /// The Member of this id in an institution.
    pub fn member(institution: &Id, id: &Id) -> Address {
        find(&[MEMBER, institution, id])
    }

    /// The Patient of this id.
    pub fn patient(id: &Id) -> Address {
        find(&[PATIENT, id])
    }

    /// A patient's Record of this id.
    pub fn record(patient: &Id, id: &Id) -> Address {
        find(&[RECORD, patient, id])
    }

    /// A patient's Grant of this id, to make or revoke it.
    pub fn grant(patient: &Id, id: &Id) -> Address {
        find(&[GRANT, patient, id])
    }
    /// Where a claim puts a grant of this id, whether there is one or not: the address at [`BUMP`]. It is that of
    /// [`grant`] for every id that a grant can have.
    pub fn grant_slot(patient: &Id, id: &Id) -> Address {
        Address::new_from_array(crate::state::slot::derived(&[GRANT, patient, id]))
    }

    /// A patient's AccessLog.
    pub fn access_log(patient: &Id) -> Address {
        find(&[ACCESS_LOG, patient])
    }

    /// A patient's RefusalLog.
    pub fn refusal_log(patient: &Id) -> Address {
        find(&[REFUSAL_LOG, patient])
    }

    /// Whether an id is fit for a record of this patient (see [`BUMP`]).
    pub fn fits_record(patient: &Id, id: &Id) -> bool {
        fits(&[RECORD, patient, id])
    }

    /// Whether an id is fit for a grant of this patient (see [`BUMP`]).
    pub fn fits_grant(patient: &Id, id: &Id) -> bool {
        fits(&[GRANT, patient, id])
    }

    fn fits(seeds: &[&[u8]; 3]) -> bool {
        *seeds[2] != NO_ID && Address::find_program_address(seeds, &crate::ID).1 == BUMP
    }

    /// Draws ids until one is fit for a record of this patient.
    pub fn draw_record_id(patient: &Id, mut draw: impl FnMut() -> Id) -> Id {
        loop {
            let id = draw();
            if fits_record(patient, &id) {
                return id;
            }
        }
    }

    /// Draws ids until one is fit for a grant of this patient.
    pub fn draw_grant_id(patient: &Id, mut draw: impl FnMut() -> Id) -> Id {
        loop {
            let id = draw();
            if fits_grant(patient, &id) {
                return id;
            }
        }
    }

    /// Signs the self-calls that carry events (Anchor's `emit_cpi!`).
    pub fn event_authority() -> Address {
        find(&[b"__event_authority"])
    }
}
