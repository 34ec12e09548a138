//! The contract as it is deployed: the real .so in a real SVM. One file for each instruction, then what spans several.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::cast_possible_truncation, clippy::semicolon_if_nothing_returned)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/people.rs"]
mod people;
#[path = "../common/tokens.rs"]
mod tokens;

mod accept_admin;
mod accept_agreement;
mod accept_institution;
mod accept_membership;
mod access_record;
mod amend_record;
mod anchor_batch;
mod attest_erasure;
mod close_agreement;
mod create_grant;
mod create_record;
mod decide_request;
mod erase_record;
mod fund_agreement;
mod initialize;
mod open_emergency;
mod open_patient;
mod pass_on_grant;
mod promote_batched;
mod propose_admin;
mod propose_agreement;
mod register_institution;
mod register_member;
mod request_access;
mod review_emergency;
mod revoke_grant;
mod set_emergency_credential;
mod set_institution_standing;
mod set_member_standing;
mod set_paused;
mod set_policy;
mod settle_access;

mod budgets;
mod chains;
mod emergencies;
mod events;
mod grant_slot;
mod policies;
mod refusal_caps;
mod wrong_accounts;
