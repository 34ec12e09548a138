//! Moving lamports while the accounts that they move between are open.

use anchor_lang::{
    pinocchio::{
        cpi::{invoke_unchecked, CpiAccount},
        instruction::{InstructionAccount, InstructionView},
    },
    prelude::*,
};

/// Number of `Transfer` among the system program's instructions.
const TRANSFER: u8 = 2;

/// Pays from a wallet that signs into an account. Where the wallet has not so much, the whole transaction fails.
#[allow(unsafe_code)]
pub(crate) fn pay(from: &AccountView, to: &AccountView, lamports: u64) {
    let mut data = [0; 12];
    data[0] = TRANSFER;
    data[4..].copy_from_slice(&lamports.to_le_bytes());
    let accounts = [
        InstructionAccount::writable_signer(from.address()),
        InstructionAccount::writable(to.address()),
    ];
    let transfer = InstructionView {
        program_id: &System::id(),
        accounts: &accounts,
        data: &data,
    };
    // SAFETY: what the checked call refuses beyond this are accounts whose data is borrowed. The system program's transfer
    // changes lamports alone, which no borrow covers; both accounts are those that the instruction names, in its order.
    unsafe { invoke_unchecked(&transfer, &[CpiAccount::from(from), CpiAccount::from(to)]) };
}
