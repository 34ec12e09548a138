//! A node's JSON-RPC as a source.
//!
//! `getSignaturesForAddress` lists newest first, so pages are taken back to the checkpoint and then turned round. A
//! listed transaction that the node cannot give yet is an error that passes, never one that is left out.

use std::{collections::HashMap, str::FromStr, sync::Arc, time::Duration};

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
    COMMITMENT, Checkpoint, Delivered, Listed, Signature, SourceError, Transaction, block::Blocks, show, wire,
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

/// Waits between the tries of one request. A listing may take thousands of them, and a hiccup shall not start it anew;
/// a node that is away for longer is the indexer's to wait for.
const RETRIES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
];

/// Reads finalized transactions of the program from one node.
pub struct RpcSource {
    rpc: RpcClient,
    limits: Limits,
}

impl std::fmt::Debug for RpcSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RpcSource")
            .field("url", &self.rpc.url())
            .field("limits", &self.limits)
            .finish()
    }
}

impl RpcSource {
    /// A source at `url`. Nothing is sent before the first question.
    pub fn new(url: &str, limits: Limits) -> Self {
        Self {
            rpc: RpcClient::new_with_timeout_and_commitment(url.to_owned(), limits.timeout, COMMITMENT),
            limits,
        }
    }

    /// The newest finalized slot.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn slot(&self) -> Result<u64, SourceError> {
        self.ask(RpcRequest::GetSlot, json!([{ "commitment": COMMITMENT.commitment }]))
            .await
    }

    /// The slot of a finalized transaction, or nothing where the node does not know it as such.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn slot_of(&self, signature: &Signature) -> Result<Option<u64>, SourceError> {
        let status = self.status(signature).await?;
        let settled = status.filter(|status| status.satisfies_commitment(COMMITMENT));
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

    /// As [`RpcSource::list_after`], and apart from that what the node lists although it is not final yet.
    ///
    /// # Errors
    /// As [`RpcSource::list_after`].
    pub async fn list_all_after(&self, checkpoint: Option<&Checkpoint>) -> Result<Listing, SourceError> {
        let mut listing = Listing::default();
        let mut before = None;
        loop {
            let page = self.page(before, checkpoint).await?;
            let last_page = page.len() < self.limits.page;
            for (entry, settled) in page {
                before = Some(entry.signature);
                match checkpoint {
                    Some(checkpoint) if entry.signature == checkpoint.signature => {
                        return Ok(listing.oldest_first());
                    }
                    Some(checkpoint) if entry.slot < checkpoint.slot => return Err(self.lost(checkpoint).await?),
                    _ if settled => listing.settled.push(entry),
                    // It comes again, once it is final.
                    _ => listing.pending.push(entry),
                }
            }
            if last_page {
                break;
            }
        }
        if let Some(checkpoint) = checkpoint {
            return Err(self.lost(checkpoint).await?);
        }
        Ok(listing.oldest_first())
    }

    /// Delivers what is not final yet, as far as the node gives it: some give a transaction before they give its block, so
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
                        false => match blocks.transaction(entry, self).await? {
                            Some(given) => given,
                            None => self.transaction(entry, &blockhashes).await?,
                        },
                    };
                    Ok(Delivered {
                        listed: *entry,
                        transaction,
                    })
                }
            })
            .buffered(self.limits.parallel)
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

    /// Some of what came before that transaction, newest first, and whether each is final: a local validator lists what
    /// is not, whatever it was asked for.
    async fn page(
        &self,
        before: Option<Signature>,
        after: Option<&Checkpoint>,
    ) -> Result<Vec<(Listed, bool)>, SourceError> {
        let mut config = json!({ "limit": self.limits.page, "commitment": COMMITMENT.commitment });
        if let Some(before) = before {
            config["before"] = json!(show(&before));
        }
        if let Some(checkpoint) = after {
            // A node that has not come that far shall say so, instead of listing less than we have.
            config["minContextSlot"] = json!(checkpoint.slot);
        }
        let page: Vec<Entry> = self
            .ask(
                RpcRequest::GetSignaturesForAddress,
                json!([chartseal_program::ID.to_string(), config]),
            )
            .await?;
        page.into_iter()
            .map(|entry| {
                let signature = parse_signature(&entry.signature)?;
                let listed = Listed {
                    signature,
                    slot: entry.slot,
                    failed: entry.err.is_some(),
                };
                Ok((
                    listed,
                    entry.confirmation_status.is_none_or(|status| status == FINALIZED),
                ))
            })
            .collect()
    }

    /// Why a listing does not contain the checkpoint: its index lags, or the ledger does not have it at all.
    async fn lost(&self, checkpoint: &Checkpoint) -> Result<SourceError, SourceError> {
        Ok(match self.status(&checkpoint.signature).await? {
            Some(status) if status.slot == checkpoint.slot => SourceError::Behind { slot: status.slot },
            _ => SourceError::CheckpointLost {
                signature: show(&checkpoint.signature),
                slot: checkpoint.slot,
            },
        })
    }

    async fn transaction(
        &self,
        listed: &Listed,
        blockhashes: &Blockhashes,
    ) -> Result<Option<Transaction>, SourceError> {
        let signature = show(&listed.signature);
        let answer = self.answered(&signature).await?;
        let answer = answer.ok_or(SourceError::NotThereYet { signature })?;
        let blockhash = blockhashes.get(answer.slot, self).await?;
        wire::transaction(&listed.signature, blockhash, &answer)
    }

    async fn answered(
        &self,
        signature: &str,
    ) -> Result<Option<EncodedConfirmedTransactionWithStatusMeta>, SourceError> {
        let config = json!({
            "encoding": "json", "commitment": COMMITMENT.commitment, "maxSupportedTransactionVersion": NEWEST_VERSION,
        });
        self.ask(RpcRequest::GetTransaction, json!([signature, config])).await
    }

    async fn blockhash(&self, slot: u64) -> Result<[u8; 32], SourceError> {
        let config = json!({
            "encoding": "json", "transactionDetails": "none", "rewards": false, "commitment": COMMITMENT.commitment,
            "maxSupportedTransactionVersion": NEWEST_VERSION,
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
    /// What can still be dropped. It is for telling why something was not read, and never to be stored.
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

/// The status of what cannot be undone any more.
const FINALIZED: &str = "finalized";

/// The blocks' hashes, which `getTransaction` does not tell, asked for once for each slot.
#[derive(Default)]
struct Blockhashes(Mutex<HashMap<u64, Arc<OnceCell<[u8; 32]>>>>);

impl Blockhashes {
    async fn get(&self, slot: u64, source: &RpcSource) -> Result<[u8; 32], SourceError> {
        let cell = Arc::clone(self.0.lock().await.entry(slot).or_default());
        cell.get_or_try_init(|| source.blockhash(slot)).await.copied()
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
