use anchor_lang::prelude::*;

use crate::{
    events::DelegateNamed,
    seeds::{Id, BUMP, DELEGATE},
    state::{require_id, AccessLog, Delegate, Patient, Registry, NO_OUTCOME},
    vocabulary::Action,
    ChartsealError,
};

/// The patient names somebody who acts for it. The delegation begins when the delegate's wallet accepts. Only the
/// patient's own wallet does this: neither a delegate nor a steward names delegates.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: NameDelegateArgs)]
pub struct NameDelegate {
    pub wallet: Signer,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub registry: Account<Registry>,
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Delegate>(),
        seeds = [DELEGATE, patient.id.as_ref(), args.id.as_ref()],
        bump
    )]
    pub delegate: Account<Delegate>,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct NameDelegateArgs {
    /// 16 random bytes.
    pub id: Id,
    pub wallet: Address,
    /// One bit for each `Action`.
    pub rights: u8,
    /// Seconds since 1970: from here on the delegation gives no right.
    pub expires: i64,
}

impl NameDelegate {
    fn validate(&self, args: &NameDelegateArgs, now: i64) -> Result<()> {
        require_id(&args.id)?;
        require!(args.wallet != Address::default(), ChartsealError::ZeroId);
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(
            self.patient.is_wallet(self.wallet.address()),
            ChartsealError::NotPatient
        );
        require!(
            args.rights != 0 && args.rights & !Action::MASK == 0,
            ChartsealError::BadRights
        );
        require!(args.expires > now, ChartsealError::ExpiryInPast);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<NameDelegate>, args: &NameDelegateArgs) -> Result<()> {
    require!(ctx.bumps.delegate == BUMP, ChartsealError::BumpNot255);
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    let signer = *accounts.wallet.address();
    let account = *accounts.delegate.address();
    let delegate = &mut *accounts.delegate;
    delegate.id = args.id;
    delegate.patient = accounts.patient.id;
    delegate.wallet = args.wallet;
    delegate.expires = args.expires;
    delegate.created_at = now;
    delegate.rights = args.rights;
    let event = accounts
        .log
        .write(&args.id, &signer, NO_OUTCOME, now, |link| DelegateNamed {
            link,
            delegate: args.id,
            account,
            wallet: args.wallet,
            rights: args.rights,
            expires: args.expires,
            head: [0; 32],
        })?;
    emit_cpi!(event);
    Ok(())
}
