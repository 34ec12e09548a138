//! More people for a story: delegates, guardians, a doctor who opens emergencies, an institution with a policy, and the
//! holders of a grant that was passed on as often as it can be.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix, As, By, Reviewing},
    events::{AnyEvent, GuardianNamed, Terms},
    instructions::*,
    log::Chain as Links,
    seeds::{address, Id, BUMP, DELEGATE, EMERGENCY, GRANT, NO_ID, REQUEST},
    state::*,
    vocabulary::*,
    ID,
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

/// Somebody who acts for the patient.
pub struct Carer {
    pub id: Id,
    pub wallet: Keypair,
}

impl Carer {
    pub fn acting(&self) -> As {
        As::delegate(self.wallet.pubkey(), self.id)
    }

    pub fn deciding(&self) -> By {
        By::delegate(self.wallet.pubkey(), self.id)
    }

    pub fn reviewing(&self) -> Reviewing {
        Reviewing {
            delegate: Some(self.id),
            ..Reviewing::wallet(self.wallet.pubkey())
        }
    }
}

/// A grant that was passed on three times, and who holds each: the first is the patient's own.
pub struct PassedOn {
    pub grants: [Id; 4],
    pub holders: [Person; 4],
}

impl PassedOn {
    /// The holder of this depth, which claims its grant with all that it descends from.
    pub fn acting(&self, depth: usize) -> As {
        let ancestors: Vec<Id> = self.grants[..depth].iter().rev().copied().collect();
        self.holders[depth]
            .acting()
            .claiming_passed_on(self.grants[depth], &ancestors)
    }

    pub fn wallet(&self, depth: usize) -> &Keypair {
        &self.holders[depth].wallet
    }
}

/// What was decided: the basis of what was written, or the reason of a refusal.
pub fn judged(event: &AnyEvent) -> Result<Basis, Reason> {
    match event {
        AnyEvent::AccessAllowed(event) => Ok(event.basis),
        AnyEvent::RecordCreated(event) => Ok(event.basis),
        AnyEvent::RecordAmended(event) => Ok(event.basis),
        AnyEvent::GrantPassedOn(_) => Ok(Basis::Grant),
        AnyEvent::ActionRefused(event) => Err(event.reason),
        other => panic!("this is no decision: {other:?}"),
    }
}

impl World {
    /// An id that is fit for an address of this kind about this patient.
    pub fn fitting(&mut self, kind: &[u8]) -> Id {
        let patient = self.patient.id;
        address::draw(kind, &patient, || self.id())
    }

    /// An id whose address has another bump.
    pub fn misfit(&mut self, kind: &[u8]) -> Id {
        let patient = self.patient.id;
        loop {
            let id = self.id();
            if Address::find_program_address(&[kind, &patient, &id], &ID).1 != BUMP {
                return id;
            }
        }
    }

    /// Checks that an event is the newest link of the patient's log, at this moment, and stands in its ring.
    #[track_caller]
    pub fn assert_logged(&self, event: &AnyEvent, id: &Id, wallet: &Address, outcome: u8) {
        let (log, link) = (self.log(), event.link());
        let newest = Links {
            seq: link.seq,
            head: *event.head(),
        };
        assert_eq!((link.subject, link.at), (self.patient.id, self.chain.now()));
        assert_eq!(log.chain, newest);
        let entry = Entry::new(&event.encode(), link.at, id, wallet, outcome);
        let kept = log.ring.entries[(link.seq % RING as u64) as usize];
        assert_eq!(kept, Entry { seq: link.seq, ..entry });
    }

    /// The same of a refusal, in the patient's log of refusals.
    #[track_caller]
    pub fn assert_refusal_logged(&self, event: &AnyEvent) {
        let AnyEvent::ActionRefused(refused) = event else {
            panic!("this is no refusal: {event:?}")
        };
        let log = self.refusals();
        assert_eq!(
            (refused.link.subject, refused.link.at),
            (self.patient.id, self.chain.now())
        );
        assert_eq!((log.chain.seq, log.chain.head), (refused.link.seq, refused.head));
        let kept = log.ring.entries[(refused.link.seq % RING as u64) as usize];
        assert_eq!(
            (kept.seq, kept.id, kept.wallet, kept.outcome),
            (
                refused.link.seq,
                refused.request,
                refused.actor.wallet,
                refused.reason.byte()
            )
        );
    }

    /// Checks that an event is the newest link of an institution's chain, at this moment.
    #[track_caller]
    pub fn assert_linked(&self, event: &AnyEvent, body: &Body) {
        let (institution, link): (Institution, _) = (self.chain.read(&body.address()), event.link());
        assert_eq!((link.subject, link.at), (body.id, self.chain.now()));
        assert_eq!(
            (institution.chain.seq, institution.chain.head),
            (link.seq, *event.head())
        );
    }

    pub fn member_account(&self, person: &Person) -> Member {
        self.chain.read(&person.address())
    }

    pub fn body_account(&self, body: &Body) -> Institution {
        self.chain.read(&body.address())
    }

    pub fn patient_account(&self) -> Patient {
        self.chain.read(&address::patient(&self.patient.id))
    }

    /// What names somebody a delegate with these rights, for a year.
    pub fn delegation(&mut self, wallet: &Keypair, rights: u8) -> NameDelegateArgs {
        NameDelegateArgs {
            id: self.fitting(DELEGATE),
            wallet: wallet.pubkey(),
            rights,
            expires: self.chain.now() + 365 * DAY,
        }
    }

    /// Somebody whom the patient named, and who did not accept yet.
    pub fn named_delegate(&mut self, rights: u8) -> Carer {
        let wallet = self.chain.wallet();
        let (args, patient) = (self.delegation(&wallet, rights), self.patient.clone());
        let name = ix::name_delegate(patient.wallet.pubkey(), patient.wallet.pubkey(), &patient.id, args);
        self.chain.must(name, &[&patient.wallet]);
        Carer { id: args.id, wallet }
    }

    /// The same, who accepted.
    pub fn delegate(&mut self, rights: u8) -> Carer {
        let carer = self.named_delegate(rights);
        let accept = ix::accept_delegation(carer.wallet.pubkey(), &self.patient.id, &carer.id, keys(8));
        self.chain.must(accept, &[&carer.wallet]);
        carer
    }

    pub fn revoke_delegate(&mut self, carer: &Carer) {
        let patient = self.patient.clone();
        let revoke = ix::revoke_delegate(patient.wallet.pubkey(), &patient.id, &carer.id);
        self.chain.must(revoke, &[&patient.wallet]);
    }

    /// A delegation's account.
    pub fn delegation_account(&self, id: &Id) -> Delegate {
        self.chain.read(&address::delegate(&self.patient.id, id))
    }

    /// So many guardians, of whom so many have to agree, and a delay of one day.
    pub fn guardians(&mut self, count: usize, threshold: u8) -> Vec<Keypair> {
        let wallets: Vec<Keypair> = (0..count).map(|_| self.chain.wallet()).collect();
        self.name_guardians(&wallets, threshold);
        wallets
    }

    pub fn name_guardians(&mut self, wallets: &[Keypair], threshold: u8) {
        let patient = self.patient.clone();
        let args = SetGuardiansArgs {
            guardians: named(wallets),
            threshold,
            delay: if wallets.is_empty() { 0 } else { SHORTEST_DELAY },
        };
        let set = ix::set_guardians(patient.wallet.pubkey(), patient.wallet.pubkey(), &patient.id, args);
        self.chain.must(set, &[&patient.wallet]);
    }

    pub fn vote_ix(&self, guardian: &Keypair, wallet: Address, keys: Keys) -> Instruction {
        ix::vote_recovery(guardian.pubkey(), &self.patient.id, VoteRecoveryArgs { wallet, keys })
    }

    /// A guardian votes for a wallet with the keys 6; the event.
    #[track_caller]
    pub fn vote(&mut self, guardian: &Keypair, wallet: &Keypair) -> AnyEvent {
        let vote = self.vote_ix(guardian, wallet.pubkey(), keys(6));
        self.chain.must(vote, &[guardian])
    }

    pub fn safeguards(&self) -> Safeguards {
        self.chain.read(&address::safeguards(&self.patient.id))
    }

    /// The patient's wallet names another, which accepts. The patient is that one from here on; the old wallet.
    pub fn hand_over(&mut self) -> Keypair {
        let (patient, next) = (self.patient.clone(), self.chain.wallet());
        let propose = ix::propose_wallet(patient.wallet.pubkey(), None, &patient.id, next.pubkey());
        self.chain.must(propose, &[&patient.wallet]);
        let accept = ix::accept_wallet(next.pubkey(), None, &patient.id, keys(7));
        self.chain.must(accept, &[&next]);
        self.patient.wallet = next;
        patient.wallet
    }

    /// The steward hands the patient over to a new wallet, which is the patient's from here on.
    pub fn take_out(&mut self) {
        let (hospital, next) = (self.hospital.clone(), self.chain.wallet());
        let authority = hospital.authority.pubkey();
        let propose = ix::propose_wallet(authority, Some(&hospital.id), &self.patient.id, next.pubkey());
        self.chain.must(propose, &[&hospital.authority]);
        let accept = ix::accept_wallet(next.pubkey(), Some(&hospital.id), &self.patient.id, keys(7));
        self.chain.must(accept, &[&next]);
        self.patient.wallet = next;
    }

    pub fn set_credential(&mut self, body: &Body, member: &Person, holds: bool) {
        let set = ix::set_emergency_credential(body.authority.pubkey(), &body.id, &member.id, holds);
        self.chain.must(set, &[&body.authority]);
    }

    /// The hospital's doctor, with the credential to open emergencies.
    pub fn emergency_doctor(&mut self) -> Person {
        let (hospital, doctor) = (self.hospital.clone(), self.doctor.clone());
        self.set_credential(&hospital, &doctor, true);
        doctor
    }

    pub fn emergency_args(&mut self) -> OpenEmergencyArgs {
        OpenEmergencyArgs {
            id: self.fitting(EMERGENCY),
            reason_hash: [5; 32],
            duration: LONGEST_EMERGENCY,
        }
    }

    pub fn open_ix(&self, member: &Person, args: OpenEmergencyArgs) -> Instruction {
        let wallet = member.wallet.pubkey();
        ix::open_emergency(
            wallet,
            wallet,
            (&member.institution, &member.id),
            &self.patient.id,
            args,
        )
    }

    /// A member opens an emergency, for as long as it can be; its id, or why it was refused.
    pub fn try_emergency(&mut self, member: &Person) -> Result<Id, Reason> {
        let args = self.emergency_args();
        let open = self.open_ix(member, args);
        match self.chain.must(open, &[&member.wallet]) {
            AnyEvent::EmergencyOpened(event) => Ok(event.emergency),
            AnyEvent::ActionRefused(event) => Err(event.reason),
            other => panic!("an emergency was answered by {other:?}"),
        }
    }

    #[track_caller]
    pub fn open_emergency(&mut self, member: &Person) -> Id {
        self.try_emergency(member).unwrap()
    }

    pub fn emergency(&self, id: &Id) -> Emergency {
        self.chain.read(&address::emergency(&self.patient.id, id))
    }

    pub fn review_ix(
        &self,
        by: &Reviewing,
        member: &Person,
        emergency: &Id,
        reviewer: Reviewer,
        verdict: Verdict,
    ) -> Instruction {
        let opener = (&member.institution, &member.id);
        let args = ReviewEmergencyArgs { reviewer, verdict };
        ix::review_emergency(by, opener, &self.patient.id, emergency, args)
    }

    /// The hospital's authority reviews an emergency of one of its members.
    pub fn hospital_reviews(&mut self, member: &Person, emergency: &Id, verdict: Verdict) {
        let authority = self.hospital.authority.insecure_clone();
        let by = Reviewing::wallet(authority.pubkey());
        let review = self.review_ix(&by, member, emergency, Reviewer::Institution, verdict);
        self.chain.must(review, &[&authority]);
    }

    /// What shares class 0 with an institution for treatment, for a year, and enrols nobody.
    pub fn policy_args(&self) -> SetPolicyArgs {
        SetPolicyArgs {
            classes: 1,
            purposes: Purpose::Treatment.bit(),
            enrols: false,
            expires: self.chain.now() + 365 * DAY,
        }
    }

    /// The patient sets such a policy, changed as the test needs it; the event.
    #[track_caller]
    pub fn set_policy(&mut self, body: &Body, change: impl FnOnce(&mut SetPolicyArgs)) -> AnyEvent {
        let (mut args, patient) = (self.policy_args(), self.patient.clone());
        change(&mut args);
        let payer = patient.wallet.pubkey();
        let set = ix::set_policy(&patient.deciding(), payer, &patient.id, &body.id, args);
        self.chain.must(set, &[&patient.wallet])
    }

    pub fn policy(&self, body: &Body) -> Policy {
        self.chain.read(&address::policy(&self.patient.id, &body.id))
    }

    pub fn request_args(&mut self) -> RequestAccessArgs {
        RequestAccessArgs {
            id: self.fitting(REQUEST),
            record: NO_ID,
            classes: 1,
            rights: Action::Read.bit(),
            purposes: Purpose::Treatment.bit(),
            until: self.chain.now() + 30 * DAY,
        }
    }

    pub fn request_ix(&self, member: &Person, args: RequestAccessArgs) -> Instruction {
        let wallet = member.wallet.pubkey();
        ix::request_access(
            wallet,
            wallet,
            (&member.institution, &member.id),
            &self.patient.id,
            args,
        )
    }

    /// A member asks to read class 0 for treatment, for thirty days, changed as the test needs it; the request's id.
    #[track_caller]
    pub fn request(&mut self, member: &Person, change: impl FnOnce(&mut RequestAccessArgs)) -> Id {
        let mut args = self.request_args();
        change(&mut args);
        let request = self.request_ix(member, args);
        self.chain.must(request, &[&member.wallet]);
        args.id
    }

    pub fn requested(&self, id: &Id) -> Request {
        self.chain.read(&address::request(&self.patient.id, id))
    }

    pub fn pass_on_args(&mut self, acting: &As, terms: Terms) -> PassOnGrantArgs {
        PassOnGrantArgs {
            request: self.id(),
            id: self.fitting(GRANT),
            purpose: Purpose::Treatment,
            grant: acting.claimed(),
            terms,
        }
    }

    /// A grantee passes on what it claims, for treatment; the new grant, or why it was refused.
    #[track_caller]
    pub fn pass_on(&mut self, wallet: &Keypair, acting: &As, terms: Terms) -> Result<Id, Reason> {
        let args = self.pass_on_args(acting, terms);
        let pass = ix::pass_on_grant(acting, wallet.pubkey(), &self.patient.id, args);
        let event = self.chain.must(pass, &[wallet]);
        judged(&event).map(|_| args.id)
    }

    /// A grant to the hospital's doctor, changed as the test needs it, who passes it on to another hospital's doctor, and
    /// so on until it cannot be passed on any more. All are on the same terms.
    pub fn passed_on(&mut self, change: impl FnOnce(&mut Terms)) -> PassedOn {
        let holders = [
            self.doctor.clone(),
            self.colleague(61),
            self.colleague(63),
            self.colleague(65),
        ];
        let mut terms = self.terms(GranteeKind::Member, holders[0].address());
        change(&mut terms);
        let mut chain = PassedOn {
            grants: [self.grant(terms), NO_ID, NO_ID, NO_ID],
            holders,
        };
        for depth in 1..=3 {
            let grantee = chain.holders[depth].address();
            let (acting, wallet) = (chain.acting(depth - 1), chain.wallet(depth - 1).insecure_clone());
            let passed = self.pass_on(&wallet, &acting, Terms { grantee, ..terms });
            chain.grants[depth] = passed.unwrap();
        }
        chain
    }

    /// A doctor of another hospital, which has this id; the doctor has the next one.
    pub fn colleague(&mut self, n: u64) -> Person {
        let clinic = self.chain.institution(n, InstitutionKind::Hospital);
        self.chain.member(&clinic, n + 1, Role::Doctor)
    }

    /// A doctor of another hospital, which has this id, puts another version in a record's place; who did.
    #[track_caller]
    pub fn amended_elsewhere(&mut self, record: Id, n: u64) -> Person {
        let doctor = self.colleague(n);
        let grant = self.grant(self.terms(GranteeKind::Member, doctor.address()));
        let acting = doctor.acting().claiming(grant);
        let amended = self.amend(&doctor.wallet, &acting, record, Purpose::Treatment);
        assert_eq!(amended, Ok(Basis::Grant));
        doctor
    }

    /// Somebody asks to add a record of this class; the record, and what was decided.
    pub fn write(&mut self, wallet: &Keypair, acting: &As, class: u8, purpose: Purpose) -> (Id, Result<Basis, Reason>) {
        let args = CreateRecordArgs {
            purpose,
            grant: acting.claimed(),
            ..self.record_args(class)
        };
        let create = ix::create_record(acting, wallet.pubkey(), None, &self.patient.id, args);
        let event = self.chain.must(create, &[wallet]);
        (args.record, judged(&event))
    }

    /// Somebody asks to put another version in a record's place.
    pub fn amend(&mut self, wallet: &Keypair, acting: &As, record: Id, purpose: Purpose) -> Result<Basis, Reason> {
        let account: Record = self.chain.read(&address::record(&self.patient.id, &record));
        let args = AmendRecordArgs {
            request: self.id(),
            expected_version: account.version,
            purpose,
            grant: acting.claimed(),
            content: content(9),
        };
        let amend = ix::amend_record(acting, None, &self.patient.id, &record, args);
        judged(&self.chain.must(amend, &[wallet]))
    }
}

/// Guardians as the patient names them.
pub fn named(wallets: &[Keypair]) -> Vec<GuardianNamed> {
    let name = |(place, wallet): (usize, &Keypair)| GuardianNamed {
        wallet: wallet.pubkey(),
        encryption_key: [place as u8 + 1; 32],
    };
    wallets.iter().enumerate().map(name).collect()
}

/// All who have no say in what concerns the patient alone.
pub fn outsiders(world: &mut World) -> Vec<Keypair> {
    let carer = world.delegate(Action::MASK);
    vec![
        world.chain.wallet(),
        world.chain.admin.insecure_clone(),
        world.hospital.authority.insecure_clone(),
        world.doctor.wallet.insecure_clone(),
        world.insurer.wallet.insecure_clone(),
        carer.wallet,
    ]
}
