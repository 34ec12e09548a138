//! Who the accounts and ids in a log are, as far as the institutions' chains in the same file say.

use std::collections::BTreeMap;

use anchor_lang::prelude::Address;
use chartseal_program::{
    events::{Actor, AnyEvent, Terms},
    seeds::{Id, NO_ID},
    vocabulary::{GranteeKind, InstitutionKind, Role},
};

/// Institutions and members that an event names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Ids of institutions.
    pub institutions: Vec<Id>,
    /// Addresses of the accounts of institutions and members.
    pub accounts: Vec<Address>,
}

impl Mentions {
    /// Those of an event.
    pub fn of(event: &AnyEvent) -> Self {
        let mut found = Self::default();
        match event {
            AnyEvent::PatientOpened(e) => found.institution(&e.steward),
            AnyEvent::RecordCreated(e) => found.actor(&e.author),
            AnyEvent::RecordAmended(e) => found.actor(&e.author),
            AnyEvent::RecordPromoted(e) => {
                found.institution(&e.institution);
                found.actor(&e.actor);
            }
            AnyEvent::ErasureAttested(e) => found.actor(&e.actor),
            AnyEvent::GrantCreated(e) => found.terms(&e.terms),
            AnyEvent::GrantPassedOn(e) => {
                found.actor(&e.actor);
                found.terms(&e.terms);
            }
            AnyEvent::RequestDecided(e) if e.approved => found.terms(&e.terms),
            AnyEvent::PolicySet(e) => found.institution(&e.institution),
            AnyEvent::AccessRequested(e) => found.actor(&e.actor),
            AnyEvent::EmergencyOpened(e) => found.actor(&e.actor),
            AnyEvent::AccessAllowed(e) => found.actor(&e.actor),
            AnyEvent::AccessSettled(e) => found.institution(&e.consumer),
            AnyEvent::ActionRefused(e) => found.actor(&e.actor),
            AnyEvent::BreakGlassSet(e) => found.accounts.extend(&e.holders),
            AnyEvent::AgreementProposed(e) => found.institution(&e.provider),
            _ => {}
        }
        found
    }

    fn institution(&mut self, id: &Id) {
        if *id != NO_ID {
            self.institutions.push(*id);
        }
    }

    fn actor(&mut self, actor: &Actor) {
        self.institution(&actor.institution);
    }

    fn terms(&mut self, terms: &Terms) {
        match terms.grantee_kind {
            GranteeKind::Member | GranteeKind::Institution => self.accounts.push(terms.grantee),
            GranteeKind::Person => {}
        }
    }
}

/// What the institutions' chains say of who is who.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    institutions: BTreeMap<Id, InstitutionKind>,
    accounts: BTreeMap<[u8; 32], Id>,
    members: BTreeMap<[u8; 32], (Role, Id)>,
}

impl Names {
    pub(crate) fn learn(&mut self, event: &AnyEvent) {
        let id = event.link().subject;
        match event {
            AnyEvent::InstitutionRegistered(e) => {
                self.institutions.insert(id, e.kind);
                self.accounts.insert(e.institution.to_bytes(), id);
            }
            AnyEvent::MemberRegistered(e) => {
                self.members.insert(e.member.to_bytes(), (e.role, id));
            }
            _ => {}
        }
    }

    /// What kind of institution has this id.
    pub fn institution(&self, id: &Id) -> Option<InstitutionKind> {
        self.institutions.get(id).copied()
    }

    /// The id of the institution whose account this is.
    pub fn institution_at(&self, account: &Address) -> Option<Id> {
        self.accounts.get(&account.to_bytes()).copied()
    }

    /// The role of the member whose account this is, and the id of its institution.
    pub fn member(&self, account: &Address) -> Option<(Role, Id)> {
        self.members.get(&account.to_bytes()).copied()
    }
}
