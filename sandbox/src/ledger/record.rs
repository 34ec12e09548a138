//! One line of the journal: a transaction, with slot, time and block hash, a digest of what it did, and itself; or a
//! journey in time.

use solana_hash::Hash;
use solana_transaction::versioned::VersionedTransaction;

/// Where a transaction's line has its slot, a journey has this: no slot is so high.
const JOURNEY: [u8; 8] = [0xFF; 8];

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    Transaction(Box<Record>),
    Journey(Journey),
}

/// The clock was set forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Journey {
    /// The slot that it arrived in.
    pub(crate) slot: u64,
    /// How far the ledger's time is ahead of the wall clock since then, in milliseconds.
    pub(crate) ahead_ms: u64,
}

/// An accepted transaction, with all that is needed to execute it again to the same effect.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    /// The slot whose block holds it.
    pub(crate) slot: u64,
    /// That block's time, in seconds since 1970.
    pub(crate) unix_time: i64,
    /// That block's hash.
    pub(crate) blockhash: Hash,
    /// A digest of its outcome, to notice an SVM that executes it differently.
    pub(crate) outcome: [u8; 8],
    /// The transaction as it was sent.
    pub(crate) transaction: VersionedTransaction,
}

impl Line {
    pub(super) fn encode(&self) -> Result<Vec<u8>, bincode::Error> {
        match self {
            Self::Transaction(record) => record.encode(),
            Self::Journey(Journey { slot, ahead_ms }) => {
                Ok([JOURNEY, slot.to_le_bytes(), ahead_ms.to_le_bytes()].concat())
            }
        }
    }

    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        let Some(journey) = payload.strip_prefix(&JOURNEY) else {
            return Record::decode(payload).map(|record| Self::Transaction(Box::new(record)));
        };
        let (slot, rest) = journey.split_first_chunk::<8>()?;
        let ahead_ms: [u8; 8] = rest.try_into().ok()?;
        Some(Self::Journey(Journey {
            slot: u64::from_le_bytes(*slot),
            ahead_ms: u64::from_le_bytes(ahead_ms),
        }))
    }
}

impl Record {
    fn encode(&self) -> Result<Vec<u8>, bincode::Error> {
        let mut bytes = Vec::with_capacity(1_400);
        bytes.extend_from_slice(&self.slot.to_le_bytes());
        bytes.extend_from_slice(&self.unix_time.to_le_bytes());
        bytes.extend_from_slice(self.blockhash.as_ref());
        bytes.extend_from_slice(&self.outcome);
        bincode::serialize_into(&mut bytes, &self.transaction)?;
        Ok(bytes)
    }

    fn decode(payload: &[u8]) -> Option<Self> {
        let (slot, rest) = payload.split_first_chunk::<8>()?;
        let (unix_time, rest) = rest.split_first_chunk::<8>()?;
        let (blockhash, rest) = rest.split_first_chunk::<32>()?;
        let (outcome, rest) = rest.split_first_chunk::<8>()?;
        Some(Self {
            slot: u64::from_le_bytes(*slot),
            unix_time: i64::from_le_bytes(*unix_time),
            blockhash: Hash::new_from_array(*blockhash),
            outcome: *outcome,
            transaction: bincode::deserialize(rest).ok()?,
        })
    }
}
