use anchor_lang::prelude::*;

use super::deciding::*;
use crate::{
    events::PolicySet,
    seeds::{NO_ID, POLICY},
    state::{Institution, Policy},
    vocabulary::{Action, Purpose},
    ChartsealError,
};

/// The patient says which new records an institution shares by itself, and whether its members may add such. What was
/// chosen before is replaced; choosing nothing withdraws it. Only taking away is never paused.
#[event_cpi]
#[derive(Accounts)]
pub struct SetPolicy {
    pub deciding: Nested<Deciding>,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub institution: Account<Institution>,
    #[account(
        init_if_needed,
        payer = payer,
        space = 8 + core::mem::size_of::<Policy>(),
        seeds = [POLICY, deciding.patient.id.as_ref(), institution.id.as_ref()],
        bump
    )]
    pub policy: Account<Policy>,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct SetPolicyArgs {
    /// Sharing classes, one bit each. Zero withdraws the policy.
    pub classes: u32,
    /// One bit for each `Purpose`.
    pub purposes: u8,
    /// Whether the institution's members may add records of these classes.
    pub enrols: bool,
    /// Seconds since 1970: from here on it gives no right.
    pub expires: i64,
}

impl SetPolicy {
    fn validate(&self, args: &SetPolicyArgs, now: i64) -> Result<()> {
        if self.gives(args) {
            self.deciding.may_give(now)?;
            let append = if args.enrols { Action::Append.bit() } else { 0 };
            self.deciding
                .may_give_these(Action::Read.bit() | append, args.expires)?;
            require!(self.institution.is_active(now), ChartsealError::InstitutionNotActive);
            require!(args.expires > now, ChartsealError::BadValidity);
        } else {
            self.deciding.may_take(now)?;
        }
        let exist = args.purposes & !Purpose::MASK == 0;
        let sound = if args.classes == 0 {
            args.purposes == 0 && !args.enrols
        } else {
            args.purposes != 0
        };
        require!(exist && sound, ChartsealError::BadPolicy);
        Ok(())
    }

    /// Whether it would give anything that the policy does not give now.
    fn gives(&self, args: &SetPolicyArgs) -> bool {
        let now = &self.policy;
        args.classes & !now.classes != 0
            || args.purposes & !now.purposes != 0
            || (args.enrols && now.enrols == 0)
            || (args.classes != 0 && args.expires > now.expires)
    }
}

pub(crate) fn handler(ctx: &mut Context<SetPolicy>, args: &SetPolicyArgs) -> Result<()> {
    let bump = ctx.bumps.policy;
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    let by = *accounts.deciding.issuer.address();
    let institution = accounts.institution.id;
    let patient = accounts.deciding.patient.id;
    let policy = &mut *accounts.policy;
    if policy.patient == NO_ID {
        policy.patient = patient;
        policy.institution = institution;
        policy.created_at = now;
        policy.bump = bump;
    }
    policy.choose(args.classes, now);
    policy.purposes = args.purposes;
    policy.enrols = args.enrols.into();
    policy.expires = args.expires;
    policy.changed_at = now;
    let event = accounts.deciding.write(&institution, now, |link| PolicySet {
        link,
        institution,
        classes: args.classes,
        purposes: args.purposes,
        enrols: args.enrols,
        expires: args.expires,
        by,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
