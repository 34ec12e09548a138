use anchor_lang::{cpi::rent_exempt_lamports, prelude::*};

use super::deciding::*;
use crate::{
    events::AnonymousGrantCreated,
    lamports,
    membership::{self, AnonymousTerms},
    seeds::LEAVES,
    state::{AnonymousSet, GrantTree, Record},
    vocabulary::Action,
    ChartsealError,
};

/// The patient gives rights on one record to somebody whom the chain does not know: a leaf of the tree, and no account.
/// The program computes the leaf from the record that it has seen to be the patient's, so nobody makes one for
/// another's.
///
/// A leaf is paid for with what the smallest account's rent would be, which stays in the tree: trees have room for a
/// million leaves and remember 64 roots, and neither is to be used up for a fee.
#[event_cpi]
#[derive(Accounts)]
pub struct CreateAnonymousGrant {
    pub deciding: Nested<Deciding>,
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    pub record: Account<Record>,
    #[account(mut)]
    pub tree: Account<GrantTree>,
    #[account(
        init_if_needed,
        payer = payer,
        space = 8 + core::mem::size_of::<AnonymousSet>(),
        seeds = [LEAVES, tree.id.as_ref(), record.address().as_ref()],
        bump
    )]
    pub set: Account<AnonymousSet>,
    pub system_program: Program<System>,
}

/// What a proof can show a right to: whoever writes or passes on has to be named.
pub const PROVABLE: u8 = Action::Read.bit() | Action::Aggregate.bit();

impl CreateAnonymousGrant {
    fn validate(&self, terms: &AnonymousTerms, now: i64) -> Result<()> {
        self.deciding.may_give(now)?;
        self.deciding.may_give_these(terms.rights, terms.expires)?;
        require!(
            terms.rights != 0 && terms.rights & !PROVABLE == 0,
            ChartsealError::BadMask
        );
        require!(terms.expires > now, ChartsealError::BadValidity);
        require!(
            terms.key != [0; 32] && terms.commitment != [0; 32],
            ChartsealError::ZeroId
        );
        require!(
            self.record.patient == self.deciding.patient.id,
            ChartsealError::ForeignPatient
        );
        require!(!self.record.is_erased(), ChartsealError::RecordErased);
        Ok(())
    }
}

pub(crate) fn handler(ctx: &mut Context<CreateAnonymousGrant>, terms: &AnonymousTerms) -> Result<()> {
    let bump = ctx.bumps.set;
    let accounts = &mut ctx.accounts;
    let now = Clock::get()?.unix_timestamp;
    accounts.validate(terms, now)?;
    let (patient, record) = (accounts.deciding.patient.id, accounts.record.id);
    lamports::pay(
        accounts.payer.account(),
        accounts.tree.account(),
        rent_exempt_lamports(0)?,
    );
    let leaf = terms.leaf(&membership::record(&patient, &record)?)?;
    let tree = &mut *accounts.tree;
    let index = tree.append(&leaf)?;
    let (id, number, root) = (tree.id, tree.number, *tree.root());
    let set = &mut *accounts.set;
    set.begin(&id, &patient, &record, bump);
    set.made = set.made.checked_add(1).ok_or(ChartsealError::Overflow)?;
    let issuer = *accounts.deciding.issuer.address();
    let event = accounts.deciding.write(&record, now, |link| AnonymousGrantCreated {
        link,
        record,
        issuer,
        tree: id,
        index,
        number,
        root,
        terms: *terms,
        head: [0; 32],
    })?;
    emit_cpi!(event);
    Ok(())
}
