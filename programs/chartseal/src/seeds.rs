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
/// `delegate`, patient's id, id.
pub const DELEGATE: &[u8] = b"delegate";
/// `safeguards`, patient's id.
pub const SAFEGUARDS: &[u8] = b"safeguards";
/// `request`, patient's id, id.
pub const REQUEST: &[u8] = b"request";
/// `policy`, patient's id, institution's id.
pub const POLICY: &[u8] = b"policy";
/// `emergency`, patient's id, id.
pub const EMERGENCY: &[u8] = b"emergency";
/// `batch`, institution's id, id.
pub const BATCH: &[u8] = b"batch";
/// `agreement`, consumer's id, id.
pub const AGREEMENT: &[u8] = b"agreement";
/// `settlement`, agreement's address, record's address, version (u32 LE).
pub const SETTLEMENT: &[u8] = b"settlement";
/// `tree`, id.
pub const TREE: &[u8] = b"tree";
/// `leaves`, tree's id, record's address.
pub const LEAVES: &[u8] = b"leaves";
/// `nullifier`, the nullifier.
pub const NULLIFIER: &[u8] = b"nullifier";

/// An id: 16 random bytes. All zeros means "none".
pub type Id = [u8; 16];

/// The id that stands for "none".
pub const NO_ID: Id = [0; 16];

/// The bump of every address whose id the client draws for it: records, grants, delegates, requests, emergencies,
/// batches, agreements and trees.
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

    /// A patient's Delegate of this id.
    pub fn delegate(patient: &Id, id: &Id) -> Address {
        find(&[DELEGATE, patient, id])
    }

    /// A patient's Safeguards.
    pub fn safeguards(patient: &Id) -> Address {
        find(&[SAFEGUARDS, patient])
    }

    /// A Request of this id to a patient.
    pub fn request(patient: &Id, id: &Id) -> Address {
        find(&[REQUEST, patient, id])
    }

    /// A patient's Policy for an institution.
    pub fn policy(patient: &Id, institution: &Id) -> Address {
        find(&[POLICY, patient, institution])
    }

    /// A patient's Emergency of this id.
    pub fn emergency(patient: &Id, id: &Id) -> Address {
        find(&[EMERGENCY, patient, id])
    }

    /// An institution's Batch of this id.
    pub fn batch(institution: &Id, id: &Id) -> Address {
        find(&[BATCH, institution, id])
    }

    /// The Agreement of this id that an institution proposed as consumer.
    pub fn agreement(consumer: &Id, id: &Id) -> Address {
        find(&[AGREEMENT, consumer, id])
    }

    /// What was settled of an agreement for one version of a record.
    pub fn settlement(agreement: &Address, record: &Address, version: u32) -> Address {
        find(&[SETTLEMENT, agreement.as_ref(), record.as_ref(), &version.to_le_bytes()])
    }

    /// The GrantTree of this id.
    pub fn tree(id: &Id) -> Address {
        find(&[TREE, id])
    }

    /// What a tree has of one record.
    pub fn anonymous_set(tree: &Id, record: &Address) -> Address {
        find(&[LEAVES, tree, record.as_ref()])
    }

    /// A use of a grant without a name.
    pub fn nullifier(nullifier: &crate::membership::Field) -> Address {
        find(&[NULLIFIER, nullifier])
    }

    /// Draws ids until one is fit for a tree.
    pub fn draw_tree_id(mut random: impl FnMut() -> Id) -> Id {
        loop {
            let id = random();
            if id != NO_ID && Address::find_program_address(&[TREE, &id], &crate::ID).1 == BUMP {
                return id;
            }
        }
    }

    /// Whether an id is fit for an address of this kind (see [`BUMP`]): `kind` is one of this module's seeds, `subject`
    /// the id that stands between.
    pub fn fits(kind: &[u8], subject: &Id, id: &Id) -> bool {
        *id != NO_ID && Address::find_program_address(&[kind, subject, id], &crate::ID).1 == BUMP
    }

    /// Draws ids until one is fit for an address of this kind.
    pub fn draw(kind: &[u8], subject: &Id, mut random: impl FnMut() -> Id) -> Id {
        loop {
            let id = random();
            if fits(kind, subject, &id) {
                return id;
            }
        }
    }

    /// Whether an id is fit for a record of this patient (see [`BUMP`]).
    pub fn fits_record(patient: &Id, id: &Id) -> bool {
        fits(RECORD, patient, id)
    }

    /// Whether an id is fit for a grant of this patient (see [`BUMP`]).
    pub fn fits_grant(patient: &Id, id: &Id) -> bool {
        fits(GRANT, patient, id)
    }

    /// Draws ids until one is fit for a record of this patient.
    pub fn draw_record_id(patient: &Id, random: impl FnMut() -> Id) -> Id {
        draw(RECORD, patient, random)
    }

    /// Draws ids until one is fit for a grant of this patient.
    pub fn draw_grant_id(patient: &Id, random: impl FnMut() -> Id) -> Id {
        draw(GRANT, patient, random)
    }

    /// Signs the self-calls that carry events (Anchor's `emit_cpi!`).
    pub fn event_authority() -> Address {
        find(&[b"__event_authority"])
    }
}
