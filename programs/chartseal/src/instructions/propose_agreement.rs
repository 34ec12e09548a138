use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount};

use crate::{
    events::AgreementProposed,
    seeds::{Id, AGREEMENT, BUMP},
    state::{require_id, Agreement, Institution, Registry},
    tokens::{validate_escrow, validate_mint, validate_receiver},
    vocabulary::{AgreementState, Purpose},
    ChartsealError,
};

/// An institution, the consumer, offers another, the provider, to pay for access to its records. Nothing is paid before
/// the provider has accepted, and nobody can change what was proposed.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: ProposeAgreementArgs)]
pub struct ProposeAgreement {
    /// The consumer's authority.
    pub authority: Signer,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub consumer: Account<Institution>,
    /// Another institution: the consumer, which is written, cannot stand here a second time.
    pub provider: Account<Institution>,
    pub mint: InterfaceAccount<Mint>,
    /// Takes the deposits. Its owner is the agreement's address.
    pub escrow: InterfaceAccount<TokenAccount>,
    /// Takes what is left in the end.
    pub refund: InterfaceAccount<TokenAccount>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Agreement>(),
        seeds = [AGREEMENT, consumer.id.as_ref(), args.id.as_ref()],
        bump
    )]
    pub agreement: Account<Agreement>,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct ProposeAgreementArgs {
    /// 16 random bytes.
    pub id: Id,
    /// Sharing classes, one bit each.
    pub classes: u32,
    pub purpose: Purpose,
    /// Smallest units of the mint for one version of one record.
    pub price: u64,
    /// Seconds since 1970: from here on nothing is settled.
    pub expires: i64,
}

impl ProposeAgreement {
    fn validate(&self, args: &ProposeAgreementArgs, now: i64) -> Result<()> {
        require_id(&args.id)?;
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(self.consumer.id != self.provider.id, ChartsealError::BadParty);
        require!(
            self.consumer.authority == *self.authority.address(),
            ChartsealError::NotInstitutionAuthority
        );
        require!(
            self.consumer.is_active(now) && self.provider.is_active(now),
            ChartsealError::InstitutionNotActive
        );
        require!(
            args.classes != 0 && args.purpose != Purpose::Personal,
            ChartsealError::BadAgreement
        );
        require!(args.price != 0, ChartsealError::BadPrice);
        require!(args.expires > now, ChartsealError::ExpiryInPast);
        self.validate_tokens()
    }

    fn validate_tokens(&self) -> Result<()> {
        let (mint, agreement) = (self.mint.account(), self.agreement.address());
        let token_program = mint.owner();
        validate_mint(mint)?;
        validate_escrow(self.escrow.account(), mint.address(), token_program, agreement)?;
        validate_receiver(self.refund.account(), mint.address(), token_program, agreement)
    }

    fn begin(&mut self, args: &ProposeAgreementArgs, now: i64) {
        let (provider, consumer) = (self.provider.id, self.consumer.id);
        let (mint, token_program) = (*self.mint.address(), *self.mint.account().owner());
        let (escrow, refund) = (*self.escrow.address(), *self.refund.address());
        let agreement = &mut *self.agreement;
        agreement.id = args.id;
        agreement.provider = provider;
        agreement.consumer = consumer;
        agreement.mint = mint;
        agreement.token_program = token_program;
        agreement.escrow = escrow;
        agreement.refund = refund;
        agreement.price = args.price;
        agreement.expires = args.expires;
        agreement.created_at = now;
        agreement.classes = args.classes;
        agreement.purpose = args.purpose.byte();
        agreement.state = AgreementState::Proposed.byte();
    }
}

pub(crate) fn handler(ctx: &mut Context<ProposeAgreement>, args: &ProposeAgreementArgs) -> Result<()> {
    require!(ctx.bumps.agreement == BUMP, ChartsealError::BumpNot255);
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    accounts.begin(args, now);
    let agreement = &*accounts.agreement;
    let consumer = agreement.consumer;
    let event = accounts
        .consumer
        .chain
        .extend(&consumer, now, |link| AgreementProposed {
            link,
            agreement: args.id,
            provider: agreement.provider,
            classes: args.classes,
            purpose: args.purpose,
            mint: agreement.mint,
            token_program: agreement.token_program,
            escrow: agreement.escrow,
            refund: agreement.refund,
            price: args.price,
            expires: args.expires,
            head: [0; 32],
        })?;
    emit_cpi!(event);
    Ok(())
}
