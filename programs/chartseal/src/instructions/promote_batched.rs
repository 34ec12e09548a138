use alloc::vec::Vec;
use anchor_lang::{accounts::UncheckedAccount, prelude::*};

use super::acting::*;
use crate::{
    events::{Content, RecordPromoted},
    merkle::{self, Leaf},
    policy::Subject,
    seeds::{Id, BUMP, RECORD},
    state::{require_id, slot, Batch, Record},
    vocabulary::{Action, Purpose, CLASSES},
    ChartsealError,
};

/// Puts one record of a batch into the chart of the patient whom its leaf names. Whoever may add to the chart does
/// that; the record's author stays who anchored the batch. Like `create_record`, a refusal is logged and makes no
/// account; a record that is not in the batch is an error, whoever asks.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: PromoteBatchedArgs)]
pub struct PromoteBatched {
    pub acting: Nested<Acting>,
    /// Pays the rent.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// The patient's wallet, where it signs this very transaction.
    pub consent: Option<Signer>,
    pub batch: Account<Batch>,
    /// CHECK: the empty address of the new record; made only once the policy has allowed it.
    #[account(mut, seeds = [RECORD, acting.patient.id.as_ref(), args.record.as_ref()], bump)]
    pub record: UncheckedAccount,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Debug)]
pub struct PromoteBatchedArgs {
    /// 16 random bytes that name this attempt in the log.
    pub request: Id,
    /// Id of the record, as the leaf has it.
    pub record: Id,
    /// Sharing class, as the leaf has it.
    pub class: u8,
    pub purpose: Purpose,
    /// Id of the grant that is claimed, or zeros.
    pub grant: Id,
    /// As the leaf has it.
    pub content: Content,
    /// Place in the batch, from 0.
    pub index: u32,
    /// Siblings from the leaf upwards. Up to 16 of them fit a transaction with one signer: batches of 65,536 records.
    pub proof: Vec<[u8; 32]>,
}

impl PromoteBatched {
    fn validate(&self, args: &PromoteBatchedArgs) -> Result<()> {
        require_id(&args.request)?;
        require_id(&args.record)?;
        require!(args.class < CLASSES, ChartsealError::BadClass);
        args.content.validate()?;
        let patient = &self.acting.patient;
        if let Some(wallet) = &self.consent {
            require!(patient.is_wallet(wallet.address()), ChartsealError::NotPatient);
        }
        let batch = &self.batch;
        let leaf = Leaf {
            institution: &batch.institution,
            batch: &batch.id,
            index: args.index,
            patient: &patient.id,
            record: &args.record,
            class: args.class,
            content: &args.content,
        };
        require!(
            merkle::verify(&leaf.hash(), args.index, batch.count, &args.proof, &batch.root),
            ChartsealError::NotInBatch
        );
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<PromoteBatched>, args: &PromoteBatchedArgs) -> Result<()> {
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
            let patient = accounts.acting.patient.id;
            let (payer, slot) = (accounts.payer.account(), accounts.record.account());
            let mut record = slot::create::<Record>(payer, slot, &[RECORD, &patient, &args.record])?;
            let batch = &accounts.batch;
            record.begin(
                &args.record,
                &patient,
                args.class,
                &batch.author,
                &batch.institution,
                now,
            );
            record.set_content(&args.content);
            let log = &mut *accounts.acting.log;
            log.write(&args.record, &actor.wallet, basis.byte(), now, |link| RecordPromoted {
                link,
                request: args.request,
                record: args.record,
                class: args.class,
                institution: batch.institution,
                batch: batch.id,
                index: args.index,
                author: batch.author,
                actor,
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
