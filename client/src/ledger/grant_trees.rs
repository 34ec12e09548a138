//! What the events tell of grants without a name: those on one record, and a whole tree, out of which readers and patients
//! take paths. A tree is held against the root on chain, so a node that leaves a grant out or alters one that lives is found
//! out.

use chartseal_program::{
    events::AnyEvent,
    membership::{self, AnonymousTerms, NO_LEAF},
    seeds::{Id, address},
    state::GrantTree,
};
use chartseal_zk::tree::Tree;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use solana_address::Address;

use super::{Ledger, LedgerError, history::AT_ONCE};

/// A grant without a name, as the events tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnonymousGrant {
    /// The id of the tree that it stands in.
    pub tree: Id,
    /// Its place there, from 0.
    pub index: u32,
    /// The patient's id.
    pub patient: Id,
    /// The record's id.
    pub record: Id,
    /// What it gives, and to which key.
    pub terms: AnonymousTerms,
    /// When it was made, in seconds since 1970.
    pub made_at: i64,
    /// When it was revoked, if it was.
    pub revoked_at: Option<i64>,
}

impl AnonymousGrant {
    /// Whether it gives something at this time, in seconds since 1970.
    #[must_use]
    pub fn is_live(&self, now: i64) -> bool {
        self.revoked_at.is_none() && now < self.terms.expires
    }
}

/// A tree with all its leaves.
#[derive(Clone, Debug)]
pub struct GrownTree {
    /// The leaves, and what stands above them.
    pub tree: Tree,
    /// What the leaves stand for, in their order.
    pub grants: Vec<AnonymousGrant>,
}

/// One change of a tree, by the number of the root that it made.
#[derive(Clone, Copy, Debug)]
enum Change {
    Made(AnonymousGrant),
    Revoked { index: u32, at: i64 },
}

type Numbered = (u64, [u8; 32], Change);

impl Ledger {
    /// Grants without a name that were ever made on a record in a tree, also those that have ended.
    ///
    /// # Errors
    /// [`LedgerError::BrokenTree`] where the node does not tell of all that were made.
    pub async fn anonymous_grants(
        &self,
        tree: &Id,
        patient: &Id,
        record: &Id,
    ) -> Result<Vec<AnonymousGrant>, LedgerError> {
        let Some(set) = self.anonymous_set(tree, patient, record).await? else {
            return Ok(Vec::new());
        };
        let at = address::anonymous_set(tree, &address::record(patient, record));
        let changes = self.changes(tree, &at, |_, _| {}).await?;
        let mut grants: Vec<AnonymousGrant> = Vec::new();
        for (_, _, change) in changes {
            match change {
                Change::Made(grant) => grants.push(grant),
                Change::Revoked { index, at } => revoke(&mut grants, index, at),
            }
        }
        // Anybody can name the set's address in a transaction of another record's.
        grants.retain(|grant| (grant.patient, grant.record) == (*patient, *record));
        let revoked = grants.iter().filter(|grant| grant.revoked_at.is_some()).count();
        if (grants.len() as u64) < u64::from(set.made) || (revoked as u64) < u64::from(set.revoked) {
            return Err(broken(tree));
        }
        Ok(grants)
    }

    /// A whole tree. `progress` hears how many of its transactions are read, of how many.
    ///
    /// # Errors
    /// [`LedgerError::BrokenTree`] where what the node tells does not lead to the root on chain.
    pub async fn grown_tree(&self, id: &Id, progress: impl Fn(usize, usize)) -> Result<GrownTree, LedgerError> {
        // First, so that the events tell at least as much.
        let on_chain = self.grant_tree(id).await?;
        let changes = self.changes(id, &address::tree(id), progress).await?;
        grow(id, &on_chain, changes)
    }

    /// The changes of a tree that transactions tell of which name an address, in their order.
    async fn changes(
        &self,
        tree: &Id,
        at: &Address,
        progress: impl Fn(usize, usize),
    ) -> Result<Vec<Numbered>, LedgerError> {
        let signatures = self.signatures_of(at).await?;
        let (mut done, of) = (0, signatures.len());
        let fetch = signatures
            .into_iter()
            .map(|signature| async move { self.events_of(&signature).await.map(|(_, events)| events) });
        let mut fetching = stream::iter(fetch).buffered(AT_ONCE);
        let mut changes = Vec::new();
        while let Some(events) = fetching.try_next().await? {
            changes.extend(events.into_iter().filter_map(|event| change(tree, event)));
            done += 1;
            progress(done, of);
        }
        changes.sort_by_key(|(number, _, _)| *number);
        changes.dedup_by_key(|(number, _, _)| *number);
        Ok(changes)
    }
}

fn change(tree: &Id, event: AnyEvent) -> Option<Numbered> {
    match event {
        AnyEvent::AnonymousGrantCreated(event) if event.tree == *tree => {
            let grant = AnonymousGrant {
                tree: event.tree,
                index: event.index,
                patient: event.link.subject,
                record: event.record,
                terms: event.terms,
                made_at: event.link.at,
                revoked_at: None,
            };
            Some((event.number, event.root, Change::Made(grant)))
        }
        AnyEvent::AnonymousGrantRevoked(event) if event.tree == *tree => {
            let (index, at) = (event.index, event.link.at);
            Some((event.number, event.root, Change::Revoked { index, at }))
        }
        _ => None,
    }
}

fn revoke(grants: &mut [AnonymousGrant], index: u32, at: i64) {
    if let Some(grant) = grants.iter_mut().find(|grant| grant.index == index) {
        grant.revoked_at = Some(at);
    }
}

fn grow(id: &Id, on_chain: &GrantTree, changes: Vec<Numbered>) -> Result<GrownTree, LedgerError> {
    let (mut grants, mut leaves) = (Vec::<AnonymousGrant>::new(), Vec::new());
    let (mut number, mut root) = (0, membership::ZEROS[membership::DEPTH]);
    for (next, made, change) in changes {
        if next != number + 1 {
            return Err(broken(id));
        }
        (number, root) = (next, made);
        match change {
            Change::Made(grant) if grant.index as usize == leaves.len() => {
                let record = membership::record(&grant.patient, &grant.record);
                let leaf = record.and_then(|record| grant.terms.leaf(&record));
                leaves.push(leaf.map_err(|_| broken(id))?);
                grants.push(grant);
            }
            Change::Made(_) => return Err(broken(id)),
            Change::Revoked { index, at } => {
                *leaves.get_mut(index as usize).ok_or_else(|| broken(id))? = NO_LEAF;
                revoke(&mut grants, index, at);
            }
        }
        if number == on_chain.number && root != *on_chain.root() {
            return Err(broken(id));
        }
    }
    let tree = Tree::from_leaves(leaves, number).map_err(|_| broken(id))?;
    if number < on_chain.number || tree.root() != root {
        return Err(broken(id));
    }
    Ok(GrownTree { tree, grants })
}

fn broken(tree: &Id) -> LedgerError {
    LedgerError::BrokenTree {
        tree: hex::encode(tree),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use anchor_lang::{AccountDeserialize as _, Discriminator as _};

    use super::*;

    const TREE: Id = [1; 16];

    fn grant(index: u32) -> AnonymousGrant {
        let byte = u8::try_from(index).unwrap() + 1;
        AnonymousGrant {
            tree: TREE,
            index,
            patient: [2; 16],
            record: [byte; 16],
            terms: AnonymousTerms {
                rights: 1,
                expires: 100,
                key: [byte; 32],
                commitment: [0; 32],
            },
            made_at: 5,
            revoked_at: None,
        }
    }

    /// A tree on chain, and its events: three grants, of which the second was revoked before the third was made.
    fn history() -> (GrantTree, Vec<Numbered>) {
        let data = [GrantTree::DISCRIMINATOR, &[0; size_of::<GrantTree>()]].concat();
        let mut on_chain = GrantTree::try_deserialize(&mut &data[..]).unwrap();
        on_chain.begin(&TREE, 255);
        let leaf = |grant: &AnonymousGrant| {
            let record = membership::record(&grant.patient, &grant.record).unwrap();
            grant.terms.leaf(&record).unwrap()
        };
        let mut changes = Vec::new();
        let mut twin = Tree::new();
        for index in [0, 1] {
            on_chain.append(&leaf(&grant(index))).unwrap();
            twin.append(&leaf(&grant(index))).unwrap();
            changes.push((on_chain.number, *on_chain.root(), Change::Made(grant(index))));
        }
        let path = twin.path(1).unwrap();
        on_chain
            .remove(&leaf(&grant(1)), 1, path.trimmed(), on_chain.number, 50)
            .unwrap();
        changes.push((on_chain.number, *on_chain.root(), Change::Revoked { index: 1, at: 50 }));
        on_chain.append(&leaf(&grant(2))).unwrap();
        changes.push((on_chain.number, *on_chain.root(), Change::Made(grant(2))));
        (on_chain, changes)
    }

    #[test]
    fn a_tree_is_grown_from_its_events() {
        let (on_chain, changes) = history();
        let grown = grow(&TREE, &on_chain, changes).unwrap();
        assert_eq!((grown.tree.number(), grown.tree.root()), (4, *on_chain.root()));
        let live: Vec<_> = grown.grants.iter().map(|grant| grant.is_live(99)).collect();
        assert_eq!(live, [true, false, true]);
        assert!(!grown.grants[0].is_live(100), "a grant ends just before its end");
    }

    #[test]
    fn events_that_come_after_the_account_was_read_are_taken_too() {
        let (mut before, changes) = history();
        let after = before;
        before.number -= 1;
        assert_eq!(grow(&TREE, &before, changes).unwrap().tree.root(), *after.root());
    }

    #[test]
    fn a_node_that_leaves_out_or_alters_something_is_found_out() {
        let (on_chain, changes) = history();
        for lost in 0..changes.len() {
            let mut others = changes.clone();
            others.remove(lost);
            let outcome = grow(&TREE, &on_chain, others);
            assert!(
                matches!(outcome, Err(LedgerError::BrokenTree { .. })),
                "without change {lost}"
            );
        }
        // What the second was for does not count any more: all that is held against the root is that it was revoked.
        for altered in [0, 2, 3] {
            let mut others = changes.clone();
            match &mut others[altered].2 {
                Change::Made(grant) => grant.terms.rights = 3,
                Change::Revoked { index, .. } => *index = 0,
            }
            assert!(grow(&TREE, &on_chain, others).is_err(), "with change {altered} altered");
        }
    }
}
