use anchor_lang::prelude::*;

use super::deciding::speaks_for;
use crate::{
    events::EmergencyReviewed,
    state::{AccessLog, Delegate, Emergency, Institution, Member, Patient, NO_OUTCOME},
    vocabulary::{Action, Reviewer, Role, Verdict},
    ChartsealError,
};

/// The patient, or the opener's institution, says what it thinks of an emergency: each once, but that one found
/// justified can still be found unjustified, and never by the wallet that opened it. One that is found unjustified ends
/// at once. The institution's review lets its opener open another. Never paused.
#[event_cpi]
#[derive(Accounts)]
pub struct ReviewEmergency {
    pub reviewer: Signer,
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    #[account(mut)]
    pub emergency: Account<Emergency>,
    /// The member that opened it.
    #[account(mut)]
    pub member: Account<Member>,
    /// Its institution.
    #[account(mut)]
    pub institution: Account<Institution>,
    /// The membership of an auditor of that institution who reviews for it.
    pub auditor: Option<Account<Member>>,
    /// The delegation by which somebody reviews for the patient.
    pub delegate: Option<Account<Delegate>>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct ReviewEmergencyArgs {
    /// For whom.
    pub reviewer: Reviewer,
    pub verdict: Verdict,
}

impl ReviewEmergency {
    fn validate(&self, args: &ReviewEmergencyArgs, now: i64) -> Result<()> {
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(
            self.emergency.patient == self.patient.id,
            ChartsealError::ForeignPatient
        );
        require!(
            self.emergency.member == *self.member.address(),
            ChartsealError::ForeignMember
        );
        require!(
            self.emergency.institution == self.institution.id,
            ChartsealError::ForeignMember
        );
        let wallet = self.reviewer.address();
        let opener = self.emergency.wallet == *wallet || self.member.wallet == *wallet;
        require!(!opener, ChartsealError::OwnReview);
        match args.reviewer {
            Reviewer::Patient => self.validate_for_patient(now)?,
            Reviewer::Institution => {
                require!(self.reviews_for_institution(now), ChartsealError::NotReviewer);
            }
        }
        // A review of an emergency that is still open cannot know what comes: it can be turned once, against the
        // opener.
        let turned = args.verdict == Verdict::Unjustified
            && self.emergency.verdict_of(args.reviewer) == Some(Verdict::Justified);
        require!(
            self.emergency.reviewed_at(args.reviewer) == 0 || turned,
            ChartsealError::AlreadyReviewed
        );
        Ok(())
    }

    /// The patient's wallet, or a delegate's that decides for the patient. A steward does not: it is a hospital, and
    /// the patient's review is the one that is not a hospital's.
    fn validate_for_patient(&self, now: i64) -> Result<()> {
        let wallet = self.reviewer.address();
        match &self.delegate {
            Some(delegate) => {
                let decides = delegate.patient == self.patient.id
                    && delegate.wallet == *wallet
                    && delegate.has(Action::Share)
                    && delegate.fault(now).is_none();
                require!(decides, ChartsealError::NotReviewer);
                Ok(())
            }
            None => speaks_for(wallet, &self.patient, None),
        }
    }

    fn reviews_for_institution(&self, now: i64) -> bool {
        let wallet = self.reviewer.address();
        match &self.auditor {
            Some(auditor) => {
                auditor.institution == self.institution.id
                    && auditor.wallet == *wallet
                    && auditor.role() == Some(Role::Auditor)
                    && auditor.is_active(now)
            }
            None => self.institution.authority == *wallet,
        }
    }
}

pub(crate) fn handler(ctx: &mut Context<ReviewEmergency>, args: &ReviewEmergencyArgs) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    let by = *accounts.reviewer.address();
    let emergency = &mut *accounts.emergency;
    match args.reviewer {
        Reviewer::Patient => {
            emergency.patient_reviewed_at = now;
            emergency.patient_verdict = args.verdict.byte();
        }
        Reviewer::Institution => {
            if emergency.institution_reviewed_at == 0 {
                let (member, institution) = (&mut accounts.member, &mut accounts.institution);
                member.unreviewed_emergencies = member.unreviewed_emergencies.saturating_sub(1);
                institution.unreviewed_emergencies = institution.unreviewed_emergencies.saturating_sub(1);
            }
            emergency.institution_reviewed_at = now;
            emergency.institution_verdict = args.verdict.byte();
        }
    }
    if args.verdict == Verdict::Unjustified {
        emergency.expires = emergency.expires.min(now);
    }
    let id = emergency.id;
    let log = &mut *accounts.log;
    let event = log.write(&id, &by, NO_OUTCOME, now, |link| EmergencyReviewed {
        link,
        emergency: id,
        reviewer: args.reviewer,
        by,
        verdict: args.verdict,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
