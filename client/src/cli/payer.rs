//! Who pays for what is typed: whoever signs it, another wallet on this machine, or a relayer.

use std::{fs::File, io::Read as _, path::Path};

use anyhow::{Context as _, Result};

use super::{args::Globals, passphrase::ask_other};
use crate::{
    keys::{Identity, WalletKey},
    ledger::{Payer, Relayer},
};

impl Globals {
    /// Who pays. It blocks where the passphrase of an identity has to be asked for.
    pub(super) fn payer(&self) -> Result<Payer> {
        Ok(match (&self.relayer, &self.fee_payer) {
            (Some(url), _) => Payer::Relayer(Relayer::new(url)),
            (None, Some(path)) => Payer::Wallet(wallet(path, self.fee_payer_passphrase_file.as_deref())?),
            (None, None) => Payer::Signer,
        })
    }
}

/// The wallet in a keypair file of the Solana CLI, or in an identity.
fn wallet(path: &Path, passphrase: Option<&Path>) -> Result<WalletKey> {
    let what = || format!("the fee payer's file {}", path.display());
    let mut first = [0];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut first))
        .with_context(what)?;
    // A list of numbers.
    if first == *b"[" {
        return WalletKey::import_solana_file(path).with_context(what);
    }
    let passphrase = ask_other(passphrase, "Passphrase of the fee payer's identity")?;
    Ok(Identity::load(path, &passphrase).with_context(what)?.wallet)
}
