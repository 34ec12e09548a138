use anchor_lang::prelude::*;

use super::acting::*;
use crate::{
    events::AccessAllowed,
    policy::Subject,
    seeds::Id,
    state::{require_id, Record},
    vocabulary::{Action, Basis, Purpose, Reason},
    ChartsealError,
};

/// Asks to read a version of a record: the newest, or an earlier one, which only the patient, its delegates and who
/// wrote the first may. An amendment so takes nothing from those whose record it is. Always signed by the reader. What
/// comes of it is an event: `AccessAllowed`, against which a key store releases the reader's wrapped key, or
/// `ActionRefused`.
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
    /// From 1.
    pub version: u32,
    pub purpose: Purpose,
    /// Id of the grant that is claimed, or zeros.
    pub grant: Id,
}

impl AccessRecord {
    fn validate(&self, args: &AccessRecordArgs) -> Result<()> {
        require_id(&args.request)?;
        require!(
            args.version > 0 && args.version <= self.record.version,
            ChartsealError::StaleVersion
        );
        require!(
            self.record.patient == self.acting.patient.id,
            ChartsealError::ForeignPatient
        );
        Ok(())
    }
}

/// Who may read the newest version reads that; an earlier one is for the patient, its delegates, and who began the
/// record.
fn may_read_version(
    record: &Record,
    version: u32,
    basis: Basis,
    credential: Option<Address>,
) -> core::result::Result<(), Reason> {
    let own = match basis {
        Basis::Patient | Basis::Delegate => true,
        Basis::Author => credential == Some(record.origin),
        Basis::Consent | Basis::Steward | Basis::Grant | Basis::Policy | Basis::Emergency => false,
    };
    if own || version == record.version {
        Ok(())
    } else {
        Err(Reason::OlderVersion)
    }
}

pub(crate) fn handler(ctx: &mut Context<AccessRecord>, args: &AccessRecordArgs) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.validate(args)?;
    let now = Clock::get()?.unix_timestamp;
    let record = &accounts.record;
    let credential = accounts.acting.member.as_ref().map(|member| *member.address());
    let outcome = accounts.acting.decide_also(
        &Intent {
            request: &args.request,
            record: &record.id,
            subject: Subject::of(record),
            action: Action::Read,
            purpose: args.purpose,
            grant: &args.grant,
            consent: false,
            now,
        },
        |basis, _| may_read_version(record, args.version, basis, credential),
    )?;
    let event = match outcome {
        Outcome::Refused(event) => event,
        Outcome::Allowed(Allowed { actor, basis, under }) => {
            let log = &mut *accounts.acting.log;
            log.write(&args.request, &actor.wallet, basis.byte(), now, |link| AccessAllowed {
                link,
                request: args.request,
                record: record.id,
                version: args.version,
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
