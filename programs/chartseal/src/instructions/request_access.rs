use anchor_lang::prelude::*;

use super::create_grant::validate_masks;
use crate::{
    events::{AccessRequested, Actor},
    policy,
    seeds::{Id, BUMP, NO_ID, REQUEST},
    state::{require_id, AccessLog, Institution, Member, Patient, Record, Registry, Request, NO_OUTCOME},
    vocabulary::{ActorKind, RequestState},
    ChartsealError,
};

/// A member asks a patient for a grant, within what its role may ask for, and no more than 30 times within an hour,
/// together with its attestations: each writes into a patient's log.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: RequestAccessArgs)]
pub struct RequestAccess {
    pub wallet: Signer,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub registry: Account<Registry>,
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    #[account(mut)]
    pub member: Account<Member>,
    pub institution: Account<Institution>,
    /// The record that it is about, where it is about one.
    pub record: Option<Account<Record>>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Request>(),
        seeds = [REQUEST, patient.id.as_ref(), args.id.as_ref()],
        bump
    )]
    pub request: Account<Request>,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct RequestAccessArgs {
    /// 16 random bytes.
    pub id: Id,
    /// The one record it is about, or zeros.
    pub record: Id,
    /// Sharing classes, one bit each, or zero.
    pub classes: u32,
    /// One bit for each `Action`.
    pub rights: u8,
    /// One bit for each `Purpose`.
    pub purposes: u8,
    /// Seconds since 1970: how long the grant is wanted for.
    pub until: i64,
}

impl RequestAccess {
    fn validate(&self, args: &RequestAccessArgs, now: i64) -> Result<()> {
        require_id(&args.id)?;
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(self.member.wallet == *self.wallet.address(), ChartsealError::Stranger);
        require!(
            self.member.institution == self.institution.id,
            ChartsealError::ForeignMember
        );
        require!(self.institution.is_active(now), ChartsealError::InstitutionNotActive);
        require!(self.member.is_active(now), ChartsealError::MemberNotActive);
        validate_masks(args.rights, args.purposes)?;
        require!(
            policy::may_request(self.member.role(), args.rights, args.purposes),
            ChartsealError::BeyondRole
        );
        require!(args.until > now, ChartsealError::BadValidity);
        match &self.record {
            Some(record) => {
                require!(record.patient == self.patient.id, ChartsealError::ForeignPatient);
                require!(!record.is_erased(), ChartsealError::RecordErased);
                require!(
                    args.record == record.id && args.classes == 0,
                    ChartsealError::BadSubject
                );
            }
            None => {
                require!(args.record == NO_ID && args.classes != 0, ChartsealError::BadSubject);
            }
        }
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<RequestAccess>, args: &RequestAccessArgs) -> Result<()> {
    require!(ctx.bumps.request == BUMP, ChartsealError::BumpNot255);
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    require!(accounts.member.count_request(now), ChartsealError::RequestCap);
    let actor = Actor {
        kind: ActorKind::Member,
        wallet: *accounts.wallet.address(),
        credential: *accounts.member.address(),
        institution: accounts.institution.id,
    };
    let request = &mut *accounts.request;
    request.id = args.id;
    request.patient = accounts.patient.id;
    request.record = args.record;
    request.member = actor.credential;
    request.institution = actor.institution;
    request.until = args.until;
    request.created_at = now;
    request.classes = args.classes;
    request.rights = args.rights;
    request.purposes = args.purposes;
    request.state = RequestState::Open.byte();
    let log = &mut *accounts.log;
    let event = log.write(&args.id, &actor.wallet, NO_OUTCOME, now, |link| AccessRequested {
        link,
        request: args.id,
        actor,
        record: args.record,
        classes: args.classes,
        rights: args.rights,
        purposes: args.purposes,
        until: args.until,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
