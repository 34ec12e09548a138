//! Sixteen wallets, the institutions, members and patients that they begin as, the ledger, and the model of it.

use std::collections::BTreeMap;

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix, As, By, Currency},
    events::{Actor, AnyEvent, Terms},
    instructions::*,
    merkle::Tree,
    seeds::{self, address, Id, NO_ID},
    state::UNLIMITED,
    vocabulary::*,
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{
    agree,
    common::{content, id, keys, Chain, Failure, DAY},
    model::{Ask, Claimed, Model, Who},
    step::{Dice, Kind},
    tokens,
};

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// The instruction did what it is for.
    Done,
    /// It was decided against, and logged.
    Refused,
    /// It failed and left nothing.
    Failed,
    /// There was nothing to try it on.
    Idle,
}

/// A batch, and what its leaves say.
#[derive(Clone)]
pub(crate) struct Anchored {
    pub(crate) institution: Id,
    pub(crate) id: Id,
    /// Patient and record of each leaf, all of class 0.
    pub(crate) leaves: Vec<(Id, Id)>,
    pub(crate) tree: Tree,
}

pub(crate) struct Universe {
    pub(crate) chain: Chain,
    pub(crate) model: Model,
    wallets: Vec<Keypair>,
    by_address: BTreeMap<Address, usize>,
    pub(crate) batches: Vec<Anchored>,
    pub(crate) currency: Currency,
    /// All the money that there is.
    money: u64,
    ids: u64,
}

impl Clone for Universe {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            model: self.model.clone(),
            wallets: self.wallets.iter().map(Keypair::insecure_clone).collect(),
            by_address: self.by_address.clone(),
            batches: self.batches.clone(),
            currency: self.currency,
            money: self.money,
            ids: self.ids,
        }
    }
}

/// Wallets of the cast, by place.
const ADMIN: usize = 0;
const WALLETS: usize = 16;

impl Universe {
    /// The cast, registered.
    pub(crate) fn begin() -> Self {
        let mut chain = Chain::bare();
        let wallets: Vec<Keypair> = (0..WALLETS)
            .map(|n| Keypair::new_from_array([n as u8 + 1; 32]))
            .collect();
        for wallet in &wallets {
            chain.fund(&wallet.pubkey());
        }
        let upgrade = chain.upgrade_authority.insecure_clone();
        let issuer = chain.wallet();
        let currency = tokens::mint(&mut chain, &issuer, tokens::CLASSIC, &[]);
        for wallet in &wallets {
            let account = tokens::create_associated(&mut chain, &issuer, &currency, wallet.pubkey());
            tokens::pour(&mut chain, &issuer, &currency, account, 1_000_000);
        }
        let money = tokens::all_money(&chain, &currency);
        chain.emitted.clear();
        let by_address = wallets
            .iter()
            .enumerate()
            .map(|(n, wallet)| (wallet.pubkey(), n))
            .collect();
        let mut universe = Self {
            chain,
            model: Model::default(),
            wallets,
            by_address,
            batches: Vec::new(),
            currency,
            money,
            ids: 0,
        };
        universe.model.now = universe.chain.now();
        let admin = universe.wallet(ADMIN);
        let data = crate::common::program_data();
        universe.chain.must(
            ix::initialize(upgrade.pubkey(), upgrade.pubkey(), data, admin),
            &[&upgrade],
        );
        universe.cast();
        universe.listen_to_all();
        universe.prelude();
        universe
    }

    /// Two charts with something in them, and an agreement, so that a sequence finds something to try itself on.
    fn prelude(&mut self) {
        let (hospital, insurance) = (id(0), id(2));
        let doctor = As::member(self.wallet(5), hospital, id(10));
        let now = self.model.now;
        for patient in [id(20), id(21)] {
            let owner = self.model_wallet(&patient);
            let terms = Terms {
                record: NO_ID,
                classes: 3,
                grantee_kind: GranteeKind::Institution,
                grantee: address::institution(&hospital),
                grantee_key: [0; 32],
                rights: Action::MASK,
                purposes: Purpose::MASK,
                not_before: 0,
                expires: now + 200 * DAY,
                uses: UNLIMITED,
            };
            let grant = self.draw(seeds::GRANT, &patient);
            self.must(ix::create_grant(
                &By::wallet(owner),
                owner,
                &patient,
                CreateGrantArgs { id: grant, terms },
            ));
            for class in 0..2 {
                let args = CreateRecordArgs {
                    request: self.fresh_id(),
                    record: self.draw(seeds::RECORD, &patient),
                    class,
                    purpose: Purpose::Treatment,
                    grant,
                    content: content(1),
                };
                self.must(ix::create_record(
                    &doctor.claiming(grant),
                    doctor.wallet,
                    None,
                    &patient,
                    args,
                ));
            }
            let request = self.draw(seeds::REQUEST, &patient);
            let args = RequestAccessArgs {
                id: request,
                record: NO_ID,
                classes: 3,
                rights: Action::Read.bit(),
                purposes: Purpose::Payment.bit(),
                until: now + 100 * DAY,
            };
            self.must(ix::request_access(
                self.wallet(9),
                self.wallet(9),
                (&insurance, &id(14)),
                &patient,
                args,
            ));
            let approval = Approval {
                grant: self.draw(seeds::GRANT, &patient),
                rights: args.rights,
                purposes: args.purposes,
                classes: 3,
                not_before: 0,
                expires: args.until,
                uses: UNLIMITED,
            };
            let decided = DecideRequestArgs {
                approval: Some(approval),
            };
            self.must(ix::decide_request(
                &By::wallet(owner),
                owner,
                &patient,
                (&request, None),
                decided,
            ));
        }
        let (payer, payee) = (self.wallet(3), self.wallet(1));
        let args = ProposeAgreementArgs {
            id: self.draw(seeds::AGREEMENT, &insurance),
            classes: 3,
            purpose: Purpose::Payment,
            price: 10,
            expires: now + 100 * DAY,
        };
        let currency = self.currency;
        let account = |wallet: &Address| currency.account_of(wallet);
        self.must(currency.create_account(payer, address::agreement(&insurance, &args.id)));
        self.must(ix::propose_agreement(
            payer,
            payer,
            &insurance,
            &hospital,
            &currency,
            account(&payer),
            args,
        ));
        self.must(ix::accept_agreement(
            payee,
            &hospital,
            &insurance,
            &args.id,
            account(&payee),
        ));
        self.must(ix::fund_agreement(
            payer,
            &insurance,
            &args.id,
            &currency,
            account(&payer),
            1_000,
        ));
        let tree = address::draw_tree_id(|| self.fresh_id());
        self.must(ix::open_tree(self.wallet(ADMIN), self.wallet(ADMIN), tree));
        self.listen_to_all();
        self.check().unwrap();
    }

    fn model_wallet(&self, patient: &Id) -> Address {
        self.model.patients[patient].wallet.unwrap()
    }

    fn cast(&mut self) {
        let kinds = [
            InstitutionKind::Hospital,
            InstitutionKind::Hospital,
            InstitutionKind::Insurer,
            InstitutionKind::ResearchBody,
        ];
        for (n, kind) in kinds.into_iter().enumerate() {
            let args = RegisterInstitutionArgs {
                id: id(n as u64),
                kind,
                authority: self.wallet(1 + n),
                expires: self.model.now + 400 * DAY,
            };
            self.must(ix::register_institution(self.wallet(ADMIN), self.wallet(ADMIN), args));
            self.must(ix::accept_institution(self.wallet(1 + n), &id(n as u64), keys(1)));
        }
        let staff = [
            (0, Role::Doctor),
            (0, Role::Nurse),
            (0, Role::Auditor),
            (1, Role::Doctor),
            (2, Role::Insurer),
            (3, Role::Researcher),
        ];
        for (n, (body, role)) in staff.into_iter().enumerate() {
            let (institution, member, wallet) = (id(body), id(10 + n as u64), self.wallet(5 + n));
            let args = RegisterMemberArgs {
                id: member,
                wallet,
                role,
                expires: self.model.now + 300 * DAY,
            };
            let authority = self.wallet(1 + body as usize);
            self.must(ix::register_member(authority, authority, &institution, args));
            self.must(ix::accept_membership(wallet, &institution, &member, keys(2)));
            if role == Role::Doctor {
                self.must(ix::set_emergency_credential(authority, &institution, &member, true));
            }
        }
        for n in 0..3u64 {
            let args = OpenPatientArgs {
                id: id(20 + n),
                keys: keys(3),
            };
            let steward = (n == 2).then(|| id(0));
            let opener = if n == 2 {
                self.wallet(1)
            } else {
                self.wallet(11 + n as usize)
            };
            self.must(ix::open_patient(opener, opener, steward.as_ref(), args));
        }
        self.ids = 100;
    }

    fn must(&mut self, instruction: Instruction) {
        let signers = self.signers(&instruction).unwrap();
        let signers: Vec<&Keypair> = signers.iter().map(|n| &self.wallets[*n]).collect();
        self.chain.transact(&[instruction], &signers).unwrap();
    }

    fn listen_to_all(&mut self) {
        for bytes in std::mem::take(&mut self.chain.emitted) {
            self.model.apply(&AnyEvent::decode(&bytes).unwrap());
        }
    }

    pub(crate) fn wallet(&self, n: usize) -> Address {
        self.wallets[n % self.wallets.len()].pubkey()
    }

    pub(crate) fn any_wallet(&self, dice: &mut Dice) -> Address {
        self.wallet(dice.below(WALLETS))
    }

    /// The one who should, or sometimes somebody else.
    pub(crate) fn right_or_wrong(&self, right: Address, dice: &mut Dice) -> Address {
        if dice.usually(88) && self.by_address.contains_key(&right) {
            right
        } else {
            self.any_wallet(dice)
        }
    }

    /// An id that was not used before and is fit for what it is for.
    pub(crate) fn draw(&mut self, kind: &[u8], subject: &Id) -> Id {
        address::draw(kind, subject, || {
            self.ids += 1;
            id(self.ids)
        })
    }

    pub(crate) fn fresh_id(&mut self) -> Id {
        self.ids += 1;
        id(self.ids)
    }

    /// Which wallets have to sign it; none where one of them is nobody's.
    fn signers(&self, instruction: &Instruction) -> Option<Vec<usize>> {
        let mut signers = Vec::new();
        for meta in instruction.accounts.iter().filter(|meta| meta.is_signer) {
            let signer = *self.by_address.get(&meta.pubkey)?;
            if !signers.contains(&signer) {
                signers.push(signer);
            }
        }
        Some(signers)
    }

    /// Sends instructions of which the last is ours, and holds what comes of it against the model. `expected` is whether
    /// the model would allow it, where the policy is asked.
    ///
    /// # Errors
    /// What must not be.
    pub(crate) fn send(
        &mut self,
        mut instructions: Vec<Instruction>,
        mut expected: Option<bool>,
        dice: &mut Dice,
    ) -> Result<Came, String> {
        if !dice.usually(94) && self.mangle(instructions.last_mut().ok_or("nothing to send")?, dice) {
            expected = None;
        }
        let mut signers = Vec::new();
        for instruction in &instructions {
            let Some(of_one) = self.signers(instruction) else {
                return Ok(Came::Idle);
            };
            signers.extend(of_one);
        }
        signers.dedup();
        // What nobody has to sign, somebody pays for.
        if signers.is_empty() {
            signers.push(dice.below(WALLETS));
        }
        let signed: Vec<Address> = signers.iter().map(|n| self.wallet(*n)).collect();
        let before = agree::lamports(&self.chain.svm);
        let sent = {
            let keypairs: Vec<Keypair> = signers.iter().map(|n| self.wallets[*n].insecure_clone()).collect();
            let keypairs: Vec<&Keypair> = keypairs.iter().collect();
            self.chain.transact(&instructions, &keypairs)
        };
        let fee = before - agree::lamports(&self.chain.svm);
        let due = 5_000 * signers.len() as u64;
        let rejected = matches!(sent, Err(Failure::Other(_)));
        if fee != due && !(rejected && fee == 0) {
            return Err(format!("lamports were made or lost: {fee} are gone, the fee was {due}"));
        }
        let Ok(_) = sent else {
            return Ok(Came::Failed);
        };
        let emitted = std::mem::take(&mut self.chain.emitted);
        let [bytes] = emitted.as_slice() else {
            return Err(format!("an instruction emitted {} events", emitted.len()));
        };
        let event = AnyEvent::decode(bytes).map_err(|_| "an event that does not decode")?;
        self.hear(&event, &signed, expected)
    }

    /// Holds an event against the model, which then knows it.
    fn hear(&mut self, event: &AnyEvent, signed: &[Address], expected: Option<bool>) -> Result<Came, String> {
        self.model.judge(event, signed)?;
        let refused = matches!(event, AnyEvent::ActionRefused(_));
        if expected.is_some_and(|entitled| entitled == refused) {
            return Err(format!("the model says otherwise: {event:?}"));
        }
        if let Some(ask) = self.asked(event, signed) {
            if !self.model.entitled(&ask) {
                return Err(format!("access without a right: {event:?}"));
            }
        }
        if let AnyEvent::GrantPassedOn(event) = event {
            if !self.model.may_pass_on(&event.link.subject, &event.parent, &event.terms) {
                return Err(format!("a grant gives more than its parent: {event:?}"));
            }
        }
        self.model.apply(event);
        Ok(if refused { Came::Refused } else { Came::Done })
    }

    /// What the policy must have been asked, by what was allowed.
    fn asked(&self, event: &AnyEvent, signed: &[Address]) -> Option<Ask> {
        let patient = event.link().subject;
        let (action, actor, purpose, basis, under, record, class) = match event {
            AnyEvent::AccessAllowed(e) => {
                let class = self.model.records.get(&(patient, e.record))?.class;
                (Action::Read, &e.actor, e.purpose, e.basis, e.under, e.record, class)
            }
            AnyEvent::RecordAmended(e) => {
                let class = self.model.records.get(&(patient, e.record))?.class;
                (Action::Amend, &e.author, e.purpose, e.basis, e.under, e.record, class)
            }
            AnyEvent::RecordCreated(e) => (
                Action::Append,
                &e.author,
                e.purpose,
                e.basis,
                e.under,
                e.record,
                e.class,
            ),
            AnyEvent::RecordPromoted(e) => (Action::Append, &e.actor, e.purpose, e.basis, e.under, e.record, e.class),
            AnyEvent::GrantPassedOn(e) => {
                let record = self.model.records.get(&(patient, e.terms.record));
                let class = record.map_or(e.terms.classes.trailing_zeros() as u8, |record| record.class);
                let (basis, under) = (Basis::Grant, e.parent);
                (Action::Share, &e.actor, e.purpose, basis, under, e.terms.record, class)
            }
            _ => return None,
        };
        let claimed = match basis {
            Basis::Grant => Claimed::Grant((patient, under), self.model.ancestors(&patient, &under)),
            Basis::Policy => Claimed::Policy(patient, under),
            Basis::Emergency => Claimed::Emergency(patient, under),
            _ => Claimed::Nothing,
        };
        let owner = self.model.patients.get(&patient)?.wallet;
        let older = match event {
            AnyEvent::AccessAllowed(e) => e.version < self.model.records.get(&(patient, e.record))?.version,
            _ => false,
        };
        Some(Ask {
            patient,
            who: who(actor, &under),
            claimed,
            action,
            purpose,
            record,
            class,
            older,
            consent: basis == Basis::Consent && owner.is_some_and(|wallet| signed.contains(&wallet)),
        })
    }

    /// Puts another account of the program in the place of one.
    fn mangle(&self, instruction: &mut Instruction, dice: &mut Dice) -> bool {
        use solana_account::ReadableAccount;
        let ours = |address: &Address| {
            self.chain
                .svm
                .accounts_db()
                .inner
                .get(address)
                .is_some_and(|account| *account.owner() == chartseal_program::ID)
        };
        let places: Vec<usize> = (0..instruction.accounts.len())
            .filter(|place| ours(&instruction.accounts[*place].pubkey))
            .collect();
        let mut others: Vec<Address> = self
            .chain
            .svm
            .accounts_db()
            .inner
            .keys()
            .filter(|key| ours(key))
            .copied()
            .collect();
        others.sort();
        let (Some(place), Some(other)) = (dice.pick(&places), dice.pick(&others)) else {
            return false;
        };
        instruction.accounts[*place].pubkey = *other;
        true
    }

    /// Lets the clock go on.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.model.now += seconds;
        self.chain.set_time(self.model.now);
    }

    /// Every invariant that looks at all there is.
    ///
    /// # Errors
    /// The first that does not hold.
    pub(crate) fn check(&self) -> Result<(), String> {
        agree::accounts(&self.chain, &self.model)?;
        let money = tokens::all_money(&self.chain, &self.currency);
        if money != self.money {
            return Err(format!(
                "money was made or lost: there was {}, there is {money}",
                self.money
            ));
        }
        for ((consumer, id), agreement) in &self.model.agreements {
            let escrow = self.currency.account_of(&address::agreement(consumer, id));
            let held = self
                .chain
                .svm
                .get_account(&escrow)
                .filter(|account| !account.data.is_empty());
            let held = held.map_or(0, |_| tokens::balance(&self.chain, &escrow));
            let owed = match agreement.state {
                AgreementState::Closed => 0,
                _ => agreement.deposited - agreement.paid,
            };
            if held != owed {
                return Err(format!("an escrow holds {held} and owes {owed}"));
            }
        }
        Ok(())
    }

    /// The one institution that a member's account belongs to, as an actor claims it.
    pub(crate) fn as_member(&self, member: &Address) -> Option<As> {
        let found = self.model.members.get(member)?;
        Some(As::member(found.wallet, found.institution, found.id))
    }

    pub(crate) fn content(&self, dice: &mut Dice) -> chartseal_program::events::Content {
        content(1 + dice.below(200) as u8)
    }
}

fn who(actor: &Actor, under: &Id) -> Who {
    match actor.kind {
        ActorKind::Patient => Who::Patient,
        ActorKind::Member => Who::Member(actor.credential),
        ActorKind::Delegate => Who::Delegate(*under),
        ActorKind::Person => Who::Person(actor.wallet),
    }
}

/// How often each kind of step ended how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(pub(crate) BTreeMap<Kind, [u64; 4]>);

impl Tally {
    pub(crate) fn count(&mut self, kind: Kind, came: Came) {
        let place = match came {
            Came::Done => 0,
            Came::Refused => 1,
            Came::Failed => 2,
            Came::Idle => 3,
        };
        self.0.entry(kind).or_default()[place] += 1;
    }

    pub(crate) fn steps(&self) -> u64 {
        self.0.values().flatten().sum()
    }
}
