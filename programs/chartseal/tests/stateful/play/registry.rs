//! The admin, institutions and their members.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix},
    instructions::*,
    seeds::Id,
    vocabulary::*,
};

use crate::{
    common::{keys, DAY},
    step::{Dice, Kind},
    universe::{Came, Universe},
};

impl Universe {
    pub(super) fn play_admin(&mut self, kind: Kind, dice: &mut Dice) -> Option<Result<Came, String>> {
        let admin = self.right_or_wrong(self.model.admin, dice);
        let body = Self::any(&self.model.institutions, dice)?;
        let instruction = match kind {
            Kind::Initialize => {
                let data = crate::common::program_data();
                ix::initialize(admin, admin, data, self.any_wallet(dice))
            }
            Kind::ProposeAdmin => ix::propose_admin(admin, self.any_wallet(dice)),
            Kind::AcceptAdmin => ix::accept_admin(self.right_or_wrong(self.model.proposed_admin, dice)),
            // Paused seldom, and not for long.
            Kind::SetPaused => ix::set_paused(admin, !self.model.paused && !dice.usually(85)),
            Kind::RegisterInstitution => {
                let args = RegisterInstitutionArgs {
                    id: self.fresh_id(),
                    kind: InstitutionKind::ALL[dice.below(5)],
                    authority: self.any_wallet(dice),
                    expires: self.model.now + [400, 1, 0][dice.below(3)] * DAY,
                };
                ix::register_institution(admin, admin, args)
            }
            Kind::SetInstitutionStanding => {
                let lift = self.model.institutions[&body].standing == Standing::Suspended || !dice.usually(70);
                let standing = if lift { Standing::Active } else { Standing::Suspended };
                ix::set_institution_standing(admin, &body, standing)
            }
            _ => ix::renew_institution(admin, &body, self.model.now + [400, 10, 0][dice.below(3)] * DAY),
        };
        self.one(instruction, dice)
    }

    pub(super) fn play_institution(&mut self, kind: Kind, dice: &mut Dice) -> Option<Result<Came, String>> {
        let body = Self::any(&self.model.institutions, dice)?;
        let found = self.model.institutions[&body].clone();
        let authority = self.right_or_wrong(found.authority, dice);
        let members: Vec<(Address, Id)> = self.model.members.iter().map(|(at, member)| (*at, member.id)).collect();
        let (address, member_id) = *dice.pick(&members)?;
        let member = self.model.members[&address].clone();
        let boss = self.model.institutions[&member.institution].authority;
        let boss = self.right_or_wrong(boss, dice);
        let instruction = match kind {
            Kind::AcceptInstitution => ix::accept_institution(authority, &body, keys(5)),
            Kind::ProposeAuthority => ix::propose_authority(authority, &body, self.any_wallet(dice)),
            Kind::AcceptAuthority => ix::accept_authority(self.right_or_wrong(found.proposed, dice), &body),
            Kind::RegisterMember => {
                let args = RegisterMemberArgs {
                    id: self.fresh_id(),
                    wallet: self.any_wallet(dice),
                    role: Role::ALL[dice.below(6)],
                    expires: self.model.now + [300, 2, 0][dice.below(3)] * DAY,
                };
                ix::register_member(authority, authority, &body, args)
            }
            Kind::AcceptMembership => {
                let invited: Vec<Address> = self
                    .model
                    .members
                    .iter()
                    .filter(|(_, member)| !member.accepted)
                    .map(|(address, _)| *address)
                    .collect();
                let named = dice.pick(&invited).copied().unwrap_or(address);
                let invited = self.model.members[&named].clone();
                let wallet = self.right_or_wrong(invited.wallet, dice);
                ix::accept_membership(wallet, &invited.institution, &invited.id, keys(6))
            }
            Kind::SetMemberStanding => {
                let lift = member.standing == Standing::Suspended || !dice.usually(60);
                let standing = if lift { Standing::Active } else { Standing::Suspended };
                ix::set_member_standing(boss, &member.institution, &member_id, standing)
            }
            Kind::RenewMember => {
                let expires = self.model.now + [300, 3, 0][dice.below(3)] * DAY;
                ix::renew_member(boss, &member.institution, &member_id, expires)
            }
            _ => ix::set_emergency_credential(boss, &member.institution, &member_id, !member.emergencies),
        };
        self.one(instruction, dice)
    }
}
