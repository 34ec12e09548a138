//! Blockhashes to sign with: one is shared by all transactions of some seconds, so that many in flight cost one question.
//! No two transactions are ever equal: what would come out as one that was signed before waits for the next blockhash,
//! for the chain would take both as one.

use std::{collections::HashSet, future::Future, time::Duration};

use solana_address::Address;
use solana_hash::Hash;
use solana_message::Message;
use solana_signature::Signature;
use solana_transaction::Transaction;
use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, timeout_at},
};

use super::{LedgerError, POLL, SHORT_PATIENCE};
use crate::keys::WalletKey;

/// How long one is shared: a small part of the minute that it lives.
const SHARED: Duration = Duration::from_secs(5);

/// The blockhash that is shared now.
pub(super) struct Blockhashes {
    url: String,
    current: Mutex<Option<Current>>,
}

struct Current {
    hash: Hash,
    last_valid: u64,
    since: Instant,
    /// Whether a node did not know it.
    stale: bool,
    signed: HashSet<Signature>,
}

/// A transaction that no other is equal to.
pub(super) struct Signed {
    pub(super) transaction: Transaction,
    /// The last block height at which it can be applied.
    pub(super) last_valid: u64,
}

impl Blockhashes {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            current: Mutex::default(),
        }
    }

    /// Sees to it that there is one to sign with, while something else is asked.
    pub(super) async fn prepare<F>(&self, ask: impl Fn() -> F) -> Result<(), LedgerError>
    where
        F: Future<Output = Result<(Hash, u64), LedgerError>>,
    {
        self.renewed(Instant::now() + SHORT_PATIENCE, None, &ask)
            .await
            .map(drop)
    }

    /// Signs a message with a blockhash that is shared, or with a new one. `ask` gives the newest and the last block height
    /// that it is good for. The place of whoever is `absent` stays empty: that signature comes later.
    pub(super) async fn sign<F>(
        &self,
        message: &mut Message,
        signers: &[&WalletKey],
        absent: Option<&Address>,
        ask: impl Fn() -> F,
    ) -> Result<Signed, LedgerError>
    where
        F: Future<Output = Result<(Hash, u64), LedgerError>>,
    {
        let deadline = Instant::now() + SHORT_PATIENCE;
        let mut must_differ = None;
        loop {
            let mut current = self.renewed(deadline, must_differ, &ask).await?;
            let Some(current) = current.as_mut() else { continue };
            message.recent_blockhash = current.hash;
            let transaction = sign(message, signers, absent)?;
            // One of ours says as well as all of them which message it is.
            let ours = transaction.signatures.iter().find(|one| **one != Signature::default());
            let signature = ours.copied().unwrap_or_default();
            if current.signed.insert(signature) {
                return Ok(Signed {
                    transaction,
                    last_valid: current.last_valid,
                });
            }
            must_differ = Some(current.hash);
        }
    }

    /// Shares a blockhash no longer that a node does not know.
    pub(super) async fn forget(&self, hash: &Hash) {
        let mut current = self.current.lock().await;
        if let Some(current) = current.as_mut().filter(|current| current.hash == *hash) {
            current.stale = true;
        }
    }

    /// The one that is shared, asked for anew where it is too old or must differ. Whoever holds the lock asks for all.
    async fn renewed<F>(
        &self,
        deadline: Instant,
        must_differ: Option<Hash>,
        ask: &impl Fn() -> F,
    ) -> Result<MutexGuard<'_, Option<Current>>, LedgerError>
    where
        F: Future<Output = Result<(Hash, u64), LedgerError>>,
    {
        let mut failure = None;
        let found = timeout_at(deadline, async {
            loop {
                let mut current = self.current.lock().await;
                let good = |current: &Current| {
                    !current.stale && current.since.elapsed() < SHARED && Some(current.hash) != must_differ
                };
                if current.as_ref().is_some_and(good) {
                    return current;
                }
                match ask().await {
                    Ok((hash, last_valid)) => {
                        let since = Instant::now();
                        let signed = current.take().filter(|before| before.hash == hash);
                        let signed = signed.map(|before| before.signed).unwrap_or_default();
                        *current = Some(Current {
                            hash,
                            last_valid,
                            since,
                            stale: false,
                            signed,
                        });
                    }
                    Err(error) => failure = Some(error),
                }
                if current.as_ref().is_some_and(good) {
                    return current;
                }
                drop(current);
                tokio::time::sleep(POLL).await;
            }
        });
        match found.await {
            Ok(current) => Ok(current),
            Err(_) => Err(failure.unwrap_or_else(|| LedgerError::Rpc {
                url: self.url.clone(),
                message: "it gives no new blockhash; it is overloaded or stands still, try again later".into(),
            })),
        }
    }
}

/// Signs a message with the keys that it asks for.
fn sign(message: &Message, signers: &[&WalletKey], absent: Option<&Address>) -> Result<Transaction, LedgerError> {
    let bytes = message.serialize();
    let needed = usize::from(message.header.num_required_signatures);
    let signatures = message.account_keys.iter().take(needed).map(|address| {
        let key = signers.iter().find(|key| key.address() == address.to_bytes());
        match key {
            Some(key) => Ok(Signature::from(key.sign(&bytes))),
            None if absent == Some(address) => Ok(Signature::default()),
            None => Err(LedgerError::MissingSigner(address.to_string())),
        }
    });
    Ok(Transaction {
        signatures: signatures.collect::<Result<_, _>>()?,
        message: message.clone(),
    })
}
