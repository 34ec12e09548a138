//! What a ledger begins with: its id, its time, its programs and their upgrade authority. It is the first frame of the
//! journal, and its hash is the ledger's genesis hash, so two ledgers are never taken for one another, and one that
//! is started again with other programs than it was made with is refused instead of replayed into another state.

use std::path::PathBuf;

use litesvm::LiteSVM;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use solana_account::Account;
use solana_address::Address;
use solana_hash::Hash;
use solana_keypair::Keypair;
use solana_sdk_ids::{bpf_loader_upgradeable, system_program, sysvar};

use super::LedgerError;
use super::clock::{SLOTS_PER_EPOCH, SlotClock};
use crate::config::ProgramSpec;

/// What the faucet has to give, in lamports: five hundred million SOL.
const FAUCET_LAMPORTS: u64 = 500_000_000 * 1_000_000_000;

/// Bytes of a ProgramData account before the program itself: tag (4), slot (8), option tag (1), authority (32).
const PROGRAMDATA_METADATA: usize = 45;

/// The length of the `SlotHashes` sysvar: 512 entries of 40 bytes after a count.
const SLOT_HASHES_LENGTH: usize = 8 + 512 * 40;

/// A program as the genesis knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GenesisProgram {
    /// Its address, base58.
    address: String,
    /// SHA-256 of its file, hex.
    sha256: String,
}

/// The first frame of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Genesis {
    /// 32 random bytes, hex: no two ledgers are the same.
    id: String,
    /// When slot 1 began, in milliseconds since 1970.
    pub(crate) genesis_ms: u64,
    /// How long a slot is, in milliseconds.
    pub(crate) slot_ms: u64,
    /// Who may upgrade the programs, base58.
    upgrade_authority: Option<String>,
    programs: Vec<GenesisProgram>,
}

/// A program's file, read.
pub(crate) struct LoadedProgram {
    address: Address,
    path: PathBuf,
    elf: Vec<u8>,
}

impl LoadedProgram {
    pub(crate) fn read(spec: &ProgramSpec) -> Result<Self, LedgerError> {
        let elf = std::fs::read(&spec.path).map_err(|source| LedgerError::ProgramFile {
            path: spec.path.clone(),
            reason: source.to_string(),
        })?;
        Ok(Self {
            address: spec.address,
            path: spec.path.clone(),
            elf,
        })
    }

    fn entry(&self) -> GenesisProgram {
        GenesisProgram {
            address: self.address.to_string(),
            sha256: hex(&Sha256::digest(&self.elf)),
        }
    }
}

impl Genesis {
    /// A new ledger that begins at `genesis_ms`.
    pub(crate) fn new(
        programs: &[LoadedProgram],
        upgrade_authority: Option<Address>,
        genesis_ms: u64,
        slot_ms: u64,
    ) -> Result<Self, LedgerError> {
        let mut id = [0; 32];
        getrandom::fill(&mut id).map_err(|e| LedgerError::Randomness(e.to_string()))?;
        Ok(Self {
            id: hex(&id),
            genesis_ms,
            slot_ms,
            upgrade_authority: upgrade_authority.map(|a| a.to_string()),
            programs: programs.iter().map(LoadedProgram::entry).collect(),
        })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, LedgerError> {
        serde_json::to_vec(self).map_err(|e| LedgerError::Genesis(e.to_string()))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, LedgerError> {
        serde_json::from_slice(bytes).map_err(|e| LedgerError::Genesis(e.to_string()))
    }

    /// The genesis hash of the ledger.
    pub(crate) fn hash(&self) -> Result<Hash, LedgerError> {
        let digest = Sha256::new()
            .chain_update(b"chartseal/sandbox/genesis/v1")
            .chain_update(self.encode()?)
            .finalize();
        Ok(Hash::new_from_array(digest.into()))
    }

    /// The key that pays airdrops. It is no secret: the money is play money.
    pub(crate) fn faucet(&self) -> Keypair {
        let seed = Sha256::new()
            .chain_update(b"chartseal/sandbox/faucet/v1")
            .chain_update(&self.id)
            .finalize();
        Keypair::new_from_array(seed.into())
    }

    /// Refuses a start whose settings contradict those that the ledger was made with.
    pub(crate) fn check(
        &self,
        programs: &[LoadedProgram],
        upgrade_authority: Option<Address>,
        slot_ms: Option<u64>,
    ) -> Result<(), LedgerError> {
        for program in programs {
            let now = program.entry();
            match self.programs.iter().find(|made| made.address == now.address) {
                Some(made) if made.sha256 == now.sha256 => {}
                Some(made) => {
                    return Err(LedgerError::OtherProgram {
                        address: now.address,
                        path: program.path.clone(),
                        now: now.sha256,
                        made: made.sha256.clone(),
                    });
                }
                None => {
                    return Err(LedgerError::OtherGenesis(format!("it has no program {}", now.address)));
                }
            }
        }
        if let Some(missing) = self
            .programs
            .iter()
            .find(|made| !programs.iter().any(|p| p.address.to_string() == made.address))
        {
            return Err(LedgerError::OtherGenesis(format!(
                "it has the program {} (SHA-256 {}); give it with --program",
                missing.address, missing.sha256
            )));
        }
        let asked = upgrade_authority.map(|a| a.to_string());
        if asked.is_some() && asked != self.upgrade_authority {
            let made = self.upgrade_authority.as_deref().unwrap_or("nobody");
            return Err(LedgerError::OtherGenesis(format!("its upgrade authority is {made}")));
        }
        if slot_ms.is_some_and(|ms| ms != self.slot_ms) {
            return Err(LedgerError::OtherGenesis(format!(
                "its slots are {} ms long",
                self.slot_ms
            )));
        }
        Ok(())
    }

    /// The state before the first transaction.
    pub(crate) fn boot(&self, programs: &[LoadedProgram]) -> Result<LiteSVM, LedgerError> {
        let broken = |e: &dyn std::fmt::Display| LedgerError::Genesis(e.to_string());
        // Signatures, block hashes and duplicates are checked by us before a transaction gets this far: LiteSVM knows one
        // block hash only, and its history forgets.
        let mut svm = LiteSVM::new()
            .with_sigverify(false)
            .with_blockhash_check(false)
            .with_transaction_history(0);

        // LiteSVM's own faucet has a random key, so it would differ at every start.
        let own_faucet = svm.airdrop_pubkey();
        svm.set_account(own_faucet, Account::default())
            .map_err(|e| broken(&e))?;
        let faucet = Account {
            lamports: FAUCET_LAMPORTS,
            owner: system_program::ID,
            ..Account::default()
        };
        svm.set_account(address_of(&self.faucet()), faucet)
            .map_err(|e| broken(&e))?;

        let authority = self.upgrade_authority.as_deref().map(str::parse::<Address>).transpose();
        let authority = authority.map_err(|e| broken(&e))?;
        for program in programs {
            svm.add_program(program.address, &program.elf)
                .map_err(|e| LedgerError::ProgramFile {
                    path: program.path.clone(),
                    reason: e.to_string(),
                })?;
            if let Some(authority) = authority {
                name_upgrade_authority(&mut svm, program.address, authority)?;
            }
        }
        Ok(svm)
    }
}

/// The address of a keypair.
pub(crate) fn address_of(keypair: &Keypair) -> Address {
    let bytes = keypair.to_bytes();
    let mut public = [0; 32];
    public.copy_from_slice(&bytes[32..]);
    Address::new_from_array(public)
}

/// LiteSVM deploys programs without an authority. This writes one where the loader has it, see
/// `UpgradeableLoaderState::ProgramData` of `solana-loader-v3-interface`.
fn name_upgrade_authority(svm: &mut LiteSVM, program: Address, authority: Address) -> Result<(), LedgerError> {
    let (programdata, _) = Address::find_program_address(&[program.as_ref()], &bpf_loader_upgradeable::ID);
    let broken = || LedgerError::Genesis(format!("{program} has no ProgramData account after it was loaded"));
    let mut account = svm.get_account(&programdata).ok_or_else(broken)?;
    let metadata = account.data.get_mut(..PROGRAMDATA_METADATA).ok_or_else(broken)?;
    metadata[12] = 1;
    metadata[13..].copy_from_slice(authority.as_ref());
    svm.set_account(programdata, account)
        .map_err(|e| LedgerError::Genesis(e.to_string()))
}

/// Brings the sysvars that know the time up to the clock: `Clock`, and `SlotHashes` for address lookup tables.
pub(crate) fn write_time(svm: &mut LiteSVM, clock: &SlotClock) -> Result<(), LedgerError> {
    let broken = |what: &str| LedgerError::Genesis(format!("the {what} sysvar could not be written"));

    let mut account = svm.get_account(&sysvar::clock::ID).ok_or_else(|| broken("Clock"))?;
    // slot, start of the epoch, epoch, epoch of the leader schedule, time: five integers of eight bytes.
    let epoch = clock.slot() / SLOTS_PER_EPOCH;
    let mut data = Vec::with_capacity(40);
    data.extend_from_slice(&clock.slot().to_le_bytes());
    data.extend_from_slice(&clock.unix_time(epoch * SLOTS_PER_EPOCH).to_le_bytes());
    data.extend_from_slice(&epoch.to_le_bytes());
    data.extend_from_slice(&(epoch + 1).to_le_bytes());
    data.extend_from_slice(&clock.unix_time(clock.slot()).to_le_bytes());
    account.data = data;
    svm.set_account(sysvar::clock::ID, account)
        .map_err(|_| broken("Clock"))?;

    let mut account = svm
        .get_account(&sysvar::slot_hashes::ID)
        .ok_or_else(|| broken("SlotHashes"))?;
    let mut data = Vec::with_capacity(SLOT_HASHES_LENGTH);
    data.extend_from_slice(&[0; 8]);
    let mut count = 0u64;
    for (slot, hash) in clock.recent() {
        data.extend_from_slice(&slot.to_le_bytes());
        data.extend_from_slice(hash.as_ref());
        count += 1;
    }
    data[..8].copy_from_slice(&count.to_le_bytes());
    data.resize(SLOT_HASHES_LENGTH, 0);
    account.data = data;
    svm.set_account(sysvar::slot_hashes::ID, account)
        .map_err(|_| broken("SlotHashes"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
