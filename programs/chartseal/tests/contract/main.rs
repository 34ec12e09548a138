//! The contract as it is deployed: the real .so in a real SVM. One file for each instruction, then what spans several.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::cast_possible_truncation, clippy::semicolon_if_nothing_returned)]

#[path = "../common/anonymous.rs"]
mod anonymous;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/people.rs"]
mod people;
#[path = "../common/tokens.rs"]
mod tokens;

mod accept_admin;
mod accept_agreement;
mod accept_authority;
mod accept_delegation;
mod accept_institution;
mod accept_membership;
mod accept_wallet;
mod access_record;
mod amend_record;
mod anchor_batch;
mod attest_erasure;
mod close_agreement;
mod close_nullifier;
mod create_anonymous_grant;
mod create_grant;
mod create_record;
mod decide_request;
mod erase_record;
mod finish_recovery;
mod fund_agreement;
mod initialize;
mod name_delegate;
mod object_to_recovery;
mod open_emergency;
mod open_patient;
mod open_tree;
mod pass_on_grant;
mod promote_batched;
mod propose_admin;
mod propose_agreement;
mod propose_authority;
mod propose_wallet;
mod register_institution;
mod register_member;
mod renew_institution;
mod renew_member;
mod request_access;
mod review_emergency;
mod revoke_anonymous_grant;
mod revoke_delegate;
mod revoke_grant;
mod rotate_patient_key;
mod set_break_glass;
mod set_emergency_credential;
mod set_guardians;
mod set_institution_standing;
mod set_member_standing;
mod set_paused;
mod set_policy;
mod settle_access;
mod verify_access_proof;
mod vote_recovery;

mod ancestors;
mod budgets;
mod chains;
mod delegated_limits;
mod delegates;
mod earlier_versions;
mod emergencies;
mod events;
mod grant_slot;
mod lapsed_policies;
mod policies;
mod refusal_caps;
mod standing_recoveries;
mod turned_reviews;
mod vote_caps;
mod wrong_accounts;
