//! Sending a transaction, and learning what became of it.

use std::time::{Duration, Instant};

use chartseal_program::events::AnyEvent;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_message::Message;
use solana_rpc_client_api::config::RpcSendTransactionConfig;
use solana_signature::Signature;
use solana_transaction::Transaction;

use super::{Ledger, LedgerError, PATIENCE};
use crate::keys::WalletKey;

/// Blockhashes that are tried before we give up: each lives for about a minute.
const ATTEMPTS: u32 = 3;
const POLL: Duration = Duration::from_millis(100);
const RESEND: Duration = Duration::from_secs(2);

/// A transaction that stands on chain, confirmed.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The transaction, for release and for whoever wants to look it up.
    pub signature: Signature,
    /// What the contract decided.
    pub event: AnyEvent,
}

impl Ledger {
    /// Sends one instruction, paid by the first signer, and waits until it is confirmed.
    ///
    /// # Errors
    /// [`LedgerError::Contract`] and [`LedgerError::Rejected`]: nothing changed. [`LedgerError::Unreachable`]: nothing
    /// was sent. [`LedgerError::Unknown`]: it may have been applied.
    pub async fn submit(&self, instruction: Instruction, signers: &[&WalletKey]) -> Result<Receipt, LedgerError> {
        let payer = signers.first().map(|key| Address::new_from_array(key.address()));
        let mut message = Message::new(&[instruction], payer.as_ref());
        for _ in 0..ATTEMPTS {
            let (blockhash, last_valid) = self
                .call(self.rpc.get_latest_blockhash_with_commitment(self.rpc.commitment()))
                .await?;
            message.recent_blockhash = blockhash;
            let transaction = sign(&message, signers)?;
            if let Some(signature) = self.push(&transaction, last_valid).await? {
                return Ok(Receipt {
                    signature,
                    event: self.event_of(&signature).await?,
                });
            }
        }
        Err(LedgerError::Rpc {
            url: self.url.clone(),
            message: "it let the transaction expire three times; it is overloaded, try again later".into(),
        })
    }

    /// Sends until the fate is known. `None`: it expired and can no longer be applied.
    async fn push(&self, transaction: &Transaction, last_valid: u64) -> Result<Option<Signature>, LedgerError> {
        let signature = transaction.signatures.first().copied().unwrap_or_default();
        let mut sent = false;
        let mut resend_at = Instant::now();
        let mut answered = Instant::now();
        loop {
            if Instant::now() >= resend_at {
                // Once it is under way a simulation could fail merely because it has been applied.
                let config = RpcSendTransactionConfig {
                    skip_preflight: sent,
                    preflight_commitment: Some(self.rpc.commitment().commitment),
                    max_retries: Some(0),
                    ..Default::default()
                };
                match self
                    .call(self.rpc.send_transaction_with_config(transaction, config))
                    .await
                {
                    Ok(_) => sent = true,
                    Err(error) if error.is_transient() => {}
                    Err(error) if !sent => return Err(error),
                    // A repeated sending is refused once the first was applied: the status tells.
                    Err(_) => {}
                }
                resend_at = Instant::now() + RESEND;
            }
            match self.status(&signature).await {
                Ok(Some(())) => return Ok(Some(signature)),
                Ok(None) => {
                    answered = Instant::now();
                    let height = self.call(self.rpc.get_block_height()).await;
                    if height.is_ok_and(|height| height > last_valid) {
                        // Expired, unless it went through between the two questions.
                        return Ok(self.status(&signature).await?.map(|()| signature));
                    }
                }
                Err(error) if error.is_transient() => {
                    if answered.elapsed() > PATIENCE {
                        let (signature, url) = (signature.to_string(), self.url.clone());
                        return Err(LedgerError::Unknown { signature, url });
                    }
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits for a transaction that somebody else sent.
    pub(super) async fn fate(&self, signature: &Signature) -> Result<(), LedgerError> {
        let since = Instant::now();
        while self.status(signature).await?.is_none() {
            if since.elapsed() > PATIENCE {
                return Err(LedgerError::Unknown {
                    signature: signature.to_string(),
                    url: self.url.clone(),
                });
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Whether a transaction is confirmed; an error where it failed.
    async fn status(&self, signature: &Signature) -> Result<Option<()>, LedgerError> {
        let answer = self
            .call(self.rpc.get_signature_statuses(std::slice::from_ref(signature)))
            .await?;
        match answer.value.into_iter().next().flatten() {
            Some(status) if status.satisfies_commitment(self.rpc.commitment()) => match status.err {
                Some(error) => Err(LedgerError::failed(error, Vec::new())),
                None => Ok(Some(())),
            },
            _ => Ok(None),
        }
    }
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
