//! Emergencies and their reviews.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix, Reviewing},
    instructions::*,
    seeds::{self, Id},
    vocabulary::*,
};

use crate::{
    step::{Dice, Kind},
    universe::{Came, Universe},
};

impl Universe {
    pub(super) fn play_emergency(&mut self, kind: Kind, dice: &mut Dice) -> Option<Result<Came, String>> {
        let (patient, _) = self.patient(dice)?;
        if kind == Kind::OpenEmergency {
            let holders: Vec<Address> = self
                .model
                .members
                .iter()
                .filter(|(_, member)| member.emergencies)
                .map(|(address, _)| *address)
                .collect();
            let address = match dice.pick(&holders) {
                Some(holder) if dice.usually(85) => *holder,
                _ => Self::any(&self.model.members, dice)?,
            };
            let member = self.model.members[&address].clone();
            let wallet = self.right_or_wrong(member.wallet, dice);
            let args = OpenEmergencyArgs {
                id: self.draw(seeds::EMERGENCY, &patient),
                reason_hash: [5; 32],
                duration: [6 * 3_600, 60, 12 * 3_600, 12 * 3_600 + 1][dice.below(4)],
            };
            let as_member = (&member.institution, &member.id);
            return self.one(ix::open_emergency(wallet, wallet, as_member, &patient, args), dice);
        }
        let opened: Vec<(Id, Id)> = self.model.emergencies.keys().copied().collect();
        let (patient, id) = *dice.pick(&opened)?;
        let emergency = self.model.emergencies[&(patient, id)].clone();
        let opener = self.model.members[&emergency.member].clone();
        let authority = self.model.institutions[&emergency.institution].authority;
        let reviewer = Reviewer::ALL[dice.below(10).min(9) / 7];
        let right = match reviewer {
            Reviewer::Patient => self.model.patients[&patient].wallet.unwrap_or(authority),
            Reviewer::Institution => authority,
        };
        let reviewer = if dice.usually(60) {
            Reviewer::Institution
        } else {
            reviewer
        };
        let right = if reviewer == Reviewer::Institution {
            authority
        } else {
            right
        };
        let args = ReviewEmergencyArgs {
            reviewer,
            verdict: Verdict::ALL[usize::from(!dice.usually(75))],
        };
        let by = Reviewing::wallet(self.right_or_wrong(right, dice));
        let as_member = (&emergency.institution, &opener.id);
        self.one(ix::review_emergency(&by, as_member, &patient, &id, args), dice)
    }
}
