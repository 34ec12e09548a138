use anchor_lang::prelude::*;

use crate::{
    events::BatchAnchored,
    policy,
    seeds::{Id, BATCH, BUMP},
    state::{require_id, Batch, Institution, Member, Registry, MOST_IN_BATCH},
    vocabulary::{Action, Purpose},
    ChartsealError,
};

/// A member commits its institution to many records at once. Nothing of them is in anybody's chart yet:
/// `promote_batched` puts one there, by somebody who may add to it.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: AnchorBatchArgs)]
pub struct AnchorBatch {
    /// The author's.
    pub wallet: Signer,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub institution: Account<Institution>,
    pub member: Account<Member>,
    #[account(
        init,
        payer = payer,
        space = 8 + core::mem::size_of::<Batch>(),
        seeds = [BATCH, institution.id.as_ref(), args.id.as_ref()],
        bump
    )]
    pub batch: Account<Batch>,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct AnchorBatchArgs {
    /// 16 random bytes.
    pub id: Id,
    /// Commits to the leaves, their order and their count (see `crate::merkle`).
    pub root: [u8; 32],
    /// Arweave id of the list of leaves' data item, sealed.
    pub locator: [u8; 32],
    /// How many records there are.
    pub count: u32,
}

impl AnchorBatch {
    fn validate(&self, args: &AnchorBatchArgs, now: i64) -> Result<()> {
        require_id(&args.id)?;
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(self.member.wallet == *self.wallet.address(), ChartsealError::Stranger);
        require!(
            self.member.institution == self.institution.id,
            ChartsealError::ForeignMember
        );
        require!(self.institution.is_active(now), ChartsealError::InstitutionNotActive);
        require!(self.member.is_active(now), ChartsealError::MemberNotActive);
        require!(
            policy::may_request(self.member.role(), Action::Append.bit(), Purpose::Treatment.bit()),
            ChartsealError::BeyondRole
        );
        let whole = (1..=MOST_IN_BATCH).contains(&args.count) && args.root != [0; 32] && args.locator != [0; 32];
        require!(whole, ChartsealError::BadBatch);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<AnchorBatch>, args: &AnchorBatchArgs) -> Result<()> {
    require!(ctx.bumps.batch == BUMP, ChartsealError::BumpNot255);
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(args, now)?;
    let author = *accounts.member.address();
    let wallet = *accounts.wallet.address();
    let institution = &mut *accounts.institution;
    let id = institution.id;
    let batch = &mut *accounts.batch;
    batch.id = args.id;
    batch.institution = id;
    batch.author = author;
    batch.root = args.root;
    batch.locator = args.locator;
    batch.created_at = now;
    batch.count = args.count;
    let event = institution.chain.extend(&id, now, |link| BatchAnchored {
        link,
        batch: args.id,
        author,
        wallet,
        root: args.root,
        locator: args.locator,
        count: args.count,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
