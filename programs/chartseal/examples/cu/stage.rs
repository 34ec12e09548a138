//! A world whose institutions, members and patient have ids of their own, and what is measured of an instruction there.

use anchor_lang::{prelude::Address, Discriminator};
use chartseal_program::{
    seeds::Id,
    state::{AccessLog, Entry as Logged, RefusalLog, Ring},
    vocabulary::*,
    ID,
};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signer::Signer;

use super::cases::{Case, Entry, LAMPORTS_AHEAD};
use crate::common::*;

/// Bytes of the largest transaction.
pub(crate) const TRANSACTION: usize = 1_232;

/// Where cases begin.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) world: World,
    relayer: [u8; 32],
    random: fastrand::Rng,
}

/// What one run of a case cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) cu: u64,
    /// Signatures and message.
    pub(crate) tx_bytes: usize,
    /// Of the accounts that it makes.
    pub(crate) rent_bytes: usize,
    pub(crate) rent_lamports: u64,
}

/// A case that was run.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) instruction: &'static str,
    pub(crate) variant: String,
    /// In compute units.
    pub(crate) limit: u64,
    pub(crate) cost: Cost,
}

impl Measured {
    pub(crate) fn is_within(&self) -> bool {
        self.cost.cu <= self.limit && self.cost.tx_bytes <= TRANSACTION
    }
}

impl Stage {
    /// The same ids for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::new();
        // That signatures are checked is the runtime's affair and costs no compute units, but most of the time.
        world.chain.svm = world.chain.svm.with_sigverify(false);
        let relayer = *world.chain.wallet().secret_bytes();
        let chain = &mut world.chain;
        world.hospital = chain.institution(random.u64(..), InstitutionKind::Hospital);
        world.doctor = chain.member(&world.hospital, random.u64(..), Role::Doctor);
        world.insurance = chain.institution(random.u64(..), InstitutionKind::Insurer);
        world.insurer = chain.member(&world.insurance, random.u64(..), Role::Insurer);
        world.patient = chain.patient(random.u64(..));
        Self { world, relayer, random }
    }

    /// Pays fees and rent and is nobody to the contract, which makes the transaction as long as it gets.
    pub(crate) fn relayer(&self) -> Keypair {
        Keypair::new_from_array(self.relayer)
    }

    pub(crate) fn payer(&self) -> Address {
        self.relayer().pubkey()
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.random.u64(..)
    }

    pub(crate) fn random_id(&mut self) -> Id {
        id(self.number())
    }

    /// Runs a case and, where it makes accounts, once more with lamports on their addresses.
    pub(crate) fn measure(&self, (instruction, variant, limit, begin): &Entry) -> Vec<Measured> {
        let mut stage = self.clone();
        let case = begin(&mut stage);
        stage.fill_rings(&case.instruction);
        let mut funded = stage.clone();
        let (cost, made) = stage.run(&case);
        let mut measured = vec![Measured {
            instruction,
            variant: (*variant).into(),
            limit: *limit,
            cost,
        }];
        if !made.is_empty() {
            funded.send_ahead(&made);
            let (cost, made_too) = funded.run(&case);
            assert_eq!(made, made_too, "{instruction}, {variant}");
            let separator = if variant.is_empty() { "" } else { ", " };
            measured.push(Measured {
                instruction,
                variant: format!("{variant}{separator}lamports sent ahead"),
                limit: limit + LAMPORTS_AHEAD * made.len() as u64,
                cost,
            });
        }
        measured
    }

    /// Sends what a case is; its cost, and the accounts that it made.
    fn run(&mut self, case: &Case) -> (Cost, Vec<Address>) {
        let relayer = self.relayer();
        let payers = case.relayed.then_some(&relayer);
        let signers: Vec<&Keypair> = payers.into_iter().chain(&case.signers).collect();
        let whole: Vec<Instruction> = case.ahead.iter().chain([&case.instruction]).cloned().collect();
        let tx_bytes = size(&whole, &signers[0].pubkey());
        // What stands before it is sent apart, so that it is not counted.
        if !case.ahead.is_empty() {
            self.world.chain.transact(&case.ahead, &signers[..1]).unwrap();
        }
        let absent = self.absent(&case.instruction);
        let sent = self.world.chain.send(std::slice::from_ref(&case.instruction), &signers);
        let done = sent.unwrap_or_else(|failure| panic!("{failure:?}: {:?}", case.instruction));
        assert!(case.is_told_by(&done.event), "this came of it: {:?}", done.event);
        let made: Vec<(Address, Account)> = absent
            .into_iter()
            .filter_map(|address| Some((address, self.program_account(&address)?)))
            .collect();
        let cost = Cost {
            cu: done.cu,
            tx_bytes,
            rent_bytes: made.iter().map(|(_, account)| account.data.len()).sum(),
            rent_lamports: made.iter().map(|(_, account)| account.lamports).sum(),
        };
        (cost, made.into_iter().map(|(address, _)| address).collect())
    }

    fn program_account(&self, address: &Address) -> Option<Account> {
        let account = self.world.chain.svm.get_account(address)?;
        (account.owner == ID && !account.executable).then_some(account)
    }

    fn absent(&self, instruction: &Instruction) -> Vec<Address> {
        let addresses = instruction.accounts.iter().map(|meta| meta.pubkey);
        addresses
            .filter(|address| self.program_account(address).is_none())
            .collect()
    }

    /// Puts the lamports there that an account without data needs.
    fn send_ahead(&mut self, addresses: &[Address]) {
        let svm = &mut self.world.chain.svm;
        let lamports = svm.minimum_balance_for_rent_exemption(0);
        for address in addresses {
            let account = Account {
                lamports,
                ..Account::default()
            };
            svm.set_account(*address, account).unwrap();
        }
    }

    /// Writes each entry of the logs' rings, so that the next one takes the place of another.
    fn fill_rings(&mut self, instruction: &Instruction) {
        for meta in &instruction.accounts {
            let Some(account) = self.program_account(&meta.pubkey) else {
                continue;
            };
            let chain = &mut self.world.chain;
            if account.data.starts_with(AccessLog::DISCRIMINATOR) {
                chain.edit::<AccessLog>(&meta.pubkey, |log| {
                    log.chain.seq = MANY;
                    fill(&mut log.ring);
                });
            } else if account.data.starts_with(RefusalLog::DISCRIMINATOR) {
                chain.edit::<RefusalLog>(&meta.pubkey, |log| {
                    log.chain.seq = MANY;
                    fill(&mut log.ring);
                });
            }
        }
    }
}

/// Links of a chain that has long been written to.
const MANY: u64 = 1 << 40;

fn fill(ring: &mut Ring) {
    for (seq, entry) in (MANY + 1 - ring.entries.len() as u64..).zip(&mut ring.entries) {
        let written = Logged::new(&[1, 2], GENESIS, &id(seq), &Address::new_from_array([9; 32]), 0);
        *entry = Logged { seq, ..written };
    }
}

/// Bytes of a transaction: a compact length of one byte, the signatures of 64, the message.
fn size(instructions: &[Instruction], payer: &Address) -> usize {
    let message = Message::new(instructions, Some(payer));
    1 + 64 * usize::from(message.header.num_required_signatures) + message.serialize().len()
}
