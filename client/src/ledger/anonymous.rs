//! Grants without a name on the ledger: the trees that they stand in, and the gate that checks a proof of access off
//! chain, by the contract's own code and against what stands on chain now.

use anchor_lang::Discriminator as _;
use chartseal_program::{
    events::{AccessProven, AnyEvent},
    membership::{self, EPOCH, Field, SKEW},
    proof::{self, KEY_HEADER, KeyKind, Statement},
    seeds::{Id, address},
    state::{AnonymousSet, GrantTree, Record},
    vocabulary::{Action, Reason},
};
use solana_address::Address;
use solana_signature::Signature;

use super::{Ledger, LedgerError, Listed};
use crate::store::keystore::{AnonymousAsking, GateError, ProofGate, Proven, Shown, ShownProof};

impl Ledger {
    /// All trees for grants without a name.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn grant_trees(&self) -> Result<Listed<GrantTree>, LedgerError> {
        self.list(0, GrantTree::DISCRIMINATOR).await
    }

    /// What a tree has of one record; `None` where it never had anything.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn anonymous_set(
        &self,
        tree: &Id,
        patient: &Id,
        record: &Id,
    ) -> Result<Option<AnonymousSet>, LedgerError> {
        self.try_read(&address::anonymous_set(tree, &address::record(patient, record)))
            .await
    }
}

/// Opens for whoever proves a right to read a record by a grant without a name.
///
/// By a proof that is shown to the key store itself, or by one that the chain checked and counted. Either way the
/// record has to be there, the proof must be for this store, and it must rest on a root that no revocation for this record
/// has made void: that counts at once, before the tree's own floor rises.
#[derive(Debug)]
pub struct AnonymousGate<'a> {
    ledger: &'a Ledger,
    /// The wallet that asks.
    caller: [u8; 32],
}

impl<'a> AnonymousGate<'a> {
    /// A gate for a wallet that asks. A proof that is shown here must have been made for it; it says nothing of anybody.
    #[must_use]
    pub fn new(ledger: &'a Ledger, caller: [u8; 32]) -> Self {
        Self { ledger, caller }
    }

    async fn check_shown(
        &self,
        verifier: &Address,
        asking: &AnonymousAsking,
        shown: &ShownProof,
        now: i64,
    ) -> Result<Used, GateError> {
        if now.abs_diff(shown.now) > SKEW.unsigned_abs() {
            return Err(not_proven(format!(
                "it names the time {}, and the ledger's clock says {now}; prove again",
                shown.now
            )));
        }
        if shown.rights != Action::Read.bit() {
            return Err(not_proven("it is not for reading alone".into()));
        }
        let tree = self.ledger.grant_tree(&asking.tree).await?;
        let root = tree.accepted(shown.number, now).map_err(|_| stale())?;
        let statement = Statement {
            root: *root,
            nullifier: shown.nullifier,
            scope: membership::scope(verifier, membership::epoch(shown.now)),
            now: u64::try_from(shown.now).map_err(|_| not_proven("it names a time before 1970".into()))?,
            handle: shown.handle,
            message: membership::message(&asking.exchange, verifier, &Address::new_from_array(self.caller)),
            rights: shown.rights,
        };
        let bytes = shown.proof;
        let verified = tokio::task::spawn_blocking(move || proof::verify(&statement, &bytes)).await;
        match verified {
            Ok(Ok(())) => Ok(Used {
                nullifier: shown.nullifier,
                handle: shown.handle,
                number: shown.number,
                epoch: membership::epoch(shown.now),
            }),
            Ok(Err(_)) => Err(not_proven(
                "the numbers do not agree: it was made for another store, wallet or exchange, or was altered".into(),
            )),
            Err(stopped) => Err(GateError::Unavailable(Box::new(stopped))),
        }
    }

    async fn check_counted(
        &self,
        verifier: &Address,
        asking: &AnonymousAsking,
        transaction: &[u8; 64],
        now: i64,
    ) -> Result<Used, GateError> {
        let (_, events) = self.ledger.events_of(&Signature::from(*transaction)).await?;
        let is_meant = |event: &AccessProven| event.exchange == asking.exchange && event.link.subject == asking.tree;
        let proven = events.into_iter().find_map(|event| match event {
            AnyEvent::AccessProven(event) if is_meant(&event) => Some(event),
            _ => None,
        });
        let proven = proven.ok_or(GateError::NoDecision)?;
        if proven.verifier != *verifier {
            return Err(not_proven("it was shown to another key store".into()));
        }
        if now.abs_diff(proven.now) > EPOCH {
            return Err(not_proven(
                "it is older than an hour; have a new use counted and ask again".into(),
            ));
        }
        if proven.rights & Action::Read.bit() == 0 {
            return Err(not_proven("it is not for reading".into()));
        }
        Ok(Used {
            nullifier: proven.nullifier,
            handle: proven.handle,
            number: proven.number,
            epoch: proven.epoch,
        })
    }
}

/// A use of a grant, however it was shown.
struct Used {
    nullifier: Field,
    handle: Field,
    number: u64,
    epoch: u64,
}

impl ProofGate for AnonymousGate<'_> {
    async fn check(&self, verifier: [u8; 32], asking: &AnonymousAsking) -> Result<Proven, GateError> {
        fit_for_use(KEY_HEADER.kind, cfg!(debug_assertions))?;
        check_handle_of(asking)?;
        let verifier = Address::new_from_array(verifier);
        let refused = |reason: &str| GateError::Refused { reason: reason.into() };
        if self.ledger.registry().await?.is_paused() {
            return Err(refused("the program is paused"));
        }
        let record: Record = self.ledger.record(&asking.patient, &asking.record).await?;
        if record.is_erased() {
            return Err(refused(Reason::RecordErased.word()));
        }
        let now = self.ledger.now().await?;
        let used = match &asking.shown {
            Shown::Proof(shown) => self.check_shown(&verifier, asking, shown, now).await?,
            Shown::Counted { transaction } => self.check_counted(&verifier, asking, transaction, now).await?,
        };
        if used.handle != handle(asking)? {
            return Err(not_proven(
                "it is about another record, or this is not its blind".into(),
            ));
        }
        // Last: whatever was revoked meanwhile counts.
        let set = self
            .ledger
            .anonymous_set(&asking.tree, &asking.patient, &asking.record)
            .await?;
        let floor = set.ok_or_else(|| not_proven("nobody has a grant without a name on this record".into()))?;
        if used.number < floor.floor {
            return Err(stale());
        }
        Ok(Proven {
            version: record.version,
            manifest_hash: record.manifest_hash,
            nullifier: used.nullifier,
            epoch: used.epoch,
            at: now,
        })
    }
}

/// Refuses a verifying key for tests outside of development: who knows the seed can prove anything under it, and everybody
/// does.
///
/// # Errors
/// [`GateError::NotProven`].
fn fit_for_use(kind: KeyKind, development: bool) -> Result<(), GateError> {
    match kind {
        KeyKind::TestOnly if !development => Err(not_proven(
            "the contract's verifying key is for tests only, and anybody can prove anything under it; hold a ceremony \
             (`chartseal zk ceremony`) and build the contract and this program with the key that comes of it"
                .into(),
        )),
        KeyKind::TestOnly | KeyKind::Ceremony => Ok(()),
    }
}

/// What names the record in a proof to whoever knows the blind.
fn handle(asking: &AnonymousAsking) -> Result<Field, GateError> {
    membership::record(&asking.patient, &asking.record)
        .and_then(|record| membership::poseidon(&[&record, &asking.blind.0]))
        .map_err(|_| not_proven("its blind is no field element".into()))
}

/// Before the ledger is asked: a proof whose own handle is another one needs no question.
fn check_handle_of(asking: &AnonymousAsking) -> Result<(), GateError> {
    let expected = handle(asking)?;
    match &asking.shown {
        Shown::Proof(shown) if shown.handle != expected => Err(not_proven(
            "it is about another record, or this is not its blind".into(),
        )),
        Shown::Proof(_) | Shown::Counted { .. } => Ok(()),
    }
}

fn stale() -> GateError {
    not_proven(
        "it rests on a root from before a revocation, or on one too long ago; read the tree again and prove again"
            .into(),
    )
}

fn not_proven(reason: String) -> GateError {
    GateError::NotProven { reason }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_for_tests_is_refused_outside_of_development_and_says_what_to_do() {
        for (kind, development) in [
            (KeyKind::TestOnly, true),
            (KeyKind::Ceremony, true),
            (KeyKind::Ceremony, false),
        ] {
            assert!(fit_for_use(kind, development).is_ok(), "{kind:?} {development}");
        }
        let error = fit_for_use(KeyKind::TestOnly, false).unwrap_err().to_string();
        assert!(error.contains("chartseal zk ceremony"), "{error}");
    }
}
