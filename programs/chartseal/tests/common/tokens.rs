//! Money on the ledger, made by the real token programs, and an agreement between the world's hospital and its insurance
//! that is paid in it.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix, Currency, Settling},
    events::AnyEvent,
    instructions::*,
    seeds::{address, Id, AGREEMENT, NO_ID, REQUEST},
    state::{Agreement, UNLIMITED},
    vocabulary::*,
    ChartsealError,
};
use solana_account::{Account, ReadableAccount};
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

/// SPL Token, the classic program.
pub const CLASSIC: Address = Address::from_str_const("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
pub const TOKEN_2022: Address = Address::from_str_const("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");
const SYSTEM: Address = Address::new_from_array([0; 32]);

/// What a provider gets for one version of one record.
pub const PRICE: u64 = 2_500;
/// What the consumer puts into escrow.
pub const DEPOSIT: u64 = 20_000;
/// What the consumer owns in the beginning.
pub const PURSE: u64 = 1_000_000;
/// What the mint with a fee takes: one percent.
const FEE_BASIS_POINTS: u16 = 100;

/// The three kinds of money that an agreement can be paid in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Classic,
    Token2022,
    WithFee,
}

pub const KINDS: [Kind; 3] = [Kind::Classic, Kind::Token2022, Kind::WithFee];

impl Kind {
    /// What the token program withholds of a transfer.
    pub fn fee(self, amount: u64) -> u64 {
        match self {
            Self::WithFee => (amount * u64::from(FEE_BASIS_POINTS)).div_ceil(10_000),
            Self::Classic | Self::Token2022 => 0,
        }
    }
}

/// An extension of a mint: how long it is, and the instruction that makes it.
pub struct Extension {
    pub name: &'static str,
    pub length: usize,
    pub instruction: Vec<u8>,
}

impl Extension {
    pub fn new(name: &'static str, length: usize, parts: &[&[u8]]) -> Self {
        Self {
            name,
            length,
            instruction: parts.concat(),
        }
    }

    pub fn transfer_fee(authority: &Address) -> Self {
        let (some, basis_points) = ([1u8], FEE_BASIS_POINTS.to_le_bytes());
        let key = authority.as_ref();
        let most = u64::MAX.to_le_bytes();
        Self::new(
            "TransferFeeConfig",
            108,
            &[&[26, 0], &some, key, &some, key, &basis_points, &most],
        )
    }

    pub fn metadata_pointer(authority: &Address) -> Self {
        let key = authority.as_ref();
        Self::new("MetadataPointer", 64, &[&[39, 0], key, key])
    }
}

fn token_instruction(program: Address, accounts: Vec<AccountMeta>, parts: &[&[u8]]) -> Instruction {
    Instruction {
        program_id: program,
        accounts,
        data: parts.concat(),
    }
}

fn create_account(chain: &Chain, payer: Address, new: Address, space: usize, owner: Address) -> Instruction {
    let lamports = chain.svm.minimum_balance_for_rent_exemption(space);
    let accounts = vec![AccountMeta::new(payer, true), AccountMeta::new(new, true)];
    let (lamports, space) = (lamports.to_le_bytes(), (space as u64).to_le_bytes());
    token_instruction(SYSTEM, accounts, &[&[0; 4], &lamports, &space, owner.as_ref()])
}

/// Makes a mint of six decimals with these extensions.
pub fn mint(chain: &mut Chain, issuer: &Keypair, program: Address, extensions: &[Extension]) -> Currency {
    let new = Keypair::new();
    let space = match extensions {
        [] => 82,
        some => 166 + some.iter().map(|one| 4 + one.length).sum::<usize>(),
    };
    let mut instructions = vec![create_account(chain, issuer.pubkey(), new.pubkey(), space, program)];
    let writes = || vec![AccountMeta::new(new.pubkey(), false)];
    for extension in extensions {
        instructions.push(token_instruction(program, writes(), &[&extension.instruction]));
    }
    let key = issuer.pubkey();
    instructions.push(token_instruction(program, writes(), &[&[20, 6], key.as_ref(), &[0]]));
    chain.transact(&instructions, &[issuer, &new]).unwrap();
    Currency {
        mint: new.pubkey(),
        token_program: program,
    }
}

/// Makes a token account at an address of its own. `room` is what its extensions need beyond the 165 bytes of all.
pub fn loose_account(chain: &mut Chain, payer: &Keypair, currency: &Currency, owner: &Address, room: usize) -> Address {
    let new = Keypair::new();
    let program = currency.token_program;
    let create = create_account(chain, payer.pubkey(), new.pubkey(), 165 + room, program);
    let accounts = vec![
        AccountMeta::new(new.pubkey(), false),
        AccountMeta::new_readonly(currency.mint, false),
    ];
    let initialize = token_instruction(program, accounts, &[&[18], owner.as_ref()]);
    chain.transact(&[create, initialize], &[payer, &new]).unwrap();
    new.pubkey()
}

/// What the owner of a token account does with it: `data` is the instruction.
pub fn as_owner(chain: &mut Chain, owner: &Keypair, currency: &Currency, account: Address, data: &[&[u8]]) {
    let accounts = vec![
        AccountMeta::new(account, false),
        AccountMeta::new_readonly(owner.pubkey(), true),
    ];
    let instruction = token_instruction(currency.token_program, accounts, data);
    chain.transact(&[instruction], &[owner]).unwrap();
}

/// Gives an account to another owner (2) or close authority (3), as `SetAuthority` names them.
pub fn set_authority(
    chain: &mut Chain,
    owner: &Keypair,
    currency: &Currency,
    account: Address,
    kind: u8,
    to: &Address,
) {
    as_owner(chain, owner, currency, account, &[&[6, kind, 1], to.as_ref()]);
}

pub fn create_associated(chain: &mut Chain, payer: &Keypair, currency: &Currency, owner: Address) -> Address {
    chain
        .transact(&[currency.create_account(payer.pubkey(), owner)], &[payer])
        .unwrap();
    currency.account_of(&owner)
}

/// Makes new money.
pub fn pour(chain: &mut Chain, issuer: &Keypair, currency: &Currency, into: Address, amount: u64) {
    let accounts = vec![
        AccountMeta::new(currency.mint, false),
        AccountMeta::new(into, false),
        AccountMeta::new_readonly(issuer.pubkey(), true),
    ];
    let mint_to = token_instruction(currency.token_program, accounts, &[&[7], &amount.to_le_bytes()]);
    chain.transact(&[mint_to], &[issuer]).unwrap();
}

/// What an extension of this kind holds, in an account or a mint.
fn extension(data: &[u8], kind: u16) -> Option<&[u8]> {
    let mut rest = data.get(166..)?;
    while rest.len() >= 4 {
        let (is, length) = (
            u16::from_le_bytes([rest[0], rest[1]]),
            usize::from(u16::from_le_bytes([rest[2], rest[3]])),
        );
        let body = &rest[4..4 + length];
        if is == kind {
            return Some(body);
        }
        rest = &rest[4 + length..];
    }
    None
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

pub fn balance(chain: &Chain, account: &Address) -> u64 {
    number(&chain.svm.get_account(account).unwrap().data[64..72])
}

/// Fees that are withheld in a token account.
pub fn withheld(chain: &Chain, account: &Address) -> u64 {
    let data = chain.svm.get_account(account).unwrap().data;
    extension(&data, 2).map_or(0, number)
}

/// All the money that there is: in accounts, withheld in them, and withheld in the mint.
pub fn all_money(chain: &Chain, currency: &Currency) -> u64 {
    let mint = chain.svm.get_account(&currency.mint).unwrap().data;
    let in_mint = extension(&mint, 1).map_or(0, |fee| number(&fee[64..72]));
    let accounts = chain.svm.accounts_db().inner.iter().filter(|(_, account)| {
        *account.owner() == currency.token_program
            && account.data().len() >= 165
            && account.data()[..32] == currency.mint.to_bytes()
    });
    let in_accounts: u64 = accounts
        .map(|(_, account)| number(&account.data()[64..72]) + extension(account.data(), 2).map_or(0, number))
        .sum();
    in_mint + in_accounts
}

/// Takes a program's place: the account of another one is put at its address.
pub fn put_program(chain: &mut Chain, at: Address, from: Address) {
    let program = chain.svm.get_account(&from).unwrap();
    chain.svm.set_account(at, program).unwrap();
}

/// Keeps an account as it is, at another address and under another owner.
pub fn copy_account(chain: &mut Chain, from: Address, owner: Address) -> Address {
    let at = Address::new_unique();
    let account = chain.svm.get_account(&from).unwrap();
    chain.svm.set_account(at, Account { owner, ..account }).unwrap();
    at
}

/// The insurance pays the hospital for access to records of class 0.
#[derive(Clone)]
pub struct Deal {
    pub world: World,
    pub kind: Kind,
    pub currency: Currency,
    issuer: [u8; 32],
    pub terms: ProposeAgreementArgs,
    /// The insurance's money, which deposits come from and the rest goes back to.
    pub purse: Address,
    /// The hospital's.
    pub payee: Address,
}

impl Deal {
    /// Everybody has an account, and nothing was proposed.
    pub fn new(kind: Kind) -> Self {
        Self::within(World::new(), kind)
    }

    /// The same, in a world of which something is known already.
    pub fn within(mut world: World, kind: Kind) -> Self {
        let issuer = world.chain.wallet();
        let (program, extensions) = match kind {
            Kind::Classic => (CLASSIC, vec![]),
            Kind::Token2022 => (TOKEN_2022, vec![]),
            Kind::WithFee => (TOKEN_2022, vec![Extension::transfer_fee(&issuer.pubkey())]),
        };
        let currency = mint(&mut world.chain, &issuer, program, &extensions);
        let (insurance, hospital) = (world.insurance.authority.pubkey(), world.hospital.authority.pubkey());
        let purse = create_associated(&mut world.chain, &issuer, &currency, insurance);
        let payee = create_associated(&mut world.chain, &issuer, &currency, hospital);
        pour(&mut world.chain, &issuer, &currency, purse, PURSE);
        let consumer = world.insurance.id;
        let terms = ProposeAgreementArgs {
            id: address::draw(AGREEMENT, &consumer, || world.id()),
            classes: 1,
            purpose: Purpose::Payment,
            price: PRICE,
            expires: world.chain.now() + 30 * DAY,
        };
        Self {
            world,
            kind,
            currency,
            issuer: *issuer.secret_bytes(),
            terms,
            purse,
            payee,
        }
    }

    pub fn proposed(kind: Kind) -> Self {
        let mut deal = Self::new(kind);
        deal.must_propose();
        deal
    }

    pub fn active(kind: Kind) -> Self {
        let mut deal = Self::proposed(kind);
        let (accept, hospital) = (deal.accept(), deal.hospital());
        deal.world.chain.must(accept, &[&hospital]);
        deal
    }

    /// Active, and with a deposit in escrow.
    pub fn funded(kind: Kind) -> Self {
        let mut deal = Self::active(kind);
        deal.must_fund(DEPOSIT);
        deal
    }

    pub fn issuer(&self) -> Keypair {
        Keypair::new_from_array(self.issuer)
    }

    /// Signs for the consumer.
    pub fn insurance(&self) -> Keypair {
        self.world.insurance.authority.insecure_clone()
    }

    /// Signs for the provider.
    pub fn hospital(&self) -> Keypair {
        self.world.hospital.authority.insecure_clone()
    }

    /// The agreement's address.
    pub fn address(&self) -> Address {
        address::agreement(&self.world.insurance.id, &self.terms.id)
    }

    pub fn escrow(&self) -> Address {
        self.currency.account_of(&self.address())
    }

    pub fn agreement(&self) -> Agreement {
        self.world.chain.read(&self.address())
    }

    pub fn balance(&self, account: &Address) -> u64 {
        balance(&self.world.chain, account)
    }

    pub fn all_money(&self) -> u64 {
        all_money(&self.world.chain, &self.currency)
    }

    /// Makes the escrow, as it stands before the proposal in the same transaction.
    pub fn make_escrow(&mut self) {
        let (insurance, owner) = (self.insurance(), self.address());
        create_associated(&mut self.world.chain, &insurance, &self.currency, owner);
    }

    pub fn propose(&self) -> Instruction {
        let (insurance, hospital) = (&self.world.insurance, &self.world.hospital);
        let authority = insurance.authority.pubkey();
        ix::propose_agreement(
            authority,
            authority,
            &insurance.id,
            &hospital.id,
            &self.currency,
            self.purse,
            self.terms,
        )
    }

    /// Proposes, and makes the escrow in the same transaction.
    pub fn must_propose(&mut self) -> AnyEvent {
        let insurance = self.insurance();
        let create = self.currency.create_account(insurance.pubkey(), self.address());
        let propose = self.propose();
        self.world.chain.send(&[create, propose], &[&insurance]).unwrap().event
    }

    pub fn accept(&self) -> Instruction {
        let (insurance, hospital) = (&self.world.insurance, &self.world.hospital);
        let authority = hospital.authority.pubkey();
        ix::accept_agreement(authority, &hospital.id, &insurance.id, &self.terms.id, self.payee)
    }

    pub fn fund(&self, amount: u64) -> Instruction {
        let insurance = &self.world.insurance;
        let authority = insurance.authority.pubkey();
        ix::fund_agreement(
            authority,
            &insurance.id,
            &self.terms.id,
            &self.currency,
            self.purse,
            amount,
        )
    }

    pub fn must_fund(&mut self, amount: u64) -> AnyEvent {
        let (fund, insurance) = (self.fund(amount), self.insurance());
        self.world.chain.must(fund, &[&insurance])
    }

    pub fn close(&self, by: &Keypair) -> Instruction {
        let (insurance, hospital) = (&self.world.insurance, &self.world.hospital);
        ix::close_agreement(
            by.pubkey(),
            insurance.authority.pubkey(),
            &insurance.id,
            &hospital.id,
            &self.terms.id,
            &self.currency,
            self.purse,
        )
    }

    pub fn must_close(&mut self, by: &Keypair) -> AnyEvent {
        let close = self.close(by);
        self.world.chain.must(close, &[by])
    }

    /// A record of the hospital's, which the patient lets the insurer read: ready to be paid for.
    pub fn approved(&mut self) -> Settling {
        let record = self.world.record();
        self.approve(record, |_| {})
    }

    /// The insurer asks for this record and the patient approves, on terms changed as the test needs it.
    pub fn approve(&mut self, record: Id, change: impl FnOnce(&mut Approval)) -> Settling {
        let settling = self.ask(record);
        let mut approval = Approval {
            grant: settling.grant,
            rights: Action::Read.bit(),
            purposes: Purpose::Payment.bit(),
            classes: 0,
            not_before: 0,
            expires: self.world.chain.now() + 7 * DAY,
            uses: UNLIMITED,
        };
        change(&mut approval);
        self.decide(&settling, Some(approval));
        settling
    }

    /// The insurer asks for this record. `grant` is the id that the patient's grant would have.
    pub fn ask(&mut self, record: Id) -> Settling {
        let (insurer, patient) = (self.world.insurer.clone(), self.world.patient.id);
        let request = address::draw(REQUEST, &patient, || self.world.id());
        let args = RequestAccessArgs {
            id: request,
            record,
            classes: 0,
            rights: Action::Read.bit(),
            purposes: Purpose::Payment.bit(),
            until: self.world.chain.now() + 30 * DAY,
        };
        let wallet = insurer.wallet.pubkey();
        let ask = ix::request_access(wallet, wallet, (&insurer.institution, &insurer.id), &patient, args);
        self.world.chain.must(ask, &[&insurer.wallet]);
        Settling {
            consumer: insurer.institution,
            member: insurer.id,
            agreement: self.terms.id,
            patient,
            request,
            grant: self.world.grant_id(),
            record,
            version: 1,
            currency: self.currency,
            payee: self.payee,
        }
    }

    /// The patient decides.
    pub fn decide(&mut self, settling: &Settling, approval: Option<Approval>) {
        let patient = self.world.patient.clone();
        let wallet = patient.wallet.pubkey();
        let record = (settling.record != NO_ID).then_some(&settling.record);
        let args = DecideRequestArgs { approval };
        let decide = ix::decide_request(
            &patient.deciding(),
            wallet,
            &patient.id,
            (&settling.request, record),
            args,
        );
        self.world.chain.must(decide, &[&patient.wallet]);
    }

    pub fn settle(&self, settling: &Settling) -> Instruction {
        let wallet = self.world.insurer.wallet.pubkey();
        ix::settle_access(wallet, wallet, settling)
    }

    pub fn must_settle(&mut self, settling: &Settling) -> AnyEvent {
        let (settle, insurer) = (self.settle(settling), self.world.insurer.wallet.insecure_clone());
        self.world.chain.must(settle, &[&insurer])
    }

    /// The insurer tries to settle, and nothing moves.
    #[track_caller]
    pub fn refuse_to_settle(&mut self, settling: &Settling, error: ChartsealError) {
        let settle = self.settle(settling);
        self.refuse_as_insurer(settle, error);
    }

    #[track_caller]
    pub fn refuse_as_insurer(&mut self, instruction: Instruction, error: ChartsealError) {
        let insurer = self.world.insurer.wallet.insecure_clone();
        self.world.chain.refuse(instruction, &[&insurer], error);
    }
}
