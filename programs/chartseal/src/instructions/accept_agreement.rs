use anchor_lang::prelude::*;
use anchor_spl::token_interface::TokenAccount;

use crate::{
    events::AgreementAccepted,
    state::{Agreement, Institution, Registry},
    tokens::validate_receiver,
    vocabulary::AgreementState,
    ChartsealError,
};

/// The provider accepts what the consumer proposed, and says where it is paid to.
#[event_cpi]
#[derive(Accounts)]
pub struct AcceptAgreement {
    /// The provider's authority.
    pub authority: Signer,
    pub registry: Account<Registry>,
    pub provider: Account<Institution>,
    #[account(mut)]
    pub consumer: Account<Institution>,
    #[account(mut)]
    pub agreement: Account<Agreement>,
    /// Takes what is paid.
    pub payee: InterfaceAccount<TokenAccount>,
}

impl AcceptAgreement {
    fn validate(&self, now: i64) -> Result<()> {
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(
            self.agreement.provider == self.provider.id && self.agreement.consumer == self.consumer.id,
            ChartsealError::BadParty
        );
        require!(
            self.provider.authority == *self.authority.address(),
            ChartsealError::NotInstitutionAuthority
        );
        require!(
            self.provider.is_active(now) && self.consumer.is_active(now),
            ChartsealError::InstitutionNotActive
        );
        self.agreement.require_current(now)?;
        require!(!self.agreement.is_active(), ChartsealError::AlreadyAccepted);
        validate_receiver(
            self.payee.account(),
            &self.agreement.mint,
            &self.agreement.token_program,
            self.agreement.address(),
        )
    }
}

pub(crate) fn handler(ctx: &mut Context<AcceptAgreement>) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(now)?;
    let payee = *accounts.payee.address();
    accounts.agreement.payee = payee;
    accounts.agreement.state = AgreementState::Active.byte();
    let (id, consumer) = (accounts.agreement.id, accounts.consumer.id);
    let event = accounts
        .consumer
        .chain
        .extend(&consumer, now, |link| AgreementAccepted {
            link,
            agreement: id,
            payee,
            head: [0; 32],
        })?;
    emit_cpi!(event);
    Ok(())
}
