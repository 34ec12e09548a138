//! Makes each tree of grants without a name anew from the rows of `anonymous_grants`, and compares it with the ledger's.
//!
//! Each change of a tree has a number, and each row says which changes it stands for: the leaf that was added, computed
//! from what the row says was granted, and its end. So they are made again one after the other, and after each the root
//! has to be the one that the row has. The last has to be the one that the tree's account has for that number.

mod whole;

use std::collections::{BTreeMap, BTreeSet};

use chartseal_program::{
    events::AnyEvent,
    log::ChainKind,
    membership::{self, AnonymousTerms, CAPACITY, DEPTH, Field, NO_LEAF, ZEROS},
    seeds::Id,
    state::{GrantTree, ROOTS},
    vocabulary::Action,
};
use serde::Serialize;
use sqlx::PgConnection;

use super::report::{Finding, Findings, Problem};
use crate::{Error, sink::SinkError, source::RpcSource};
use whole::Whole;

/// Trees, and what was made anew of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TreeCount {
    pub trees: u64,
    /// Grants that were ever made.
    pub leaves: u64,
    /// Changes after which the tree had the root that the ledger has.
    pub proved: u64,
}

/// Whose event made a change: a patient's, at that place in the chain `log`.
#[derive(Clone, Copy)]
struct Cause {
    patient: Id,
    seq: u64,
}

/// The changes that the events tell of, by tree and number.
#[derive(Default)]
pub(super) struct Told(BTreeMap<Id, BTreeMap<u64, Cause>>);

impl Told {
    /// Takes note of an event, if it changes a tree.
    pub(super) fn take(&mut self, event: &AnyEvent) {
        let (tree, number) = match event {
            AnyEvent::AnonymousGrantCreated(e) => (e.tree, e.number),
            AnyEvent::AnonymousGrantRevoked(e) => (e.tree, e.number),
            _ => return,
        };
        let (patient, seq) = (event.link().subject, event.link().seq);
        self.0.entry(tree).or_default().insert(number, Cause { patient, seq });
    }
}

/// A grant as its row has it; what it says is not yet believed.
#[derive(sqlx::FromRow)]
struct Row {
    tree: Vec<u8>,
    leaf_index: i64,
    patient: Vec<u8>,
    record: Vec<u8>,
    rights: Vec<String>,
    expires: i64,
    envelope_key: Vec<u8>,
    commitment: Vec<u8>,
    number: i64,
    root: Vec<u8>,
    revoked_number: Option<i64>,
    revoked_root: Option<Vec<u8>>,
    made_seq: i64,
    changed_seq: i64,
}

/// One change of a tree.
struct Change {
    number: u64,
    place: u32,
    /// The leaf that was added; nothing where one was taken out.
    leaf: Option<Field>,
    root: Field,
    cause: Cause,
}

/// Makes every tree anew.
pub(super) async fn prove(
    snapshot: &mut PgConnection,
    source: &RpcSource,
    at_least: u64,
    told: &Told,
    findings: &mut Findings,
) -> Result<TreeCount, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT tree::bytea, leaf_index, patient::bytea, record::bytea, rights, expires, envelope_key::bytea,
                commitment::bytea, number, root::bytea, revoked_number, revoked_root::bytea, made_seq, changed_seq
         FROM chartseal.anonymous_grants",
    )
    .fetch_all(snapshot)
    .await?;
    let mut count = TreeCount {
        leaves: rows.len() as u64,
        ..TreeCount::default()
    };
    let mut changes: BTreeMap<Id, Vec<Change>> = BTreeMap::new();
    for row in &rows {
        let tree = row.tree.as_slice().try_into();
        let tree = tree.map_err(|_| SinkError::Damaged("anonymous_grants.tree"))?;
        row.changes(changes.entry(tree).or_default())?;
    }
    let accounts: BTreeMap<Id, GrantTree> = source
        .program_accounts(at_least)
        .await?
        .into_iter()
        .map(|(_, tree): (_, GrantTree)| (tree.id, tree))
        .collect();
    let ids: BTreeSet<Id> = changes
        .keys()
        .chain(told.0.keys())
        .chain(accounts.keys())
        .copied()
        .collect();
    count.trees = ids.len() as u64;
    for id in ids {
        let changes = changes.remove(&id).unwrap_or_default();
        let told = told.0.get(&id);
        match prove_one(changes, told, accounts.get(&id)) {
            Ok(proved) => count.proved += proved,
            Err(broken) => {
                count.proved += broken.proved;
                findings.add(broken.finding());
            }
        }
    }
    Ok(count)
}

/// Makes one tree anew: how many of its changes were proved, and the first that does not fit. Nothing can be said of those
/// after that one.
fn prove_one(
    mut changes: Vec<Change>,
    told: Option<&BTreeMap<u64, Cause>>,
    account: Option<&GrantTree>,
) -> Result<u64, Broken> {
    changes.sort_by_key(|change| change.number);
    let told_of = |number: u64| told.and_then(|told| told.get(&number)).copied();
    let mut whole = Whole::default();
    let (mut proved, mut leaves, mut root) = (0, 0, ZEROS[DEPTH]);
    let mut last = None;
    for change in &changes {
        let wrong = |detail| Broken::new(proved, Problem::Altered, change.cause, detail);
        if change.number != proved + 1 {
            return Err(match told_of(proved + 1) {
                Some(cause) => Broken::new(proved, Problem::Missing, cause, MISSING),
                None => wrong("the tree's change before it is not there, or it has another's number"),
            });
        }
        if change.leaf.is_some() && change.place != leaves || change.place >= CAPACITY {
            return Err(wrong("its leaf does not stand behind those that were there"));
        }
        leaves += u32::from(change.leaf.is_some());
        let made = whole.set(change.place, change.leaf.as_ref().unwrap_or(&NO_LEAF));
        root = made.map_err(|_| wrong("its leaf is no element of the field"))?;
        if root != change.root {
            return Err(wrong("the tree that the rows make has another root after it"));
        }
        proved += 1;
        last = Some(change.cause);
    }
    if let Some(cause) = told_of(proved + 1) {
        return Err(Broken::new(proved, Problem::Missing, cause, MISSING));
    }
    let Some(last) = last else { return Ok(0) };
    let Some(account) = account else {
        return Err(Broken::new(0, Problem::Added, last, "the ledger has no such tree"));
    };
    let broken = |problem, detail| Err(Broken::new(proved - 1, problem, last, detail));
    match account.number.checked_sub(proved) {
        None => broken(Problem::Added, "the ledger's tree was not changed so often"),
        Some(age) if age < ROOTS as u64 && account.roots[place(proved)] != root => {
            broken(Problem::Altered, "the ledger's tree has another root after it")
        }
        Some(_) => Ok(proved),
    }
}

/// Where an account keeps the root of this number.
fn place(number: u64) -> usize {
    usize::try_from(number % ROOTS as u64).unwrap_or_default()
}

/// What is said of a change that the events tell of, and no row.
const MISSING: &str = "no row has this change of the tree";

/// The first change of a tree that does not fit.
struct Broken {
    /// How many before it do.
    proved: u64,
    problem: Problem,
    cause: Cause,
    detail: &'static str,
}

impl Broken {
    fn new(proved: u64, problem: Problem, cause: Cause, detail: &'static str) -> Self {
        Self {
            proved,
            problem,
            cause,
            detail,
        }
    }

    fn finding(&self) -> Finding {
        Finding {
            problem: self.problem,
            table: "anonymous_grants".to_owned(),
            chain: Some(ChainKind::Log.word().to_owned()),
            subject: Some(hex::encode(self.cause.patient)),
            seq: Some(self.cause.seq),
            detail: self.detail.to_owned(),
        }
    }
}

impl Row {
    /// The changes that it stands for.
    fn changes(&self, changes: &mut Vec<Change>) -> Result<(), SinkError> {
        // Types and checks of the table hold these.
        let damaged = |column| move |_| SinkError::Damaged(column);
        let hash = |bytes: &[u8], column| <Field>::try_from(bytes).map_err(damaged(column));
        let patient: Id = (self.patient.as_slice().try_into()).map_err(damaged("anonymous_grants.patient"))?;
        let record: Id = (self.record.as_slice().try_into()).map_err(damaged("anonymous_grants.record"))?;
        let terms = AnonymousTerms {
            rights: mask(&self.rights),
            expires: self.expires,
            key: hash(&self.envelope_key, "anonymous_grants.envelope_key")?,
            commitment: hash(&self.commitment, "anonymous_grants.commitment")?,
        };
        // What makes no leaf is none: that shows by the root.
        let leaf = membership::record(&patient, &record).and_then(|record| terms.leaf(&record));
        let place = u32::try_from(self.leaf_index).unwrap_or(CAPACITY);
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        let cause = |seq| Cause {
            patient,
            seq: number(seq),
        };
        changes.push(Change {
            number: number(self.number),
            place,
            leaf: Some(leaf.unwrap_or(NO_LEAF)),
            root: hash(&self.root, "anonymous_grants.root")?,
            cause: cause(self.made_seq),
        });
        if let (Some(revoked), Some(root)) = (self.revoked_number, &self.revoked_root) {
            changes.push(Change {
                number: number(revoked),
                place,
                leaf: None,
                root: hash(root, "anonymous_grants.revoked_root")?,
                cause: cause(self.changed_seq),
            });
        }
        Ok(())
    }
}

/// The bits of these rights.
fn mask(words: &[String]) -> u8 {
    let rights = Action::ALL
        .iter()
        .filter(|right| words.iter().any(|word| word == right.word()));
    rights.fold(0, |mask, right| mask | right.bit())
}
