//! The positional parameters of a request, read one by one. What is missing, of another type or too much is -32602.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use solana_address::Address;
use solana_signature::Signature;

use super::error::RpcError;

/// The most bytes that the answers to one HTTP request may take together, counted before they are encoded.
const MAX_ANSWER_BYTES: usize = 32 << 20;

/// What is left of [`MAX_ANSWER_BYTES`] for one HTTP request, all of whose answers share it.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<AtomicUsize>);

impl Room {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(MAX_ANSWER_BYTES)))
    }
}

/// The `params` of one request, and the room for its answer.
#[derive(Debug)]
pub(crate) struct Params {
    values: std::vec::IntoIter<Value>,
    room: Room,
}

impl Params {
    pub(crate) fn new(params: Option<Value>, room: &Room) -> Result<Self, RpcError> {
        let values = match params {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(_) => return Err(RpcError::invalid_params("`params` should be an array")),
        };
        Ok(Self {
            values: values.into_iter(),
            room: room.clone(),
        })
    }

    /// Takes room for an answer of about this many bytes. Called before the answer is encoded.
    pub(crate) fn spend(&self, bytes: usize) -> Result<(), RpcError> {
        let taken = self
            .room
            .0
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes));
        taken.map(|_| ()).map_err(|_| {
            RpcError::invalid_request(format!(
                "The answer would be larger than {} MiB; ask for less at once, for example with dataSlice or filters.",
                MAX_ANSWER_BYTES >> 20
            ))
        })
    }

    /// The next parameter, which must be there.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, RpcError> {
        let missing = || RpcError::invalid_params(format!("Invalid params: missing field `{name}`."));
        read(self.values.next().ok_or_else(missing)?, name)
    }

    /// The next parameter, if it is there and not null.
    pub(crate) fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, RpcError> {
        match self.values.next() {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value, name).map(Some),
        }
    }

    /// The configuration object that ends most parameter lists.
    pub(crate) fn config<T: DeserializeOwned + Default>(&mut self) -> Result<T, RpcError> {
        self.optional("config").map(Option::unwrap_or_default)
    }

    /// An account's address.
    pub(crate) fn address(&mut self) -> Result<Address, RpcError> {
        parse_address(&self.required::<String>("address")?)
    }

    /// The end of the list.
    pub(crate) fn end(mut self) -> Result<(), RpcError> {
        match self.values.next() {
            None => Ok(()),
            Some(_) => Err(RpcError::invalid_params("Invalid params: too many parameters.")),
        }
    }
}

fn read<T: DeserializeOwned>(value: Value, name: &str) -> Result<T, RpcError> {
    T::deserialize(value).map_err(|e| RpcError::invalid_params(format!("Invalid params: {name}: {e}.")))
}

pub(crate) fn parse_address(text: &str) -> Result<Address, RpcError> {
    text.parse()
        .map_err(|e| RpcError::invalid_params(format!("Invalid param: {e}")))
}

pub(crate) fn parse_signature(text: &str) -> Result<Signature, RpcError> {
    text.parse()
        .map_err(|e| RpcError::invalid_params(format!("Invalid param: {e}")))
}

/// The configuration that every method with a commitment takes. All commitments are the same here, but for which slot is
/// the newest: a block is complete only when its slot is over.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContextConfig {
    pub(crate) commitment: Option<String>,
    pub(crate) min_context_slot: Option<u64>,
}

impl ContextConfig {
    /// Whether the asker takes a block that is still being filled.
    pub(crate) fn processed(&self) -> bool {
        self.commitment.as_deref() == Some("processed")
    }
}

/// Refuses what asks for a slot that is not there yet.
pub(crate) fn check_context(min_context_slot: Option<u64>, slot: u64) -> Result<(), RpcError> {
    match min_context_slot {
        Some(min) if min > slot => Err(RpcError::min_context_slot_not_reached(slot)),
        _ => Ok(()),
    }
}
