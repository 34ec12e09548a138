//! From a node's JSON to [`Transaction`].

use anchor_lang::prelude::Address;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, EncodedTransaction, UiCompiledInstruction, UiInnerInstructions,
    UiInstruction, UiMessage, UiTransactionStatusMeta, option_serializer::OptionSerializer,
};

use super::{Call, Signature, SourceError, Transaction, rpc::bytes};

/// What the node says about a transaction; nothing where it failed on chain.
pub(super) fn transaction(
    signature: &Signature,
    blockhash: [u8; 32],
    answer: &EncodedConfirmedTransactionWithStatusMeta,
) -> Result<Option<Transaction>, SourceError> {
    let nonsense = |what: &str| SourceError::Nonsense(format!("transaction {}: {what}", super::show(signature)));
    let meta = answer.transaction.meta.as_ref().ok_or_else(|| nonsense("no meta"))?;
    if meta.err.is_some() {
        return Ok(None);
    }
    let EncodedTransaction::Json(transaction) = &answer.transaction.transaction else {
        return Err(nonsense("not JSON, as it was asked for"));
    };
    let UiMessage::Raw(message) = &transaction.message else {
        return Err(nonsense("a parsed message, which was not asked for"));
    };
    let keys = keys(&message.account_keys, meta).ok_or_else(|| nonsense("an account key is no address"))?;
    // Nobody could tell a transaction without events from a node without records.
    let OptionSerializer::Some(inner) = &meta.inner_instructions else {
        return Err(SourceError::NoInnerInstructions {
            signature: super::show(signature),
        });
    };
    let calls = from_json(&message.instructions, inner).and_then(|(outer, groups)| calls(&keys, outer, groups));
    let calls = calls.ok_or_else(|| nonsense("its instructions do not fit it"))?;
    Ok(Some(Transaction {
        signature: *signature,
        slot: answer.slot,
        blockhash,
        block_time: answer.block_time,
        calls,
    }))
}

/// The keys that instructions count by: those of the message, then those that lookup tables added.
fn keys(stated: &[String], meta: &UiTransactionStatusMeta) -> Option<Vec<Address>> {
    let mut texts: Vec<&String> = stated.iter().collect();
    if let OptionSerializer::Some(loaded) = &meta.loaded_addresses {
        texts.extend(&loaded.writable);
        texts.extend(&loaded.readonly);
    }
    texts
        .into_iter()
        .map(|text| bytes(text).map(Address::new_from_array))
        .collect()
}

/// An instruction with its accounts named by their places among the keys, as every wire format has it.
pub(super) struct Compiled {
    pub(super) program: usize,
    pub(super) accounts: Vec<u8>,
    pub(super) data: Vec<u8>,
    /// Its place in the call stack; of an outer instruction it is known.
    pub(super) depth: Option<u32>,
}

/// The inner instructions of the outer one with this index.
pub(super) type Group = (usize, Vec<Compiled>);

/// Outer instructions, each followed by its inner ones. `None` where an index points nowhere, or a node leaves out
/// what an inner instruction's place in the call stack is, without which nobody could tell who called it.
pub(super) fn calls(keys: &[Address], outer: Vec<Compiled>, mut groups: Vec<Group>) -> Option<Vec<Call>> {
    let mut calls = Vec::new();
    for (index, instruction) in outer.into_iter().enumerate() {
        let outer_index = u16::try_from(index).ok()?;
        calls.push(call(keys, instruction, outer_index, None, 1)?);
        for (_, inner) in groups.extract_if(.., |(of, _)| *of == index) {
            for (inner, instruction) in inner.into_iter().enumerate() {
                let inner = u16::try_from(inner).ok()?;
                let depth = instruction.depth?;
                calls.push(call(keys, instruction, outer_index, Some(inner), depth)?);
            }
        }
    }
    Some(calls)
}

fn call(keys: &[Address], instruction: Compiled, outer: u16, inner: Option<u16>, depth: u32) -> Option<Call> {
    let key = |index: usize| keys.get(index).copied();
    let accounts = instruction.accounts.iter().map(|index| key(usize::from(*index)));
    Some(Call {
        outer,
        inner,
        depth,
        program: key(instruction.program)?,
        accounts: accounts.collect::<Option<_>>()?,
        data: instruction.data,
    })
}

fn from_json(outer: &[UiCompiledInstruction], groups: &[UiInnerInstructions]) -> Option<(Vec<Compiled>, Vec<Group>)> {
    let compiled = |instruction: &UiCompiledInstruction| {
        Some(Compiled {
            program: usize::from(instruction.program_id_index),
            accounts: instruction.accounts.clone(),
            data: bs58::decode(&instruction.data).into_vec().ok()?,
            depth: instruction.stack_height,
        })
    };
    let inner = |instruction: &UiInstruction| match instruction {
        UiInstruction::Compiled(instruction) => compiled(instruction),
        UiInstruction::Parsed(_) => None,
    };
    let group = |group: &UiInnerInstructions| {
        let instructions: Option<_> = group.instructions.iter().map(inner).collect();
        Some((usize::from(group.index), instructions?))
    };
    let outer: Option<_> = outer.iter().map(compiled).collect();
    let groups: Option<_> = groups.iter().map(group).collect();
    Some((outer?, groups?))
}
