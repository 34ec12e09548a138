use alloc::vec::Vec;
use anchor_lang::{accounts::UncheckedAccount, prelude::*};

use crate::{
    events::BreakGlassSet,
    seeds::SAFEGUARDS,
    state::{AccessLog, Institution, Patient, Registry, Safeguards, MOST_GUARDIANS, NO_OUTCOME},
    ChartsealError,
};

/// The patient names the institutions that hold shares of a break-glass key, and how many of them open a record to
/// whoever opened an emergency. New records' keys are shared among them by their authors. Only the patient's own wallet
/// does this.
#[event_cpi]
#[derive(Accounts)]
pub struct SetBreakGlass {
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
    /// CHECK: the first institution, where there is one. All are Institution accounts.
    pub holder_1: Option<UncheckedAccount>,
    /// CHECK: the second.
    pub holder_2: Option<UncheckedAccount>,
    /// CHECK: the third.
    pub holder_3: Option<UncheckedAccount>,
    /// CHECK: the fourth.
    pub holder_4: Option<UncheckedAccount>,
    /// CHECK: the fifth.
    pub holder_5: Option<UncheckedAccount>,
}

impl SetBreakGlass {
    fn validate(&self) -> Result<()> {
        // Naming none takes the shares away, which is never paused.
        let names = self.holder_1.is_some();
        require!(!names || !self.registry.is_paused(), ChartsealError::Paused);
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(
            self.patient.is_wallet(self.wallet.address()),
            ChartsealError::NotPatient
        );
        Ok(())
    }

    /// The institutions that were passed, without gaps and each once.
    fn holders(&self, threshold: u8) -> Result<Vec<Address>> {
        let slots = [
            &self.holder_1,
            &self.holder_2,
            &self.holder_3,
            &self.holder_4,
            &self.holder_5,
        ];
        let mut holders: Vec<Address> = Vec::with_capacity(MOST_GUARDIANS);
        let mut ended = false;
        for slot in slots {
            let Some(account) = slot else {
                ended = true;
                continue;
            };
            let view = account.account();
            let institution = view.owned_by(&crate::ID)
                && view
                    .try_borrow()
                    .is_ok_and(|data| data.get(..8) == Some(Institution::DISCRIMINATOR));
            require!(
                institution && !ended && !holders.contains(view.address()),
                ChartsealError::BadHolders
            );
            holders.push(*view.address());
        }
        let none = holders.is_empty() && threshold == 0;
        let some = threshold > 0 && usize::from(threshold) <= holders.len();
        require!(none || some, ChartsealError::BadHolders);
        Ok(holders)
    }
}

pub(crate) fn handler(ctx: &mut Context<SetBreakGlass>, threshold: u8) -> Result<()> {
    let bump = ctx.bumps.safeguards;
    let accounts = &mut ctx.accounts;
    accounts.validate()?;
    let holders = accounts.holders(threshold)?;
    let now = Clock::get()?.unix_timestamp;
    let wallet = *accounts.wallet.address();
    let patient = accounts.patient.id;
    let safeguards = &mut *accounts.safeguards;
    safeguards.patient = patient;
    safeguards.bump = bump;
    safeguards.name_holders(&holders);
    safeguards.holder_threshold = threshold;
    let event = accounts
        .log
        .write(&patient, &wallet, NO_OUTCOME, now, |link| BreakGlassSet {
            link,
            holders,
            threshold,
            head: [0; 32],
        })?;
    emit_cpi!(event);
    Ok(())
}
