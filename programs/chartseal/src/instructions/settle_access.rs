use anchor_lang::{accounts::UncheckedAccount, prelude::*};
use anchor_spl::token_interface::Mint;

use crate::{
    events::AccessSettled,
    seeds::SETTLEMENT,
    state::{
        AccessLog, Agreement, Grant, Institution, Member, Patient, Record, Registry, Request, Settlement, NO_OUTCOME,
    },
    tokens::Transfer,
    vocabulary::{Action, Reason, RequestState},
    ChartsealError,
};

/// A member pays, from its institution's deposit, for a version of a record that the patient lets it read. Once for
/// each version. An agreement pays; it gives no right.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: SettleAccessArgs)]
pub struct SettleAccess {
    /// The member's.
    pub wallet: Signer,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub registry: Account<Registry>,
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    pub member: Account<Member>,
    pub consumer: Account<Institution>,
    #[account(mut)]
    pub agreement: Account<Agreement>,
    pub request: Account<Request>,
    /// The grant that the request led to.
    pub grant: Account<Grant>,
    pub record: Account<Record>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Settlement>(),
        seeds = [
            SETTLEMENT,
            agreement.address().as_ref(),
            record.address().as_ref(),
            bytemuck::bytes_of(&args.version)
        ],
        bump
    )]
    pub settlement: Account<Settlement>,
    pub mint: InterfaceAccount<Mint>,
    /// CHECK: the one that the agreement names.
    pub token_program: UncheckedAccount,
    /// CHECK: the one that the agreement names.
    #[account(mut)]
    pub escrow: UncheckedAccount,
    /// CHECK: the one that the agreement names.
    #[account(mut)]
    pub payee: UncheckedAccount,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct SettleAccessArgs {
    /// The record's version that is paid for: the newest.
    pub version: u32,
}

impl SettleAccess {
    fn validate(&self, args: &SettleAccessArgs, now: i64) -> Result<()> {
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        self.validate_member(now)?;
        self.validate_agreement(now)?;
        self.validate_consent(now)?;
        self.validate_record(args.version)
    }

    fn validate_member(&self, now: i64) -> Result<()> {
        require!(self.member.wallet == *self.wallet.address(), ChartsealError::Stranger);
        require!(
            self.member.institution == self.consumer.id,
            ChartsealError::ForeignMember
        );
        require!(self.member.is_active(now), ChartsealError::MemberNotActive);
        require!(self.consumer.is_active(now), ChartsealError::InstitutionNotActive);
        Ok(())
    }

    fn validate_agreement(&self, now: i64) -> Result<()> {
        let agreement = &self.agreement;
        require!(agreement.consumer == self.consumer.id, ChartsealError::BadParty);
        agreement.require_current(now)?;
        require!(agreement.is_active(), ChartsealError::AgreementNotActive);
        agreement.require_tokens(self.mint.address(), self.token_program.address(), self.escrow.address())?;
        require!(
            agreement.payee == *self.payee.address(),
            ChartsealError::BadTokenAccount
        );
        Ok(())
    }

    /// The patient approved, and what it gave still stands. A patient may give less than was asked for, so it is the
    /// grant that is looked at, not the request's wishes.
    fn validate_consent(&self, now: i64) -> Result<()> {
        let (request, grant) = (&self.request, &self.grant);
        require!(
            request.patient == self.patient.id && grant.patient == self.patient.id,
            ChartsealError::ForeignPatient
        );
        let led_to = request.state == RequestState::Approved.byte()
            && request.member == *self.member.address()
            && request.grant == grant.id;
        require!(led_to, ChartsealError::NotApproved);
        // The access that is paid for may well have been the last that the grant allowed.
        let lives = matches!(grant.fault(now), None | Some(Reason::GrantExhausted));
        let covers = grant.covers(&self.record.id, self.record.class) && grant.rights & Action::Read.bit() != 0;
        require!(lives && covers, ChartsealError::NotApproved);
        let purpose = 1u8.checked_shl(self.agreement.purpose.into()).unwrap_or_default();
        require!(grant.purposes & purpose != 0, ChartsealError::NotAgreed);
        Ok(())
    }

    fn validate_record(&self, version: u32) -> Result<()> {
        let record = &self.record;
        require!(record.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(!record.is_erased(), ChartsealError::RecordErased);
        require!(record.version == version, ChartsealError::StaleVersion);
        require!(
            record.institution == self.agreement.provider && self.agreement.covers(record.class),
            ChartsealError::NotAgreed
        );
        Ok(())
    }

    fn pay(&self) -> Result<()> {
        Transfer {
            from: self.escrow.account(),
            to: self.payee.account(),
            mint: self.mint.account(),
            decimals: self.mint.decimals(),
            authority: self.agreement.account(),
            token_program: &self.agreement.token_program,
        }
        .pay(&self.agreement, self.agreement.price)
    }

    fn count(&mut self) -> Result<()> {
        let agreement = &mut *self.agreement;
        agreement.paid = agreement
            .paid
            .checked_add(agreement.price)
            .ok_or(ChartsealError::Overflow)?;
        agreement.settled = agreement.settled.checked_add(1).ok_or(ChartsealError::Overflow)?;
        Ok(())
    }

    fn write_down(&mut self, version: u32, now: i64) {
        let (agreement, record) = (*self.agreement.address(), *self.record.address());
        let (request, amount) = (self.request.id, self.agreement.price);
        let settlement = &mut *self.settlement;
        settlement.agreement = agreement;
        settlement.record = record;
        settlement.request = request;
        settlement.amount = amount;
        settlement.at = now;
        settlement.version = version;
    }
}

pub(crate) fn handler(ctx: &mut Context<SettleAccess>, args: &SettleAccessArgs) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    accounts.count()?;
    accounts.pay()?;
    accounts.write_down(args.version, now);
    let wallet = *accounts.wallet.address();
    let (agreement, record, request) = (&accounts.agreement, accounts.record.id, accounts.request.id);
    let log = &mut *accounts.log;
    let event = log.write(&request, &wallet, NO_OUTCOME, now, |link| AccessSettled {
        link,
        consumer: agreement.consumer,
        agreement: agreement.id,
        record,
        version: args.version,
        request,
        wallet,
        amount: agreement.price,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
