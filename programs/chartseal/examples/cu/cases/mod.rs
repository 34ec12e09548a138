//! Every instruction in each of the ways that differ in what they cost, as the last step of a short story. The bench runs
//! each a hundred times with other ids; the test of the budgets runs each once.

mod agreements;
mod anonymous;
mod batches;
mod consent;
mod emergencies;
mod institutions;
mod patients;
mod records;
mod ways;

use std::path::Path;

use chartseal_program::{events::AnyEvent, vocabulary::*};
use serde_json::Value;
use solana_instruction::Instruction;
use solana_keypair::Keypair;

use super::stage::Stage;

/// Most compute units of an instruction that no other limit is meant for.
pub(crate) const ANY: u64 = 15_000;
/// The same of one that moves tokens.
pub(crate) const TRANSFER: u64 = 30_000;
/// The same of one that follows a Merkle proof of depth 16.
pub(crate) const PROOF: u64 = 25_000;
/// The same of one that loads three ancestors of a grant.
pub(crate) const ANCESTORS: u64 = 20_000;
/// The same of what a clinic sends all day: a record or a grant made ...
pub(crate) const CREATE: u64 = 8_000;
/// ... a record amended ...
pub(crate) const AMEND: u64 = 6_000;
/// ... and a record read.
pub(crate) const ACCESS: u64 = 6_000;
/// The same of one that hashes a leaf and what stands above it, twenty times ...
pub(crate) const LEAF: u64 = 40_000;
/// ... of one that does so twice, to see a leaf in its place and to take it out ...
pub(crate) const LEAF_OUT: u64 = 50_000;
/// ... and of one that checks a proof of access.
pub(crate) const SHOWN: u64 = 120_000;
/// What is allowed beyond its limit for each account that an instruction makes at an address with lamports. Anybody can
/// send them there, and making the account then takes three calls of the system program in place of one.
pub(crate) const LAMPORTS_AHEAD: u64 = 2_500;

/// An instruction, one of its ways, its limit in compute units, and what comes before it.
pub(crate) type Entry = (&'static str, &'static str, u64, fn(&mut Stage) -> Case);

/// Every case, in the order of the tables.
pub(crate) fn cases() -> impl Iterator<Item = &'static Entry> {
    [
        institutions::CASES,
        patients::CASES,
        consent::CASES,
        emergencies::CASES,
        records::CASES,
        batches::CASES,
        agreements::CASES,
        anonymous::CASES,
    ]
    .into_iter()
    .flatten()
}

/// Instructions of the IDL that no case is about.
pub(crate) fn left_out() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts/chartseal.json");
    let idl: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let names = idl["instructions"].as_array().unwrap().iter();
    names
        .map(|instruction| instruction["name"].as_str().unwrap())
        .filter(|name| cases().all(|(instruction, ..)| instruction != name))
        .map(Into::into)
        .collect()
}

/// What is sent.
pub(crate) struct Case {
    pub(crate) instruction: Instruction,
    /// What clients put before it in the same transaction.
    pub(crate) ahead: Vec<Instruction>,
    pub(crate) signers: Vec<Keypair>,
    /// Whether a relayer pays the fee, and signs for that.
    pub(crate) relayed: bool,
    expected: Expected,
}

/// What has to come of it, so that a row shows what it says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    Done,
    By(Basis),
    Refused(Reason),
}

impl Case {
    pub(crate) fn new(instruction: Instruction, signers: &[&Keypair]) -> Self {
        Self {
            instruction,
            ahead: Vec::new(),
            signers: signers.iter().map(|signer| signer.insecure_clone()).collect(),
            relayed: true,
            expected: Expected::Done,
        }
    }

    /// The same, where the policy has to answer this.
    fn expecting(self, expected: Result<Basis, Reason>) -> Self {
        let expected = expected.map_or_else(Expected::Refused, Expected::By);
        Self { expected, ..self }
    }

    /// The same, where the first signer pays the fee.
    fn paid_by_signer(self) -> Self {
        Self { relayed: false, ..self }
    }

    /// Whether the event says what had to come of it.
    pub(crate) fn is_told_by(&self, event: &AnyEvent) -> bool {
        let found = match event {
            AnyEvent::ActionRefused(event) => Expected::Refused(event.reason),
            AnyEvent::AccessAllowed(event) => Expected::By(event.basis),
            AnyEvent::RecordCreated(event) => Expected::By(event.basis),
            AnyEvent::RecordAmended(event) => Expected::By(event.basis),
            AnyEvent::RecordPromoted(event) => Expected::By(event.basis),
            _ => Expected::Done,
        };
        found == self.expected
    }
}
