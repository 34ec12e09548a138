use anchor_lang::{accounts::UncheckedAccount, prelude::*};

use super::{acting::*, create_grant::*};
use crate::{
    events::{GrantPassedOn, Terms},
    policy::{may_pass_on, Subject},
    seeds::{Id, BUMP, GRANT},
    state::{require_id, slot, Grant, Record},
    vocabulary::{Action, Basis, Purpose, Reason},
    ChartsealError,
};

/// A grantee who may share passes on what it has, or less, to a member or an institution. The grant that it claims is
/// the new one's parent: a use of the new one counts against every grant that it descends from. What gives more than
/// the parent is refused and logged.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: PassOnGrantArgs)]
pub struct PassOnGrant {
    pub acting: Nested<Acting>,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// The record that the new grant is about, where it is about one.
    pub record: Option<Account<Record>>,
    /// CHECK: the Member or Institution account that the new grant names.
    pub grantee: UncheckedAccount,
    /// CHECK: the empty address of the new grant; made only once the policy has allowed it.
    #[account(mut, seeds = [GRANT, acting.patient.id.as_ref(), args.id.as_ref()], bump)]
    pub child: UncheckedAccount,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct PassOnGrantArgs {
    /// 16 random bytes that name this attempt in the log.
    pub request: Id,
    /// Id of the new grant: 16 random bytes.
    pub id: Id,
    pub purpose: Purpose,
    /// Id of the grant that is passed on.
    pub grant: Id,
    pub terms: Terms,
}

impl PassOnGrant {
    fn validate(&self, args: &PassOnGrantArgs, now: i64) -> Result<()> {
        require_id(&args.request)?;
        require_id(&args.id)?;
        validate_terms(&args.terms, now)?;
        validate_subject(&args.terms, &self.acting.patient.id, self.record.as_deref())?;
        validate_grantee(&args.terms, self.grantee.account())
    }
}

/// Where terms are about classes, the lowest stands for them: `may_pass_on` looks at all.
#[allow(clippy::cast_possible_truncation)]
fn lowest_class(classes: u32) -> u8 {
    classes.trailing_zeros() as u8
}

pub(crate) fn handler(ctx: &mut Context<PassOnGrant>, args: &PassOnGrantArgs) -> Result<()> {
    require!(ctx.bumps.child == BUMP, ChartsealError::BumpNot255);
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    let terms = &args.terms;
    let class = accounts.record.as_ref().map(|record| record.class);
    let lowest = lowest_class(terms.classes);
    let mut depth = 0;
    let outcome = accounts.acting.decide_also(
        &Intent {
            request: &args.request,
            record: &terms.record,
            subject: Subject::new(&terms.record, class.unwrap_or(lowest), now),
            action: Action::Share,
            purpose: args.purpose,
            grant: &args.grant,
            consent: false,
            now,
        },
        |basis, parent| {
            // A patient or a delegate may share without a grant: it gives one of its own, which descends from none.
            let parent = parent.filter(|_| basis == Basis::Grant).ok_or(Reason::NoGrant)?;
            depth = parent.depth.saturating_add(1);
            may_pass_on(parent, terms, class)
        },
    )?;
    let event = match outcome {
        Outcome::Refused(event) => event,
        Outcome::Allowed(Allowed { actor, basis, under }) => {
            let patient = accounts.acting.patient.id;
            let (payer, slot) = (accounts.payer.account(), accounts.child.account());
            let mut child = slot::create::<Grant>(payer, slot, &[GRANT, &patient, &args.id])?;
            child.begin(&args.id, &patient, terms, &actor.wallet, now);
            child.parent = under;
            child.depth = depth;
            let log = &mut *accounts.acting.log;
            log.write(&args.id, &actor.wallet, basis.byte(), now, |link| GrantPassedOn {
                link,
                request: args.request,
                grant: args.id,
                parent: under,
                depth,
                actor,
                purpose: args.purpose,
                terms: *terms,
                head: [0; 32],
            })?
        }
    };
    emit_cpi!(event);
    Ok(())
}
