use anchor_lang::prelude::*;

use crate::{
    events::AccessProven,
    membership::{epoch, message, scope, Field, SKEW},
    proof::{verify, Statement, PROOF},
    seeds::{Id, NULLIFIER},
    state::{require_id, GrantTree, Nullifier, Registry},
    ChartsealError,
};

/// Counts a use of a grant without a name: somebody proves that one of the tree's leaves gives it a right to a record,
/// and shows neither. In one epoch there is one such use for each reader, record and verifier. Signed by whoever brings
/// the proof; it was made for that signer and for nobody else.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: VerifyAccessProofArgs)]
pub struct VerifyAccessProof {
    #[account(mut)]
    pub relayer: Signer,
    pub registry: Account<Registry>,
    #[account(mut)]
    pub tree: Account<GrantTree>,
    #[account(
        init,
        payer = relayer,
        space = 8 + core::mem::size_of::<Nullifier>(),
        seeds = [NULLIFIER, args.nullifier.as_ref()],
        bump
    )]
    pub nullifier: Account<Nullifier>,
    pub system_program: Program<System>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Copy, Debug)]
pub struct VerifyAccessProofArgs {
    /// Chosen by the reader, 16 random bytes: names this access to the verifier.
    pub exchange: Id,
    /// Whom the proof is shown to: the key service.
    pub verifier: Address,
    pub nullifier: Field,
    pub handle: Field,
    /// Number of the root that the proof rests on.
    pub number: u64,
    /// The time that the proof names, in seconds since 1970.
    pub now: i64,
    /// The rights that are claimed, one bit for each `Action`.
    pub rights: u8,
    /// See `crate::proof`.
    pub proof: [u8; PROOF],
}

impl VerifyAccessProof {
    /// What the proof has to show. Scope and message are derived here, from who signs and from the clock.
    fn statement(&self, args: &VerifyAccessProofArgs, now: i64) -> Result<Statement> {
        require_id(&args.exchange)?;
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(now.abs_diff(args.now) <= SKEW.unsigned_abs(), ChartsealError::ClockSkew);
        Ok(Statement {
            root: *self.tree.accepted(args.number, now)?,
            nullifier: args.nullifier,
            scope: scope(&args.verifier, epoch(args.now)),
            now: u64::try_from(args.now).map_err(|_| ChartsealError::ClockSkew)?,
            handle: args.handle,
            message: message(&args.exchange, &args.verifier, self.relayer.address()),
            rights: args.rights,
        })
    }
}

pub(crate) fn handler(ctx: &mut Context<VerifyAccessProof>, args: &VerifyAccessProofArgs) -> Result<()> {
    let bump = ctx.bumps.nullifier;
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    let statement = accounts.statement(args, now)?;
    verify(&statement, &args.proof)?;
    let relayer = *accounts.relayer.address();
    let epoch = epoch(args.now);
    let tree = &mut *accounts.tree;
    let id = tree.id;
    let nullifier = &mut *accounts.nullifier;
    nullifier.nullifier = args.nullifier;
    nullifier.verifier = args.verifier;
    nullifier.payer = relayer;
    nullifier.tree = id;
    nullifier.epoch = epoch;
    nullifier.bump = bump;
    let event = tree.chain.extend(&id, now, |link| AccessProven {
        link,
        exchange: args.exchange,
        nullifier: args.nullifier,
        handle: args.handle,
        verifier: args.verifier,
        relayer,
        epoch,
        now: args.now,
        rights: args.rights,
        number: args.number,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
