//! The ways in which somebody acts on a record: in which capacity, on what claim, and what the policy answers.

use chartseal_program::{
    builders::{self as ix, As, By},
    events::Terms,
    instructions::{CreateGrantArgs, OpenPatientArgs},
    seeds::{Id, NO_ID},
    vocabulary::*,
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::Stage;
use crate::common::*;

/// In what capacity and on what claim.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// The patient's wallet, and nothing else.
    Patient,
    /// The patient's wallet, with a member's and a delegate's account and a grant with three ancestors passed along.
    PatientWithAll,
    /// The doctor, who wrote the record.
    Author,
    /// A member with a grant, and the patient signs too.
    Consent,
    /// A member by a grant that names it.
    MemberGrant,
    /// A member by a grant that names its institution.
    InstitutionGrant,
    PersonGrant,
    /// A member by a grant with three ancestors, each with counted uses.
    Line,
    /// The same, and the patient signs too.
    LineWithConsent,
    Policy,
    Emergency,
    /// A member of the institution that opened the patient.
    Steward,
    Delegate,
    /// Refused: a member without a claim ...
    NoClaim,
    /// ... by a grant that was revoked ...
    Revoked,
    /// ... by a grant that there is not ...
    Missing,
    /// ... by a grant whose first ancestor was revoked ...
    LineRevoked,
    /// ... a person whom a grant names, for a profession's purpose ...
    PersonRefused,
    /// ... and what a policy or an emergency does not give.
    PolicyRefused,
    EmergencyRefused,
}

/// Somebody who is about to act.
pub(super) struct Actor {
    pub(super) acting: As,
    pub(super) wallet: Keypair,
    pub(super) consent: Option<Keypair>,
    pub(super) purpose: Purpose,
    pub(super) answer: Result<Basis, Reason>,
}

impl Actor {
    fn new(acting: As, wallet: &Keypair, purpose: Purpose, answer: Result<Basis, Reason>) -> Self {
        Self {
            acting,
            wallet: wallet.insecure_clone(),
            consent: None,
            purpose,
            answer,
        }
    }

    /// A member, for treatment.
    fn member(acting: As, member: &Person, answer: Result<Basis, Reason>) -> Self {
        Self::new(acting, &member.wallet, Purpose::Treatment, answer)
    }

    fn with_consent(self, stage: &Stage) -> Self {
        Self {
            consent: Some(stage.world.patient.wallet.insecure_clone()),
            answer: Ok(Basis::Consent),
            ..self
        }
    }

    pub(super) fn signers(&self) -> Vec<&Keypair> {
        [&self.wallet].into_iter().chain(&self.consent).collect()
    }
}

impl Stage {
    /// Another member of the doctor's hospital.
    pub(super) fn nurse(&mut self) -> Person {
        let (hospital, number) = (self.world.hospital.clone(), self.number());
        self.world.chain.member(&hospital, number, Role::Nurse)
    }

    /// A patient without a wallet, whom the hospital opened, takes the place of the one with a wallet.
    pub(super) fn steward_patient(&mut self) -> By {
        let (id, hospital) = (self.random_id(), self.world.hospital.clone());
        let (authority, args) = (hospital.authority.pubkey(), OpenPatientArgs { id, keys: keys(4) });
        let open = ix::open_patient(authority, authority, Some(&hospital.id), args);
        self.world.chain.must(open, &[&hospital.authority]);
        self.world.patient.id = id;
        hospital.stewards()
    }

    /// Somebody who acts in this way on class 0.
    pub(super) fn actor(&mut self, way: Way) -> Actor {
        match way {
            Way::Patient => {
                let patient = &self.world.patient;
                Actor::new(patient.acting(), &patient.wallet, Purpose::Personal, Ok(Basis::Patient))
            }
            Way::PatientWithAll => self.patient_with_all(),
            Way::Author => {
                let doctor = &self.world.doctor;
                Actor::member(doctor.acting(), doctor, Ok(Basis::Author))
            }
            Way::Consent => self.actor(Way::MemberGrant).with_consent(self),
            Way::Line | Way::LineRevoked => self.line(way == Way::LineRevoked),
            Way::LineWithConsent => self.actor(Way::Line).with_consent(self),
            Way::PersonGrant | Way::PersonRefused => self.person(way == Way::PersonRefused),
            Way::Delegate => {
                let carer = self.world.delegate(Action::MASK);
                Actor::new(carer.acting(), &carer.wallet, Purpose::Personal, Ok(Basis::Delegate))
            }
            _ => {
                let nurse = self.nurse();
                self.member(way, &nurse)
            }
        }
    }

    fn member(&mut self, way: Way, nurse: &Person) -> Actor {
        let hospital = self.world.hospital.clone();
        let (member, body) = (GranteeKind::Member, GranteeKind::Institution);
        let own = self.world.terms(member, nurse.address());
        let theirs = self.world.terms(body, hospital.address());
        let counted = |terms| Terms { uses: 9, ..terms };
        match way {
            Way::MemberGrant => self.by_grant(nurse, counted(own)),
            Way::InstitutionGrant => self.by_grant(nurse, counted(theirs)),
            Way::Policy | Way::PolicyRefused => {
                self.world.set_policy(&hospital, |args| args.enrols = true);
                let answer = [Ok(Basis::Policy), Err(Reason::RightNotGranted)][usize::from(way == Way::PolicyRefused)];
                Actor::member(nurse.acting().by_policy(hospital.id), nurse, answer)
            }
            Way::Emergency | Way::EmergencyRefused => {
                self.world.set_credential(&hospital, nurse, true);
                let acting = nurse.acting().in_emergency(self.world.open_emergency(nurse));
                let refused = way == Way::EmergencyRefused;
                let answer = [Ok(Basis::Emergency), Err(Reason::RightNotGranted)][usize::from(refused)];
                Actor::new(acting, &nurse.wallet, Purpose::Emergency, answer)
            }
            Way::Steward => {
                self.steward_patient();
                Actor::member(nurse.acting(), nurse, Ok(Basis::Steward))
            }
            Way::Revoked => {
                let grant = self.world.grant(own);
                self.world.revoke(grant);
                Actor::member(nurse.acting().claiming(grant), nurse, Err(Reason::GrantRevoked))
            }
            Way::Missing => {
                let acting = nurse.acting().claiming(self.random_id());
                Actor::member(acting, nurse, Err(Reason::NoGrant))
            }
            _ => Actor::member(nurse.acting(), nurse, Err(Reason::NoGrant)),
        }
    }

    fn by_grant(&mut self, nurse: &Person, terms: Terms) -> Actor {
        let grant = self.world.grant(terms);
        Actor::member(nurse.acting().claiming(grant), nurse, Ok(Basis::Grant))
    }

    fn line(&mut self, revoked: bool) -> Actor {
        let line = self.world.passed_on(|terms| terms.uses = 9);
        if revoked {
            self.world.revoke(line.grants[0]);
        }
        let answer = if revoked {
            Err(Reason::AncestorLapsed)
        } else {
            Ok(Basis::Grant)
        };
        Actor::member(line.acting(3), &line.holders[3], answer)
    }

    fn person(&mut self, refused: bool) -> Actor {
        let (wallet, acting) = self.world.relative(|terms| terms.uses = 9);
        match refused {
            true => Actor::new(acting, &wallet, Purpose::Treatment, Err(Reason::PurposeNotPersonal)),
            false => Actor::new(acting, &wallet, Purpose::Personal, Ok(Basis::Grant)),
        }
    }

    fn patient_with_all(&mut self) -> Actor {
        let line = self.world.passed_on(|terms| terms.uses = 9);
        let (carer, patient) = (self.world.delegate(Action::MASK), self.world.patient.clone());
        let acting = As {
            wallet: patient.wallet.pubkey(),
            delegate: Some(carer.id),
            ..line.acting(3)
        };
        Actor::new(acting, &patient.wallet, Purpose::Personal, Ok(Basis::Patient))
    }

    /// A grant that somebody gave who decides for the patient.
    pub(super) fn given(&mut self, by: &By, wallet: &Keypair) -> Id {
        let args = CreateGrantArgs {
            id: self.world.grant_id(),
            terms: self.world.terms(GranteeKind::Member, self.world.insurer.address()),
        };
        let create = ix::create_grant(by, self.payer(), &self.world.patient.id, args);
        let relayer = self.relayer();
        self.world.chain.must(create, &[&relayer, wallet]);
        args.id
    }

    /// A record of class 0 that is there when somebody acts in this way: the doctor's, or what a patient writes.
    pub(super) fn record_for(&mut self, way: Way) -> Id {
        match way {
            Way::Patient | Way::PatientWithAll | Way::Delegate => {
                let patient = self.world.patient.clone();
                let (record, answer) = self
                    .world
                    .write(&patient.wallet, &patient.acting(), 0, Purpose::Personal);
                assert_eq!(answer, Ok(Basis::Patient));
                record
            }
            Way::Steward => NO_ID,
            _ => self.world.record(),
        }
    }
}
