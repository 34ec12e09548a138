use anchor_lang::prelude::*;

use super::deciding::*;
use crate::{events::RecordErased, state::Record, ChartsealError};

/// Makes a record a tombstone, for good: nobody reads it any more, and whoever keeps keys has to destroy them. Never
/// paused. Only the patient's wallet does that, or the authority of the active steward of a patient without one; a
/// delegate gives and takes rights but destroys nothing.
#[event_cpi]
#[derive(Accounts)]
pub struct EraseRecord {
    pub deciding: Nested<Deciding>,
    #[account(mut)]
    pub record: Account<Record>,
}

impl EraseRecord {
    fn validate(&self, now: i64) -> Result<()> {
        let deciding = &self.deciding;
        require!(deciding.delegate.is_none(), ChartsealError::NotPatient);
        deciding.may_take(now)?;
        // Taking a right away can be made good, erasing cannot: a steward that was suspended, because its key was
        // stolen perhaps, does not do it.
        let active = deciding.patient.is_wallet(deciding.issuer.address())
            || deciding.steward.as_ref().is_some_and(|steward| steward.is_active(now));
        require!(active, ChartsealError::InstitutionNotActive);
        require!(
            self.record.patient == deciding.patient.id,
            ChartsealError::ForeignPatient
        );
        require!(!self.record.is_erased(), ChartsealError::RecordErased);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<EraseRecord>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(now)?;
    let by = *accounts.deciding.issuer.address();
    let (id, version) = (accounts.record.id, accounts.record.version);
    accounts.record.erase(now);
    let event = accounts.deciding.write(&id, now, |link| RecordErased {
        link,
        record: id,
        version,
        by,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
