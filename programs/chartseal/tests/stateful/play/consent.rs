//! Grants, policies and requests.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix, By},
    events::Terms,
    instructions::*,
    seeds::{self, address, Id, NO_ID},
    state::UNLIMITED,
    vocabulary::*,
};

use super::actors::Actor;
use crate::{
    common::DAY,
    model::{Ask, Claimed, Who},
    step::{Dice, Kind},
    universe::{Came, Universe},
};

impl Universe {
    pub(super) fn terms(&self, patient: &Id, dice: &mut Dice) -> Option<Terms> {
        let records: Vec<Id> = self
            .model
            .records
            .keys()
            .filter(|(of, _)| of == patient)
            .map(|(_, id)| *id)
            .collect();
        let one = if dice.usually(65) {
            None
        } else {
            dice.pick(&records).copied()
        };
        let (grantee_kind, grantee) = match dice.below(10) {
            0..=4 => (GranteeKind::Member, Self::any(&self.model.members, dice)?),
            5..=7 => {
                let body = Self::any(&self.model.institutions, dice)?;
                (GranteeKind::Institution, address::institution(&body))
            }
            _ => (GranteeKind::Person, self.any_wallet(dice)),
        };
        Some(Terms {
            record: one.unwrap_or(NO_ID),
            classes: if one.is_some() { 0 } else { u32::from(dice.mask(4)) },
            grantee_kind,
            grantee,
            grantee_key: [0; 32],
            rights: dice.mask(5),
            purposes: dice.mask(7),
            not_before: [0, self.model.now + 3_600][usize::from(!dice.usually(90))],
            expires: self.model.now + [90 * DAY, DAY, 60][dice.below(3)],
            uses: [UNLIMITED, 1, 2, 5][dice.below(4)],
        })
    }

    pub(super) fn play_grant(&mut self, kind: Kind, dice: &mut Dice) -> Option<Result<Came, String>> {
        let (patient, _) = self.patient(dice)?;
        let grants: Vec<(Id, Id)> = self
            .model
            .grants
            .keys()
            .filter(|(of, _)| *of == patient)
            .copied()
            .collect();
        match kind {
            Kind::CreateGrant => {
                let by = self.by(&patient, dice);
                let args = CreateGrantArgs {
                    id: self.draw(seeds::GRANT, &patient),
                    terms: self.terms(&patient, dice)?,
                };
                self.one(ix::create_grant(&by, by.wallet, &patient, args), dice)
            }
            Kind::RevokeGrant => {
                let (of, grant) = *dice.pick(&grants)?;
                let by = match dice.usually(70) {
                    true => self.by(&of, dice),
                    false => By::wallet(self.model.grants[&(of, grant)].issuer),
                };
                self.one(ix::revoke_grant(&by, &of, &grant), dice)
            }
            _ => {
                let shared: Vec<(Id, Id)> = grants
                    .iter()
                    .filter(|key| self.model.grants[*key].terms.rights & Action::Share.bit() != 0)
                    .copied()
                    .collect();
                let (of, parent) = *dice.pick(&shared)?;
                self.pass_on(of, parent, dice)
            }
        }
    }

    pub(super) fn pass_on(&mut self, patient: Id, parent: Id, dice: &mut Dice) -> Option<Result<Came, String>> {
        let given = self.model.grants[&(patient, parent)].clone();
        let members: Vec<Address> = self
            .model
            .members
            .iter()
            .filter(|(address, member)| {
                **address == given.terms.grantee || address::institution(&member.institution) == given.terms.grantee
            })
            .map(|(address, _)| *address)
            .collect();
        let member = match dice.pick(&members) {
            Some(member) if dice.usually(92) => *member,
            _ => Self::any(&self.model.members, dice)?,
        };
        let passed = self.ancestors(&patient, &parent, dice);
        let acting = self.as_member(&member)?.claiming_passed_on(parent, &passed);
        let other = self.terms(&patient, dice)?;
        // Mostly what the parent gives, to somebody else.
        let terms = if dice.usually(75) {
            let keep = dice.usually(50);
            Terms {
                grantee_kind: other.grantee_kind,
                grantee: other.grantee,
                rights: if keep {
                    given.terms.rights
                } else {
                    given.terms.rights & other.rights
                },
                uses: if keep {
                    given.uses_left
                } else {
                    other.uses.min(given.uses_left)
                },
                grantee_key: [0; 32],
                ..given.terms
            }
        } else {
            other
        };
        let actor = Actor {
            acting,
            who: Who::Member(member),
            claimed: Claimed::Grant((patient, parent), passed),
        };
        let who = match self.model.patients[&patient].wallet {
            Some(wallet) if wallet == acting.wallet => Who::Patient,
            _ => actor.who,
        };
        let purpose = self.purpose(&actor, dice);
        let args = PassOnGrantArgs {
            request: self.fresh_id(),
            id: self.draw(seeds::GRANT, &patient),
            purpose,
            grant: parent,
            terms,
        };
        let found = self.model.records.get(&(patient, terms.record));
        let class = found.map_or(terms.classes.trailing_zeros() as u8 & 31, |record| record.class);
        let expected = matches!(who, Who::Member(_))
            && self.model.entitled(&Ask {
                patient,
                who,
                claimed: actor.claimed,
                action: Action::Share,
                purpose,
                record: terms.record,
                class,
                older: false,
                consent: false,
            })
            && self.model.may_pass_on(&patient, &parent, &terms);
        let pass = ix::pass_on_grant(&acting, acting.wallet, &patient, args);
        Some(self.send(vec![pass], Some(expected), dice))
    }

    pub(super) fn play_consent(&mut self, kind: Kind, dice: &mut Dice) -> Option<Result<Came, String>> {
        let (patient, _) = self.patient(dice)?;
        match kind {
            Kind::SetPolicy => {
                let by = self.by(&patient, dice);
                let body = Self::any(&self.model.institutions, dice)?;
                let nothing = !dice.usually(80);
                let args = SetPolicyArgs {
                    classes: if nothing { 0 } else { u32::from(dice.mask(4)) },
                    purposes: if nothing { 0 } else { dice.mask(7) },
                    enrols: !nothing && dice.usually(50),
                    expires: self.model.now + [90 * DAY, DAY][dice.below(2)],
                };
                self.one(ix::set_policy(&by, by.wallet, &patient, &body, args), dice)
            }
            Kind::RequestAccess => {
                let address = Self::any(&self.model.members, dice)?;
                let member = self.model.members[&address].clone();
                let wallet = self.right_or_wrong(member.wallet, dice);
                let usual = match member.role {
                    Role::Insurer => Purpose::Payment,
                    Role::Researcher => Purpose::Research,
                    _ => Purpose::Treatment,
                };
                let args = RequestAccessArgs {
                    id: self.draw(seeds::REQUEST, &patient),
                    record: NO_ID,
                    classes: u32::from(dice.mask(4)),
                    rights: if dice.usually(85) {
                        Action::Read.bit()
                    } else {
                        dice.mask(5)
                    },
                    purposes: if dice.usually(85) { usual.bit() } else { dice.mask(7) },
                    until: self.model.now + 60 * DAY,
                };
                let as_member = (&member.institution, &member.id);
                self.one(ix::request_access(wallet, wallet, as_member, &patient, args), dice)
            }
            _ => {
                let open: Vec<Id> = self
                    .model
                    .requests
                    .keys()
                    .filter(|(of, _)| *of == patient)
                    .map(|(_, id)| *id)
                    .collect();
                let request = *dice.pick(&open)?;
                let asked = self.model.requests[&(patient, request)].clone();
                let by = self.by(&patient, dice);
                let approval = Approval {
                    grant: self.draw(seeds::GRANT, &patient),
                    rights: if dice.usually(85) { asked.rights } else { dice.mask(5) },
                    purposes: if dice.usually(85) { asked.purposes } else { dice.mask(7) },
                    classes: asked.classes,
                    not_before: 0,
                    expires: if dice.usually(90) { asked.until } else { asked.until + 1 },
                    uses: [UNLIMITED, 1][dice.below(2)],
                };
                let approval = dice.usually(80).then_some(approval);
                let decide = ix::decide_request(
                    &by,
                    by.wallet,
                    &patient,
                    (&request, None),
                    DecideRequestArgs { approval },
                );
                self.one(decide, dice)
            }
        }
    }
}
