//! A slot that may be empty: an account whose *absence* the caller may claim.
//!
//! Somebody who claims a grant that does not exist shall be refused, and the refusal logged. So the grant's place takes
//! either a Grant or the empty address at which that grant would stand; anything else is an error.

use anchor_lang::{
    accounts::{AccountInitialize, SlabSchema, UncheckedAccount},
    prelude::*,
};
use bytemuck::Pod;

use crate::{log::sha256_of, seeds::BUMP, ChartsealError};

/// The address of these seeds at [`BUMP`], where every grant stands.
///
/// Nothing is said of whether it lies off the curve. Where it does not, no grant of that id can be made: its absence is
/// then just as true, and costs the same to prove.
pub fn derived(seeds: &[&[u8]; 3]) -> [u8; 32] {
    let [kind, patient, id] = seeds;
    sha256_of(&[kind, patient, id, &[BUMP], crate::ID.as_ref(), b"ProgramDerivedAddress"])
}

/// Loads what stands in a slot, for writing. `None` where nothing does and `seeds` derive its address.
///
/// # Errors
/// [`ChartsealError::NotAGrantSlot`] where something else stands there, or the address is not the derived one.
#[allow(unsafe_code)]
pub fn load<T>(slot: &UncheckedAccount, seeds: &[&[u8]; 3]) -> Result<Option<Account<T>>>
where
    T: Pod + Owner + Discriminator + SlabSchema,
{
    let view: AccountView = *slot.account();
    if view.owned_by(&crate::ID) {
        // SAFETY: the slot is declared `mut` in the accounts struct, so Anchor has refused any second account with the
        // same address, and nothing else in the program loads this one: there is no other live reference to its data.
        return unsafe { Account::<T>::load_mut(view) }
            .map(Some)
            .map_err(|_| ChartsealError::NotAGrantSlot.into());
    }
    require!(
        view.owned_by(&System::id()) && view.data_len() == 0,
        ChartsealError::NotAGrantSlot
    );
    require!(
        derived(seeds) == view.address().to_bytes(),
        ChartsealError::NotAGrantSlot
    );
    Ok(None)
}

/// Makes the account of these seeds at [`BUMP`], where the id was drawn for it. Whoever calls has compared its address.
///
/// # Errors
/// The system program's, where there is an account already or the payer cannot pay the rent.
pub fn create<T>(payer: &AccountView, account: &AccountView, seeds: &[&[u8]; 3]) -> Result<Account<T>>
where
    T: Pod + Owner + Discriminator + SlabSchema,
    Account<T>: AccountInitialize,
{
    let [kind, subject, id] = seeds;
    AccountInitialize::create_and_initialize(
        payer,
        account,
        T::DISCRIMINATOR.len() + core::mem::size_of::<T>(),
        &crate::ID,
        &Default::default(),
        Some(&[kind, subject, id, &[BUMP]]),
        None,
    )
}
