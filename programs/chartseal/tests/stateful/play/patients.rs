//! Patients, their delegates and guardians.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix},
    events::GuardianNamed,
    instructions::*,
    seeds::{self, Id, NO_ID},
};

use crate::{
    common::{keys, DAY},
    step::{Dice, Kind},
    universe::{Came, Universe},
};

impl Universe {
    pub(super) fn play_patient(&mut self, kind: Kind, dice: &mut Dice) -> Option<Result<Came, String>> {
        let (id, right) = self.patient(dice)?;
        let wallet = self.right_or_wrong(right, dice);
        let patient = self.model.patients[&id].clone();
        let delegates: Vec<(Id, Id)> = self
            .model
            .delegates
            .keys()
            .filter(|(of, _)| *of == id)
            .copied()
            .collect();
        let instruction = match kind {
            Kind::OpenPatient => {
                let body = Self::any(&self.model.institutions, dice)?;
                let steward = dice.usually(40).then_some(body);
                let authority = self.model.institutions[&body].authority;
                let opener = if steward.is_some() {
                    authority
                } else {
                    self.any_wallet(dice)
                };
                let opener = self.right_or_wrong(opener, dice);
                let args = OpenPatientArgs {
                    id: self.fresh_id(),
                    keys: keys(7),
                };
                ix::open_patient(opener, opener, steward.as_ref(), args)
            }
            Kind::ProposeWallet => {
                let steward = patient.wallet.is_none().then_some(patient.steward);
                let next = if dice.usually(80) {
                    self.any_wallet(dice)
                } else {
                    Address::default()
                };
                ix::propose_wallet(wallet, steward.as_ref(), &id, next)
            }
            Kind::AcceptWallet => {
                let steward = (patient.steward != NO_ID).then_some(&patient.steward);
                ix::accept_wallet(self.right_or_wrong(patient.proposed, dice), steward, &id, keys(8))
            }
            Kind::RotatePatientKey => ix::rotate_patient_key(wallet, &id, keys(9)),
            Kind::NameDelegate => {
                let args = NameDelegateArgs {
                    id: self.draw(seeds::DELEGATE, &id),
                    wallet: self.any_wallet(dice),
                    rights: dice.mask(5),
                    expires: self.model.now + [100, 1, 0][dice.below(3)] * DAY,
                };
                ix::name_delegate(wallet, wallet, &id, args)
            }
            Kind::AcceptDelegation => {
                let (of, delegate) = *dice.pick(&delegates)?;
                let named = self.model.delegates[&(of, delegate)].wallet;
                ix::accept_delegation(self.right_or_wrong(named, dice), &of, &delegate, keys(10))
            }
            _ => {
                let (of, delegate) = *dice.pick(&delegates)?;
                ix::revoke_delegate(wallet, &of, &delegate)
            }
        };
        self.one(instruction, dice)
    }

    pub(super) fn play_recovery(&mut self, kind: Kind, dice: &mut Dice) -> Option<Result<Came, String>> {
        let (id, right) = self.patient(dice)?;
        let wallet = self.right_or_wrong(right, dice);
        let safeguards = self.model.safeguards.get(&id).cloned();
        let instruction = match kind {
            Kind::SetGuardians => {
                let count = [3, 2, 1, 0, 5][dice.below(5)];
                let first = dice.below(16);
                let guardians = (0..count).map(|n| GuardianNamed {
                    wallet: self.wallet(first + n),
                    encryption_key: [1; 32],
                });
                let args = SetGuardiansArgs {
                    guardians: guardians.collect(),
                    threshold: if count == 0 { 0 } else { 1 + dice.below(count) as u8 },
                    delay: if count == 0 { 0 } else { [DAY, 3 * DAY][dice.below(2)] },
                };
                ix::set_guardians(wallet, wallet, &id, args)
            }
            Kind::SetBreakGlass => {
                let bodies: Vec<Id> = self.model.institutions.keys().copied().collect();
                let count = dice.below(bodies.len().min(5) + 1);
                let threshold = if count == 0 { 0 } else { 1 + dice.below(count) as u8 };
                ix::set_break_glass(wallet, wallet, &id, &bodies[..count], threshold)
            }
            Kind::VoteRecovery => {
                let safeguards = safeguards?;
                let guardian = dice.pick(&safeguards.guardians).copied().unwrap_or(wallet);
                let guardian = self.right_or_wrong(guardian, dice);
                let next = self.wallet([14, 15][usize::from(!dice.usually(75))]);
                let withdrawn = !dice.usually(85);
                let args = VoteRecoveryArgs {
                    wallet: if withdrawn { Address::default() } else { next },
                    keys: if withdrawn { keys(0) } else { keys(11) },
                };
                ix::vote_recovery(guardian, &id, args)
            }
            Kind::ObjectToRecovery => ix::object_to_recovery(wallet, &id),
            _ => {
                let due = safeguards?.pending.map_or(self.wallet(14), |(wallet, _)| wallet);
                ix::finish_recovery(self.right_or_wrong(due, dice), &id)
            }
        };
        self.one(instruction, dice)
    }
}
