//! What there is after a checkpoint. `getSignaturesForAddress` lists newest first, so pages are taken back to the checkpoint and
//! then turned round.

use std::{collections::HashSet, str::FromStr};

use serde::Deserialize;
use serde_json::{Value, json};
use solana_rpc_client_api::request::RpcRequest;

use super::RpcSource;
use crate::source::{Checkpoint, Commitment, Listed, Signature, SourceError, show};

/// Signatures in the first page of a listing that goes on from a checkpoint.
const FIRST_PAGE: usize = 100;

/// What the program did after a checkpoint, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub settled: Vec<Listed>,
    /// What is not settled enough. It is for telling why something was not read, and never to be stored.
    pub pending: Vec<Listed>,
}

impl Listing {
    fn oldest_first(mut self) -> Self {
        self.settled.reverse();
        self.pending.reverse();
        self
    }
}

impl RpcSource {
    /// Everything that came after the checkpoint, or everything there is; oldest first.
    ///
    /// # Errors
    /// [`SourceError::CheckpointLost`] where the ledger does not have the checkpoint's transaction.
    pub async fn list_after(&self, checkpoint: Option<&Checkpoint>) -> Result<Vec<Listed>, SourceError> {
        Ok(self.list_all_after(checkpoint).await?.settled)
    }

    /// As [`RpcSource::list_after`], and apart from that what the node lists although it is not settled enough yet.
    ///
    /// # Errors
    /// As [`RpcSource::list_after`].
    pub async fn list_all_after(&self, checkpoint: Option<&Checkpoint>) -> Result<Listing, SourceError> {
        let least = checkpoint.map(|checkpoint| checkpoint.slot);
        self.list(self.commitment, checkpoint, least).await
    }

    /// What came after the checkpoint and is final, as a node lists it that has come as far as slot `least`.
    ///
    /// # Errors
    /// As [`RpcSource::list_after`].
    pub async fn list_final_after(
        &self,
        checkpoint: Option<&Checkpoint>,
        least: u64,
    ) -> Result<Vec<Listed>, SourceError> {
        Ok(self.list(Commitment::Finalized, checkpoint, Some(least)).await?.settled)
    }

    /// As [`RpcSource::list_after`], from a node that has come as far as slot `least`: one that lags shall say so, and not list
    /// less than was read before.
    ///
    /// # Errors
    /// As [`RpcSource::list_after`].
    pub async fn list_again_after(
        &self,
        checkpoint: Option<&Checkpoint>,
        least: u64,
    ) -> Result<Vec<Listed>, SourceError> {
        Ok(self.list(self.commitment, checkpoint, Some(least)).await?.settled)
    }

    /// Everything there is, and how much of it is up to and including the checkpoint; oldest first.
    ///
    /// # Errors
    /// [`SourceError::CheckpointLost`] where the ledger does not have the checkpoint's transaction.
    pub async fn list_around(&self, checkpoint: &Checkpoint) -> Result<(Vec<Listed>, usize), SourceError> {
        let listed = self.list(self.commitment, None, Some(checkpoint.slot)).await?.settled;
        match listed.iter().position(|entry| entry.checkpoint() == *checkpoint) {
            Some(place) => Ok((listed, place + 1)),
            None => Err(self.lost(checkpoint).await?),
        }
    }

    async fn list(
        &self,
        commitment: Commitment,
        checkpoint: Option<&Checkpoint>,
        least: Option<u64>,
    ) -> Result<Listing, SourceError> {
        let mut listing = Listing::default();
        let mut seen = HashSet::new();
        let mut before = None;
        // Usually little is new: a short page finds the checkpoint, and a long one costs the node more.
        let mut limit = self
            .limits
            .page
            .min(if checkpoint.is_some() { FIRST_PAGE } else { usize::MAX });
        loop {
            let page = self.page(commitment, before, least, limit).await?;
            let last_page = page.len() < limit;
            for (entry, settled_enough) in page {
                before = Some(entry.signature);
                match checkpoint {
                    Some(checkpoint) if entry.signature == checkpoint.signature => {
                        return match entry.slot == checkpoint.slot {
                            true => Ok(listing.oldest_first()),
                            false => Err(checkpoint.lost()),
                        };
                    }
                    Some(checkpoint) if entry.slot < checkpoint.slot => return Err(self.lost(checkpoint).await?),
                    // Pages overlap where the ledger moved on between them.
                    _ if !seen.insert(entry.signature) => {}
                    _ if settled_enough => listing.settled.push(entry),
                    // It comes again, once it is.
                    _ => listing.pending.push(entry),
                }
            }
            if last_page {
                break;
            }
            limit = self.limits.page;
        }
        if let Some(checkpoint) = checkpoint {
            return Err(self.lost(checkpoint).await?);
        }
        Ok(listing.oldest_first())
    }

    /// Some of what came before that transaction, newest first, and whether each is settled enough: a local validator lists
    /// what is not, whatever it was asked for.
    async fn page(
        &self,
        commitment: Commitment,
        before: Option<Signature>,
        least: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(Listed, bool)>, SourceError> {
        let mut config = json!({ "limit": limit, "commitment": commitment.config().commitment });
        if let Some(before) = before {
            config["before"] = json!(show(&before));
        }
        if let Some(least) = least {
            // A node that has not come that far shall say so, instead of listing less than we have.
            config["minContextSlot"] = json!(least);
        }
        let page: Vec<Entry> = self
            .ask(
                RpcRequest::GetSignaturesForAddress,
                json!([chartseal_program::ID.to_string(), config]),
            )
            .await?;
        page.into_iter()
            .map(|entry| {
                let status = entry.confirmation_status.as_deref();
                let listed = Listed {
                    signature: parse_signature(&entry.signature)?,
                    slot: entry.slot,
                    failed: entry.err.is_some(),
                    settled: match status {
                        Some(_) => Commitment::Finalized.is_met_by(status),
                        None => commitment == Commitment::Finalized,
                    },
                };
                Ok((listed, commitment.is_met_by(status)))
            })
            .collect()
    }

    /// Why a listing does not contain the checkpoint: its index lags, or the ledger does not have it at all.
    async fn lost(&self, checkpoint: &Checkpoint) -> Result<SourceError, SourceError> {
        Ok(match self.status(&checkpoint.signature).await? {
            Some(status) if status.slot == checkpoint.slot => SourceError::Behind { slot: status.slot },
            _ => checkpoint.lost(),
        })
    }
}

/// One line of a listing. What the error was is nobody's business here, and may be one that this version cannot name.
#[derive(Deserialize)]
struct Entry {
    signature: String,
    slot: u64,
    err: Option<Value>,
    #[serde(rename = "confirmationStatus")]
    confirmation_status: Option<String>,
}

fn parse_signature(text: &str) -> Result<Signature, SourceError> {
    solana_signature::Signature::from_str(text)
        .map(Into::into)
        .map_err(|_| SourceError::Nonsense(format!("signature {text:?}")))
}
