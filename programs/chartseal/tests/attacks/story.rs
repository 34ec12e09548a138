//! An instruction that succeeds, with the ledger on which it does: what each attack changes one thing of.

use std::{collections::BTreeSet, path::Path, sync::OnceLock};

use anchor_lang::prelude::Address;
use chartseal_program::{events::AnyEvent, ID};
use serde_json::Value;
use solana_account::{Account, ReadableAccount};
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

/// Where the loader's programs, the system program and the sysvars come from.
const NATIVE_LOADER: Address = Address::from_str_const("NativeLoader1111111111111111111111111111111");

/// One instruction that succeeds.
pub(crate) struct Story {
    /// The instruction, and which of its ways this is.
    pub(crate) name: String,
    pub(crate) chain: Chain,
    pub(crate) instruction: Instruction,
    pub(crate) signers: Vec<Keypair>,
    /// Pays the fees and is nobody to the contract, so that each of the others can be kept from signing.
    relayer: Keypair,
}

/// One account of an instruction, as the IDL describes it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) optional: bool,
    pub(crate) writable: bool,
    pub(crate) signer: bool,
    /// Left out, where it is optional.
    pub(crate) absent: bool,
    pub(crate) address: Address,
}

impl Story {
    pub(crate) fn new(mut chain: Chain, instruction: Instruction, signers: &[&Keypair]) -> Self {
        let relayer = chain.wallet();
        // Every transaction is signed by whom it has to be. That the signatures are checked is the runtime's affair, and
        // checking them is most of the time that so many attacks take.
        chain.svm = chain.svm.with_sigverify(false);
        Self {
            name: String::new(),
            chain,
            instruction,
            signers: signers.iter().map(|signer| signer.insecure_clone()).collect(),
            relayer,
        }
    }

    pub(crate) fn of(world: World, instruction: Instruction, signers: &[&Keypair]) -> Self {
        Self::new(world.chain, instruction, signers)
    }

    /// The accounts that the IDL names for this instruction, with what this story puts there.
    pub(crate) fn places(&self) -> Vec<Place> {
        let instruction = self.name.split(':').next().unwrap();
        let named = idl_accounts(instruction);
        let metas = &self.instruction.accounts;
        assert_eq!(
            named.len(),
            metas.len(),
            "{}: the builder passes what the IDL names",
            self.name
        );
        let flag = |account: &Value, flag: &str| account[flag].as_bool().unwrap_or_default();
        named
            .iter()
            .zip(metas)
            .enumerate()
            .map(|(index, (account, meta))| Place {
                index,
                name: account["name"].as_str().unwrap().into(),
                optional: flag(account, "optional"),
                writable: flag(account, "writable"),
                signer: flag(account, "signer"),
                absent: flag(account, "optional") && meta.pubkey == ID,
                address: meta.pubkey,
            })
            .collect()
    }

    /// The places whose account exists and is neither a wallet nor a program.
    pub(crate) fn data_places(&self) -> Vec<Place> {
        let holds_data = |place: &Place| {
            let account = self.account(&place.address);
            account.is_some_and(|account| !account.data.is_empty() && !account.executable)
        };
        let mut places = self.places();
        places.retain(|place| !place.absent && holds_data(place));
        places
    }

    pub(crate) fn account(&self, address: &Address) -> Option<Account> {
        self.chain
            .svm
            .get_account(address)
            .filter(|account| account.lamports > 0)
    }

    /// A copy on a ledger of its own.
    pub(crate) fn again(&self) -> Self {
        Self {
            name: self.name.clone(),
            chain: self.chain.clone(),
            instruction: self.instruction.clone(),
            signers: self.signers.iter().map(Keypair::insecure_clone).collect(),
            relayer: self.relayer.insecure_clone(),
        }
    }

    /// Sends an instruction, signed by those of the story whom it names as signers.
    pub(crate) fn send(&mut self, instruction: &Instruction) -> Result<Done, Failure> {
        let named = |signer: &&Keypair| {
            let mut metas = instruction.accounts.iter();
            metas.any(|meta| meta.is_signer && meta.pubkey == signer.pubkey())
        };
        let signers: Vec<_> = [&self.relayer]
            .into_iter()
            .chain(self.signers.iter().filter(named))
            .collect();
        self.chain.send(std::slice::from_ref(instruction), &signers)
    }

    /// Sends the instruction as it is.
    pub(crate) fn succeed(&mut self) -> Done {
        let instruction = self.instruction.clone();
        match self.send(&instruction) {
            Ok(done) => done,
            Err(failure) => panic!("{}: the story itself fails: {failure:?}", self.name),
        }
    }

    /// Sends what must fail and change nothing; how it failed.
    #[track_caller]
    pub(crate) fn fail(&mut self, attack: &str, instruction: &Instruction) -> Failure {
        let before = self.ledger();
        match self.send(instruction) {
            Err(failure) => {
                assert!(
                    before == self.ledger(),
                    "{}: {attack}: a failed attack changes nothing",
                    self.name
                );
                failure
            }
            Ok(done) => panic!("{}: {attack}: this went through: {:?}", self.name, done.event),
        }
    }

    /// Sends what gives nothing: it fails and changes nothing, or it is refused and that is logged.
    #[track_caller]
    pub(crate) fn gain_nothing(&mut self, attack: &str, instruction: &Instruction) {
        let (before, chain) = (self.ledger(), self.chain.clone());
        match self.send(instruction) {
            Ok(done) => {
                let refused = matches!(done.event, AnyEvent::ActionRefused(_));
                assert!(refused, "{}: {attack}: this went through: {:?}", self.name, done.event);
                self.chain = chain;
            }
            Err(_) => assert!(
                before == self.ledger(),
                "{}: {attack}: a failed attack changes nothing",
                self.name
            ),
        }
    }

    /// Sends what may change nothing of the outcome: it fails, or all that it does is what the story does.
    #[track_caller]
    pub(crate) fn change_nothing(&self, attack: &str, instruction: &Instruction) {
        let (mut plain, mut attacked) = (self.again(), self.again());
        let expected = plain.succeed().event;
        match attacked.send(instruction) {
            Ok(done) => {
                assert_eq!(done.event, expected, "{}: {attack}", self.name);
                assert!(attacked.ledger() == plain.ledger(), "{}: {attack}", self.name);
            }
            Err(_) => assert!(attacked.ledger() == self.ledger(), "{}: {attack}", self.name),
        }
    }

    /// Changes an account where it stands, as no instruction does, for the time of an attack.
    pub(crate) fn with_account<T>(
        &mut self,
        address: &Address,
        account: Account,
        attack: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = self.chain.svm.get_account(address);
        self.chain.svm.set_account(*address, account).unwrap();
        let outcome = attack(self);
        self.chain
            .svm
            .set_account(*address, before.unwrap_or_default())
            .unwrap();
        outcome
    }

    /// The instruction with another account in a place.
    pub(crate) fn with(&self, place: &Place, address: Address) -> Instruction {
        let mut instruction = self.instruction.clone();
        instruction.accounts[place.index].pubkey = address;
        instruction
    }

    /// The accounts that the instruction made.
    pub(crate) fn made(&self) -> Vec<Place> {
        let mut after = self.again();
        after.succeed();
        let mut places = self.places();
        places.retain(|place| self.account(&place.address).is_none() && after.account(&place.address).is_some());
        places
    }

    /// Everything but the relayer's lamports and what the runtime itself writes.
    pub(crate) fn ledger(&self) -> Vec<(Address, u64, Address, Vec<u8>)> {
        let accounts = self.chain.svm.accounts_db().inner.iter();
        let sysvars = Address::from_str_const("Sysvar1111111111111111111111111111111111111");
        let mut ledger: Vec<_> = accounts
            .filter(|(address, account)| {
                **address != self.relayer.pubkey() && *account.owner() != sysvars && *account.owner() != NATIVE_LOADER
            })
            .filter(|(_, account)| !account.executable() && account.data().len() < 100_000)
            .map(|(address, account)| (*address, account.lamports(), *account.owner(), account.data().to_vec()))
            .collect();
        ledger.sort();
        ledger
    }

    /// The instruction with one more account.
    pub(crate) fn and(&self, extra: AccountMeta) -> Instruction {
        let mut instruction = self.instruction.clone();
        instruction.accounts.push(extra);
        instruction
    }
}

fn idl() -> &'static Value {
    static IDL: OnceLock<Value> = OnceLock::new();
    IDL.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts/chartseal.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    })
}

fn idl_accounts(instruction: &str) -> &'static Vec<Value> {
    let instructions = idl()["instructions"].as_array().unwrap();
    let named = instructions.iter().find(|named| named["name"] == instruction);
    named.unwrap()["accounts"].as_array().unwrap()
}

/// The instructions that the contract has.
pub(crate) fn instructions() -> BTreeSet<String> {
    let instructions = idl()["instructions"].as_array().unwrap().iter();
    instructions
        .map(|named| named["name"].as_str().unwrap().into())
        .collect()
}

/// The discriminators of the contract's accounts, by name.
pub(crate) fn account_types() -> Vec<(String, [u8; 8])> {
    let types = idl()["accounts"].as_array().unwrap().iter();
    types
        .map(|named| {
            let bytes = named["discriminator"].as_array().unwrap().iter();
            let bytes: Vec<u8> = bytes.map(|byte| byte.as_u64().unwrap() as u8).collect();
            (named["name"].as_str().unwrap().into(), bytes.try_into().unwrap())
        })
        .collect()
}
