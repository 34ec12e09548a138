//! Asking every store for what it must have of a record, and storing again what it does not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt as _};

use super::{Health, Part, Repaired, State};
use crate::crypto;
use crate::keys::StorageKey;
use crate::seal::leaves::leaves;
use crate::seal::manifest::{self, Manifest, ShardEntry};
use crate::seal::opener::checked_manifest;
use crate::seal::placing::Place;
use crate::seal::{OnChain, OpenError, ProgressFn, meter::Meter, shard};
use crate::store::{BlobStore, Code, ItemId, SignedItem, StoreError, Stores, StoresError, ans104};

/// Shards that are looked at together.
const TOGETHER: usize = 2;
/// Stores that are asked for one of them together.
const AT_ONCE: usize = 8;

/// How it is told that bytes are right.
#[derive(Clone, Copy)]
enum Proof {
    Sha256([u8; 32]),
    Root(ShardEntry),
}

impl Proof {
    fn holds(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Sha256(hash) => crypto::sha256(&[bytes]) == *hash,
            Self::Root(entry) => {
                let (sealed, listed) = (entry.sealed_len(), entry.payload_len());
                let split = usize::try_from(sealed).ok().filter(|_| bytes.len() as u64 == listed);
                let parts = split.and_then(|at| bytes.split_at_checked(at));
                parts.is_some_and(|(segments, leaf_list)| {
                    let root = shard::shard_root(entry.segments, entry.last_segment, leaf_list);
                    root == entry.root && leaves(segments).as_flattened() == leaf_list
                })
            }
        }
    }
}

/// What a store must have of a part.
#[derive(Clone, Copy)]
struct Expected {
    id: ItemId,
    longest: u64,
    proof: Proof,
}

/// Good bytes, and at which store they are.
type Found = (usize, Vec<u8>);

pub(super) struct Survey<'a, S> {
    stores: &'a Stores<S>,
    signer: Option<&'a StorageKey>,
    /// Stores that did not answer: they are not waited for again and again.
    gone: Vec<AtomicBool>,
    meter: Meter<'a>,
}

/// The states of a part before and after, for each store.
struct Outcome {
    part: Part,
    needed: usize,
    before: Vec<State>,
    after: Vec<State>,
    /// Pieces that were found, and not at their own store.
    elsewhere: usize,
    refused: Vec<(usize, String)>,
}

impl<'a, S: BlobStore> Survey<'a, S> {
    pub(super) fn new(stores: &'a Stores<S>, signer: Option<&'a StorageKey>, progress: ProgressFn<'a>) -> Self {
        Self {
            stores,
            signer,
            gone: stores.members().iter().map(|_| AtomicBool::new(false)).collect(),
            meter: Meter::new(progress),
        }
    }

    pub(super) async fn of(&self, locator: [u8; 32], on_chain: &OnChain, repair: bool) -> Result<Repaired, OpenError> {
        let empty = Health {
            stores: self.stores.members().iter().map(S::name).collect(),
            ..Health::default()
        };
        let mut repaired = Repaired {
            before: empty.clone(),
            after: empty,
            restored: 0,
            refused: BTreeMap::new(),
        };
        let (manifest, outcome) = self.manifest(ItemId(locator), on_chain, repair).await?;
        repaired.add(outcome);
        let Some(manifest) = &manifest else {
            return Ok(repaired);
        };
        let shards = stream::iter(0..manifest.shards().len()).map(|number| self.shard(manifest, number, repair));
        let mut shards = std::pin::pin!(shards.buffered(TOGETHER));
        while let Some(outcome) = shards.next().await {
            repaired.add(outcome?);
        }
        Ok(repaired)
    }

    async fn manifest(
        &self,
        id: ItemId,
        on_chain: &OnChain,
        repair: bool,
    ) -> Result<(Option<Manifest>, Outcome), OpenError> {
        let expected = Expected {
            id,
            longest: manifest::MAX_LEN as u64,
            proof: Proof::Sha256(on_chain.manifest_hash),
        };
        let all = vec![expected; self.stores.members().len()];
        let (before, mut found) = self.look_at_all(&all, 1).await;
        let mut outcome = Outcome::unchanged(Part::Manifest, 1, before);
        let Some((_, bytes)) = found.pop() else {
            return Ok((None, outcome));
        };
        let manifest = checked_manifest(&bytes, on_chain)?;
        if repair && outcome.is_repairable() {
            let signature = self.manifest_signature(id, &bytes).await;
            if let Some(item) = signature.and_then(|signature| item(&manifest, &signature, &bytes)) {
                self.restore(&mut outcome, &all, |_| Some(item.clone())).await;
            }
        }
        Ok((Some(manifest), outcome))
    }

    /// The signature of the manifest's item, which cannot stand in the manifest.
    async fn manifest_signature(&self, id: ItemId, manifest: &[u8]) -> Option<[u8; 64]> {
        for store in self.stores.members() {
            if let Ok(Some(signature)) = store.signature(id).await {
                return Some(signature);
            }
        }
        let item = SignedItem::sign(manifest, self.signer?);
        let parsed = ans104::ParsedItem::parse(item.bytes()).ok()?;
        (item.id() == id).then_some(parsed.signature)
    }

    async fn shard(&self, manifest: &Manifest, number: usize, repair: bool) -> Result<Outcome, OpenError> {
        let (entry, place) = manifest.shard(number).ok_or(OpenError::Interrupted)?;
        let part = Part::Shard(number);
        let members = self.stores.members().len();
        match place {
            Place::Whole(signature) => {
                let expected = Expected {
                    id: ans104::item_id(signature),
                    longest: entry.payload_len(),
                    proof: Proof::Root(*entry),
                };
                let all = vec![expected; members];
                let (before, mut found) = self.look_at_all(&all, 1).await;
                let mut outcome = Outcome::unchanged(part, 1, before);
                if repair
                    && outcome.is_repairable()
                    && let Some((_, payload)) = found.pop()
                    && let Some(item) = item(manifest, signature, &payload)
                {
                    self.restore(&mut outcome, &all, |_| Some(item.clone())).await;
                }
                Ok(outcome)
            }
            Place::Spread(code, pieces) if pieces.len() != members => Err(StoresError::AnotherNumber {
                code,
                needed: pieces.len(),
                given: members,
            }
            .into()),
            Place::Spread(code, pieces) => {
                let payload_len = usize::try_from(entry.payload_len()).map_err(|_| OpenError::Interrupted)?;
                let expected = pieces.iter().map(|piece| Expected {
                    id: piece.item(),
                    longest: code.piece_len(payload_len) as u64,
                    proof: Proof::Sha256(piece.sha256),
                });
                let all: Vec<_> = expected.collect();
                let needed = usize::from(code.data);
                let (before, found) = self.look_at_all(&all, needed).await;
                let mut outcome = Outcome::unchanged(part, needed, before);
                if found.len() < needed {
                    self.look_elsewhere(&all, &mut outcome).await;
                }
                if repair && outcome.is_repairable() && found.len() >= needed {
                    let missing = outcome.bad();
                    let made = rebuild(code, payload_len, found, missing.clone()).await?;
                    let signed = missing.iter().zip(&made).filter_map(|(at, bytes)| {
                        let piece = pieces
                            .get(*at)
                            .filter(|piece| crypto::sha256(&[bytes]) == piece.sha256)?;
                        Some((*at, item(manifest, &piece.signature, bytes)?))
                    });
                    let items: Vec<_> = signed.collect();
                    self.restore(&mut outcome, &all, |at| {
                        let of_it = items.iter().find(|(of, _)| *of == at);
                        of_it.map(|(_, item)| item.clone())
                    })
                    .await;
                }
                Ok(outcome)
            }
        }
    }

    /// Asks every store for its own; gives the states, and good bytes of at most `keep` stores.
    async fn look_at_all(&self, all: &[Expected], keep: usize) -> (Vec<State>, Vec<Found>) {
        let looks = stream::iter(all.iter().enumerate()).map(|(at, expected)| self.look(at, *expected));
        let mut looks = std::pin::pin!(looks.buffered(AT_ONCE));
        let (mut states, mut found) = (Vec::new(), Vec::new());
        while let Some((state, bytes)) = looks.next().await {
            if let Some(bytes) = bytes.filter(|_| found.len() < keep) {
                found.push((states.len(), bytes));
            }
            states.push(state);
        }
        (states, found)
    }

    /// Looks for pieces at stores that are not theirs: stores may be named in another order. Nothing is stored anew then,
    /// for all of it is somewhere.
    async fn look_elsewhere(&self, all: &[Expected], outcome: &mut Outcome) {
        let members = self.stores.members().len();
        let at_others = |at: usize, expected: Expected| async move {
            for other in (1..members).map(|by| (at + by) % members) {
                if self.look(other, expected).await.0 == State::Good {
                    return Some(at);
                }
            }
            None
        };
        let states = outcome.before.iter().zip(all).enumerate();
        let wanting = states.filter(|(_, (state, _))| **state != State::Good);
        let wanting: Vec<_> = wanting.map(|(at, (_, expected))| at_others(at, *expected)).collect();
        let found: Vec<_> = stream::iter(wanting).buffered(AT_ONCE).collect().await;
        for at in found.into_iter().flatten() {
            outcome.elsewhere += 1;
            let reason = "what it must have is at another store: name the stores in the order in which they were named \
                          when the record was stored";
            outcome.refused.push((at, reason.to_owned()));
        }
    }

    async fn look(&self, at: usize, expected: Expected) -> (State, Option<Vec<u8>>) {
        let (Some(store), Some(gone)) = (self.stores.members().get(at), self.gone.get(at)) else {
            return (State::Missing, None);
        };
        if gone.load(Ordering::Relaxed) {
            return (State::Unreachable("it did not answer before".to_owned()), None);
        }
        let bytes = match store.get(expected.id, None, expected.longest).await {
            Ok(bytes) => bytes,
            Err(StoreError::NotFound { .. }) => return (State::Missing, None),
            Err(error) if error.is_another_file() => return (State::Damaged, None),
            Err(error) => {
                if matches!(error, StoreError::Unreachable { .. }) {
                    gone.store(true, Ordering::Relaxed);
                }
                return (State::Unreachable(error.to_string()), None);
            }
        };
        let proof = expected.proof;
        let len = bytes.len() as u64;
        let checked = tokio::task::spawn_blocking(move || proof.holds(&bytes).then_some(bytes));
        match checked.await {
            Ok(Some(bytes)) => {
                self.meter.sealed(len);
                (State::Good, Some(bytes))
            }
            _ => (State::Damaged, None),
        }
    }

    /// Stores items where what is there is not good, and believes no store that it did.
    async fn restore(&self, outcome: &mut Outcome, all: &[Expected], item: impl Fn(usize) -> Option<SignedItem>) {
        let stored = outcome.bad().into_iter().map(|at| {
            let item = item(at);
            async move {
                let store = self.stores.members().get(at)?;
                let expected = all.get(at)?;
                if self.gone.get(at)?.load(Ordering::Relaxed) {
                    return None;
                }
                let stored = store.replace(&item?).await;
                Some((
                    at,
                    stored.map_err(|error| error.to_string()),
                    self.look(at, *expected).await.0,
                ))
            }
        });
        let stored: Vec<_> = stored.collect();
        let stored: Vec<_> = stream::iter(stored).buffered(AT_ONCE).collect().await;
        for (at, stored, state) in stored.into_iter().flatten() {
            let reason = match (stored, &state) {
                (_, State::Good) => None,
                (Err(reason), _) => Some(reason),
                (Ok(()), _) => Some("it said that it stored it, and does not give it back".to_owned()),
            };
            outcome.refused.extend(reason.map(|reason| (at, reason)));
            if let Some(slot) = outcome.after.get_mut(at) {
                *slot = state;
            }
        }
    }
}

impl Repaired {
    fn add(&mut self, outcome: Outcome) {
        let pairs = outcome.before.iter().zip(&outcome.after);
        let restored = pairs.filter(|(before, after)| before != after && **after == State::Good);
        self.restored += restored.count() as u64;
        for (store, reason) in outcome.refused {
            self.refused.entry(store).or_insert(reason);
        }
        let (part, needed, elsewhere) = (outcome.part, outcome.needed, outcome.elsewhere);
        self.before.add(part, needed, elsewhere, outcome.before);
        self.after.add(part, needed, elsewhere, outcome.after);
    }
}

impl Outcome {
    fn unchanged(part: Part, needed: usize, states: Vec<State>) -> Self {
        Self {
            part,
            needed,
            after: states.clone(),
            before: states,
            elsewhere: 0,
            refused: Vec::new(),
        }
    }

    /// The stores that say, or show, that they do not have what they must have. One that does not say may have it, and
    /// is not paid for it again.
    fn bad(&self) -> Vec<usize> {
        let states = self.before.iter().enumerate();
        states
            .filter(|(_, state)| matches!(state, State::Missing | State::Damaged))
            .map(|(at, _)| at)
            .collect()
    }

    /// Whether something is bad at a store that can be talked to.
    fn is_repairable(&self) -> bool {
        !self.bad().is_empty()
    }
}

/// The item of a record's author with these bytes.
fn item(manifest: &Manifest, signature: &[u8; 64], data: &[u8]) -> Option<SignedItem> {
    ans104::item_from_parts(&manifest.owner(), signature, data).ok()
}

async fn rebuild(code: Code, len: usize, found: Vec<Found>, missing: Vec<usize>) -> Result<Vec<Vec<u8>>, OpenError> {
    let made = tokio::task::spawn_blocking(move || {
        let found: Vec<(usize, &[u8])> = found.iter().map(|(at, bytes)| (*at, bytes.as_slice())).collect();
        code.rebuild_missing(len, &found, &missing)
    });
    Ok(made.await.map_err(|_| OpenError::Interrupted)??)
}
