//! The instructions, one file each: its accounts, what must hold, and what it does.
//!
//! The modules are re-exported whole, because Anchor's derives generate items beside each accounts struct that
//! `#[program]` looks for in one place.

// Anchor's derive binds an instruction's arguments also where a generated function does not use them.
#![allow(unused_variables)]

pub mod accept_admin;
pub mod accept_institution;
pub mod accept_membership;
pub mod access_record;
pub mod acting;
pub mod amend_record;
pub mod create_grant;
pub mod create_record;
pub mod deciding;
pub mod initialize;
pub mod open_patient;
pub mod propose_admin;
pub mod register_institution;
pub mod register_member;
pub mod revoke_grant;
pub mod set_institution_standing;
pub mod set_member_standing;
pub mod set_paused;

pub use accept_admin::*;
pub use accept_institution::*;
pub use accept_membership::*;
pub use access_record::*;
pub use acting::*;
pub use amend_record::*;
pub use create_grant::*;
pub use create_record::*;
pub use deciding::*;
pub use initialize::*;
pub use open_patient::*;
pub use propose_admin::*;
pub use register_institution::*;
pub use register_member::*;
pub use revoke_grant::*;
pub use set_institution_standing::*;
pub use set_member_standing::*;
pub use set_paused::*;
