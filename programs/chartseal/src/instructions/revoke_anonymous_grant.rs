use alloc::vec::Vec;
use anchor_lang::prelude::*;

use super::deciding::*;
use crate::{
    events::AnonymousGrantRevoked,
    membership::{self, AnonymousTerms, Field},
    state::{AnonymousSet, GrantTree, Record},
    ChartsealError,
};

/// Whoever decides for the patient ends a grant without a name before its time: its leaf becomes zero. Never paused.
/// Whoever keeps the record's keys refuses proofs by roots before at once, the chain a minute later (see `GrantTree`).
#[event_cpi]
#[derive(Accounts)]
pub struct RevokeAnonymousGrant {
    pub deciding: Nested<Deciding>,
    pub record: Account<Record>,
    #[account(mut)]
    pub tree: Account<GrantTree>,
    #[account(mut)]
    pub set: Account<AnonymousSet>,
}

#[derive(AnchorSerialize, AnchorDeserialize, IdlType, Clone, Debug)]
pub struct RevokeAnonymousGrantArgs {
    /// Place of the leaf, from 0.
    pub index: u32,
    /// Number of the root that the path belongs to.
    pub number: u64,
    /// What was granted.
    pub terms: AnonymousTerms,
    /// The leaf's siblings, from below; the empty ones at the end can be left out.
    pub path: Vec<Field>,
}

impl RevokeAnonymousGrant {
    fn validate(&self, now: i64) -> Result<()> {
        self.deciding.may_take(now)?;
        let patient = &self.deciding.patient.id;
        require!(self.record.patient == *patient, ChartsealError::ForeignPatient);
        let set = &self.set;
        require!(
            set.patient == *patient && set.record == self.record.id,
            ChartsealError::ForeignPatient
        );
        require!(set.tree == self.tree.id, ChartsealError::NotInTree);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<RevokeAnonymousGrant>, args: &RevokeAnonymousGrantArgs) -> Result<()> {
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(now)?;
    let (patient, record) = (accounts.deciding.patient.id, accounts.record.id);
    let leaf = args.terms.leaf(&membership::record(&patient, &record)?)?;
    let tree = &mut *accounts.tree;
    tree.remove(&leaf, args.index, &args.path, args.number, now)?;
    let (id, number, root) = (tree.id, tree.number, *tree.root());
    let set = &mut *accounts.set;
    set.floor = number;
    set.revoked = set.revoked.checked_add(1).ok_or(ChartsealError::Overflow)?;
    let by = *accounts.deciding.issuer.address();
    let event = accounts.deciding.write(&record, now, |link| AnonymousGrantRevoked {
        link,
        record,
        by,
        tree: id,
        index: args.index,
        number,
        root,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
