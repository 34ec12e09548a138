//! SPL tokens: which mints and token accounts an agreement may use, and the two calls that move its deposit.
//!
//! The classic token program and Token-2022 share accounts and instructions, so both are read and called alike. What
//! Token-2022 adds is extensions, and of these only the ones named here are allowed: one by which a mint takes, pauses,
//! hides, refuses or revalues what lies in escrow would make an agreement say something else than what happens.
//!
//! The freeze authority that every mint of either program can have is not looked at: widely used ones have it (USDC
//! does), and both institutions choose the mint. Where it freezes an escrow, the deposit stays there until it is
//! thawed.

use anchor_lang::{
    pinocchio::cpi::{Seed, Signer},
    prelude::*,
};
use anchor_spl::{
    extensions::TransferFeeAmount,
    token_2022::ExtensionType,
    token_interface::{TokenAccount, TokenInterfaceAccountExtensions},
};
use pinocchio_token_2022::instructions::{CloseAccount, TransferChecked};

use crate::{
    seeds::{AGREEMENT, BUMP},
    state::Agreement,
    ChartsealError,
};

/// Extensions of Token-2022 that a mint may have: a fee shows in what arrives, and metadata moves nothing.
pub const MINT_EXTENSIONS: [ExtensionType; 3] = [
    ExtensionType::TransferFeeConfig,
    ExtensionType::MetadataPointer,
    ExtensionType::TokenMetadata,
];

/// Extensions of Token-2022 that a token account may have.
pub const ACCOUNT_EXTENSIONS: [ExtensionType; 2] = [ExtensionType::ImmutableOwner, ExtensionType::TransferFeeAmount];

/// Where Token-2022 begins its list of extensions, in mints and in token accounts: after 165 bytes and the kind.
const EXTENSIONS: usize = 166;

/// Length of an extension's kind and length, which come before it.
const EXTENSION_HEAD: usize = 4;

/// Whether the data of a mint or a token account has no extension but these.
fn has_only(data: &[u8], allowed: &[ExtensionType]) -> bool {
    let mut rest = data.get(EXTENSIONS..).unwrap_or_default();
    while let Some((head, after)) = rest.split_at_checked(EXTENSION_HEAD) {
        let [kind, kind_high, length, length_high] = *head else {
            return false;
        };
        let kind = u16::from_le_bytes([kind, kind_high]);
        if kind == ExtensionType::Uninitialized as u16 {
            return true;
        }
        let length = usize::from(u16::from_le_bytes([length, length_high]));
        match after.get(length..) {
            Some(next) if allowed.iter().any(|one| *one as u16 == kind) => rest = next,
            _ => return false,
        }
    }
    rest.iter().all(|byte| *byte == 0)
}

/// Refuses a mint with an extension that is not allowed. The type of its account has seen that a token program owns it.
///
/// # Errors
/// [`ChartsealError::BadMint`].
pub fn validate_mint(mint: &AccountView) -> Result<()> {
    let data = mint.try_borrow()?;
    require!(has_only(&data, &MINT_EXTENSIONS), ChartsealError::BadMint);
    Ok(())
}

/// Loads a token account of this mint and token program, without an extension that is not allowed.
///
/// # Errors
/// [`ChartsealError::BadTokenAccount`].
fn load(account: &AccountView, mint: &Address, token_program: &Address) -> Result<InterfaceAccount<TokenAccount>> {
    let loaded = InterfaceAccount::<TokenAccount>::load(*account).map_err(|_| ChartsealError::BadTokenAccount)?;
    let fits = account.owned_by(token_program)
        && loaded.mint() == mint
        && has_only(&account.try_borrow()?, &ACCOUNT_EXTENSIONS);
    require!(fits, ChartsealError::BadTokenAccount);
    Ok(loaded)
}

/// Refuses an escrow that anybody but the agreement could take from.
///
/// # Errors
/// [`ChartsealError::BadTokenAccount`].
pub fn validate_escrow(
    escrow: &AccountView,
    mint: &Address,
    token_program: &Address,
    agreement: &Address,
) -> Result<()> {
    let escrow = load(escrow, mint, token_program)?;
    let alone = escrow.owner() == agreement && !escrow.has_delegate() && !escrow.has_close_authority();
    require!(alone, ChartsealError::BadTokenAccount);
    Ok(())
}

/// Refuses an account to pay to that is of another mint, or is the agreement's own: nothing would ever leave it.
///
/// # Errors
/// [`ChartsealError::BadTokenAccount`].
pub fn validate_receiver(
    receiver: &AccountView,
    mint: &Address,
    token_program: &Address,
    agreement: &Address,
) -> Result<()> {
    let receiver = load(receiver, mint, token_program)?;
    require!(receiver.owner() != agreement, ChartsealError::BadTokenAccount);
    Ok(())
}

/// The smallest units that lie in an escrow.
///
/// # Errors
/// [`ChartsealError::BadTokenAccount`] where it is no token account.
pub fn balance(escrow: &AccountView) -> Result<u64> {
    let escrow = InterfaceAccount::<TokenAccount>::load(*escrow).map_err(|_| ChartsealError::BadTokenAccount)?;
    Ok(escrow.amount())
}

/// A transfer from one token account to another.
// Anchor's account types have no `Debug`.
#[allow(missing_debug_implementations)]
#[derive(Clone, Copy)]
pub struct Transfer<'a> {
    pub from: &'a AccountView,
    pub to: &'a AccountView,
    pub mint: &'a AccountView,
    pub decimals: u8,
    /// Owner of `from`: signs.
    pub authority: &'a AccountView,
    /// The agreement's, never one that the caller chose.
    pub token_program: &'a Address,
}

impl Transfer<'_> {
    /// Pays into escrow, signed by the depositor; how much the balance of `to` grew, which is less than `amount` where
    /// the mint takes a fee.
    ///
    /// # Errors
    /// Those of the token program; [`ChartsealError::UnexpectedBalance`] where the balance fell.
    pub fn deposit(&self, amount: u64) -> Result<u64> {
        let before = balance(self.to)?;
        self.call(amount).invoke()?;
        let grown = balance(self.to)?.checked_sub(before);
        Ok(grown.ok_or(ChartsealError::UnexpectedBalance)?)
    }

    /// Pays out of escrow, signed by the agreement.
    ///
    /// # Errors
    /// Those of the token program; [`ChartsealError::UnexpectedBalance`] where the balance of `from` did not fall by
    /// exactly this amount.
    pub fn pay(&self, agreement: &Agreement, amount: u64) -> Result<()> {
        let before = balance(self.from)?;
        signed(agreement, |signer| self.call(amount).invoke_signed(&[signer]))?;
        let fallen = before.checked_sub(balance(self.from)?);
        require!(fallen == Some(amount), ChartsealError::UnexpectedBalance);
        Ok(())
    }

    fn call(&self, amount: u64) -> TransferChecked<'_, '_> {
        TransferChecked {
            from: self.from,
            mint: self.mint,
            to: self.to,
            authority: self.authority,
            amount,
            decimals: self.decimals,
            token_program: self.token_program,
        }
    }
}

/// Whether fees of the mint are withheld in a token account. Only Token-2022 has such.
fn withholds_fees(account: &AccountView) -> Result<bool> {
    let account = InterfaceAccount::<TokenAccount>::load(*account).map_err(|_| ChartsealError::BadTokenAccount)?;
    Ok(account
        .get_extension::<TransferFeeAmount>()
        .is_ok_and(|fee| fee.withheld_amount() != 0))
}

/// Closes an empty escrow, signed by the agreement; its rent goes to `rent_to`.
///
/// One with withheld transfer fees stays: the token program closes it only once they are harvested. Anybody may do so,
/// and whoever wants the rent back puts that before closing the agreement.
///
/// # Errors
/// Those of the token program.
pub fn close_escrow(
    escrow: &AccountView,
    rent_to: &AccountView,
    authority: &AccountView,
    agreement: &Agreement,
) -> Result<()> {
    if withholds_fees(escrow)? {
        return Ok(());
    }
    let close = CloseAccount {
        account: escrow,
        destination: rent_to,
        authority,
        token_program: &agreement.token_program,
    };
    signed(agreement, |signer| close.invoke_signed(&[signer]))
}

/// Calls with the signature of an agreement's address.
fn signed(
    agreement: &Agreement,
    call: impl FnOnce(Signer<'_, '_>) -> core::result::Result<(), ProgramError>,
) -> Result<()> {
    let bump = [BUMP];
    let seeds = [
        Seed::from(AGREEMENT),
        Seed::from(&agreement.consumer),
        Seed::from(&agreement.id),
        Seed::from(&bump),
    ];
    call(Signer::from(&seeds))
}
