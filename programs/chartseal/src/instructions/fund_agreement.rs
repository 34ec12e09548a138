use anchor_lang::{accounts::UncheckedAccount, prelude::*};
use anchor_spl::token_interface::Mint;

use crate::{
    events::AgreementFunded,
    state::{Agreement, Institution, Registry},
    tokens::Transfer,
    ChartsealError,
};

/// The consumer puts a deposit into escrow, before or after the provider has accepted. What counts is by how much the
/// escrow's balance grew.
#[event_cpi]
#[derive(Accounts)]
pub struct FundAgreement {
    /// The consumer's authority, and owner of the account that pays.
    pub authority: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub consumer: Account<Institution>,
    #[account(mut)]
    pub agreement: Account<Agreement>,
    /// CHECK: the token program checks it.
    #[account(mut)]
    pub source: UncheckedAccount,
    /// CHECK: the one that the agreement names.
    #[account(mut)]
    pub escrow: UncheckedAccount,
    pub mint: InterfaceAccount<Mint>,
    /// CHECK: the one that the agreement names.
    pub token_program: UncheckedAccount,
}

impl FundAgreement {
    fn validate(&self, now: i64) -> Result<()> {
        let agreement = &self.agreement;
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(agreement.consumer == self.consumer.id, ChartsealError::BadParty);
        require!(
            self.consumer.authority == *self.authority.address(),
            ChartsealError::NotInstitutionAuthority
        );
        require!(self.consumer.is_active(now), ChartsealError::InstitutionNotActive);
        agreement.require_current(now)?;
        agreement.require_tokens(self.mint.address(), self.token_program.address(), self.escrow.address())
    }

    fn deposit(&self, amount: u64) -> Result<u64> {
        Transfer {
            from: self.source.account(),
            to: self.escrow.account(),
            mint: self.mint.account(),
            decimals: self.mint.decimals(),
            authority: self.authority.account(),
            token_program: &self.agreement.token_program,
        }
        .deposit(amount)
    }
}

pub(crate) fn handler(ctx: &mut Context<FundAgreement>, amount: u64) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(now)?;
    let received = accounts.deposit(amount)?;
    require!(received != 0, ChartsealError::BadPrice);
    let agreement = &mut *accounts.agreement;
    agreement.deposited = agreement
        .deposited
        .checked_add(received)
        .ok_or(ChartsealError::Overflow)?;
    let (id, consumer) = (agreement.id, agreement.consumer);
    let event = accounts.consumer.chain.extend(&consumer, now, |link| AgreementFunded {
        link,
        agreement: id,
        received,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
