use anchor_lang::prelude::*;

use crate::{
    events::PatientOpened,
    log::{Chain, ChainKind},
    seeds::{Id, ACCESS_LOG, NO_ID, PATIENT, REFUSAL_LOG},
    state::{require_id, AccessLog, Institution, Keys, Patient, RefusalLog, Registry, NO_OUTCOME},
    vocabulary::InstitutionKind,
    ChartsealError,
};

/// Opens a patient and its two logs: signed by the patient's own wallet, or by the authority of a steward institution
/// for a patient who has no wallet yet.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: OpenPatientArgs)]
pub struct OpenPatient {
    /// The patient's wallet, or the steward's authority where `steward` is passed.
    pub opener: Signer,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub registry: Account<Registry>,
    /// The institution that opens a patient without a wallet.
    pub steward: Option<Account<Institution>>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Patient>(),
        seeds = [PATIENT, args.id.as_ref()],
        bump
    )]
    pub patient: Account<Patient>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<AccessLog>(),
        seeds = [ACCESS_LOG, args.id.as_ref()],
        bump
    )]
    pub log: Account<AccessLog>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<RefusalLog>(),
        seeds = [REFUSAL_LOG, args.id.as_ref()],
        bump
    )]
    pub refusals: Account<RefusalLog>,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct OpenPatientArgs {
    /// 16 random bytes: the patient's pseudonym.
    pub id: Id,
    pub keys: Keys,
}

impl OpenPatient {
    fn validate(&self, args: &OpenPatientArgs, now: i64) -> Result<()> {
        require_id(&args.id)?;
        args.keys.validate()?;
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        if let Some(steward) = &self.steward {
            require!(
                steward.authority == *self.opener.address(),
                ChartsealError::NotInstitutionAuthority
            );
            require!(steward.is_active(now), ChartsealError::InstitutionNotActive);
            let cares = matches!(
                steward.kind(),
                Some(InstitutionKind::Hospital | InstitutionKind::Laboratory)
            );
            require!(cares, ChartsealError::NoSteward);
        }
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<OpenPatient>, args: &OpenPatientArgs) -> Result<()> {
    let (patient_bump, log_bump, refusals_bump) = (ctx.bumps.patient, ctx.bumps.log, ctx.bumps.refusals);
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    let opener = *accounts.opener.address();
    let (wallet, steward) = match &accounts.steward {
        Some(institution) => (Address::default(), institution.id),
        None => (opener, NO_ID),
    };

    let patient = &mut *accounts.patient;
    patient.id = args.id;
    patient.wallet = wallet;
    patient.keys = args.keys;
    patient.steward = steward;
    patient.created_at = now;
    patient.key_epoch = 1;
    patient.bump = patient_bump;

    let refusals = &mut *accounts.refusals;
    refusals.patient = args.id;
    refusals.chain = Chain::begin(ChainKind::Refusals, &args.id);
    refusals.bump = refusals_bump;

    let log = &mut *accounts.log;
    log.patient = args.id;
    log.chain = Chain::begin(ChainKind::Log, &args.id);
    log.bump = log_bump;
    let event = log.write(&args.id, &opener, NO_OUTCOME, now, |link| PatientOpened {
        link,
        wallet,
        steward,
        encryption_key: args.keys.encryption,
        post_quantum_key_hash: args.keys.post_quantum_hash,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
