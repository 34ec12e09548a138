use alloc::vec::Vec;
use anchor_lang::prelude::*;

use crate::{
    events::{GuardianNamed, GuardiansSet},
    seeds::SAFEGUARDS,
    state::{AccessLog, Patient, Registry, Safeguards, LONGEST_DELAY, MOST_GUARDIANS, NO_OUTCOME, SHORTEST_DELAY},
    ChartsealError,
};

/// The patient names its guardians, and how many of them change its wallet after which delay. What was named before is
/// replaced, and votes are void. Only the patient's own wallet does this.
#[event_cpi]
#[derive(Accounts)]
pub struct SetGuardians {
    pub wallet: Signer,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub registry: Account<Registry>,
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    #[account(
        init_if_needed,
        payer = payer,
        space = 8 + core::mem::size_of::<Safeguards>(),
        seeds = [SAFEGUARDS, patient.id.as_ref()],
        bump
    )]
    pub safeguards: Account<Safeguards>,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Debug)]
pub struct SetGuardiansArgs {
    /// At most five. None takes the recovery away.
    pub guardians: Vec<GuardianNamed>,
    /// How many have to agree.
    pub threshold: u8,
    /// Seconds between their vote and the change of the wallet: one day to thirty. Zero where there are none.
    pub delay: i64,
}

impl SetGuardians {
    fn validate(&self, args: &SetGuardiansArgs) -> Result<()> {
        // Naming none takes the recovery away, which is never paused.
        let names = !args.guardians.is_empty();
        require!(!names || !self.registry.is_paused(), ChartsealError::Paused);
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(
            self.patient.is_wallet(self.wallet.address()),
            ChartsealError::NotPatient
        );
        let named = &args.guardians;
        if named.is_empty() {
            require!(args.threshold == 0 && args.delay == 0, ChartsealError::BadGuardians);
            return Ok(());
        }
        let sound = named.len() <= MOST_GUARDIANS
            && args.threshold > 0
            && usize::from(args.threshold) <= named.len()
            && named.iter().enumerate().all(|(place, guardian)| {
                guardian.wallet != Address::default()
                    && guardian.wallet != self.patient.wallet
                    && guardian.encryption_key != [0; 32]
                    && named[..place].iter().all(|before| before.wallet != guardian.wallet)
            });
        require!(sound, ChartsealError::BadGuardians);
        require!(
            (SHORTEST_DELAY..=LONGEST_DELAY).contains(&args.delay),
            ChartsealError::BadDelay
        );
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<SetGuardians>, args: &SetGuardiansArgs) -> Result<()> {
    let bump = ctx.bumps.safeguards;
    let accounts = &mut ctx.accounts;
    accounts.validate(args)?;
    let now = Clock::get()?.unix_timestamp;
    let wallet = *accounts.wallet.address();
    let patient = accounts.patient.id;
    let safeguards = &mut *accounts.safeguards;
    safeguards.patient = patient;
    safeguards.bump = bump;
    safeguards.clear_recovery();
    safeguards.name_guardians(&args.guardians);
    safeguards.guardian_threshold = args.threshold;
    safeguards.delay = args.delay;
    let event = accounts
        .log
        .write(&patient, &wallet, NO_OUTCOME, now, |link| GuardiansSet {
            link,
            guardians: args.guardians.clone(),
            threshold: args.threshold,
            delay: args.delay,
            head: [0; 32],
        })?;
    emit_cpi!(event);
    Ok(())
}
