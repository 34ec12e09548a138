//! What became of a transaction that a relayer has had in its hands. It may have sent it under another signature of its own,
//! so it is looked for by what was signed here; that it stands nowhere is believed only of a node that has seen the life of
//! its blockhash end, and that showed all that was done meanwhile.

use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use serde_json::json;
use solana_address::Address;
use solana_rpc_client_api::{
    config::{RpcSignaturesForAddressConfig, RpcTransactionConfig},
    request::RpcRequest,
    response::RpcConfirmedTransactionStatusWithSignature,
};
use solana_signature::Signature;
use solana_transaction_status_client_types::UiTransactionEncoding;

use super::put_first;
use crate::ledger::{
    Ledger, LedgerError, POLL,
    blockhashes::Signed,
    history::{AT_ONCE, PAGE},
    submit::LONGEST,
};

/// Slots that are looked through for a transaction whose blockhash's life ended: more than it can have lived for.
const SLOTS: u64 = 2_000;

/// Pages of transactions of one wallet that are looked through. Anybody can add to them, and pays for each.
const PAGES: usize = 5;

impl Ledger {
    /// The slot in which the life of a transaction's blockhash was seen to have ended, if it has.
    pub(super) async fn ended(&self, signed: &Signed) -> Option<u64> {
        let epoch = self.rpc.get_epoch_info().await.ok()?;
        (epoch.block_height > signed.last_valid).then_some(epoch.absolute_slot)
    }

    /// Waits until the life of a transaction's blockhash has ended, and looks for it under any signature of its payer's.
    /// `None`: it was not applied and cannot be any more.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] where it cannot be told; what it failed with, where it stands on chain as failed.
    pub(super) async fn landed(&self, signed: &mut Signed) -> Result<Option<Signature>, LedgerError> {
        let Some(ours) = signed.transaction.message.account_keys.get(1).copied() else {
            return Ok(None);
        };
        let begun = Instant::now();
        let mut ended_at = None;
        loop {
            if let Some(slot) = self.ended(signed).await {
                ended_at.get_or_insert_with(Instant::now);
                match self.found(signed, &ours, slot).await {
                    Ok(None) => return Ok(None),
                    Ok(Some(signature)) => {
                        put_first(signed, signature);
                        return self.press(signed).await;
                    }
                    Err(error) if error.may_stand() => return Err(error),
                    // Another try may find out.
                    Err(_) => {}
                }
            }
            let is_over = match ended_at {
                Some(at) => at.elapsed() >= self.patience,
                None => begun.elapsed() >= LONGEST.max(self.patience),
            };
            if is_over {
                return Err(self.unknown_of(&ours));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Looks through what names a wallet, up to a slot at least.
    async fn found(&self, signed: &Signed, ours: &Address, slot: u64) -> Result<Option<Signature>, LedgerError> {
        let wanted = signed.transaction.message.serialize();
        let mut before = None;
        for _ in 0..PAGES {
            let page = self.page_of(ours, before.take(), slot).await?;
            before = page.last().map(|entry| entry.signature.clone());
            let recent = page.into_iter().filter(|entry| entry.slot.saturating_add(SLOTS) > slot);
            let recent: Vec<String> = recent.map(|entry| entry.signature).collect();
            let is_last = recent.len() < PAGE;
            let messages = recent.into_iter().map(|signature| self.message_of(signature));
            let mut fetched = stream::iter(messages).buffered(AT_ONCE);
            while let Some(found) = fetched.next().await {
                let (signature, message) = found?;
                if message == wanted {
                    return Ok(Some(signature));
                }
            }
            if is_last {
                return Ok(None);
            }
        }
        Err(self.unknown_of(ours))
    }

    async fn page_of(
        &self,
        address: &Address,
        before: Option<String>,
        slot: u64,
    ) -> Result<Vec<RpcConfirmedTransactionStatusWithSignature>, LedgerError> {
        let config = RpcSignaturesForAddressConfig {
            before,
            limit: Some(PAGE),
            commitment: Some(self.rpc.commitment()),
            // Of several nodes, another may answer than the one that saw the end.
            min_context_slot: Some(slot),
            ..RpcSignaturesForAddressConfig::default()
        };
        let params = json!([address.to_string(), config]);
        self.call(self.rpc.send(RpcRequest::GetSignaturesForAddress, params))
            .await
    }

    async fn message_of(&self, signature: String) -> Result<(Signature, Vec<u8>), LedgerError> {
        let malformed = || LedgerError::Malformed {
            what: format!("transaction {signature}"),
        };
        let signature: Signature = signature.parse().map_err(|_| malformed())?;
        let config = RpcTransactionConfig {
            encoding: Some(UiTransactionEncoding::Base64),
            commitment: Some(self.rpc.commitment()),
            max_supported_transaction_version: Some(1),
        };
        let found = self
            .call(self.rpc.get_transaction_with_config(&signature, config))
            .await?;
        let decoded = found.transaction.transaction.decode().ok_or_else(malformed)?;
        Ok((signature, decoded.message.serialize()))
    }

    /// Of a transaction that has no signature yet by which it could be looked up.
    fn unknown_of(&self, signer: &Address) -> LedgerError {
        LedgerError::Unknown {
            signature: format!("of {signer}"),
            url: self.url.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
