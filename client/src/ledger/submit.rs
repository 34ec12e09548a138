//! Sending a transaction, and learning what became of it.

use std::time::{Duration, Instant};

use chartseal_program::{ID, events::AnyEvent};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_message::Message;
use solana_rpc_client_api::config::RpcSendTransactionConfig;
use solana_signature::Signature;
use solana_transaction::Transaction;

use super::{Ledger, LedgerError, PATIENCE, POLL};
use crate::keys::WalletKey;

/// Blockhashes that are tried before we give up: each lives for about a minute.
const ATTEMPTS: u32 = 3;
const RESEND: Duration = Duration::from_secs(2);

/// A transaction that stands on chain, confirmed.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The transaction, for release and for whoever wants to look it up.
    pub signature: Signature,
    /// What the contract decided.
    pub event: AnyEvent,
}

/// A transaction of several instructions that stands on chain, confirmed.
#[derive(Clone, Debug)]
pub struct Receipts {
    /// The transaction.
    pub signature: Signature,
    /// What the contract decided, in the order of its instructions.
    pub events: Vec<AnyEvent>,
}

impl Ledger {
    /// Sends one instruction, paid by the first signer, and waits until it is confirmed.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`]: it may have been applied. With every other error nothing changed, and nothing will.
    pub async fn submit(&self, instruction: Instruction, signers: &[&WalletKey]) -> Result<Receipt, LedgerError> {
        let done = self.submit_all(std::slice::from_ref(&instruction), signers).await?;
        let signature = done.signature;
        match <[AnyEvent; 1]>::try_from(done.events) {
            Ok([event]) => Ok(Receipt { signature, event }),
            Err(_) => Err(LedgerError::Malformed {
                what: format!("transaction {signature}"),
            }),
        }
    }

    /// Sends several instructions in one transaction: all of them come to stand on chain, or none.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub async fn submit_all(
        &self,
        instructions: &[Instruction],
        signers: &[&WalletKey],
    ) -> Result<Receipts, LedgerError> {
        // Each of ours emits one event.
        let ours = instructions
            .iter()
            .filter(|instruction| instruction.program_id == ID)
            .count();
        let payer = signers.first().map(|key| Address::new_from_array(key.address()));
        let mut message = Message::new(instructions, payer.as_ref());
        for _ in 0..ATTEMPTS {
            let (blockhash, last_valid) = self
                .call(self.rpc.get_latest_blockhash_with_commitment(self.rpc.commitment()))
                .await?;
            message.recent_blockhash = blockhash;
            let transaction = sign(&message, signers)?;
            if let Some(signature) = self.push(&transaction, last_valid).await? {
                return Ok(Receipts {
                    signature,
                    events: self.events_of_ours(&signature, ours).await?,
                });
            }
        }
        Err(LedgerError::Rpc {
            url: self.url.clone(),
            message: "it let the transaction expire three times; it is overloaded, try again later".into(),
        })
    }

    /// Sends until the fate is known. `None`: it expired and can no longer be applied.
    ///
    /// The first sending is simulated by the node first; where the node says that it would fail, nothing was sent. From
    /// then on, whatever a call answers, the transaction may be under way: only its status, or the end of its
    /// blockhash's life, says what became of it.
    async fn push(&self, transaction: &Transaction, last_valid: u64) -> Result<Option<Signature>, LedgerError> {
        let signature = transaction.signatures.first().copied().unwrap_or_default();
        let unknown = || LedgerError::Unknown {
            signature: signature.to_string(),
            url: self.url.clone(),
        };
        if let Err(error) = self.send(transaction, false).await
            && error.is_refusal()
            && !error.is_duplicate()
        {
            return Err(error);
        }
        let mut sent = Instant::now();
        let mut answered = Instant::now();
        loop {
            match self.status(&signature).await {
                Ok(Fate::Confirmed) => return Ok(Some(signature)),
                Ok(Fate::Failed(error)) => return Err(error),
                Ok(Fate::Open) => {
                    answered = Instant::now();
                    let height = self.call(self.rpc.get_block_height()).await;
                    if height.is_ok_and(|height| height > last_valid) {
                        // Expired, unless it went through between the two questions.
                        return match self.status(&signature).await {
                            Ok(Fate::Confirmed) => Ok(Some(signature)),
                            Ok(Fate::Failed(error)) => Err(error),
                            Ok(Fate::Open) => Ok(None),
                            Err(_) => Err(unknown()),
                        };
                    }
                }
                Err(_) if answered.elapsed() > PATIENCE => return Err(unknown()),
                Err(_) => {}
            }
            if sent.elapsed() > RESEND {
                // Its answer says nothing: a transaction that was applied is refused when it is sent again.
                let _ = self.send(transaction, true).await;
                sent = Instant::now();
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn send(&self, transaction: &Transaction, skip_preflight: bool) -> Result<Signature, LedgerError> {
        let config = RpcSendTransactionConfig {
            skip_preflight,
            preflight_commitment: Some(self.rpc.commitment().commitment),
            max_retries: Some(0),
            ..RpcSendTransactionConfig::default()
        };
        self.call(self.rpc.send_transaction_with_config(transaction, config))
            .await
    }

    /// Waits for a transaction that somebody else sent.
    pub(super) async fn wait_for(&self, signature: &Signature) -> Result<(), LedgerError> {
        let since = Instant::now();
        loop {
            match self.status(signature).await? {
                Fate::Confirmed => return Ok(()),
                Fate::Failed(error) => return Err(error),
                Fate::Open if since.elapsed() > PATIENCE => {
                    return Err(LedgerError::Unknown {
                        signature: signature.to_string(),
                        url: self.url.clone(),
                    });
                }
                Fate::Open => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// What is known of a transaction.
    async fn status(&self, signature: &Signature) -> Result<Fate, LedgerError> {
        let answer = self
            .call(self.rpc.get_signature_statuses(std::slice::from_ref(signature)))
            .await?;
        Ok(match answer.value.into_iter().next().flatten() {
            Some(status) if status.satisfies_commitment(self.rpc.commitment()) => match status.err {
                Some(error) => Fate::Failed(LedgerError::failed(error, Vec::new())),
                None => Fate::Confirmed,
            },
            _ => Fate::Open,
        })
    }
}

/// What became of a transaction.
enum Fate {
    /// It stands on chain.
    Confirmed,
    /// It was taken and failed: nothing changed.
    Failed(LedgerError),
    /// Nothing is known, or nothing that is confirmed.
    Open,
}

/// Signs a message with the keys that it asks for.
fn sign(message: &Message, signers: &[&WalletKey]) -> Result<Transaction, LedgerError> {
    let bytes = message.serialize();
    let needed = usize::from(message.header.num_required_signatures);
    let signatures = message.account_keys.iter().take(needed).map(|address| {
        let key = signers.iter().find(|key| key.address() == address.to_bytes());
        key.map(|key| Signature::from(key.sign(&bytes)))
            .ok_or_else(|| LedgerError::MissingSigner(address.to_string()))
    });
    Ok(Transaction {
        signatures: signatures.collect::<Result<_, _>>()?,
        message: message.clone(),
    })
}
