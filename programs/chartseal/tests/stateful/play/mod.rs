//! How each kind of step is tried: by whom, on what, on which terms. Mostly by those who may, often enough by others.

mod actors;
mod agreements;
mod anonymous;
mod consent;
mod emergencies;
mod patients;
mod records;
mod registry;

use anchor_lang::prelude::Address;
use chartseal_program::seeds::Id;

use crate::{
    common::DAY,
    step::{Dice, Kind, Step},
    universe::{Came, Universe},
};

impl Universe {
    /// Tries a step.
    ///
    /// # Errors
    /// What must not be.
    pub(crate) fn play(&mut self, step: &Step) -> Result<Came, String> {
        let dice = &mut step.dice();
        self.play_kind(step.kind, dice).unwrap_or(Ok(Came::Idle))
    }

    /// `None` where there is nothing to try it on.
    fn play_kind(&mut self, kind: Kind, dice: &mut Dice) -> Option<Result<Came, String>> {
        match kind {
            Kind::Wait => {
                self.wait([60, 1, 3_599, 3_600, 6 * 3_600, DAY, 5 * DAY][dice.below(7)]);
                Some(Ok(Came::Done))
            }
            Kind::Initialize
            | Kind::ProposeAdmin
            | Kind::AcceptAdmin
            | Kind::SetPaused
            | Kind::RegisterInstitution
            | Kind::SetInstitutionStanding
            | Kind::RenewInstitution => self.play_admin(kind, dice),
            Kind::AcceptInstitution
            | Kind::ProposeAuthority
            | Kind::AcceptAuthority
            | Kind::RegisterMember
            | Kind::AcceptMembership
            | Kind::SetMemberStanding
            | Kind::RenewMember
            | Kind::SetEmergencyCredential => self.play_institution(kind, dice),
            Kind::OpenPatient
            | Kind::ProposeWallet
            | Kind::AcceptWallet
            | Kind::RotatePatientKey
            | Kind::NameDelegate
            | Kind::AcceptDelegation
            | Kind::RevokeDelegate => self.play_patient(kind, dice),
            Kind::SetGuardians
            | Kind::SetBreakGlass
            | Kind::VoteRecovery
            | Kind::ObjectToRecovery
            | Kind::FinishRecovery => self.play_recovery(kind, dice),
            Kind::CreateRecord | Kind::AmendRecord | Kind::AccessRecord | Kind::EraseRecord | Kind::AttestErasure => {
                self.play_record(kind, dice)
            }
            Kind::AnchorBatch | Kind::PromoteBatched => self.play_batch(kind, dice),
            Kind::CreateGrant | Kind::PassOnGrant | Kind::RevokeGrant => self.play_grant(kind, dice),
            Kind::SetPolicy | Kind::RequestAccess | Kind::DecideRequest => self.play_consent(kind, dice),
            Kind::OpenEmergency | Kind::ReviewEmergency => self.play_emergency(kind, dice),
            Kind::ProposeAgreement
            | Kind::AcceptAgreement
            | Kind::FundAgreement
            | Kind::SettleAccess
            | Kind::CloseAgreement => self.play_agreement(kind, dice),
            Kind::OpenTree
            | Kind::CreateAnonymousGrant
            | Kind::RevokeAnonymousGrant
            | Kind::VerifyAccessProof
            | Kind::CloseNullifier => self.play_unnamed(kind, dice),
        }
    }

    fn one(&mut self, instruction: solana_instruction::Instruction, dice: &mut Dice) -> Option<Result<Came, String>> {
        Some(self.send(vec![instruction], None, dice))
    }

    fn any<K: Copy + Ord, V>(among: &std::collections::BTreeMap<K, V>, dice: &mut Dice) -> Option<K> {
        let keys: Vec<K> = among.keys().copied().collect();
        dice.pick(&keys).copied()
    }

    /// A patient, and its wallet or whoever stands for it.
    fn patient(&self, dice: &mut Dice) -> Option<(Id, Address)> {
        // Mostly one of the cast, about whom there is something to be tried.
        let id = if dice.usually(85) {
            crate::common::id(20 + dice.below(2) as u64)
        } else {
            Self::any(&self.model.patients, dice)?
        };
        Some((id, self.model.patients[&id].wallet.unwrap_or(self.wallet(1))))
    }
}
