//! Agreements, from the proposal to the return of the rest.

use anchor_lang::{
    prelude::*,
    solana_program::instruction::{AccountMeta, Instruction},
};
use anchor_spl::associated_token;

use super::{build, SYSTEM_PROGRAM};
use crate::{
    accounts, instruction,
    instructions::*,
    seeds::{address, Id},
    ID,
};

/// What is paid in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency {
    pub mint: Address,
    /// SPL Token or Token-2022: the owner of the mint's account.
    pub token_program: Address,
}

impl Currency {
    /// A wallet's token account: the associated one.
    pub fn account_of(&self, wallet: &Address) -> Address {
        associated_token::get_associated_token_address_with_program_id(wallet, &self.mint, &self.token_program)
    }

    /// Makes the associated token account of a wallet, or of an agreement, if there is none yet.
    pub fn create_account(&self, payer: Address, wallet: Address) -> Instruction {
        Instruction {
            program_id: associated_token::ID,
            accounts: vec_of([
                AccountMeta::new(payer, true),
                AccountMeta::new(self.account_of(&wallet), false),
                AccountMeta::new_readonly(wallet, false),
                AccountMeta::new_readonly(self.mint, false),
                AccountMeta::new_readonly(SYSTEM_PROGRAM, false),
                AccountMeta::new_readonly(self.token_program, false),
            ]),
            data: vec_of([CREATE_IDEMPOTENT]),
        }
    }

    /// Moves the fees that are withheld in an agreement's escrow to the mint, which anybody may. Only where the mint
    /// takes fees: put it before closing the agreement, so that the escrow can be closed too.
    pub fn harvest_escrow(&self, consumer: &Id, agreement: &Id) -> Instruction {
        let escrow = self.account_of(&address::agreement(consumer, agreement));
        Instruction {
            program_id: self.token_program,
            accounts: vec_of([AccountMeta::new(self.mint, false), AccountMeta::new(escrow, false)]),
            data: vec_of(HARVEST_WITHHELD_TOKENS_TO_MINT),
        }
    }
}

/// Instruction of the program for associated token accounts.
const CREATE_IDEMPOTENT: u8 = 1;

/// Instruction of Token-2022, of its extension for transfer fees.
const HARVEST_WITHHELD_TOKENS_TO_MINT: [u8; 2] = [26, 4];

fn vec_of<T, const N: usize>(items: [T; N]) -> alloc::vec::Vec<T> {
    items.into_iter().collect()
}

/// Proposes an agreement. Signed by the consumer's authority. `refund` takes what is left in the end.
///
/// The escrow is the associated token account of the agreement's address: [`Currency::create_account`] makes it, in the
/// same transaction.
pub fn propose_agreement(
    authority: Address,
    payer: Address,
    consumer: &Id,
    provider: &Id,
    currency: &Currency,
    refund: Address,
    args: ProposeAgreementArgs,
) -> Instruction {
    let agreement = address::agreement(consumer, &args.id);
    build(
        &accounts::ProposeAgreement {
            authority,
            payer,
            registry: address::registry(),
            consumer: address::institution(consumer),
            provider: address::institution(provider),
            mint: currency.mint,
            escrow: currency.account_of(&agreement),
            refund,
            agreement,
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::ProposeAgreement { args },
    )
}

/// Accepts an agreement. Signed by the provider's authority. `payee` takes what is paid.
pub fn accept_agreement(
    authority: Address,
    provider: &Id,
    consumer: &Id,
    agreement: &Id,
    payee: Address,
) -> Instruction {
    build(
        &accounts::AcceptAgreement {
            authority,
            registry: address::registry(),
            provider: address::institution(provider),
            consumer: address::institution(consumer),
            agreement: address::agreement(consumer, agreement),
            payee,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AcceptAgreement {},
    )
}

/// Pays a deposit from `source`, a token account of the consumer's authority, which signs.
pub fn fund_agreement(
    authority: Address,
    consumer: &Id,
    agreement: &Id,
    currency: &Currency,
    source: Address,
    amount: u64,
) -> Instruction {
    let agreement = address::agreement(consumer, agreement);
    build(
        &accounts::FundAgreement {
            authority,
            registry: address::registry(),
            consumer: address::institution(consumer),
            agreement,
            source,
            escrow: currency.account_of(&agreement),
            mint: currency.mint,
            token_program: currency.token_program,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::FundAgreement { amount },
    )
}

/// What is paid for, by whom, and on what it rests.
#[derive(Clone, Copy, Debug)]
pub struct Settling {
    /// Id of the institution that pays.
    pub consumer: Id,
    /// Id of its member.
    pub member: Id,
    pub agreement: Id,
    pub patient: Id,
    /// The member's request, and the grant that it led to.
    pub request: Id,
    pub grant: Id,
    pub record: Id,
    /// The record's newest version.
    pub version: u32,
    pub currency: Currency,
    /// The token account that the provider chose.
    pub payee: Address,
}

/// Pays for one version of one record. Signed by the member's wallet.
pub fn settle_access(wallet: Address, payer: Address, settling: &Settling) -> Instruction {
    let Settling { consumer, patient, .. } = settling;
    let agreement = address::agreement(consumer, &settling.agreement);
    let record = address::record(patient, &settling.record);
    build(
        &accounts::SettleAccess {
            wallet,
            payer,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            member: address::member(consumer, &settling.member),
            consumer: address::institution(consumer),
            agreement,
            request: address::request(patient, &settling.request),
            grant: address::grant(patient, &settling.grant),
            record,
            settlement: address::settlement(&agreement, &record, settling.version),
            mint: settling.currency.mint,
            token_program: settling.currency.token_program,
            escrow: settling.currency.account_of(&agreement),
            payee: settling.payee,
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::SettleAccess {
            args: SettleAccessArgs {
                version: settling.version,
            },
        },
    )
}

/// Closes an agreement. Signed by the authority of either institution. `refund` is the token account that the agreement
/// names or, where the consumer closes, another; `consumer_authority` gets the rent of the escrow.
pub fn close_agreement(
    authority: Address,
    consumer_authority: Address,
    consumer: &Id,
    provider: &Id,
    agreement: &Id,
    currency: &Currency,
    refund: Address,
) -> Instruction {
    let agreement = address::agreement(consumer, agreement);
    build(
        &accounts::CloseAgreement {
            authority,
            consumer: address::institution(consumer),
            provider: address::institution(provider),
            agreement,
            escrow: currency.account_of(&agreement),
            refund,
            rent_to: consumer_authority,
            mint: currency.mint,
            token_program: currency.token_program,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::CloseAgreement {},
    )
}
