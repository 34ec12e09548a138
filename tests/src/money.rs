//! Money for agreements: SPL tokens of a mint that somebody makes on the local ledger, by the real token programs.

use anyhow::{Context as _, Result};
use chartseal::{
    keys::{Identity, Passphrase, WalletKey},
    ledger::Ledger,
};
use chartseal_program::builders::Currency;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

use crate::people::Person;

/// SPL Token, the classic program.
pub const CLASSIC: Address = Address::from_str_const("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
/// Its successor.
pub const TOKEN_2022: Address = Address::from_str_const("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");

const SYSTEM: Address = Address::new_from_array([0; 32]);
/// More than the rent of any account of ours, in lamports.
const RENT: u64 = 20_000_000;
/// Length of a mint without extensions.
const MINT_LENGTH: usize = 82;
/// Where an extension begins, and how long its head is.
const EXTENSIONS: usize = 166;
const EXTENSION_HEAD: usize = 4;
/// Length of the extension that takes a fee of each transfer.
const TRANSFER_FEE_LENGTH: usize = 108;

/// A mint, and who makes its money.
#[derive(Debug)]
pub struct Money {
    ledger: Ledger,
    issuer: WalletKey,
    currency: Currency,
}

impl Money {
    /// Makes a mint of six decimals. `fee` is what the mint takes of each transfer, in hundredths of a percent: only
    /// Token-2022 does that.
    ///
    /// # Errors
    /// Where the ledger refuses.
    pub async fn mint(issuer: &Person, rpc: &str, token_program: Address, fee: Option<u16>) -> Result<Self> {
        let passphrase = std::fs::read(issuer.passphrase()).context("cannot read the passphrase")?;
        let passphrase = Passphrase::new(passphrase.trim_ascii_end())?;
        let (issuer, new) = (
            Identity::load(&issuer.identity(), &passphrase)?.wallet,
            WalletKey::generate()?,
        );
        let (authority, mint) = (address(&issuer), address(&new));
        let length = match fee {
            None => MINT_LENGTH,
            Some(_) => EXTENSIONS + EXTENSION_HEAD + TRANSFER_FEE_LENGTH,
        };
        let make = [
            &[0; 4][..],
            &RENT.to_le_bytes(),
            &(length as u64).to_le_bytes(),
            token_program.as_ref(),
        ];
        let both = vec![AccountMeta::new(authority, true), AccountMeta::new(mint, true)];
        let mut instructions = vec![instruction(SYSTEM, both, &make)];
        let writes = || vec![AccountMeta::new(mint, false)];
        if let Some(fee) = fee {
            let (some, key, most) = ([1_u8], authority.as_ref(), u64::MAX.to_le_bytes());
            let takes = [&[26, 0][..], &some, key, &some, key, &fee.to_le_bytes(), &most];
            instructions.push(instruction(token_program, writes(), &takes));
        }
        let initialize = [&[20, 6][..], authority.as_ref(), &[0]];
        instructions.push(instruction(token_program, writes(), &initialize));
        let ledger = Ledger::new(rpc);
        ledger.submit_all(&instructions, &[&issuer, &new]).await?;
        Ok(Self {
            ledger,
            issuer,
            currency: Currency { mint, token_program },
        })
    }

    /// The mint's address, as people type it.
    #[must_use]
    pub fn address(&self) -> String {
        self.currency.mint.to_string()
    }

    /// Makes new money for a wallet, in smallest units, and its token account where it has none.
    ///
    /// # Errors
    /// Where the ledger refuses.
    pub async fn pour(&self, wallet: &str, amount: u64) -> Result<()> {
        let wallet: Address = wallet.parse().ok().context("this is no address")?;
        let authority = address(&self.issuer);
        let accounts = vec![
            AccountMeta::new(self.currency.mint, false),
            AccountMeta::new(self.currency.account_of(&wallet), false),
            AccountMeta::new_readonly(authority, true),
        ];
        let mint_to = [&[7][..], &amount.to_le_bytes()];
        let instructions = [
            self.currency.create_account(authority, wallet),
            instruction(self.currency.token_program, accounts, &mint_to),
        ];
        self.ledger.submit_all(&instructions, &[&self.issuer]).await?;
        Ok(())
    }

    /// What a wallet has in its token account, in smallest units; `None` where it has no such account.
    ///
    /// # Errors
    /// Where the ledger does not answer.
    pub async fn balance(&self, wallet: &str) -> Result<Option<u64>> {
        let wallet: Address = wallet.parse().ok().context("this is no address")?;
        self.balance_at(&self.currency.account_of(&wallet).to_string()).await
    }

    /// The same of a token account by its own address.
    ///
    /// # Errors
    /// Where the ledger does not answer.
    pub async fn balance_at(&self, account: &str) -> Result<Option<u64>> {
        let account: Address = account.parse().ok().context("this is no address")?;
        let Some((_, data)) = self.ledger.data(&account).await? else {
            return Ok(None);
        };
        let amount = data.get(64..72).and_then(|bytes| bytes.try_into().ok());
        Ok(Some(u64::from_le_bytes(amount.context("this is no token account")?)))
    }
}

fn address(key: &WalletKey) -> Address {
    Address::new_from_array(key.address())
}

fn instruction(program_id: Address, accounts: Vec<AccountMeta>, data: &[&[u8]]) -> Instruction {
    Instruction {
        program_id,
        accounts,
        data: data.concat(),
    }
}
