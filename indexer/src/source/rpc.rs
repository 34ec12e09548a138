//! A node's JSON-RPC as a source.
//!
//! `getSignaturesForAddress` lists newest first, so pages are taken back to the checkpoint and then turned round. A
//! listed transaction that the node cannot give yet is an error that passes, never one that is left out.

use std::{
    collections::{HashMap, HashSet},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use futures_util::{Stream, StreamExt, TryStreamExt};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::{request::RpcRequest, response::Response};
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, TransactionStatus, UiConfirmedBlock,
};
use tokio::sync::{Mutex, OnceCell};

use super::{
    Checkpoint, Commitment, Delivered, Listed, Signature, SourceError, Transaction, block::Blocks, show, wire,
};

/// How much a source asks for at a time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Signatures in one page; nodes give 1,000 at most.
    pub page: usize,
    /// Requests under way at once.
    pub parallel: usize,
    /// Transactions of one slot that are asked for one by one, at most; of more, their block is asked for as a whole.
    pub singly: usize,
    /// How long one request may take.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            page: 1_000,
            parallel: 16,
            singly: 32,
            timeout: Duration::from_secs(30),
        }
    }
}

/// The newest version of transactions that can be read here (SIMD-0385). A node refuses to give newer ones.
pub(super) const NEWEST_VERSION: u8 = 1;

/// Signatures in the first page of a listing that goes on from a checkpoint.
const FIRST_PAGE: usize = 100;

/// Waits between the tries of one request. A listing may take thousands of them, and a hiccup shall not start it anew;
/// a node that is away for longer is the indexer's to wait for.
const RETRIES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
];

/// Reads transactions of the program from one node.
pub struct RpcSource {
    rpc: RpcClient,
    limits: Limits,
    commitment: Commitment,
    /// What was told of before it is asked for.
    #[cfg(feature = "yellowstone")]
    pub(super) ahead: Option<Arc<super::ahead::Ahead>>,
}

impl std::fmt::Debug for RpcSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RpcSource")
            .field("url", &self.rpc.url())
            .field("limits", &self.limits)
            .field("commitment", &self.commitment)
            .finish()
    }
}

impl RpcSource {
    /// A source at `url`. Nothing is sent before the first question.
    pub fn new(url: &str, limits: Limits, commitment: Commitment) -> Self {
        Self {
            rpc: RpcClient::new_with_timeout_and_commitment(url.to_owned(), limits.timeout, commitment.config()),
            limits,
            commitment,
            #[cfg(feature = "yellowstone")]
            ahead: None,
        }
    }

    /// A listed transaction that was told of, and so need not be asked for.
    fn told_of(&self, listed: &Listed) -> Option<Transaction> {
        #[cfg(feature = "yellowstone")]
        return self.ahead.as_ref()?.take(listed);
        #[cfg(not(feature = "yellowstone"))]
        {
            let _ = listed;
            None
        }
    }

    /// How settled it is what this source reads.
    pub fn commitment(&self) -> Commitment {
        self.commitment
    }

    /// The newest slot that is settled enough.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn slot(&self) -> Result<u64, SourceError> {
        self.slot_at(self.commitment).await
    }

    /// The newest final slot.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn final_slot(&self) -> Result<u64, SourceError> {
        self.slot_at(Commitment::Finalized).await
    }

    async fn slot_at(&self, commitment: Commitment) -> Result<u64, SourceError> {
        self.ask(
            RpcRequest::GetSlot,
            json!([{ "commitment": commitment.config().commitment }]),
        )
        .await
    }

    /// The slot of a transaction that is settled enough, or nothing where the node does not know it as such.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn slot_of(&self, signature: &Signature) -> Result<Option<u64>, SourceError> {
        let status = self.status(signature).await?;
        let settled = status.filter(|status| status.satisfies_commitment(self.commitment.config()));
        Ok(settled.map(|status| status.slot))
    }

    /// What the node knows of a transaction, however settled it is.
    async fn status(&self, signature: &Signature) -> Result<Option<TransactionStatus>, SourceError> {
        let question = json!([[show(signature)], { "searchTransactionHistory": true }]);
        let statuses: Response<Vec<Option<TransactionStatus>>> =
            self.ask(RpcRequest::GetSignatureStatuses, question).await?;
        Ok(statuses.value.into_iter().next().flatten())
    }

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

    /// Delivers what is not settled enough yet, as far as the node gives it: some give a transaction before they give its block, so
    /// the blockhash is left out.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn deliver_pending(&self, pending: &[Listed]) -> Result<Vec<Delivered>, SourceError> {
        let given = futures_util::stream::iter(pending.iter().filter(|entry| !entry.failed))
            .map(async |entry| {
                let answer = self.answered(&show(&entry.signature)).await?;
                let transaction = answer.map(|answer| wire::transaction(&entry.signature, [0; 32], &answer));
                Ok(Delivered {
                    listed: *entry,
                    transaction: transaction.transpose()?.flatten(),
                })
            })
            .buffered(self.limits.parallel);
        given.try_collect().await
    }

    /// Delivers what was listed, in that order, with several requests under way.
    pub fn deliver<'a>(&'a self, listed: &'a [Listed]) -> impl Stream<Item = Result<Delivered, SourceError>> + 'a {
        let blockhashes = Arc::new(Blockhashes::default());
        let blocks = Arc::new(Blocks::with_more_than(self.limits.singly, listed));
        futures_util::stream::iter(listed)
            .map(move |entry| {
                let (blockhashes, blocks) = (Arc::clone(&blockhashes), Arc::clone(&blocks));
                async move {
                    let transaction = match entry.failed {
                        true => None,
                        false => self.succeeded(entry, &blockhashes, &blocks).await?,
                    };
                    Ok(Delivered {
                        listed: *entry,
                        transaction,
                    })
                }
            })
            .buffered(self.limits.parallel)
    }

    /// A transaction that is listed as one that succeeded, from whoever has it first.
    async fn succeeded(
        &self,
        listed: &Listed,
        blockhashes: &Blockhashes,
        blocks: &Blocks,
    ) -> Result<Option<Transaction>, SourceError> {
        if let Some(told) = self.told_of(listed) {
            return Ok(Some(told));
        }
        match blocks.transaction(listed, self).await? {
            Some(given) => Ok(given),
            None => self.transaction(listed, blockhashes).await,
        }
    }

    /// One request, tried a few times.
    pub(super) async fn ask<T: DeserializeOwned>(&self, request: RpcRequest, params: Value) -> Result<T, SourceError> {
        for wait in RETRIES {
            match self.rpc.send(request, params.clone()).await.map_err(SourceError::from) {
                Err(error) if error.is_passing() => tokio::time::sleep(wait).await,
                answer => return answer,
            }
        }
        Ok(self.rpc.send(request, params).await?)
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

    async fn transaction(
        &self,
        listed: &Listed,
        blockhashes: &Blockhashes,
    ) -> Result<Option<Transaction>, SourceError> {
        let signature = show(&listed.signature);
        let answer = self.answered(&signature).await?;
        let answer = answer.ok_or_else(|| SourceError::NotThereYet {
            signature: signature.clone(),
        })?;
        if answer.slot != listed.slot {
            // Its block was dropped after it was listed, and it stands in another one.
            return Err(SourceError::Moved { signature });
        }
        let blockhash = blockhashes.get(answer.slot, self).await?;
        wire::transaction(&listed.signature, blockhash, &answer)
    }

    async fn answered(
        &self,
        signature: &str,
    ) -> Result<Option<EncodedConfirmedTransactionWithStatusMeta>, SourceError> {
        let config = json!({
            "encoding": "json", "commitment": self.commitment.config().commitment,
            "maxSupportedTransactionVersion": NEWEST_VERSION,
        });
        self.ask(RpcRequest::GetTransaction, json!([signature, config])).await
    }

    /// The hashes of these slots' blocks, in their order.
    ///
    /// # Errors
    /// Where the node does not answer, or does not have one of them.
    pub async fn blockhashes(
        &self,
        slots: impl IntoIterator<Item = u64>,
        commitment: Commitment,
    ) -> Result<Vec<[u8; 32]>, SourceError> {
        futures_util::stream::iter(slots)
            .map(|slot| self.blockhash(slot, commitment))
            .buffered(self.limits.parallel)
            .try_collect()
            .await
    }

    async fn blockhash(&self, slot: u64, commitment: Commitment) -> Result<[u8; 32], SourceError> {
        let config = json!({
            "encoding": "json", "transactionDetails": "none", "rewards": false,
            "commitment": commitment.config().commitment, "maxSupportedTransactionVersion": NEWEST_VERSION,
        });
        let block: Result<UiConfirmedBlock, _> = self.ask(RpcRequest::GetBlock, json!([slot, config])).await;
        let block = block.map_err(|error| error.about_block(slot))?;
        bytes(&block.blockhash).ok_or_else(|| SourceError::Nonsense(format!("blockhash {:?}", block.blockhash)))
    }
}

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

/// One line of a listing. What the error was is nobody's business here, and may be one that this version cannot name.
#[derive(Deserialize)]
struct Entry {
    signature: String,
    slot: u64,
    err: Option<Value>,
    #[serde(rename = "confirmationStatus")]
    confirmation_status: Option<String>,
}

/// The blocks' hashes, which `getTransaction` does not tell, asked for once for each slot.
#[derive(Default)]
struct Blockhashes(Mutex<HashMap<u64, Arc<OnceCell<[u8; 32]>>>>);

impl Blockhashes {
    async fn get(&self, slot: u64, source: &RpcSource) -> Result<[u8; 32], SourceError> {
        let cell = Arc::clone(self.0.lock().await.entry(slot).or_default());
        cell.get_or_try_init(|| source.blockhash(slot, source.commitment))
            .await
            .copied()
    }
}

/// Base58 of exactly `N` bytes.
pub(super) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    bs58::decode(text).into_vec().ok()?.try_into().ok()
}

fn parse_signature(text: &str) -> Result<Signature, SourceError> {
    solana_signature::Signature::from_str(text)
        .map(Into::into)
        .map_err(|_| SourceError::Nonsense(format!("signature {text:?}")))
}
