use anchor_lang::{accounts::UncheckedAccount, prelude::*};

use super::acting::speaks_for;
use crate::{
    events::{GrantCreated, Terms},
    seeds::{Id, BUMP, GRANT, NO_ID},
    state::{require_id, AccessLog, Entry, Grant, Institution, Member, Patient, Record, Registry, NO_OUTCOME},
    vocabulary::{Action, GranteeKind, Purpose},
    ChartsealError,
};

/// The patient gives rights on one record or on classes of records, to a member, an institution or a person. While the
/// patient has no wallet, its steward's authority does.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: CreateGrantArgs)]
pub struct CreateGrant {
    /// The patient's wallet, or the steward's authority.
    pub issuer: Signer,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub registry: Account<Registry>,
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    /// The steward of a patient without a wallet.
    pub steward: Option<Account<Institution>>,
    /// The record that the grant is about, where it is about one.
    pub record: Option<Account<Record>>,
    /// CHECK: the Member or Institution account that the grant names, or the person's wallet.
    pub grantee: UncheckedAccount,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Grant>(),
        seeds = [GRANT, patient.id.as_ref(), args.id.as_ref()],
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
        let terms = &args.terms;
        require_id(&args.id)?;
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        speaks_for(self.issuer.address(), &self.patient, self.steward.as_deref())?;
        let suspended = self.steward.as_ref().is_some_and(|steward| !steward.is_active());
        require!(!suspended, ChartsealError::InstitutionNotActive);

        let rights_exist = terms.rights & !Action::MASK == 0 && terms.purposes & !Purpose::MASK == 0;
        require!(
            terms.rights != 0 && terms.purposes != 0 && rights_exist,
            ChartsealError::BadMask
        );
        require!(terms.uses != 0, ChartsealError::NoUses);
        require!(
            terms.expires > now && terms.expires > terms.not_before,
            ChartsealError::BadValidity
        );
        match &self.record {
            Some(record) => {
                require!(record.patient == self.patient.id, ChartsealError::ForeignPatient);
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
        self.validate_grantee(terms)
    }

    fn validate_grantee(&self, terms: &Terms) -> Result<()> {
        let view = self.grantee.account();
        require!(*view.address() == terms.grantee, ChartsealError::BadGrantee);
        let is = |discriminator: &[u8]| {
            view.owned_by(&crate::ID)
                && view
                    .try_borrow()
                    .is_ok_and(|data| data.get(..discriminator.len()) == Some(discriminator))
        };
        let fits = match terms.grantee_kind {
            GranteeKind::Member => is(Member::DISCRIMINATOR),
            GranteeKind::Institution => is(Institution::DISCRIMINATOR),
            GranteeKind::Person => !view.owned_by(&crate::ID) && terms.grantee != Address::default(),
        };
        // A person has no account that could publish a key; everybody else has, and it is that one which counts.
        let keyless = terms.grantee_kind == GranteeKind::Person || terms.grantee_key == [0; 32];
        require!(fits && keyless, ChartsealError::BadGrantee);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<CreateGrant>, args: &CreateGrantArgs) -> Result<()> {
    require!(ctx.bumps.grant == BUMP, ChartsealError::BumpNot255);
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    let terms = &args.terms;
    let issuer = *accounts.issuer.address();
    let patient = accounts.patient.id;
    let grant = &mut *accounts.grant;
    grant.id = args.id;
    grant.patient = patient;
    grant.record = terms.record;
    grant.grantee = terms.grantee;
    grant.grantee_key = terms.grantee_key;
    grant.issuer = issuer;
    grant.not_before = terms.not_before;
    grant.expires = terms.expires;
    grant.created_at = now;
    grant.classes = terms.classes;
    grant.uses_left = terms.uses;
    grant.grantee_kind = terms.grantee_kind.byte();
    grant.rights = terms.rights;
    grant.purposes = terms.purposes;

    let log = &mut *accounts.log;
    let event = log.chain.extend(&patient, now, |link| GrantCreated {
        link,
        grant: args.id,
        issuer,
        terms: *terms,
        head: [0; 32],
    })?;
    let entry = Entry::new(GrantCreated::DISCRIMINATOR, now, &args.id, &issuer, NO_OUTCOME);
    log.ring.keep(&log.chain, entry);
    emit_cpi!(event);
    Ok(())
}
