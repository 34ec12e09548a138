//! Grants without a name, and proofs of access. No account keeps such a grant by itself: a tree keeps how often it was
//! changed and its last roots and changes, a set how many grants of a record there are, a nullifier that it was used.

use anchor_lang::prelude::Address;
use chartseal_program::{
    log::ChainKind,
    state::{AnonymousSet, CHANGES, GrantTree, Nullifier, ROOTS},
};
use serde_json::Value;

use super::{
    expected::{Expected, Gate, address, bytes},
    log_of,
    tables::{LEAVES, ROOT_NUMBERS, SETS},
};
use crate::sink::tables::number;

/// Trees, how far they are, and the roots that they remember. The changes of a tree are of many patients' chains.
pub(super) fn trees(accounts: &[(Address, GrantTree)]) -> Vec<Expected> {
    let rows = |(account, tree): &(Address, GrantTree)| {
        let id = bytes(tree.id);
        let gate = Gate::Chain(ChainKind::Tree, tree.id);
        let row = Expected::new("grant_trees", account, gate, vec![id.clone()]).is("address", address(account));
        let sums = Expected::new(LEAVES, account, Gate::All, vec![id.clone()])
            .is("leaves", number(tree.leaves))
            .is("number", number(tree.number))
            .is("floor", floor(tree.pending_floor));
        let first = tree.number.saturating_sub(ROOTS as u64 - 1).max(1);
        let roots = (first..=tree.number).map(|change| {
            let key = vec![id.clone(), number(change).into()];
            let row =
                Expected::new(ROOT_NUMBERS, account, Gate::All, key).is("root", bytes(tree.roots[at(change, ROOTS)]));
            match tree.number - change < CHANGES as u64 {
                true => row.is("leaf_index", number(tree.changes[at(change, CHANGES)].index)),
                false => row,
            }
        });
        [row, sums].into_iter().chain(roots).collect::<Vec<_>>()
    };
    accounts.iter().flat_map(rows).collect()
}

/// Where an account that remembers so many has the one of this number.
fn at(change: u64, length: usize) -> usize {
    usize::try_from(change % length as u64).unwrap_or_default()
}

/// A root from which on proofs count; nothing where nothing was revoked.
fn floor(root: u64) -> Value {
    match root {
        0 => Value::Null,
        root => number(root).into(),
    }
}

pub(super) fn sets(accounts: &[(Address, AnonymousSet)]) -> Vec<Expected> {
    let row = |(account, set): &(Address, AnonymousSet)| {
        let key = vec![bytes(set.tree), bytes(set.patient), bytes(set.record)];
        Expected::new(SETS, account, log_of(&set.patient), key)
            .is("made", set.made)
            .is("revoked", set.revoked)
            .is("floor", floor(set.floor))
    };
    accounts.iter().map(row).collect()
}

pub(super) fn nullifiers(accounts: &[(Address, Nullifier)]) -> Vec<Expected> {
    let row = |(account, used): &(Address, Nullifier)| {
        let gate = Gate::Chain(ChainKind::Tree, used.tree);
        Expected::new("access_proofs", account, gate, vec![bytes(used.nullifier)])
            .is("tree", bytes(used.tree))
            .is("verifier", address(&used.verifier))
            .is("relayer", address(&used.payer))
            .is("epoch", number(used.epoch))
    };
    accounts.iter().map(row).collect()
}
