use anchor_lang::{accounts::UncheckedAccount, prelude::*};
use anchor_spl::token_interface::Mint;

use crate::{
    events::AgreementClosed,
    state::{Agreement, Institution},
    tokens::{balance, close_escrow, validate_receiver, Transfer},
    vocabulary::AgreementState,
    ChartsealError,
};

/// Either institution ends an agreement, and what is left in escrow goes back to the consumer. Never paused, and
/// suspended institutions can.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseAgreement {
    /// The authority of the consumer or of the provider.
    pub authority: Signer,
    #[account(mut)]
    pub consumer: Account<Institution>,
    pub provider: Account<Institution>,
    #[account(mut)]
    pub agreement: Account<Agreement>,
    /// CHECK: the one that the agreement names.
    #[account(mut)]
    pub escrow: UncheckedAccount,
    /// CHECK: the one that the agreement names. The consumer may name another of the same mint: its first one may have
    /// been closed since, and the deposit must not be lost with it.
    #[account(mut)]
    pub refund: UncheckedAccount,
    /// CHECK: the wallet of the consumer's authority, which gets the escrow's rent whoever closes.
    #[account(mut, unsafe(dup))]
    pub rent_to: UncheckedAccount,
    pub mint: InterfaceAccount<Mint>,
    /// CHECK: the one that the agreement names.
    pub token_program: UncheckedAccount,
}

impl CloseAgreement {
    fn validate(&self) -> Result<()> {
        let agreement = &self.agreement;
        require!(
            agreement.consumer == self.consumer.id && agreement.provider == self.provider.id,
            ChartsealError::BadParty
        );
        let by = self.authority.address();
        let by_consumer = self.consumer.authority == *by;
        require!(by_consumer || self.provider.authority == *by, ChartsealError::BadParty);
        require!(agreement.is_open(), ChartsealError::AgreementClosed);
        agreement.require_tokens(self.mint.address(), self.token_program.address(), self.escrow.address())?;
        require!(
            by_consumer || agreement.refund == *self.refund.address(),
            ChartsealError::BadTokenAccount
        );
        require!(
            self.consumer.authority == *self.rent_to.address(),
            ChartsealError::BadParty
        );
        validate_receiver(
            self.refund.account(),
            &agreement.mint,
            &agreement.token_program,
            agreement.address(),
        )
    }

    /// Returns all that lies in escrow; how much that was.
    fn give_back(&self) -> Result<u64> {
        let rest = balance(self.escrow.account())?;
        Transfer {
            from: self.escrow.account(),
            to: self.refund.account(),
            mint: self.mint.account(),
            decimals: self.mint.decimals(),
            authority: self.agreement.account(),
            token_program: &self.agreement.token_program,
        }
        .pay(&self.agreement, rest)?;
        Ok(rest)
    }
}

pub(crate) fn handler(ctx: &mut Context<CloseAgreement>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate()?;
    let returned = accounts.give_back()?;
    close_escrow(
        accounts.escrow.account(),
        accounts.rent_to.account(),
        accounts.agreement.account(),
        &accounts.agreement,
    )?;
    accounts.agreement.state = AgreementState::Closed.byte();
    let (by, refund) = (*accounts.authority.address(), *accounts.refund.address());
    let (id, consumer) = (accounts.agreement.id, accounts.consumer.id);
    let event = accounts.consumer.chain.extend(&consumer, now, |link| AgreementClosed {
        link,
        agreement: id,
        by,
        refund,
        returned,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
