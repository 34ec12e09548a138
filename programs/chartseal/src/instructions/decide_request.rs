use anchor_lang::{accounts::UncheckedAccount, prelude::*};

use super::{create_grant::*, deciding::*};
use crate::{
    events::{RequestDecided, Terms},
    seeds::{Id, GRANT, NO_ID},
    state::{require_id, slot, Grant, Record, Request},
    vocabulary::{GranteeKind, RequestState},
    ChartsealError,
};

/// The patient answers a request: with a grant to the member who asked, on terms that give no more than was asked for,
/// or by denying it. Once. Denying is never paused.
#[event_cpi]
#[derive(Accounts)]
pub struct DecideRequest {
    pub deciding: Nested<Deciding>,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    #[account(mut)]
    pub request: Account<Request>,
    /// The record that the request is about, where it is about one.
    pub record: Option<Account<Record>>,
    /// CHECK: the empty address of the new grant, where the request is approved.
    #[account(mut)]
    pub grant: Option<UncheckedAccount>,
    pub system_program: Program<System>,
}

/// What a patient gives to whoever asked.
#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct Approval {
    /// Id of the new grant: 16 random bytes.
    pub grant: Id,
    /// One bit for each `Action`, none that was not asked for.
    pub rights: u8,
    /// One bit for each `Purpose`, none that was not asked for.
    pub purposes: u8,
    /// Sharing classes, one bit each, none that was not asked for; zero where the request is about one record.
    pub classes: u32,
    /// Seconds since 1970: valid from here ...
    pub not_before: i64,
    /// ... until just before here, and no longer than was asked for.
    pub expires: i64,
    /// How often it may be used; `u32::MAX` is without limit.
    pub uses: u32,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct DecideRequestArgs {
    /// What is given, or nothing: then the request is denied.
    pub approval: Option<Approval>,
}

impl Approval {
    /// The terms of the grant: for the member who asked, on the record that it asked for, if it was one.
    fn terms(&self, request: &Request) -> Terms {
        Terms {
            record: request.record,
            classes: self.classes,
            grantee_kind: GranteeKind::Member,
            grantee: request.member,
            grantee_key: [0; 32],
            rights: self.rights,
            purposes: self.purposes,
            not_before: self.not_before,
            expires: self.expires,
            uses: self.uses,
        }
    }
}

impl DecideRequest {
    fn validate(&self, args: &DecideRequestArgs, now: i64) -> Result<()> {
        let deciding = &self.deciding;
        require!(
            self.request.patient == deciding.patient.id,
            ChartsealError::ForeignPatient
        );
        let Some(approval) = &args.approval else {
            deciding.may_take(now)?;
            require!(self.grant.is_none(), ChartsealError::GrantMismatch);
            require!(self.request.is_open(), ChartsealError::AlreadyDecided);
            return Ok(());
        };
        deciding.may_give(now)?;
        require!(self.request.is_open(), ChartsealError::AlreadyDecided);
        require_id(&approval.grant)?;
        let terms = approval.terms(&self.request);
        validate_terms(&terms, now)?;
        deciding.may_give_these(terms.rights, terms.expires)?;
        validate_subject(&terms, &deciding.patient.id, self.record.as_deref())?;
        let asked = &self.request;
        let within = terms.rights & !asked.rights == 0
            && terms.purposes & !asked.purposes == 0
            && terms.classes & !asked.classes == 0
            && terms.expires <= asked.until;
        require!(within, ChartsealError::BeyondRequest);
        Ok(())
    }

    /// Makes the grant.
    fn give(&self, approval: &Approval, issuer: &Address, now: i64) -> Result<Terms> {
        let terms = approval.terms(&self.request);
        let patient = self.deciding.patient.id;
        let slot = self.grant.as_ref().ok_or(ChartsealError::GrantMismatch)?.account();
        let seeds = [GRANT, patient.as_ref(), approval.grant.as_ref()];
        require!(
            slot.address().to_bytes() == slot::derived(&seeds),
            ChartsealError::NotAGrantSlot
        );
        let mut grant = slot::create::<Grant>(self.payer.account(), slot, &seeds)?;
        grant.begin(&approval.grant, &patient, &terms, issuer, now);
        Ok(terms)
    }
}

/// The terms of a denial.
fn nothing() -> Terms {
    Terms {
        record: NO_ID,
        classes: 0,
        grantee_kind: GranteeKind::Member,
        grantee: Address::default(),
        grantee_key: [0; 32],
        rights: 0,
        purposes: 0,
        not_before: 0,
        expires: 0,
        uses: 0,
    }
}

pub(crate) fn handler(ctx: &mut Context<DecideRequest>, args: &DecideRequestArgs) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    let by = *accounts.deciding.issuer.address();
    let (grant, terms) = match &args.approval {
        Some(approval) => (approval.grant, accounts.give(approval, &by, now)?),
        None => (NO_ID, nothing()),
    };
    let approved = args.approval.is_some();
    let state = if approved {
        RequestState::Approved
    } else {
        RequestState::Denied
    };
    let request = &mut *accounts.request;
    request.state = state.byte();
    request.decided_at = now;
    request.grant = grant;
    let id = request.id;
    let event = accounts.deciding.write(&id, now, |link| RequestDecided {
        link,
        request: id,
        approved,
        by,
        grant,
        terms,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
