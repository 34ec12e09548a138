//! The ledger itself: accounts in LiteSVM, the clock, the history and the journal, owned by one thread. A transaction
//! that has an effect goes into the journal in the same call; the owner commits the journal before anybody is told.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use litesvm::LiteSVM;
use litesvm::types::{FailedTransactionMetadata, SimulatedTransactionInfo};
use solana_account::AccountSharedData;
use solana_address::Address;
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{Message, VersionedMessage};
use solana_sdk_ids::{compute_budget, system_program};
use solana_signature::Signature;
use solana_transaction::sanitized::{MAX_TX_ACCOUNT_LOCKS, MessageHash, SanitizedTransaction};
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::{TransactionError, TransactionResult};
use solana_transaction_status_client_types::TransactionStatusMeta;

use super::LedgerError;
use super::clock::SlotClock;
use super::genesis::{Genesis, address_of, write_time};
use super::history::{Executed, History};
use super::journal::Journal;
use super::outcome::{digest, status_meta};
use super::record::{Line, Record};

/// What a simulation showed.
#[derive(Debug)]
pub(crate) struct Simulation {
    /// `None`: it would succeed.
    pub(crate) err: Option<TransactionError>,
    /// Logs, inner instructions, units and so on, as far as it came.
    pub(crate) meta: TransactionStatusMeta,
    /// The writable accounts as it would leave them; none if it fails.
    pub(crate) post_accounts: Vec<(Address, AccountSharedData)>,
}

/// See the module.
pub(crate) struct Chain {
    svm: LiteSVM,
    clock: SlotClock,
    history: History,
    journal: Journal,
    genesis_hash: Hash,
    faucet: Keypair,
    fresh: Vec<Arc<Executed>>,
    executing: bool,
    failure: Option<LedgerError>,
}

impl Chain {
    /// Takes over a journal and executes all its records again.
    pub(crate) fn replay(
        genesis: &Genesis,
        svm: LiteSVM,
        journal: Journal,
        records: Vec<Line>,
    ) -> Result<Self, LedgerError> {
        let genesis_hash = genesis.hash()?;
        let clock = SlotClock::new(genesis_hash, genesis.genesis_ms, genesis.slot_ms);
        let faucet = genesis.faucet();
        let mut chain = Self {
            svm,
            clock,
            history: History::default(),
            journal,
            genesis_hash,
            faucet,
            fresh: Vec::new(),
            executing: false,
            failure: None,
        };
        write_time(&mut chain.svm, &chain.clock)?;
        for line in records {
            match line {
                Line::Transaction(record) => chain.replay_one(*record)?,
                Line::Journey(journey) => {
                    chain.clock.travel(journey);
                    write_time(&mut chain.svm, &chain.clock)?;
                }
            }
        }
        chain.fresh.clear();
        chain.tick()?;
        Ok(chain)
    }

    fn replay_one(&mut self, record: Record) -> Result<(), LedgerError> {
        let number = self.history.len() + 1;
        let differs = |what: &str| LedgerError::Replay {
            number,
            what: what.to_owned(),
        };
        if self.clock.advance_to(record.slot) {
            write_time(&mut self.svm, &self.clock)?;
        }
        let slot = self.clock.slot();
        if (slot, self.clock.unix_time(slot), self.clock.blockhash(slot))
            != (record.slot, record.unix_time, record.blockhash)
        {
            return Err(differs(
                "its block has another slot, time or hash than when it was recorded",
            ));
        }
        let executed = self
            .execute(record.transaction)
            .map_err(|e| differs(&format!("it is refused now: {e}")))?;
        if digest(&executed.meta) != record.outcome {
            return Err(differs("it has another outcome than when it was recorded"));
        }
        self.history.push(executed);
        Ok(())
    }

    /// Moves the clock to the present. Called before anything that depends on the time.
    pub(crate) fn tick(&mut self) -> Result<(), LedgerError> {
        let slot = self.clock.slot_at(wall_ms());
        if self.clock.advance_to(slot) {
            write_time(&mut self.svm, &self.clock)
        } else {
            Ok(())
        }
    }

    /// Sets the clock forward to the beginning of a slot, and writes that into the journal. A slot that has begun changes
    /// nothing.
    ///
    /// # Errors
    /// Where the sysvars cannot be written.
    pub(crate) fn travel_to(&mut self, slot: u64) -> Result<(), LedgerError> {
        let Some(journey) = self.clock.journey_to(slot, wall_ms()) else {
            return Ok(());
        };
        if let Err(error) = self.journal.append(&Line::Journey(journey)) {
            self.fail(error.into());
        }
        self.clock.travel(journey);
        write_time(&mut self.svm, &self.clock)
    }

    pub(crate) fn clock(&self) -> &SlotClock {
        &self.clock
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    pub(crate) fn genesis_hash(&self) -> Hash {
        self.genesis_hash
    }

    pub(crate) fn account(&self, address: &Address) -> Option<AccountSharedData> {
        self.svm.accounts_db().get_account(address)
    }

    pub(crate) fn balance(&self, address: &Address) -> u64 {
        self.svm.get_balance(address).unwrap_or(0)
    }

    /// Every account there is, in no order.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&Address, &AccountSharedData)> {
        self.svm.accounts_db().inner.iter()
    }

    /// Lamports that an account of `length` bytes must hold.
    pub(crate) fn rent_exempt(&self, length: usize) -> u64 {
        self.svm.minimum_balance_for_rent_exemption(length)
    }

    /// Whether a transaction may be executed at all: its block hash is recent, and it has not been executed before.
    ///
    /// Durable nonces are not supported: such a transaction names no recent block hash and is refused.
    pub(crate) fn admit(&self, transaction: &VersionedTransaction) -> TransactionResult<()> {
        if !self.clock.is_recent(transaction.message.recent_blockhash()) {
            return Err(TransactionError::BlockhashNotFound);
        }
        match transaction.signatures.first() {
            Some(signature) if self.history.get(signature).is_none() => Ok(()),
            Some(_) => Err(TransactionError::AlreadyProcessed),
            None => Err(TransactionError::SanitizeFailure),
        }
    }

    /// What the transaction would do now. Neither signatures nor its block hash are looked at.
    pub(crate) fn simulate(&self, transaction: VersionedTransaction) -> Simulation {
        let sanitized = match self.sanitize(&transaction) {
            Ok(sanitized) => sanitized,
            Err(err) => return Simulation::refused(err),
        };
        let pre_balances = self.balances(&sanitized);
        match self.svm.simulate_transaction(transaction) {
            Ok(SimulatedTransactionInfo { meta, post_accounts }) => Simulation {
                err: None,
                meta: status_meta(Ok(()), meta, &sanitized, pre_balances, Vec::new()),
                post_accounts,
            },
            Err(FailedTransactionMetadata { err, meta }) => Simulation {
                err: Some(err.clone()),
                meta: status_meta(Err(err), meta, &sanitized, pre_balances, Vec::new()),
                post_accounts: Vec::new(),
            },
        }
    }

    /// Executes an admitted transaction and puts it into the block of the present slot and into the journal, also if it
    /// fails and only pays its fee.
    ///
    /// # Errors
    /// What keeps it out of a block: nothing has changed then.
    pub(crate) fn include(&mut self, transaction: VersionedTransaction) -> TransactionResult<Arc<Executed>> {
        self.admit(&transaction)?;
        let executed = self.execute(transaction)?;
        let record = Record {
            slot: executed.slot,
            unix_time: executed.block_time,
            blockhash: self.clock.blockhash(executed.slot),
            outcome: digest(&executed.meta),
            transaction: executed.transaction.clone(),
        };
        if let Err(error) = self.journal.append(&Line::Transaction(Box::new(record))) {
            self.fail(error.into());
        }
        self.history.push(Arc::clone(&executed));
        self.fresh.push(Arc::clone(&executed));
        Ok(executed)
    }

    /// A transfer from the faucet, signed. No two that are included are alike, also within a slot: each asks for another
    /// compute limit, which follows from how many transactions were before it.
    pub(crate) fn airdrop(&self, to: &Address, lamports: u64, blockhash: Option<Hash>) -> VersionedTransaction {
        let from = address_of(&self.faucet);
        let mut limit = vec![2];
        let units = 10_000 + u32::try_from(self.history.len() % 1_000_000).unwrap_or(0);
        limit.extend_from_slice(&units.to_le_bytes());
        let mut transfer = vec![2, 0, 0, 0];
        transfer.extend_from_slice(&lamports.to_le_bytes());
        let accounts = vec![
            solana_instruction::AccountMeta::new(from, true),
            solana_instruction::AccountMeta::new(*to, false),
        ];
        let instructions = [
            Instruction {
                program_id: compute_budget::ID,
                accounts: Vec::new(),
                data: limit,
            },
            Instruction {
                program_id: system_program::ID,
                accounts,
                data: transfer,
            },
        ];
        let blockhash = blockhash.unwrap_or_else(|| self.clock.latest().0);
        let message = VersionedMessage::Legacy(Message::new_with_blockhash(&instructions, Some(&from), &blockhash));
        let signature = sign(&self.faucet, &message.serialize());
        VersionedTransaction {
            signatures: vec![signature],
            message,
        }
    }

    /// Makes durable what was included since the last call, and returns it for those who wait for it.
    ///
    /// # Errors
    /// If the journal cannot be written. From then on memory is ahead of the disk, so the ledger answers nothing more.
    pub(crate) fn commit(&mut self) -> Result<Vec<Arc<Executed>>, LedgerError> {
        if self.failure.is_none()
            && let Err(error) = self.journal.commit()
        {
            self.fail(error.into());
        }
        match &self.failure {
            None => Ok(std::mem::take(&mut self.fresh)),
            Some(failure) => Err(failure.clone()),
        }
    }

    #[cfg(test)]
    pub(crate) fn journal_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Why the ledger has stopped answering, if it has.
    pub(crate) fn failure(&self) -> Option<LedgerError> {
        self.failure.clone()
    }

    /// Stops the ledger: what is in memory can no longer be trusted.
    pub(crate) fn fail(&mut self, error: LedgerError) {
        tracing::error!(%error, "the ledger stops answering");
        self.failure.get_or_insert(error);
    }

    /// Says that a job has panicked. If it was changing accounts, nobody knows which of them it has changed.
    pub(crate) fn panicked(&mut self) {
        if self.executing {
            self.fail(LedgerError::Panicked(
                "a transaction was half executed; start the sandbox again".to_owned(),
            ));
        }
    }

    fn execute(&mut self, transaction: VersionedTransaction) -> TransactionResult<Arc<Executed>> {
        let sanitized = self.sanitize(&transaction)?;
        let signature = *sanitized.signature();
        let pre_balances = self.balances(&sanitized);
        self.executing = true;
        let sent = self.svm.send_transaction(transaction.clone());
        self.executing = false;
        let (status, meta) = match sent {
            Ok(meta) => (Ok(()), meta),
            // LiteSVM names the signature only where the transaction was executed and its fee taken.
            Err(FailedTransactionMetadata { err, meta }) if meta.signature == signature => (Err(err), meta),
            Err(FailedTransactionMetadata { err, .. }) => return Err(err),
        };
        let message = sanitized.message();
        let keys: Vec<Address> = message.account_keys().iter().copied().collect();
        let slot = self.clock.slot();
        Ok(Arc::new(Executed {
            slot,
            block_time: self.clock.unix_time(slot),
            signature,
            keys,
            meta: status_meta(status, meta, &sanitized, pre_balances, self.balances(&sanitized)),
            transaction,
        }))
    }

    /// Looks up the accounts and checks what LiteSVM checks only together with signatures.
    fn sanitize(&self, transaction: &VersionedTransaction) -> TransactionResult<SanitizedTransaction> {
        let sanitized = SanitizedTransaction::try_create(
            transaction.clone(),
            MessageHash::Compute,
            Some(false),
            self.svm.accounts_db(),
            &HashSet::new(),
        )?;
        SanitizedTransaction::validate_account_locks(sanitized.message(), MAX_TX_ACCOUNT_LOCKS)?;
        Ok(sanitized)
    }

    fn balances(&self, sanitized: &SanitizedTransaction) -> Vec<u64> {
        sanitized
            .message()
            .account_keys()
            .iter()
            .map(|key| self.balance(key))
            .collect()
    }
}

impl Simulation {
    /// One that did not begin.
    pub(crate) fn refused(err: TransactionError) -> Self {
        let meta = TransactionStatusMeta {
            status: Err(err.clone()),
            log_messages: Some(Vec::new()),
            compute_units_consumed: Some(0),
            ..TransactionStatusMeta::default()
        };
        Self {
            err: Some(err),
            meta,
            post_accounts: Vec::new(),
        }
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("slot", &self.clock.slot())
            .field("transactions", &self.history.len())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// The wall clock, in milliseconds since 1970.
fn wall_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

fn sign(keypair: &Keypair, message: &[u8]) -> Signature {
    use solana_signer::Signer as _;
    keypair.sign_message(message)
}
