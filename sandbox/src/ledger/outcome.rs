//! What a transaction did, in the terms of a validator, and a digest of it.

use litesvm::types::TransactionMetadata;
use sha2::{Digest, Sha256};
use solana_transaction::sanitized::SanitizedTransaction;
use solana_transaction_error::TransactionResult;
use solana_transaction_status_client_types::{InnerInstruction, InnerInstructions, TransactionStatusMeta};

/// LiteSVM's account of a transaction in the terms of a validator, which leaves out instructions that called nothing.
pub(super) fn status_meta(
    status: TransactionResult<()>,
    meta: TransactionMetadata,
    sanitized: &SanitizedTransaction,
    pre_balances: Vec<u64>,
    post_balances: Vec<u64>,
) -> TransactionStatusMeta {
    let inner_instructions = meta
        .inner_instructions
        .into_iter()
        .enumerate()
        .filter(|(_, calls)| !calls.is_empty())
        .map(|(index, calls)| InnerInstructions {
            index: u8::try_from(index).unwrap_or(u8::MAX),
            instructions: calls
                .into_iter()
                .map(|call| InnerInstruction {
                    instruction: call.instruction,
                    stack_height: Some(u32::from(call.stack_height)),
                })
                .collect(),
        })
        .collect();
    TransactionStatusMeta {
        status,
        fee: meta.fee,
        pre_balances,
        post_balances,
        inner_instructions: Some(inner_instructions),
        log_messages: Some(meta.logs),
        pre_token_balances: Some(Vec::new()),
        post_token_balances: Some(Vec::new()),
        rewards: Some(Vec::new()),
        loaded_addresses: sanitized.get_loaded_addresses(),
        return_data: Some(meta.return_data).filter(|returned| !returned.data.is_empty()),
        compute_units_consumed: Some(meta.compute_units_consumed),
        cost_units: None,
    }
}

/// What must come out again when the transaction is replayed: error, fee, units, balances and calls.
pub(super) fn digest(meta: &TransactionStatusMeta) -> [u8; 8] {
    let mut hasher = Sha256::new()
        .chain_update(format!("{:?}", meta.status))
        .chain_update(meta.fee.to_le_bytes())
        .chain_update(meta.compute_units_consumed.unwrap_or(0).to_le_bytes());
    for balance in &meta.post_balances {
        hasher.update(balance.to_le_bytes());
    }
    for call in meta.inner_instructions.iter().flatten().flat_map(|of| &of.instructions) {
        hasher.update((call.instruction.data.len() as u64).to_le_bytes());
        hasher.update(&call.instruction.data);
    }
    let mut cut = [0; 8];
    cut.copy_from_slice(&hasher.finalize()[..8]);
    cut
}
