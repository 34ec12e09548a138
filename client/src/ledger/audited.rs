//! Holds the chains of an audit file against the ledger: their heads, what followed since, and where each event stands.

use std::collections::BTreeMap;

use chartseal_audit::{Audit, ExportedChain};
use chartseal_program::{
    log::{Chain, ChainKind},
    seeds::Id,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use solana_address::Address;
use solana_signature::Signature;

use super::{Ledger, LedgerError, history::AT_ONCE};

/// How a file and the ledger differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Differs {
    #[error("the file is of another cluster than this node's")]
    Cluster,
    #[error("chain {} of {}: {what}", .kind.word(), hex::encode(.subject))]
    Chain { kind: ChainKind, subject: Id, what: String },
}

impl Ledger {
    /// Holds a file that was checked against the ledger: how many events its chains have there that came later.
    ///
    /// # Errors
    /// [`LedgerError`] where nothing can be said; what does not fit is in the answer.
    pub async fn compare(&self, audit: &Audit) -> Result<Result<u64, Differs>, LedgerError> {
        if self.cluster().await? != audit.genesis_hash {
            return Ok(Err(Differs::Cluster));
        }
        let mut later = 0;
        for exported in &audit.chains {
            let Some(kind) = exported.kind() else { continue };
            match self.compare_chain(kind, exported).await? {
                Ok(more) => later += more,
                Err(what) => {
                    return Ok(Err(Differs::Chain {
                        kind,
                        subject: exported.subject,
                        what,
                    }));
                }
            }
        }
        Ok(Ok(later))
    }

    /// Where the ledger has a chain now.
    async fn head(&self, kind: ChainKind, subject: &Id) -> Result<Chain, LedgerError> {
        Ok(match kind {
            ChainKind::Registry => self.registry().await?.chain,
            ChainKind::Institution => self.institution(subject).await?.chain,
            ChainKind::Log => self.access_log(subject).await?.chain,
            ChainKind::Refusals => self.refusal_log(subject).await?.chain,
            ChainKind::Tree => self.grant_tree(subject).await?.chain,
        })
    }

    async fn compare_chain(
        &self,
        kind: ChainKind,
        exported: &ExportedChain,
    ) -> Result<Result<u64, String>, LedgerError> {
        // The head first: what comes later may be listed and not in it, never the other way round.
        let head = self.head(kind, &exported.subject).await?;
        if head.seq < exported.seq {
            return Ok(Err(format!(
                "the ledger has {} events only, the file has {}",
                head.seq, exported.seq
            )));
        }
        if head.seq == exported.seq && head != exported.chain() {
            return Ok(Err("it ends with another hash than on the ledger".to_owned()));
        }
        let listed = self.listed(&Address::new_from_array(exported.account)).await?;
        let places: BTreeMap<[u8; 64], (u64, Option<i64>)> = listed
            .iter()
            .map(|entry| (entry.signature.into(), (entry.slot, entry.block_time)))
            .collect();
        for (seq, placed) in (1..).zip(&exported.events) {
            let fits = places
                .get(&placed.signature)
                .is_some_and(|(slot, time)| *slot == placed.slot && (time.is_none() || *time == placed.block_time));
            if !fits {
                return Ok(Err(format!(
                    "the ledger has no such transaction as the file says of event {seq}, in that slot and at that time"
                )));
            }
        }
        let last = exported.events.last().map(|placed| Signature::from(placed.signature));
        let later = listed.iter().map(|entry| entry.signature).collect::<Vec<_>>();
        let from = last.and_then(|last| later.iter().position(|signature| *signature == last));
        let later = later.get(from.unwrap_or(0)..).unwrap_or_default();
        match head.seq == exported.seq {
            true => Ok(Ok(0)),
            false => self.follow(kind, exported, head, later).await,
        }
    }

    /// Follows a chain from where the file has it to its head, through the transactions since.
    async fn follow(
        &self,
        kind: ChainKind,
        exported: &ExportedChain,
        head: Chain,
        later: &[Signature],
    ) -> Result<Result<u64, String>, LedgerError> {
        let fetch = later.iter().map(|signature| self.events_of(signature));
        let fetched: Vec<_> = stream::iter(fetch).buffered(AT_ONCE).try_collect().await?;
        let mut chain = exported.chain();
        for event in fetched.into_iter().flat_map(|(_, events)| events) {
            let link = *event.link();
            if event.chain() != kind || link.subject != exported.subject || link.seq <= chain.seq {
                continue;
            }
            match chain.follow(kind, &exported.subject, link.seq, &event.encode()) {
                Some(next) => chain = next,
                None => {
                    return Ok(Err(format!(
                        "event {} on the ledger does not follow from the file",
                        link.seq
                    )));
                }
            }
            if chain.seq == head.seq {
                break;
            }
        }
        Ok(match chain == head {
            true => Ok(head.seq - exported.seq),
            false => Err("what followed on the ledger does not lead from the file to its head".to_owned()),
        })
    }
}
