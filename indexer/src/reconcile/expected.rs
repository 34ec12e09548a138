//! What an account says that a row must be, in the form in which rows are read.

use anchor_lang::prelude::Address;
use chartseal_program::{
    log::ChainKind,
    seeds::{Id, NO_ID},
    vocabulary::{Action, Purpose},
};
use serde_json::{Value, json};

use crate::sink::Instant;

/// A chain by its kind and subject.
pub(super) type Chain = (ChainKind, Id);

/// What has to stand still while a row and its account are compared.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gate {
    /// The chain whose events change both.
    Chain(ChainKind, Id),
    /// Everything: it sums up what many chains say.
    All,
}

/// What a column must hold.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Is(Value),
    /// Something, or nothing: the account says only whether.
    Set(bool),
}

/// A row that follows from an account.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) table: &'static str,
    pub(super) account: Address,
    pub(super) gate: Gate,
    /// In the order of the table's key.
    pub(super) key: Vec<Value>,
    pub(super) columns: Vec<(&'static str, Cell)>,
}

impl Expected {
    pub(super) fn new(table: &'static str, account: &Address, gate: Gate, key: Vec<Value>) -> Self {
        Self {
            table,
            account: *account,
            gate,
            key,
            columns: Vec::new(),
        }
    }

    /// A column that holds this.
    pub(super) fn is(mut self, column: &'static str, value: impl Into<Value>) -> Self {
        self.columns.push((column, Cell::Is(value.into())));
        self
    }

    /// A column that holds something, or nothing.
    pub(super) fn set(mut self, column: &'static str, set: bool) -> Self {
        self.columns.push((column, Cell::Set(set)));
        self
    }
}

pub(super) fn bytes(bytes: impl AsRef<[u8]>) -> Value {
    json!(hex::encode(bytes))
}

/// An id, where zeros stand for none.
pub(super) fn id(id: &Id) -> Value {
    match *id == NO_ID {
        true => Value::Null,
        false => bytes(id),
    }
}

/// A hash or key, where zeros stand for none.
pub(super) fn hash(hash: &[u8; 32]) -> Value {
    match *hash == [0; 32] {
        true => Value::Null,
        false => bytes(hash),
    }
}

/// An address, where zeros stand for none.
pub(super) fn address(address: &Address) -> Value {
    hash(&address.to_bytes())
}

/// A time, as far as Postgres has one.
pub(super) fn time(seconds: i64) -> Value {
    Instant(seconds).as_json()
}

/// A time, where zero stands for none.
pub(super) fn time_or_none(seconds: i64) -> Value {
    match seconds {
        0 => Value::Null,
        seconds => time(seconds),
    }
}

/// A word of the vocabulary; a byte that no word stands for is no word that a row has.
pub(super) fn word<T>(word: Option<T>, text: fn(T) -> &'static str) -> Value {
    word.map_or(Value::from("?"), |word| Value::from(text(word)))
}

pub(super) fn rights(mask: u8) -> Value {
    let words = Action::ALL.iter().filter(|right| mask & right.bit() != 0);
    words.map(|right| right.word()).collect()
}

pub(super) fn purposes(mask: u8) -> Value {
    let words = Purpose::ALL.iter().filter(|purpose| mask & purpose.bit() != 0);
    words.map(|purpose| purpose.word()).collect()
}

/// A mask of classes; nothing where it is empty.
pub(super) fn classes(mask: u32) -> Value {
    match mask {
        0 => Value::Null,
        mask => (0..u32::BITS).filter(|class| mask & (1 << class) != 0).collect(),
    }
}

/// An amount of tokens, which reaches beyond what a bigint holds.
pub(super) fn amount(amount: u64) -> Value {
    json!(amount.to_string())
}
