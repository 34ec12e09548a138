//! Sending a transaction until it is known what became of it. It is signed anew only once the one before can no longer be
//! applied, so what a caller asks for is done once or not at all, and the caller learns which.

use std::time::{Duration, Instant};

use chartseal_program::{ID, events::AnyEvent};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_rpc_client_api::config::RpcSendTransactionConfig;
use solana_signature::Signature;
use solana_transaction::Transaction;

use super::{Ledger, LedgerError, blockhashes::Signed, fates::Fate};
use crate::keys::WalletKey;

/// Blockhashes that are tried before we give up: each lives for about a minute.
const ATTEMPTS: u32 = 3;

/// How long a transaction is waited for until it is sent once more.
const RESEND: Duration = Duration::from_secs(2);

/// How long a transaction is waited for, whatever is answered: blockhashes die within two minutes where a chain moves at all.
pub(super) const LONGEST: Duration = Duration::from_mins(5);

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
    /// Sends one instruction and waits until it is confirmed. The first signer pays, unless [`paid_by`](Self::paid_by) said
    /// otherwise.
    ///
    /// # Errors
    /// Where [`LedgerError::may_stand`]: it may have been applied, or may be yet. With every other error nothing changed, and
    /// nothing will.
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
        let own = signers.first().map(|key| Address::new_from_array(key.address()));
        let payer = match own {
            Some(own) => Some(self.payer(own).await?),
            None => None,
        };
        if let (Some(relayer), Some(payer)) = (self.payer.relayer(), &payer)
            && signers.iter().any(|key| key.address() == payer.to_bytes())
        {
            return Err(relayer.lets_others_pay());
        }
        let keys: Vec<_> = signers.iter().copied().chain(self.payer.key()).collect();
        let absent = payer.as_ref().filter(|_| self.payer.relayer().is_some());
        let ask = || self.call(self.rpc.get_latest_blockhash_with_commitment(self.rpc.commitment()));
        for _ in 0..ATTEMPTS {
            let (budget, ()) =
                tokio::try_join!(self.budget(instructions, payer.as_ref()), self.blockhashes.prepare(ask))
                    .map_err(|error| error.of_payer(payer.as_ref()))?;
            let mut message = budget.message(instructions, payer.as_ref());
            let signed = self.blockhashes.sign(&mut message, &keys, absent, ask).await?;
            let applied = match self.payer.relayer() {
                Some(relayer) => self.push_relayed(relayer, signed, budget.is_simulated()).await,
                None => self.push(&signed, budget.is_simulated()).await,
            };
            if let Some(signature) = applied.map_err(|error| error.of_payer(payer.as_ref()))? {
                return Ok(Receipts {
                    signature,
                    events: self.events_of_ours(&signature, ours).await?,
                });
            }
            self.blockhashes.forget(&message.recent_blockhash).await;
        }
        Err(LedgerError::Rpc {
            url: self.url.clone(),
            message: "it let the transaction expire three times; it is overloaded, try again later".into(),
        })
    }

    /// Sends until the fate is known. `None`: it was not applied and cannot be any more.
    ///
    /// Where it was not simulated, the node does that at the first sending; where it says that it would fail, nothing was
    /// sent. From then on, whatever a call answers, the transaction may be under way: only its status, or the end of its
    /// blockhash's life, says what became of it.
    async fn push(&self, signed: &Signed, is_simulated: bool) -> Result<Option<Signature>, LedgerError> {
        match self.send(&signed.transaction, is_simulated).await {
            Err(error) if error.is_unknown_blockhash() => Ok(None),
            Err(error) if error.is_refusal() && !error.is_duplicate() => Err(error),
            _ => self.press(signed).await,
        }
    }

    /// Asks and sends again until the fate of what may be under way is known.
    pub(super) async fn press(&self, signed: &Signed) -> Result<Option<Signature>, LedgerError> {
        self.press_for(signed, LONGEST.max(self.patience)).await
    }

    /// The same for so long. A node may answer for ever that it knows nothing, and a chain may stand still.
    async fn press_for(&self, signed: &Signed, longest: Duration) -> Result<Option<Signature>, LedgerError> {
        let transaction = &signed.transaction;
        let signature = transaction.signatures.first().copied().unwrap_or_default();
        let begun = Instant::now();
        let left = || longest.saturating_sub(begun.elapsed());
        let mut followed = self.fates.follow(signature, Some(signed.last_valid));
        loop {
            let news = followed.within(RESEND.min(left())).await;
            match news.fate {
                Fate::Confirmed => return Ok(Some(signature)),
                Fate::Failed(error) => return Err(LedgerError::failed(error, self.logs_of(&signature).await)),
                Fate::Expired => return Ok(None),
                Fate::Open if left().is_zero() || news.answered.elapsed() > self.patience => {
                    return Err(self.unknown(&signature));
                }
                Fate::Open => {}
            }
            // Its answer says nothing: a transaction that was applied is refused when it is sent again. So it is not waited for
            // once the fate is known, nor for ever.
            tokio::select! {
                biased;
                _ = self.send(transaction, true) => {}
                _ = followed.within(self.patience.max(RESEND).min(left())) => {}
            }
        }
    }

    pub(super) async fn send(&self, transaction: &Transaction, skip_preflight: bool) -> Result<Signature, LedgerError> {
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
        match self.fates.follow(*signature, None).within(self.patience).await.fate {
            Fate::Confirmed => Ok(()),
            Fate::Failed(error) => Err(LedgerError::failed(error, Vec::new())),
            Fate::Open | Fate::Expired => Err(self.unknown(signature)),
        }
    }

    pub(super) fn unknown(&self, signature: &Signature) -> LedgerError {
        LedgerError::Unknown {
            signature: signature.to_string(),
            url: self.url.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
