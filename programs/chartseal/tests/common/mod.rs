//! A hospital, a doctor, an insurer and a patient on the real .so in a real SVM, and the few calls that tests need.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    path::PathBuf,
    sync::{LazyLock, Mutex, OnceLock},
};

use anchor_lang::{
    event::EVENT_IX_TAG_LE,
    prelude::{Address, ProgramError},
    AccountDeserialize,
};
use bytemuck::Pod;
use chartseal_program::{
    builders::{self as ix, As, By},
    events::{AnyEvent, Content, Terms},
    instructions::*,
    seeds::{address, Id, BUMP, NO_ID},
    state::*,
    vocabulary::*,
    ChartsealError, ID,
};
use litesvm::{types::TransactionMetadata, LiteSVM};
use solana_account::ReadableAccount;
use solana_clock::Clock;
use solana_instruction::{error::InstructionError, Instruction};
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signer::Signer;
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;

/// The contract that is tested: the committed one, or the fresh build that `cargo xtask build-sbf --check` names.
pub fn contract() -> &'static [u8] {
    static SO: OnceLock<Vec<u8>> = OnceLock::new();
    SO.get_or_init(|| {
        let path = std::env::var_os("CHARTSEAL_SO").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("artifacts/chartseal.so"),
            PathBuf::from,
        );
        std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask build-sbf`", path.display()))
    })
}

/// An id that tests can tell from others.
pub fn id(n: u64) -> Id {
    let mut id = [0xA5; 16];
    id[..8].copy_from_slice(&n.to_le_bytes());
    id
}

pub fn keys(n: u8) -> Keys {
    Keys {
        encryption: [n; 32],
        post_quantum_hash: [0; 32],
    }
}

pub fn content(n: u8) -> Content {
    Content {
        manifest_hash: [n; 32],
        root: [n + 1; 32],
        locator: [n + 2; 32],
        padded_size: 1 << 20,
    }
}

/// What a transaction that went through left behind.
pub struct Done {
    pub event: AnyEvent,
    pub cu: u64,
    pub meta: TransactionMetadata,
}

/// How a transaction failed.
#[derive(Debug, PartialEq)]
pub enum Failure {
    /// A `ChartsealError`'s number.
    Ours(u32),
    /// The runtime's, the system program's or one of Anchor's constraints.
    Runtime(InstructionError),
    /// Not even run.
    Other(TransactionError),
}

pub struct Chain {
    pub svm: LiteSVM,
    pub upgrade_authority: Keypair,
    pub admin: Keypair,
    /// Every event since the program was deployed, as it was emitted.
    pub emitted: Vec<Vec<u8>>,
}

impl Clone for Chain {
    fn clone(&self) -> Self {
        Self {
            svm: self.svm.clone(),
            upgrade_authority: self.upgrade_authority.insecure_clone(),
            admin: self.admin.insecure_clone(),
            emitted: self.emitted.clone(),
        }
    }
}

/// 2026-01-01.
pub const GENESIS: i64 = 1_767_225_600;
pub use chartseal_program::state::DAY;

impl Chain {
    /// The program, deployed, and no registry yet. It is loaded once for all tests; each test has a ledger of its own.
    pub fn bare() -> Self {
        static DEPLOYED: LazyLock<Mutex<Chain>> = LazyLock::new(|| Mutex::new(Chain::deploy()));
        DEPLOYED.lock().unwrap().clone()
    }

    fn deploy() -> Self {
        let mut svm = LiteSVM::new();
        svm.add_program(ID, contract()).unwrap();
        let (upgrade_authority, admin) = (Keypair::new(), Keypair::new());
        let mut chain = Self {
            svm,
            upgrade_authority,
            admin,
            emitted: Vec::new(),
        };
        chain.set_upgrade_authority_of(&program_data(), &chain.upgrade_authority.pubkey());
        chain.fund(&chain.upgrade_authority.pubkey());
        chain.fund(&chain.admin.pubkey());
        chain.set_time(GENESIS);
        chain
    }

    /// The same, with its registry.
    pub fn new() -> Self {
        let mut chain = Self::bare();
        let (upgrade, admin) = (chain.upgrade_authority.insecure_clone(), chain.admin.pubkey());
        chain
            .send(
                &[ix::initialize(
                    upgrade.pubkey(),
                    upgrade.pubkey(),
                    program_data(),
                    admin,
                )],
                &[&upgrade],
            )
            .unwrap();
        chain
    }

    /// Writes an upgrade authority into a program's data account, as the loader would.
    pub fn set_upgrade_authority_of(&mut self, program_data: &Address, authority: &Address) {
        let mut account = self.svm.get_account(program_data).unwrap();
        account.data[12] = 1;
        account.data[13..45].copy_from_slice(authority.as_ref());
        self.svm.set_account(*program_data, account).unwrap();
    }

    pub fn fund(&mut self, wallet: &Address) {
        self.svm.airdrop(wallet, 100_000_000_000).unwrap();
    }

    pub fn wallet(&mut self) -> Keypair {
        let wallet = Keypair::new();
        self.fund(&wallet.pubkey());
        wallet
    }

    pub fn set_time(&mut self, unix: i64) {
        let mut clock = self.svm.get_sysvar::<Clock>();
        clock.unix_timestamp = unix;
        self.svm.set_sysvar(&clock);
    }

    pub fn now(&self) -> i64 {
        self.svm.get_sysvar::<Clock>().unix_timestamp
    }

    /// Sends one transaction, paid by the first signer.
    pub fn transact(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<TransactionMetadata, Failure> {
        // A fresh blockhash each time, so that the same instruction can be sent twice.
        self.svm.expire_blockhash();
        let message = Message::new(instructions, Some(&signers[0].pubkey()));
        let callees = message.account_keys.clone();
        let transaction = Transaction::new(signers, message, self.svm.latest_blockhash());
        let meta = self
            .svm
            .send_transaction(transaction)
            .map_err(|failed| match failed.err {
                TransactionError::InstructionError(_, InstructionError::Custom(code)) if code >= 6000 => {
                    Failure::Ours(code)
                }
                TransactionError::InstructionError(_, error) => Failure::Runtime(error),
                other => Failure::Other(other),
            })?;
        let emitters = meta.inner_instructions.iter().flatten().map(|inner| &inner.instruction);
        for inner in emitters.filter(|inner| inner.data.starts_with(EVENT_IX_TAG_LE)) {
            let emitter = callees[usize::from(inner.program_id_index)];
            assert_eq!(emitter, ID, "events go to nobody but the program");
        }
        self.emitted.extend(emitted(&meta));
        Ok(meta)
    }

    /// The same of one instruction, which emits one event.
    pub fn send(&mut self, instructions: &[Instruction], signers: &[&Keypair]) -> Result<Done, Failure> {
        let meta = self.transact(instructions, signers)?;
        let events = events(&meta);
        assert_eq!(events.len(), 1, "an instruction emits exactly one event");
        Ok(Done {
            event: events.into_iter().next().unwrap(),
            cu: meta.compute_units_consumed,
            meta,
        })
    }

    /// Reads an account in place.
    pub fn read<T: AccountDeserialize>(&self, address: &Address) -> T {
        let account = self.svm.get_account(address).expect("there is such an account");
        T::try_deserialize(&mut &account.data[..]).expect("and it is of this type")
    }

    /// Every account of the program: equal before and after means that nothing changed.
    pub fn state(&self) -> Vec<(Address, Vec<u8>)> {
        let accounts = self.svm.accounts_db().inner.iter();
        let mut state: Vec<_> = accounts
            .filter(|(_, account)| *account.owner() == ID)
            .map(|(address, account)| (*address, account.data().to_vec()))
            .collect();
        state.sort();
        state
    }

    /// Sends what must fail and change nothing; how it failed.
    pub fn fail(&mut self, instructions: &[Instruction], signers: &[&Keypair]) -> Failure {
        let before = self.state();
        match self.send(instructions, signers) {
            Err(failure) => {
                assert_eq!(before, self.state(), "a failed transaction changes nothing");
                failure
            }
            Ok(done) => panic!("this went through: {:?}", done.event),
        }
    }

    /// Sends what must fail, with this error of ours, and change nothing.
    #[track_caller]
    pub fn refuse(&mut self, instruction: Instruction, signers: &[&Keypair], error: ChartsealError) {
        assert_eq!(
            self.fail(&[instruction], signers),
            Failure::Ours(code(error)),
            "instead of {error:?}"
        );
    }

    /// Sends what must fail before our own checks, with this error, and change nothing.
    #[track_caller]
    pub fn refuse_at_the_door(&mut self, instruction: Instruction, signers: &[&Keypair], error: InstructionError) {
        assert_eq!(self.fail(&[instruction], signers), Failure::Runtime(error));
    }

    /// Sends one instruction that must go through; its event.
    #[track_caller]
    pub fn must(&mut self, instruction: Instruction, signers: &[&Keypair]) -> AnyEvent {
        self.send(&[instruction], signers).unwrap().event
    }

    /// Rewrites an account as no instruction does: for states that nothing leads to yet, and for what must never be.
    pub fn edit<T: Pod>(&mut self, address: &Address, change: impl FnOnce(&mut T)) {
        let mut account = self.svm.get_account(address).expect("there is such an account");
        let body = &mut account.data[8..8 + size_of::<T>()];
        let mut value: T = bytemuck::pod_read_unaligned(body);
        change(&mut value);
        body.copy_from_slice(bytemuck::bytes_of(&value));
        self.svm.set_account(*address, account).unwrap();
    }
}

/// Anchor's error where an account that is written stands twice in an instruction.
pub const DUPLICATE: InstructionError = InstructionError::Custom(2040);
/// Anchor's error where an account that is written is passed as read-only.
pub const READ_ONLY: InstructionError = InstructionError::Custom(2000);
/// The system program's error where an account exists already.
pub const EXISTS: InstructionError = InstructionError::Custom(0);

/// Puts one account in another's place.
pub fn substitute(instruction: &mut Instruction, from: Address, to: Address) {
    let mut places = instruction.accounts.iter_mut().filter(|meta| meta.pubkey == from);
    places.next().expect("the instruction names it").pubkey = to;
}

/// Marks an account as not signing.
pub fn unsign(mut instruction: Instruction, signer: Address) -> Instruction {
    for meta in instruction.accounts.iter_mut().filter(|meta| meta.pubkey == signer) {
        meta.is_signer = false;
    }
    instruction
}

/// The number that an error of ours has on chain.
pub fn code(error: ChartsealError) -> u32 {
    match ProgramError::from(error) {
        ProgramError::Custom(code) => code,
        other => panic!("{other:?}"),
    }
}

/// Where the loader keeps the contract's bytes, and the name of its upgrade authority.
pub fn program_data() -> Address {
    program_data_of(&ID)
}

/// The same of any program.
pub fn program_data_of(program: &Address) -> Address {
    let loader = Address::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");
    Address::find_program_address(&[program.as_ref()], &loader).0
}

/// The events of a transaction, as bytes: calls of the program to itself that carry Anchor's tag.
fn emitted(meta: &TransactionMetadata) -> impl Iterator<Item = Vec<u8>> + '_ {
    let inner = meta.inner_instructions.iter().flatten();
    inner.filter_map(|inner| inner.instruction.data.strip_prefix(EVENT_IX_TAG_LE).map(<[u8]>::to_vec))
}

/// The same, decoded.
pub fn events(meta: &TransactionMetadata) -> Vec<AnyEvent> {
    emitted(meta)
        .map(|bytes| AnyEvent::decode(&bytes).expect("our events decode"))
        .collect()
}

/// An institution that accepted, with its authority's wallet.
pub struct Body {
    pub id: Id,
    pub authority: Keypair,
}

/// A member that accepted, with its wallet.
pub struct Person {
    pub institution: Id,
    pub id: Id,
    pub wallet: Keypair,
}

impl Clone for Body {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            authority: self.authority.insecure_clone(),
        }
    }
}

impl Clone for Person {
    fn clone(&self) -> Self {
        Self {
            wallet: self.wallet.insecure_clone(),
            ..*self
        }
    }
}

impl Clone for Owner {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            wallet: self.wallet.insecure_clone(),
        }
    }
}

impl Body {
    pub fn address(&self) -> Address {
        address::institution(&self.id)
    }

    /// As the steward of a patient without a wallet.
    pub fn stewards(&self) -> By {
        By::steward(self.authority.pubkey(), self.id)
    }
}

impl Person {
    pub fn acting(&self) -> As {
        As::member(self.wallet.pubkey(), self.institution, self.id)
    }

    pub fn address(&self) -> Address {
        address::member(&self.institution, &self.id)
    }
}

/// A patient with its wallet.
pub struct Owner {
    pub id: Id,
    pub wallet: Keypair,
}

impl Owner {
    pub fn acting(&self) -> As {
        As::wallet(self.wallet.pubkey())
    }

    pub fn deciding(&self) -> By {
        By::wallet(self.wallet.pubkey())
    }
}

/// Everybody who is needed for a story.
#[derive(Clone)]
pub struct World {
    pub chain: Chain,
    pub hospital: Body,
    pub doctor: Person,
    pub insurance: Body,
    pub insurer: Person,
    pub patient: Owner,
    ids: u64,
}

impl World {
    /// Everybody, registered. They are registered once for all tests; each test has the ledger as it was then.
    pub fn new() -> Self {
        static BEGINNING: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::begin()));
        BEGINNING.lock().unwrap().clone()
    }

    fn begin() -> Self {
        let mut chain = Chain::new();
        let hospital = chain.institution(1, InstitutionKind::Hospital);
        let doctor = chain.member(&hospital, 2, Role::Doctor);
        let insurance = chain.institution(3, InstitutionKind::Insurer);
        let insurer = chain.member(&insurance, 4, Role::Insurer);
        let patient = chain.patient(5);
        Self {
            chain,
            hospital,
            doctor,
            insurance,
            insurer,
            patient,
            ids: 1000,
        }
    }

    /// An id that was not used before.
    pub fn id(&mut self) -> Id {
        self.ids += 1;
        id(self.ids)
    }

    pub fn record_id(&mut self) -> Id {
        let patient = self.patient.id;
        address::draw_record_id(&patient, || self.id())
    }

    pub fn grant_id(&mut self) -> Id {
        let patient = self.patient.id;
        address::draw_grant_id(&patient, || self.id())
    }

    /// A patient among whose addresses of this kind the one of the id of zeros has the right bump, so that nothing but
    /// its own check keeps that id from being used.
    pub fn patient_where_zeros_fit(&mut self, kind: &[u8]) -> Owner {
        let fits = |n: &u64| Address::find_program_address(&[kind, &id(*n), &NO_ID], &ID).1 == BUMP;
        let n = (90..).find(fits).unwrap();
        self.patient = self.chain.patient(n);
        self.patient.clone()
    }

    /// The patient lets the hospital write and read records of class 0.
    pub fn enrol(&mut self) -> Id {
        let terms = self.terms(GranteeKind::Institution, address::institution(&self.hospital.id));
        self.grant(Terms {
            rights: Action::Read.bit() | Action::Append.bit() | Action::Amend.bit(),
            ..terms
        })
    }

    /// Terms to start from: class 0, all rights and purposes, a year, no limit of uses.
    pub fn terms(&self, grantee_kind: GranteeKind, grantee: Address) -> Terms {
        Terms {
            record: NO_ID,
            classes: 1,
            grantee_kind,
            grantee,
            grantee_key: [0; 32],
            rights: Action::MASK,
            purposes: Purpose::MASK,
            not_before: 0,
            expires: self.chain.now() + 365 * DAY,
            uses: UNLIMITED,
        }
    }

    pub fn grant(&mut self, terms: Terms) -> Id {
        let id = self.grant_id();
        let wallet = self.patient.wallet.insecure_clone();
        let args = CreateGrantArgs { id, terms };
        let create = ix::create_grant(&By::wallet(wallet.pubkey()), wallet.pubkey(), &self.patient.id, args);
        self.chain.send(&[create], &[&wallet]).unwrap();
        id
    }

    /// A grant for the insurer on class 0, changed as the test needs it.
    pub fn insure(&mut self, change: impl FnOnce(&mut Terms)) -> Id {
        let mut terms = self.terms(GranteeKind::Member, self.insurer.address());
        change(&mut terms);
        self.grant(terms)
    }

    /// Somebody with a wallet and no profession, and a grant that names it, changed as the test needs it.
    pub fn relative(&mut self, change: impl FnOnce(&mut Terms)) -> (Keypair, As) {
        let wallet = self.chain.wallet();
        let mut terms = self.terms(GranteeKind::Person, wallet.pubkey());
        change(&mut terms);
        let acting = As::wallet(wallet.pubkey()).claiming(self.grant(terms));
        (wallet, acting)
    }

    pub fn revoke(&mut self, grant: Id) {
        let wallet = self.patient.wallet.insecure_clone();
        self.chain
            .send(
                &[ix::revoke_grant(&By::wallet(wallet.pubkey()), &self.patient.id, &grant)],
                &[&wallet],
            )
            .unwrap();
    }

    /// A record of class 0 that the doctor wrote and the patient signed too, so that there is no grant.
    pub fn record(&mut self) -> Id {
        self.record_of_class(0)
    }

    /// The same, of this class.
    pub fn record_of_class(&mut self, class: u8) -> Id {
        let (doctor, patient) = (self.doctor.clone(), self.patient.clone());
        let args = self.record_args(class);
        let payer = doctor.wallet.pubkey();
        let create = ix::create_record(
            &doctor.acting(),
            payer,
            Some(patient.wallet.pubkey()),
            &patient.id,
            args,
        );
        self.chain.must(create, &[&doctor.wallet, &patient.wallet]);
        args.record
    }

    /// What a new record says, for treatment and without a grant.
    pub fn record_args(&mut self, class: u8) -> CreateRecordArgs {
        CreateRecordArgs {
            request: self.id(),
            record: self.record_id(),
            class,
            purpose: Purpose::Treatment,
            grant: NO_ID,
            content: content(1),
        }
    }

    /// A record's newest version, or the first where there is no such record.
    fn newest(&self, record: &Id) -> u32 {
        let account = self.chain.svm.get_account(&address::record(&self.patient.id, record));
        account.map_or(1, |account| {
            Record::try_deserialize(&mut &account.data[..]).map_or(1, |record| record.version)
        })
    }

    /// An access as somebody would send it.
    pub fn access_ix(&mut self, acting: &As, record: Id, purpose: Purpose) -> Instruction {
        let args = AccessRecordArgs {
            request: self.id(),
            version: self.newest(&record),
            purpose,
            grant: acting.claimed(),
        };
        ix::access_record(acting, &self.patient.id, &record, args)
    }

    /// A member asks to read, by this grant if there is one.
    pub fn asks(&mut self, who: &Person, grant: Option<Id>, record: Id, purpose: Purpose) -> Result<Basis, Reason> {
        let acting = As { grant, ..who.acting() };
        self.verdict(&who.wallet, acting, record, purpose)
    }

    /// A grant's account.
    pub fn granted(&self, grant: &Id) -> Grant {
        self.chain.read(&address::grant(&self.patient.id, grant))
    }

    pub fn log(&self) -> AccessLog {
        self.chain.read(&address::access_log(&self.patient.id))
    }

    pub fn refusals(&self) -> RefusalLog {
        self.chain.read(&address::refusal_log(&self.patient.id))
    }

    /// Lets the clock go on.
    pub fn wait(&mut self, seconds: i64) {
        let now = self.chain.now();
        self.chain.set_time(now + seconds);
    }

    pub fn set_institution_standing(&mut self, body: &Body, standing: Standing) {
        let admin = self.chain.admin.insecure_clone();
        self.chain.must(
            ix::set_institution_standing(admin.pubkey(), &body.id, standing),
            &[&admin],
        );
    }

    pub fn set_member_standing(&mut self, body: &Body, member: &Person, standing: Standing) {
        let set = ix::set_member_standing(body.authority.pubkey(), &body.id, &member.id, standing);
        self.chain.must(set, &[&body.authority]);
    }

    pub fn set_paused(&mut self, paused: bool) {
        let admin = self.chain.admin.insecure_clone();
        self.chain.must(ix::set_paused(admin.pubkey(), paused), &[&admin]);
    }

    /// A patient without a wallet, whom the hospital opened. It takes the place of the one with a wallet.
    pub fn steward_patient(&mut self) -> Id {
        let (id, hospital) = (self.id(), self.hospital.clone());
        let authority = hospital.authority.pubkey();
        let args = OpenPatientArgs { id, keys: keys(4) };
        self.chain.must(
            ix::open_patient(authority, authority, Some(&hospital.id), args),
            &[&hospital.authority],
        );
        self.patient.id = id;
        id
    }

    /// The doctor asks to write a record of this class; its id and the event.
    pub fn create(&mut self, class: u8, grant: Option<Id>) -> (Id, Done) {
        let record = self.record_id();
        let wallet = self.doctor.wallet.insecure_clone();
        let acting = As {
            grant,
            ..self.doctor.acting()
        };
        let args = CreateRecordArgs {
            request: self.id(),
            record,
            class,
            purpose: Purpose::Treatment,
            grant: acting.claimed(),
            content: content(1),
        };
        let create = ix::create_record(&acting, wallet.pubkey(), None, &self.patient.id, args);
        (record, self.chain.send(&[create], &[&wallet]).unwrap())
    }

    /// Somebody asks to read.
    pub fn access(&mut self, wallet: &Keypair, acting: As, record: Id, purpose: Purpose) -> Result<Done, Failure> {
        let args = AccessRecordArgs {
            request: self.id(),
            version: self.newest(&record),
            purpose,
            grant: acting.claimed(),
        };
        self.chain.send(
            &[ix::access_record(&acting, &self.patient.id, &record, args)],
            &[wallet],
        )
    }

    /// Like [`access`](Self::access); the basis or the reason.
    pub fn verdict(&mut self, wallet: &Keypair, acting: As, record: Id, purpose: Purpose) -> Result<Basis, Reason> {
        match self.access(wallet, acting, record, purpose).unwrap().event {
            AnyEvent::AccessAllowed(event) => Ok(event.basis),
            AnyEvent::ActionRefused(event) => Err(event.reason),
            other => panic!("an access was answered by {other:?}"),
        }
    }
}

impl Chain {
    pub fn institution(&mut self, n: u64, kind: InstitutionKind) -> Body {
        let (admin, authority, id) = (self.admin.insecure_clone(), self.wallet(), id(n));
        let args = RegisterInstitutionArgs {
            id,
            kind,
            authority: authority.pubkey(),
            expires: i64::MAX,
        };
        self.send(
            &[ix::register_institution(admin.pubkey(), admin.pubkey(), args)],
            &[&admin],
        )
        .unwrap();
        self.send(
            &[ix::accept_institution(authority.pubkey(), &id, keys(1))],
            &[&authority],
        )
        .unwrap();
        Body { id, authority }
    }

    pub fn member(&mut self, body: &Body, n: u64, role: Role) -> Person {
        let (authority, wallet, id) = (body.authority.pubkey(), self.wallet(), id(n));
        let args = RegisterMemberArgs {
            id,
            wallet: wallet.pubkey(),
            role,
            expires: self.now() + 365 * DAY,
        };
        self.send(
            &[ix::register_member(authority, authority, &body.id, args)],
            &[&body.authority],
        )
        .unwrap();
        self.send(
            &[ix::accept_membership(wallet.pubkey(), &body.id, &id, keys(2))],
            &[&wallet],
        )
        .unwrap();
        Person {
            institution: body.id,
            id,
            wallet,
        }
    }

    pub fn patient(&mut self, n: u64) -> Owner {
        let (wallet, id) = (self.wallet(), id(n));
        let args = OpenPatientArgs { id, keys: keys(3) };
        self.send(
            &[ix::open_patient(wallet.pubkey(), wallet.pubkey(), None, args)],
            &[&wallet],
        )
        .unwrap();
        Owner { id, wallet }
    }
}
