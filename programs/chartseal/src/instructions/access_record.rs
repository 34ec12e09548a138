use anchor_lang::prelude::*;

use super::acting::*;
use crate::{
    events::AccessAllowed,
    policy::Subject,
    seeds::Id,
    state::{require_id, Record},
    vocabulary::{Action, Purpose},
    ChartsealError,
};

/// Asks to read a record. Always signed by the reader. What comes of it is an event: `AccessAllowed`, against which a
/// key store releases the reader's wrapped key, or `ActionRefused`.
#[event_cpi]
#[derive(Accounts)]
pub struct AccessRecord {
    pub acting: Nested<Acting>,
    pub record: Account<Record>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct AccessRecordArgs {
    /// Chosen by the reader, 16 random bytes: names this access to the key store.
    pub request: Id,
    pub purpose: Purpose,
    /// Id of the grant that is claimed, or zeros.
    pub grant: Id,
}

impl AccessRecord {
    fn validate(&self, args: &AccessRecordArgs) -> Result<()> {
        require_id(&args.request)?;
        require!(
            self.record.patient == self.acting.patient.id,
            ChartsealError::ForeignPatient
        );
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<AccessRecord>, args: &AccessRecordArgs) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.validate(args)?;
    let now = Clock::get()?.unix_timestamp;
    let record = &accounts.record;
    let outcome = accounts.acting.decide(&Intent {
        request: &args.request,
        record: &record.id,
        subject: Subject::of(record),
        action: Action::Read,
        purpose: args.purpose,
        grant: &args.grant,
        consent: false,
        now,
    })?;
    let event = match outcome {
        Outcome::Refused(event) => event,
        Outcome::Allowed(Allowed { actor, basis, under }) => {
            let log = &mut *accounts.acting.log;
            log.write(&args.request, &actor.wallet, basis.byte(), now, |link| AccessAllowed {
                link,
                request: args.request,
                record: record.id,
                version: record.version,
                actor,
                purpose: args.purpose,
                basis,
                under,
                head: [0; 32],
            })?
        }
    };
    emit_cpi!(event);
    Ok(())
}
