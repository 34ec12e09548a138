use anchor_lang::{accounts::UncheckedAccount, prelude::*};

use super::deciding::*;
use crate::{
    events::{GrantCreated, Terms},
    seeds::{Id, BUMP, GRANT, NO_ID},
    state::{require_id, Grant, Institution, Member, Record},
    vocabulary::{Action, GranteeKind, Purpose},
    ChartsealError,
};

/// The patient gives rights on one record or on classes of records, to a member, an institution or a person. While the
/// patient has no wallet, its steward's authority does; a delegate does within its own rights.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: CreateGrantArgs)]
pub struct CreateGrant {
    pub deciding: Nested<Deciding>,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// The record that the grant is about, where it is about one.
    pub record: Option<Account<Record>>,
    /// CHECK: the Member or Institution account that the grant names, or the person's wallet.
    pub grantee: UncheckedAccount,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Grant>(),
        seeds = [GRANT, deciding.patient.id.as_ref(), args.id.as_ref()],
        bump
    )]
    pub grant: Account<Grant>,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct CreateGrantArgs {
    /// 16 random bytes.
    pub id: Id,
    pub terms: Terms,
}

impl CreateGrant {
    fn validate(&self, args: &CreateGrantArgs, now: i64) -> Result<()> {
        require_id(&args.id)?;
        self.deciding.may_give(now)?;
        validate_terms(&args.terms, now)?;
        self.deciding.may_give_these(args.terms.rights, args.terms.expires)?;
        validate_subject(&args.terms, &self.deciding.patient.id, self.record.as_deref())?;
        validate_grantee(&args.terms, self.grantee.account())
    }
}

/// Refuses terms that give nothing, never, or what does not exist.
///
/// # Errors
/// [`ChartsealError::BadMask`], [`ChartsealError::NoUses`], [`ChartsealError::BadValidity`].
pub fn validate_terms(terms: &Terms, now: i64) -> Result<()> {
    validate_masks(terms.rights, terms.purposes)?;
    require!(terms.uses != 0, ChartsealError::NoUses);
    require!(
        terms.expires > now && terms.expires > terms.not_before,
        ChartsealError::BadValidity
    );
    Ok(())
}

/// Refuses masks without a bit, or with one that stands for nothing.
///
/// # Errors
/// [`ChartsealError::BadMask`].
pub fn validate_masks(rights: u8, purposes: u8) -> Result<()> {
    let exist = rights & !Action::MASK == 0 && purposes & !Purpose::MASK == 0;
    require!(rights != 0 && purposes != 0 && exist, ChartsealError::BadMask);
    Ok(())
}

/// Refuses terms that are not about the very record that was passed or, without one, about classes.
///
/// # Errors
/// [`ChartsealError::ForeignPatient`], [`ChartsealError::RecordErased`], [`ChartsealError::BadSubject`].
pub fn validate_subject(terms: &Terms, patient: &Id, record: Option<&Record>) -> Result<()> {
    match record {
        Some(record) => {
            require!(record.patient == *patient, ChartsealError::ForeignPatient);
            require!(!record.is_erased(), ChartsealError::RecordErased);
            require!(
                terms.record == record.id && terms.classes == 0,
                ChartsealError::BadSubject
            );
        }
        None => {
            require!(terms.record == NO_ID && terms.classes != 0, ChartsealError::BadSubject);
        }
    }
    Ok(())
}

/// Refuses a grantee whose account is not of the kind that the terms name.
///
/// # Errors
/// [`ChartsealError::BadGrantee`].
pub fn validate_grantee(terms: &Terms, grantee: &AccountView) -> Result<()> {
    require!(*grantee.address() == terms.grantee, ChartsealError::BadGrantee);
    let is = |discriminator: &[u8]| {
        grantee.owned_by(&crate::ID)
            && grantee
                .try_borrow()
                .is_ok_and(|data| data.get(..discriminator.len()) == Some(discriminator))
    };
    let fits = match terms.grantee_kind {
        GranteeKind::Member => is(Member::DISCRIMINATOR),
        GranteeKind::Institution => is(Institution::DISCRIMINATOR),
        GranteeKind::Person => !grantee.owned_by(&crate::ID) && terms.grantee != Address::default(),
    };
    // A person has no account that could publish a key; everybody else has, and it is that one which counts.
    let keyless = terms.grantee_kind == GranteeKind::Person || terms.grantee_key == [0; 32];
    require!(fits && keyless, ChartsealError::BadGrantee);
    Ok(())
}

pub(crate) fn handler(ctx: &mut Context<CreateGrant>, args: &CreateGrantArgs) -> Result<()> {
    require!(ctx.bumps.grant == BUMP, ChartsealError::BumpNot255);
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    let issuer = *accounts.deciding.issuer.address();
    let patient = accounts.deciding.patient.id;
    accounts.grant.begin(&args.id, &patient, &args.terms, &issuer, now);
    let event = accounts.deciding.write(&args.id, now, |link| GrantCreated {
        link,
        grant: args.id,
        issuer,
        terms: args.terms,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
