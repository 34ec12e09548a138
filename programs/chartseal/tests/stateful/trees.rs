//! Trees of grants without a name and the proofs that rest on them, by the model: a list of leaves, of which the roots are
//! computed anew.

use std::{cell::RefCell, collections::HashMap};

use anchor_lang::prelude::Address;
use chartseal_program::{
    events::AnyEvent,
    log::ChainKind,
    membership::{self, AnonymousTerms, Field, CAPACITY, DEPTH, NO_LEAF, ZEROS},
    seeds::{address, Id},
    state::{self, HOUR},
    vocabulary::*,
};

use crate::{common::Chain, model::Model};

#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// Every leaf that was ever made.
    pub(crate) leaves: Vec<Leaf>,
    /// The leaves as they stood at each number.
    pub(crate) history: Vec<Vec<Field>>,
    /// When revocations began to count together, and the number that the last of them made.
    batches: Vec<(i64, u64)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) patient: Id,
    pub(crate) record: Id,
    pub(crate) terms: AnonymousTerms,
    pub(crate) revoked: bool,
}

/// What a tree has of one record.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Set {
    made: u32,
    revoked: u32,
    floor: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Nullifier {
    pub(crate) tree: Id,
    pub(crate) payer: Address,
    epoch: u64,
}

fn joined(left: Field, right: Field) -> Field {
    thread_local! {
        static KNOWN: RefCell<HashMap<(Field, Field), Field>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        *known
            .entry((left, right))
            .or_insert_with(|| membership::node(&left, &right).unwrap())
    })
}

fn above(below: &[Field], height: usize) -> Vec<Field> {
    let pairs = below.chunks(2);
    pairs
        .map(|pair| joined(pair[0], pair.get(1).copied().unwrap_or(ZEROS[height])))
        .collect()
}

pub(crate) fn root(leaves: &[Field]) -> Field {
    let top = (0..DEPTH).fold(leaves.to_vec(), |below, height| above(&below, height));
    top.first().copied().unwrap_or(ZEROS[DEPTH])
}

pub(crate) fn path(leaves: &[Field], index: u32) -> [Field; DEPTH] {
    let (mut level, mut at) = (leaves.to_vec(), index as usize);
    std::array::from_fn(|height| {
        let sibling = level.get(at ^ 1).copied().unwrap_or(ZEROS[height]);
        level = above(&level, height);
        at >>= 1;
        sibling
    })
}

impl Tree {
    pub(crate) fn number(&self) -> u64 {
        self.history.len() as u64 - 1
    }

    pub(crate) fn now(&self) -> &[Field] {
        &self.history[self.history.len() - 1]
    }

    fn floor(&self, now: i64) -> u64 {
        let over = self.batches.iter().filter(|(began, _)| now - began >= 60);
        over.map(|(_, last)| *last).max().unwrap_or_default()
    }

    /// Whether a proof may rest on the root of this number.
    pub(crate) fn counts(&self, number: u64, now: i64) -> bool {
        number <= self.number() && self.number() - number < 64 && number >= self.floor(now)
    }

    fn made(&self, leaf: Field) -> Vec<Field> {
        [self.now(), &[leaf]].concat()
    }

    fn without(&self, index: u32) -> Vec<Field> {
        let mut leaves = self.now().to_vec();
        leaves[index as usize] = NO_LEAF;
        leaves
    }
}

fn hash(terms: &AnonymousTerms, patient: &Id, record: &Id) -> Field {
    terms.leaf(&membership::record(patient, record).unwrap()).unwrap()
}

impl Model {
    /// Whether what concerns a tree was allowed to happen now.
    pub(crate) fn judge_unnamed(&self, event: &AnyEvent, signers: &[Address]) -> bool {
        let (subject, running) = (event.link().subject, !self.paused);
        let decided = |wallet: &Address| signers.contains(wallet) && self.decides(&subject, wallet);
        match event {
            AnyEvent::TreeOpened(event) => {
                running && event.by == self.admin && signers.contains(&event.by) && !self.trees.contains_key(&subject)
            }
            AnyEvent::AnonymousGrantCreated(event) => {
                let (tree, terms) = (&self.trees[&event.tree], &event.terms);
                let provable = Action::Read.bit() | Action::Aggregate.bit();
                let record = self.records.get(&(subject, event.record));
                running
                    && decided(&event.issuer)
                    && self.gives(&subject, &event.issuer, terms.rights, terms.expires)
                    && record.is_some_and(|record| !record.erased)
                    && terms.rights != 0
                    && terms.rights | provable == provable
                    && terms.expires > self.now
                    && terms.key != [0; 32]
                    && event.index as usize == tree.leaves.len()
                    && event.index < CAPACITY
                    && event.number == tree.number() + 1
                    && event.root == root(&tree.made(hash(terms, &subject, &event.record)))
            }
            AnyEvent::AnonymousGrantRevoked(event) => {
                let tree = &self.trees[&event.tree];
                let leaf = tree.leaves.get(event.index as usize);
                decided(&event.by)
                    && leaf.is_some_and(|leaf| !leaf.revoked && (leaf.patient, leaf.record) == (subject, event.record))
                    && event.number == tree.number() + 1
                    && event.root == root(&tree.without(event.index))
            }
            AnyEvent::AccessProven(event) => {
                running
                    && signers.contains(&event.relayer)
                    && !self.nullifiers.contains_key(&event.nullifier)
                    && self.trees[&subject].counts(event.number, self.now)
                    && (self.now - 60..=self.now + 60).contains(&event.now)
                    && event.epoch == (event.now / HOUR).unsigned_abs()
            }
            AnyEvent::NullifierClosed(event) => {
                let nullifier = &self.nullifiers[&event.nullifier];
                // No time that the program takes for now is within its epoch any more.
                let over = (self.now - 60) / HOUR > nullifier.epoch as i64;
                over && nullifier.tree == subject && nullifier.payer == event.payer
            }
            _ => false,
        }
    }

    /// Lets it have happened.
    pub(crate) fn apply_unnamed(&mut self, event: &AnyEvent) {
        let (subject, now) = (event.link().subject, event.link().at);
        match event {
            AnyEvent::TreeOpened(_) => {
                let tree = Tree {
                    history: vec![Vec::new()],
                    ..Tree::default()
                };
                self.trees.insert(subject, tree);
            }
            AnyEvent::AnonymousGrantCreated(event) => {
                let tree = self.trees.get_mut(&event.tree).unwrap();
                tree.history
                    .push(tree.made(hash(&event.terms, &subject, &event.record)));
                tree.leaves.push(Leaf {
                    patient: subject,
                    record: event.record,
                    terms: event.terms,
                    revoked: false,
                });
                self.sets.entry((event.tree, subject, event.record)).or_default().made += 1;
            }
            AnyEvent::AnonymousGrantRevoked(event) => {
                let tree = self.trees.get_mut(&event.tree).unwrap();
                tree.leaves[event.index as usize].revoked = true;
                tree.history.push(tree.without(event.index));
                let number = tree.number();
                match tree.batches.last_mut().filter(|(began, _)| now - *began < 60) {
                    Some((_, last)) => *last = number,
                    None => tree.batches.push((now, number)),
                }
                let set = self.sets.entry((event.tree, subject, event.record)).or_default();
                (set.revoked, set.floor) = (set.revoked + 1, number);
            }
            AnyEvent::AccessProven(event) => {
                let nullifier = Nullifier {
                    tree: subject,
                    payer: event.relayer,
                    epoch: event.epoch,
                };
                self.nullifiers.insert(event.nullifier, nullifier);
            }
            AnyEvent::NullifierClosed(event) => {
                self.nullifiers.remove(&event.nullifier);
            }
            _ => {}
        }
    }
}

/// Whether trees, sets and nullifiers say what the model says.
///
/// # Errors
/// The first difference.
pub(crate) fn agree(chain: &Chain, model: &Model) -> Result<(), String> {
    let rent = |bytes| chain.svm.minimum_balance_for_rent_exemption(bytes);
    for (id, tree) in &model.trees {
        let address = address::tree(id);
        let account: state::GrantTree = chain.read(&address);
        let number = tree.number();
        same!("tree's id", account.id, *id);
        same!("tree's chain", account.chain, model.chains[&(ChainKind::Tree, *id)]);
        same!("tree's leaves", account.leaves, tree.leaves.len() as u64);
        same!("tree's number", account.number, number);
        same!("tree's floor", account.floor_at(model.now), tree.floor(model.now));
        for number in number.saturating_sub(63)..=number {
            let kept = account.roots[(number % 64) as usize];
            same!("root", kept, root(&tree.history[number as usize]));
        }
        let paid = rent(8 + size_of::<state::GrantTree>()) + tree.leaves.len() as u64 * rent(0);
        same!(
            "tree's lamports",
            chain.svm.get_account(&address).unwrap().lamports,
            paid
        );
    }
    for ((tree, patient, record), set) in &model.sets {
        let account: state::AnonymousSet = chain.read(&address::anonymous_set(tree, &address::record(patient, record)));
        let of = (account.tree, account.patient, account.record);
        same!("set's subject", of, (*tree, *patient, *record));
        let figures = (account.made, account.revoked, account.floor);
        same!("set's figures", figures, (set.made, set.revoked, set.floor));
    }
    for (nullifier, model) in &model.nullifiers {
        let account: state::Nullifier = chain.read(&address::nullifier(nullifier));
        same!("nullifier", account.nullifier, *nullifier);
        let of = (account.tree, account.payer, account.epoch);
        same!("nullifier's use", of, (model.tree, model.payer, model.epoch));
    }
    Ok(())
}
