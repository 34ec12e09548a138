use anchor_lang::prelude::*;

use super::acting::*;
use crate::{
    events::{Content, RecordAmended},
    policy::Subject,
    seeds::Id,
    state::{require_id, Record},
    vocabulary::{Action, Purpose},
    ChartsealError,
};

/// Puts a new version in a record's place. The versions form a hash chain; their ciphertexts stay where they are.
#[event_cpi]
#[derive(Accounts)]
pub struct AmendRecord {
    pub acting: Nested<Acting>,
    /// The patient's wallet, where it signs this very transaction.
    pub consent: Option<Signer>,
    #[account(mut)]
    pub record: Account<Record>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct AmendRecordArgs {
    /// 16 random bytes that name this attempt in the log.
    pub request: Id,
    /// The version that is amended. Where another came first, the instruction fails.
    pub expected_version: u32,
    pub purpose: Purpose,
    /// Id of the grant that is claimed, or zeros.
    pub grant: Id,
    pub content: Content,
}

impl AmendRecord {
    fn validate(&self, args: &AmendRecordArgs) -> Result<()> {
        require_id(&args.request)?;
        require!(
            self.record.patient == self.acting.patient.id,
            ChartsealError::ForeignPatient
        );
        if let Some(wallet) = &self.consent {
            require!(
                self.acting.patient.is_wallet(wallet.address()),
                ChartsealError::NotPatient
            );
        }
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<AmendRecord>, args: &AmendRecordArgs) -> Result<()> {
    let accounts = &mut ctx.accounts;
    accounts.validate(args)?;
    let now = Clock::get()?.unix_timestamp;
    let record = &accounts.record;
    let outcome = accounts.acting.decide(&Intent {
        request: &args.request,
        record: &record.id,
        subject: Subject::of(record),
        action: Action::Amend,
        purpose: args.purpose,
        grant: &args.grant,
        consent: accounts.consent.is_some(),
        now,
    })?;
    let event = match outcome {
        Outcome::Refused(event) => event,
        Outcome::Allowed(Allowed { actor, basis, under }) => {
            args.content.validate()?;
            let author = accounts.acting.author(&actor);
            let record = &mut accounts.record;
            require!(record.version == args.expected_version, ChartsealError::StaleVersion);
            let version = record.version.checked_add(1).ok_or(ChartsealError::Overflow)?;
            let previous = record.version_hash();
            record.previous = previous;
            record.version = version;
            record.author = author;
            record.institution = actor.institution;
            record.set_content(&args.content);
            record.updated_at = now;
            let id = record.id;
            let log = &mut *accounts.acting.log;
            log.write(&id, &actor.wallet, basis.byte(), now, |link| RecordAmended {
                link,
                request: args.request,
                record: id,
                version,
                author: actor,
                purpose: args.purpose,
                basis,
                under,
                content: args.content,
                previous,
                head: [0; 32],
            })?
        }
    };
    emit_cpi!(event);
    Ok(())
}
