//! The contract at work: its real .so in a virtual machine, and the people who use it. A world
//! can be cloned, which is how a ledger forks: both branches go on from there, each by executing its own transactions.

mod people;
mod rarer;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, anyhow};
use chartseal_program::{
    ID,
    builders::{self as ix, As},
    instructions::RegisterInstitutionArgs,
    seeds::{Id, address},
    state::Keys,
    vocabulary::{InstitutionKind, Role, Standing},
};
use litesvm::{
    LiteSVM,
    types::{FailedTransactionMetadata, TransactionMetadata},
};
use solana_account::ReadableAccount as _;
use solana_address::Address;
use solana_clock::Clock;
use solana_keypair::Keypair;
use solana_signer::Signer as _;
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;

use crate::{kills::Dice, programs::root};

/// How long a slot is. Longer than on a cluster, so that caps by the hour are neither always nor never reached.
const SECONDS_PER_SLOT: i64 = 20;
const DAY: i64 = 86_400;
/// How long ago the time of every ledger begins: people are notified of what is some days old at most.
const DAYS_AGO: i64 = 2;
const LAMPORTS: u64 = 1_000_000_000_000_000;

/// A branch of the ledger, at its tip.
#[derive(Clone)]
pub(super) struct World {
    svm: LiteSVM,
    begin: i64,
    now: i64,
    payer: Arc<Keypair>,
    admin: Arc<Keypair>,
    bodies: Vec<Body>,
    members: Vec<Member>,
    patients: Vec<Patient>,
    batches: Vec<rarer::Batch>,
    suspended: Vec<rarer::Standee>,
}

#[derive(Clone)]
struct Body {
    id: Id,
    authority: Arc<Keypair>,
}

#[derive(Clone)]
struct Member {
    institution: Id,
    id: Id,
    wallet: Arc<Keypair>,
    role: Role,
}

impl Member {
    fn acting(&self) -> As {
        As::member(self.wallet.pubkey(), self.institution, self.id)
    }
}

#[derive(Clone)]
struct Patient {
    id: Id,
    wallet: Arc<Keypair>,
    records: Vec<(Id, u32, Member)>,
    grants: Vec<(Id, Member)>,
    requests: Vec<Id>,
    delegates: Vec<Id>,
    emergencies: Vec<(Id, Member)>,
}

/// A transaction that somebody signed, and what they know if it goes through.
#[derive(Clone)]
pub(super) struct Signed {
    transaction: Transaction,
    then: Then,
}

/// What the people of a branch remember of a transaction that went through there.
#[derive(Clone)]
enum Then {
    Nothing,
    Joined(Member),
    Opened(Patient),
    Wrote(Id, Id, Member),
    Amended(Id, Id),
    Erased(Id, Id),
    Granted(Id, Id, Member),
    Revoked(Id, Id),
    Asked(Id, Id),
    Answered(Id, Id),
    Delegated(Id, Id),
    Endangered(Id, Id, Member),
    Anchored(rarer::Batch),
    Stands(rarer::Standee, Standing),
}

/// What a transaction did on a branch.
#[derive(Clone, Debug)]
pub(super) struct Executed {
    pub(super) transaction: Transaction,
    pub(super) error: Option<TransactionError>,
    pub(super) meta: TransactionMetadata,
}

impl World {
    /// The program, deployed, without a registry; and the transactions by which everybody is registered.
    pub(super) fn new(dice: &mut Dice) -> Result<(Self, Vec<Signed>)> {
        let contract = root().join("programs/chartseal/artifacts/chartseal.so");
        let contract = std::fs::read(&contract).with_context(|| format!("cannot read {}", contract.display()))?;
        let mut svm = LiteSVM::new().with_sigverify(false).with_blockhash_check(false);
        svm.add_program(ID, &contract).map_err(|error| anyhow!("{error}"))?;
        let loader = Address::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");
        let program_data = Address::find_program_address(&[ID.as_ref()], &loader).0;
        let payer = Arc::new(keypair(dice));
        let mut account = svm.get_account(&program_data).context("the program was not deployed")?;
        // The upgrade authority, as the loader writes it.
        let place = account.data.get_mut(12..45).context("the program has no data")?;
        place[0] = 1;
        place[1..].copy_from_slice(payer.pubkey().as_ref());
        svm.set_account(program_data, account)
            .map_err(|error| anyhow!("{error:?}"))?;
        let begin = recent_midnight()?;
        let mut world = Self {
            svm,
            begin,
            now: begin,
            admin: Arc::new(keypair(dice)),
            payer,
            bodies: Vec::new(),
            members: Vec::new(),
            patients: Vec::new(),
            batches: Vec::new(),
            suspended: Vec::new(),
        };
        let payer = world.payer.pubkey();
        world.fund(&payer)?;
        let begin = world.begin(program_data, dice)?;
        Ok((world, begin))
    }

    /// When what somebody is given ends.
    fn far(&self) -> i64 {
        self.begin + 365 * DAY
    }

    fn fund(&mut self, wallet: &Address) -> Result<()> {
        let account = solana_account::Account {
            lamports: LAMPORTS,
            ..solana_account::Account::default()
        };
        self.svm
            .set_account(*wallet, account)
            .map_err(|error| anyhow!("{error:?}"))
    }

    fn begin(&mut self, program_data: Address, dice: &mut Dice) -> Result<Vec<Signed>> {
        let payer = self.payer.pubkey();
        let admin = self.admin.pubkey();
        let mut all = vec![self.signed(
            &[ix::initialize(payer, payer, program_data, admin)],
            &[],
            Then::Nothing,
            dice,
        )];
        for kind in [
            InstitutionKind::Hospital,
            InstitutionKind::Hospital,
            InstitutionKind::Insurer,
        ] {
            let body = Body {
                id: id(dice),
                authority: Arc::new(keypair(dice)),
            };
            let args = RegisterInstitutionArgs {
                id: body.id,
                kind,
                authority: body.authority.pubkey(),
                expires: i64::MAX,
            };
            let admin_signs = Arc::clone(&self.admin);
            let register = ix::register_institution(admin, payer, args);
            all.push(self.signed(&[register], &[&admin_signs], Then::Nothing, dice));
            let accept = ix::accept_institution(body.authority.pubkey(), &body.id, keys(1));
            all.push(self.signed(&[accept], &[&body.authority], Then::Nothing, dice));
            let roles = match kind {
                InstitutionKind::Insurer => [Role::Insurer, Role::Insurer],
                _ => [Role::Doctor, Role::Nurse],
            };
            self.bodies.push(body);
            for role in roles {
                all.push(self.joins(self.bodies.len() - 1, role, dice)?);
            }
        }
        Ok(all)
    }

    /// One slot later.
    pub(super) fn enter(&mut self, slot: u64) -> Result<i64> {
        self.now = self.begin + i64::try_from(slot)? * SECONDS_PER_SLOT;
        let mut clock = self.svm.get_sysvar::<Clock>();
        clock.unix_timestamp = self.now;
        clock.slot = slot;
        self.svm.set_sysvar(&clock);
        Ok(self.now)
    }

    /// Executes a transaction. Nothing: it cannot be in a block of this branch.
    pub(super) fn execute(&mut self, signed: &Signed) -> Option<Executed> {
        match self.svm.send_transaction(signed.transaction.clone()) {
            Ok(meta) => {
                if self.came_of(&signed.then) {
                    self.remember(&signed.then);
                }
                Some(Executed {
                    transaction: signed.transaction.clone(),
                    error: None,
                    meta,
                })
            }
            Err(FailedTransactionMetadata {
                err: error @ TransactionError::InstructionError(..),
                meta,
            }) => Some(Executed {
                transaction: signed.transaction.clone(),
                error: Some(error),
                meta,
            }),
            Err(_) => None,
        }
    }

    /// Every account of the program, with its bytes.
    pub(super) fn accounts(&self) -> Vec<(Address, Vec<u8>)> {
        let all = self.svm.accounts_db().inner.iter();
        all.filter(|(_, account)| *account.owner() == ID)
            .map(|(address, account)| (*address, account.data().to_vec()))
            .collect()
    }

    /// Whether that is there which a transaction was to make. A refusal goes through, too.
    fn came_of(&self, then: &Then) -> bool {
        let account = match then {
            Then::Wrote(patient, record, _) => address::record(patient, record),
            Then::Endangered(patient, emergency, _) => address::emergency(patient, emergency),
            _ => return true,
        };
        self.svm
            .get_account(&account)
            .is_some_and(|account| account.owner == ID)
    }

    fn remember(&mut self, then: &Then) {
        let known = |patients: &mut Vec<Patient>, id: &Id| patients.iter().position(|patient| patient.id == *id);
        let mut of = |id: &Id| known(&mut self.patients, id);
        match then {
            Then::Nothing => {}
            Then::Joined(member) => self.members.push(member.clone()),
            Then::Opened(patient) => self.patients.push(patient.clone()),
            Then::Wrote(patient, record, author) => {
                if let Some(at) = of(patient) {
                    self.patients[at].records.push((*record, 1, author.clone()));
                }
            }
            Then::Amended(patient, record) => {
                if let Some(at) = of(patient) {
                    let records = self.patients[at].records.iter_mut();
                    records
                        .filter(|(id, ..)| id == record)
                        .for_each(|(_, version, _)| *version += 1);
                }
            }
            Then::Erased(patient, record) => {
                if let Some(at) = of(patient) {
                    self.patients[at].records.retain(|(id, ..)| id != record);
                }
            }
            Then::Granted(patient, grant, to) => {
                if let Some(at) = of(patient) {
                    self.patients[at].grants.push((*grant, to.clone()));
                }
            }
            Then::Revoked(patient, grant) => {
                // Half of those who held it try it again.
                if let Some(at) = of(patient) {
                    self.patients[at].grants.retain(|(id, _)| id != grant || id[0] % 2 == 0);
                }
            }
            Then::Asked(patient, request) => {
                if let Some(at) = of(patient) {
                    self.patients[at].requests.push(*request);
                }
            }
            Then::Delegated(patient, delegate) => {
                if let Some(at) = of(patient) {
                    self.patients[at].delegates.push(*delegate);
                }
            }
            Then::Endangered(patient, emergency, opener) => {
                if let Some(at) = of(patient) {
                    self.patients[at].emergencies.push((*emergency, opener.clone()));
                }
            }
            Then::Anchored(batch) => self.batches.push(batch.clone()),
            Then::Stands(who, standing) => {
                self.suspended.retain(|suspended| suspended != who);
                if *standing == Standing::Suspended {
                    self.suspended.push(*who);
                }
            }
            Then::Answered(patient, request) => {
                if let Some(at) = of(patient) {
                    self.patients[at].requests.retain(|id| id != request);
                }
            }
        }
    }
}

/// From there on a seed's ledger has the same hours on every day.
fn recent_midnight() -> Result<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok((i64::try_from(now)? / DAY - DAYS_AGO) * DAY)
}

pub(super) fn bytes<const N: usize>(dice: &mut Dice) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.fill_with(|| dice.below(256).to_le_bytes()[0]);
    bytes
}

fn id(dice: &mut Dice) -> Id {
    bytes(dice)
}

fn keypair(dice: &mut Dice) -> Keypair {
    Keypair::new_from_array(bytes(dice))
}

fn keys(n: u8) -> Keys {
    Keys {
        encryption: [n; 32],
        post_quantum_hash: [0; 32],
    }
}
