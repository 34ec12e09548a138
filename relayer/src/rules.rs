//! What the relayer signs, as far as the transaction itself shows. Its key pays the fee and stands in instructions only where
//! the contract's IDL says `payer`, or `relayer` for a proof of access that is shown for somebody without a name: there the contract takes rent from it, and from nowhere else. So whoever asks can
//! spend money of the relayer's on accounts of the contract, and can do nothing else with its key.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use chartseal_program::ID;
use solana_address::Address;
use solana_message::VersionedMessage;
use solana_message::compiled_instruction::CompiledInstruction;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

use crate::Refusal;

mod rent;

pub(crate) use rent::Made;

/// What the contract's instructions are called, and who pays in them.
const IDL: &str = include_str!("../../programs/chartseal/artifacts/chartseal.json");

/// What accounts are called whom the contract takes rent from, or gives it back to.
const PAYING: [&str; 2] = ["payer", "relayer"];

/// The longest transaction, in bytes: what fits into one packet of the network.
const PACKET: usize = 1_232;

/// Signatures that are paid for: of the payer, of who acts, and of the patient who consents.
pub(crate) const MOST_SIGNATURES: usize = 4;

/// What a signature costs, in lamports.
const PER_SIGNATURE: u64 = 5_000;

/// The most compute units of a transaction.
const MOST_UNITS: u64 = 1_400_000;

/// The system program: zeros.
const SYSTEM_PROGRAM: Address = Address::new_from_array([0; 32]);

/// Where the payer stands among an instruction's accounts, and what it may have to pay for there.
#[derive(Debug)]
struct Known {
    name: String,
    payer: Option<(usize, Made)>,
}

/// What is signed, and as whom.
#[derive(Debug)]
pub struct Rules {
    payer: Address,
    most_price: u64,
    instructions: HashMap<[u8; 8], Known>,
}

/// A transaction that keeps to the rules.
#[derive(Debug)]
pub(crate) struct Proper {
    pub(crate) transaction: VersionedTransaction,
    /// What is signed.
    pub(crate) message: Vec<u8>,
    /// Who acts.
    pub(crate) signer: Address,
    /// Its fee, in lamports.
    pub(crate) fee: u64,
    /// What it may make at the payer's cost.
    pub(crate) made: Made,
}

impl Rules {
    /// For a relayer with this wallet, which pays at most this for a compute unit, in millionths of a lamport.
    ///
    /// # Errors
    /// Where the contract's IDL is not of the form that this software knows.
    pub fn new(payer: Address, most_price: u64) -> Result<Self> {
        let idl: serde_json::Value = serde_json::from_str(IDL).context("the contract's IDL is no JSON")?;
        let mut instructions = HashMap::new();
        for instruction in idl["instructions"].as_array().context("the IDL has no instructions")? {
            let name = instruction["name"].as_str().context("an instruction has no name")?;
            let discriminator = serde_json::from_value(instruction["discriminator"].clone())
                .with_context(|| format!("{name} has no discriminator"))?;
            let accounts = instruction["accounts"]
                .as_array()
                .with_context(|| format!("{name} has no accounts"))?;
            let pays = |account: &serde_json::Value| PAYING.iter().any(|name| account["name"] == *name);
            let place = accounts.iter().position(pays);
            let payer = match place {
                Some(place) => {
                    let made = rent::made_by(name).with_context(|| format!("it is not known what {name} makes"))?;
                    Some((place, made))
                }
                None => None,
            };
            let name = name.to_owned();
            let known = Known { name, payer };
            instructions.insert(discriminator, known);
        }
        Ok(Self {
            payer,
            most_price,
            instructions,
        })
    }

    /// Whose key signs.
    #[must_use]
    pub fn payer(&self) -> Address {
        self.payer
    }

    /// Reads a transaction, and looks whether it keeps to the rules.
    pub(crate) fn check(&self, bytes: &[u8]) -> Result<Proper, Refusal> {
        if bytes.len() > PACKET {
            let reason = format!("{} bytes are more than the {PACKET} of a packet", bytes.len());
            return Err(Refusal::NotATransaction(reason));
        }
        let no_transaction = |error: &dyn std::fmt::Display| Refusal::NotATransaction(error.to_string());
        let transaction: VersionedTransaction = bincode::deserialize(bytes).map_err(|error| no_transaction(&error))?;
        transaction.sanitize().map_err(|error| no_transaction(&error))?;
        // What is signed is what was read: no byte more, none written in another way.
        if bincode::serialize(&transaction).ok().as_deref() != Some(bytes) {
            return Err(no_transaction(&"it is not written as transactions are"));
        }
        if transaction
            .message
            .address_table_lookups()
            .is_some_and(|tables| !tables.is_empty())
        {
            return Err(Refusal::LookupTables);
        }
        let message = transaction.message.serialize();
        let signer = self.signatures(&transaction, &message)?;
        let (fee, made) = self.instructions(&transaction)?;
        Ok(Proper {
            transaction,
            message,
            signer,
            fee,
            made,
        })
    }

    /// Everybody else has signed; who acts.
    fn signatures(&self, transaction: &VersionedTransaction, message: &[u8]) -> Result<Address, Refusal> {
        let keys = transaction.message.static_account_keys();
        let named = keys.first().copied().unwrap_or_default();
        if named != self.payer {
            return Err(Refusal::OtherPayer { named, own: self.payer });
        }
        for (index, key) in keys.iter().enumerate() {
            if keys.iter().skip(index + 1).any(|other| other == key) {
                return Err(Refusal::Twice(*key));
            }
        }
        let signatures = &transaction.signatures;
        if signatures.len() > MOST_SIGNATURES {
            return Err(Refusal::TooManySigners(signatures.len()));
        }
        let is_valid = |signature: &Signature, key: &Address| signature.verify(key.as_ref(), message);
        for (index, (signature, key)) in signatures.iter().zip(keys).enumerate() {
            let is_ours = index == 0;
            if is_ours && *signature != Signature::default() && !is_valid(signature, key) {
                return Err(Refusal::NotEmpty);
            }
            if !is_ours && !is_valid(signature, key) {
                return Err(Refusal::NotSigned(*key));
            }
        }
        match keys.get(1) {
            Some(signer) if signatures.len() > 1 => Ok(*signer),
            _ => Err(Refusal::NobodyActs),
        }
    }

    /// Only the contract is called, and the payer does nothing but pay; the fee, and what else it may pay for.
    fn instructions(&self, transaction: &VersionedTransaction) -> Result<(u64, Made), Refusal> {
        let message = &transaction.message;
        let (mut calls, mut price, mut units) = (0_usize, 0, MOST_UNITS);
        let mut made = Made::default();
        for (instruction, number) in message.instructions().iter().zip(1..) {
            let program = program(message, instruction);
            if program == ID {
                calls += 1;
                made = made + self.call(number, instruction)?;
            } else if program == solana_compute_budget_interface::ID {
                match budget(&instruction.data) {
                    Some(Budget::Units(limit)) if instruction.accounts.is_empty() => units = limit.min(MOST_UNITS),
                    Some(Budget::Price(set)) if instruction.accounts.is_empty() => price = set,
                    _ => return Err(Refusal::OtherBudget(number)),
                }
            } else if program == SYSTEM_PROGRAM && is_nonce_advance(&instruction.data) {
                return Err(Refusal::DurableNonce);
            } else {
                return Err(Refusal::OtherProgram { number, program });
            }
        }
        if calls == 0 {
            return Err(Refusal::Nothing);
        }
        if price > self.most_price {
            return Err(Refusal::Price {
                price,
                most: self.most_price,
            });
        }
        let signatures = u64::try_from(transaction.signatures.len()).unwrap_or(u64::MAX);
        let priority = price.saturating_mul(units).div_ceil(1_000_000);
        let fee = PER_SIGNATURE.saturating_mul(signatures).saturating_add(priority);
        Ok((fee, made))
    }

    /// The payer, which is the first of the transaction's accounts, stands where it pays or not at all; what it may pay for.
    fn call(&self, number: usize, instruction: &CompiledInstruction) -> Result<Made, Refusal> {
        let discriminator = instruction.data.first_chunk::<8>();
        let known = discriminator.and_then(|discriminator| self.instructions.get(discriminator));
        let known = known.ok_or(Refusal::UnknownInstruction(number))?;
        let mut pays = Made::default();
        let named = instruction
            .accounts
            .iter()
            .enumerate()
            .filter(|(_, account)| **account == 0);
        for (place, _) in named {
            match known.payer {
                Some((payer, made)) if payer == place => pays = made,
                _ => {
                    return Err(Refusal::MoreThanPaying {
                        number,
                        name: known.name.clone(),
                    });
                }
            }
        }
        Ok(pays)
    }
}

fn program(message: &VersionedMessage, instruction: &CompiledInstruction) -> Address {
    let index = usize::from(instruction.program_id_index);
    message.static_account_keys().get(index).copied().unwrap_or_default()
}

enum Budget {
    Units(u64),
    Price(u64),
}

/// What an instruction for the compute budget sets.
fn budget(data: &[u8]) -> Option<Budget> {
    let (kind, number) = data.split_first()?;
    match kind {
        2 => Some(Budget::Units(u32::from_le_bytes(number.try_into().ok()?).into())),
        3 => Some(Budget::Price(u64::from_le_bytes(number.try_into().ok()?))),
        _ => None,
    }
}

fn is_nonce_advance(data: &[u8]) -> bool {
    data.first_chunk().is_some_and(|kind| u32::from_le_bytes(*kind) == 4)
}

#[cfg(test)]
mod tests;
