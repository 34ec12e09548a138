//! Who tries it, and on what claim.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{As, By},
    seeds::Id,
    vocabulary::*,
};

use crate::{
    model::{Claimed, Who},
    step::Dice,
    universe::Universe,
};

/// Who acts, as the builders and as the model say it.
pub(super) struct Actor {
    pub(super) acting: As,
    pub(super) who: Who,
    pub(super) claimed: Claimed,
}

impl Universe {
    /// Somebody who acts on a patient's chart, and a claim: mostly one that fits.
    pub(super) fn actor(&self, patient: &Id, dice: &mut Dice) -> Option<Actor> {
        let owner = self.model.patients[patient].wallet;
        let grants: Vec<(Id, Id)> = self
            .model
            .grants
            .keys()
            .filter(|(of, _)| of == patient)
            .copied()
            .collect();
        let mut claimed = Claimed::Nothing;
        let (mut acting, who) = match dice.below(10) {
            0..=5 => {
                let mut member = Self::any(&self.model.members, dice)?;
                // Claim something that names the member, if there is anything.
                match dice.below(5) {
                    0..=2 => {
                        if let Some((of, id)) = dice.pick(&grants).copied() {
                            let named = self.model.grants[&(of, id)].terms.grantee;
                            if self.model.members.contains_key(&named) && dice.usually(90) {
                                member = named;
                            }
                            claimed = Claimed::Grant((of, id), self.ancestors(&of, &id, dice));
                        }
                    }
                    3 => {
                        let body = self.model.members[&member].institution;
                        let policies: Vec<Id> = self
                            .model
                            .policies
                            .keys()
                            .filter(|(of, _)| of == patient)
                            .map(|(_, body)| *body)
                            .collect();
                        let body = if policies.contains(&body) {
                            Some(body)
                        } else {
                            dice.pick(&policies).copied()
                        };
                        claimed = body.map_or(Claimed::Nothing, |body| Claimed::Policy(*patient, body));
                    }
                    _ => {
                        let open: Vec<(Id, Id)> = self
                            .model
                            .emergencies
                            .keys()
                            .filter(|(of, _)| of == patient)
                            .copied()
                            .collect();
                        if let Some((of, id)) = dice.pick(&open).copied() {
                            if dice.usually(85) {
                                member = self.model.emergencies[&(of, id)].member;
                            }
                            claimed = Claimed::Emergency(of, id);
                        }
                    }
                }
                (self.as_member(&member)?, Who::Member(member))
            }
            6 => (As::wallet(owner?), Who::Patient),
            7 | 8 => {
                let delegates: Vec<Id> = self
                    .model
                    .delegates
                    .keys()
                    .filter(|(of, _)| of == patient)
                    .map(|(_, id)| *id)
                    .collect();
                let id = *dice.pick(&delegates)?;
                let wallet = self.model.delegates[&(*patient, id)].wallet;
                (As::delegate(wallet, id), Who::Delegate(id))
            }
            _ => {
                let persons: Vec<(Id, Id)> = grants
                    .iter()
                    .filter(|key| self.model.grants[*key].terms.grantee_kind == GranteeKind::Person)
                    .copied()
                    .collect();
                let (of, id) = *dice.pick(&persons)?;
                claimed = Claimed::Grant((of, id), Vec::new());
                let wallet = self.model.grants[&(of, id)].terms.grantee;
                (As::wallet(wallet), Who::Person(wallet))
            }
        };
        // The patient's own wallet is the patient, whatever else it passes.
        let who = if owner == Some(acting.wallet) {
            Who::Patient
        } else {
            who
        };
        match &claimed {
            Claimed::Grant((_, id), passed) => acting = acting.claiming_passed_on(*id, passed),
            Claimed::Policy(_, body) => acting = acting.by_policy(*body),
            Claimed::Emergency(_, id) => acting = acting.in_emergency(*id),
            Claimed::Nothing => {}
        }
        Some(Actor { acting, who, claimed })
    }

    /// The grants that one descends from; sometimes not all of them.
    pub(super) fn ancestors(&self, patient: &Id, grant: &Id, dice: &mut Dice) -> Vec<Id> {
        let mut line = self.model.ancestors(patient, grant);
        if !dice.usually(92) {
            line.pop();
        }
        line
    }

    /// A purpose that the actor may well have.
    pub(super) fn purpose(&self, actor: &Actor, dice: &mut Dice) -> Purpose {
        let ordinary = match actor.who {
            Who::Member(_) if matches!(actor.claimed, Claimed::Emergency(..)) => Purpose::Emergency,
            Who::Member(address) => match self.model.members[&address].role {
                Role::Insurer => Purpose::Payment,
                Role::Researcher => Purpose::Research,
                _ => Purpose::Treatment,
            },
            _ => Purpose::Personal,
        };
        if dice.usually(88) {
            ordinary
        } else {
            Purpose::ALL[dice.below(7)]
        }
    }

    /// Somebody who decides for a patient, or tries to.
    pub(super) fn by(&self, patient: &Id, dice: &mut Dice) -> By {
        let found = &self.model.patients[patient];
        let delegates: Vec<(Address, Id)> = self
            .model
            .delegates
            .iter()
            .filter(|((of, _), _)| of == patient)
            .map(|((_, id), delegate)| (delegate.wallet, *id))
            .collect();
        if !dice.usually(75) {
            if let Some((wallet, id)) = dice.pick(&delegates).copied() {
                return By::delegate(wallet, id);
            }
        }
        match found.wallet {
            Some(wallet) => By::wallet(self.right_or_wrong(wallet, dice)),
            None => {
                let authority = self.model.institutions[&found.steward].authority;
                By::steward(self.right_or_wrong(authority, dice), found.steward)
            }
        }
    }
}
