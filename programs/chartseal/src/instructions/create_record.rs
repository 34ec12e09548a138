use anchor_lang::{accounts::UncheckedAccount, prelude::*};

use super::acting::*;
use crate::{
    events::{Content, RecordCreated},
    policy::Subject,
    seeds::{Id, BUMP, RECORD},
    state::{require_id, slot, Record},
    vocabulary::{Action, Purpose, CLASSES},
    ChartsealError,
};

/// Adds a record to a patient's chart: where its ciphertext is and what it must hash to. A refused one is logged and
/// makes no account.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: CreateRecordArgs)]
pub struct CreateRecord {
    pub acting: Nested<Acting>,
    /// Pays the rent: the author's side.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// The patient's wallet, where it signs this very transaction.
    pub consent: Option<Signer>,
    /// CHECK: the empty address of the new record; made only once the policy has allowed it.
    #[account(mut, seeds = [RECORD, acting.patient.id.as_ref(), args.record.as_ref()], bump)]
    pub record: UncheckedAccount,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct CreateRecordArgs {
    /// 16 random bytes that name this attempt in the log.
    pub request: Id,
    /// Id of the new record: 16 random bytes.
    pub record: Id,
    /// Sharing class, 0 to 31.
    pub class: u8,
    pub purpose: Purpose,
    /// Id of the grant that is claimed, or zeros.
    pub grant: Id,
    pub content: Content,
}

impl CreateRecord {
    fn validate(&self, args: &CreateRecordArgs) -> Result<()> {
        require_id(&args.request)?;
        require_id(&args.record)?;
        require!(args.class < CLASSES, ChartsealError::BadClass);
        if let Some(wallet) = &self.consent {
            require!(
                self.acting.patient.is_wallet(wallet.address()),
                ChartsealError::NotPatient
            );
        }
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<CreateRecord>, args: &CreateRecordArgs) -> Result<()> {
    require!(ctx.bumps.record == BUMP, ChartsealError::BumpNot255);
    let accounts = &mut ctx.accounts;
    accounts.validate(args)?;
    let now = Clock::get()?.unix_timestamp;
    let consent = accounts.consent.is_some();
    let outcome = accounts.acting.decide(&Intent {
        request: &args.request,
        record: &args.record,
        subject: Subject::new(&args.record, args.class, now),
        action: Action::Append,
        purpose: args.purpose,
        grant: &args.grant,
        consent,
        now,
    })?;
    let event = match outcome {
        Outcome::Refused(event) => event,
        Outcome::Allowed(Allowed { actor, basis, under }) => {
            args.content.validate()?;
            let patient = accounts.acting.patient.id;
            let author = accounts.acting.author(&actor);
            let (payer, slot) = (accounts.payer.account(), accounts.record.account());
            let mut record = slot::create::<Record>(payer, slot, &[RECORD, &patient, &args.record])?;
            record.begin(&args.record, &patient, args.class, &author, &actor.institution, now);
            record.set_content(&args.content);
            let log = &mut *accounts.acting.log;
            log.write(&args.record, &actor.wallet, basis.byte(), now, |link| RecordCreated {
                link,
                request: args.request,
                record: args.record,
                class: args.class,
                author: actor,
                purpose: args.purpose,
                basis,
                under,
                content: args.content,
                head: [0; 32],
            })?
        }
    };
    emit_cpi!(event);
    Ok(())
}
