//! Finds the program's events among a transaction's instructions.
//!
//! An event is a call of the program to itself (Anchor's `emit_cpi!`): data that begins with Anchor's event tag, one
//! account, which is the program's event authority, and a caller that is the program too. The chain lets nobody else
//! sign for that authority, so a look-alike can only stand in a ledger that lies or in another program's calls; it is
//! ignored and counted. An event of ours that does not decode is never ignored: it stops the indexer.

use std::sync::LazyLock;

use anchor_lang::{event::EVENT_IX_TAG_LE, prelude::Address};
use chartseal_program::events::AnyEvent;

use crate::source::{Call, Signature, Transaction, show};

/// Where an event stands on the ledger. Signature and indices are its key; the rest says which block that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub signature: Signature,
    /// Which instruction of the transaction, from 0.
    pub outer: u16,
    /// Which inner instruction of that one, from 0.
    pub inner: u16,
    pub slot: u64,
    pub blockhash: [u8; 32],
    /// Seconds since 1970, as the cluster says.
    pub block_time: Option<i64>,
}

impl Place {
    /// What no two events share.
    pub fn key(&self) -> (Signature, u16, u16) {
        (self.signature, self.outer, self.inner)
    }
}

/// An event, where it stands, and its bytes as they were emitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    pub place: Place,
    pub bytes: Vec<u8>,
    pub event: AnyEvent,
}

/// What a transaction held.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// The program's events, in the order in which they were emitted.
    pub events: Vec<Located>,
    /// Calls that look like one of our events and are none.
    pub look_alikes: u64,
}

/// An event of ours that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "transaction {signature}, instruction {outer}, inner instruction {inner}: the program emitted an event that this indexer cannot read ({length} bytes, beginning {beginning}). Nothing after it was stored. Was the program upgraded? Then upgrade the indexer"
)]
pub struct DecodeError {
    pub signature: String,
    pub outer: u16,
    pub inner: u16,
    pub length: usize,
    /// Its first bytes, hex: the discriminator.
    pub beginning: String,
}

static EVENT_AUTHORITY: LazyLock<Address> = LazyLock::new(chartseal_program::seeds::address::event_authority);

/// Reads a transaction's events.
///
/// # Errors
/// [`DecodeError`] where the program emitted one that is none that we know.
pub fn decode(transaction: &Transaction) -> Result<Decoded, DecodeError> {
    let mut decoded = Decoded::default();
    // Programs on the call stack, by depth.
    let mut stack: Vec<Address> = Vec::new();
    for call in &transaction.calls {
        stack.truncate((call.depth as usize).saturating_sub(1));
        let caller = stack.last().copied();
        stack.push(call.program);
        let Some(bytes) = call.data.strip_prefix(EVENT_IX_TAG_LE) else {
            continue;
        };
        match (call.inner, is_ours(call, caller)) {
            (Some(inner), true) => decoded.events.push(locate(transaction, call.outer, inner, bytes)?),
            // Every Anchor program tags its events like this: only what could be taken for ours is a look-alike.
            _ if call.program == chartseal_program::ID || AnyEvent::decode(bytes).is_ok() => decoded.look_alikes += 1,
            _ => {}
        }
    }
    Ok(decoded)
}

fn is_ours(call: &Call, caller: Option<Address>) -> bool {
    call.program == chartseal_program::ID
        && caller == Some(chartseal_program::ID)
        && call.accounts == [*EVENT_AUTHORITY]
}

fn locate(transaction: &Transaction, outer: u16, inner: u16, bytes: &[u8]) -> Result<Located, DecodeError> {
    let event = AnyEvent::decode(bytes).map_err(|_| DecodeError {
        signature: show(&transaction.signature),
        outer,
        inner,
        length: bytes.len(),
        beginning: hex::encode(bytes.get(..8).unwrap_or(bytes)),
    })?;
    let place = Place {
        signature: transaction.signature,
        outer,
        inner,
        slot: transaction.slot,
        blockhash: transaction.blockhash,
        block_time: transaction.block_time,
    };
    Ok(Located {
        place,
        bytes: bytes.to_vec(),
        event,
    })
}
