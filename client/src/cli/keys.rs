//! `chartseal keys`.

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt as _, path::Path};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{args::Keys, caller::Caller, output::Output, passphrase};
use crate::{
    keys::{Identity, KdfCost, WalletKey},
    ops::OpError,
};

/// Runs a command. It blocks.
pub(super) fn run(command: &Keys, caller: Caller, output: Output) -> Result<()> {
    let home = caller.globals.identity()?;
    let identity = match command {
        Keys::New => create(Identity::generate().map_err(OpError::from)?, &home, caller)?,
        Keys::Import { keypair } => {
            let wallet = WalletKey::import_solana_file(keypair).map_err(OpError::from)?;
            create(Identity::with_wallet(wallet).map_err(OpError::from)?, &home, caller)?
        }
        Keys::Show => caller.open_identity()?,
        Keys::Backup { to, other } => {
            let passphrase = caller.passphrase.ask("Passphrase of the identity")?;
            let file = other.backup_passphrase_file.as_deref();
            let backup = passphrase::choose_other(file, "Passphrase for the backup")?;
            Identity::backup(&home, &passphrase, to, &backup, KdfCost::DEFAULT).map_err(OpError::from)?
        }
        Keys::Restore { from, other } => {
            let file = other.backup_passphrase_file.as_deref();
            let backup = passphrase::ask_other(file, "Passphrase of the backup")?;
            let passphrase = caller.passphrase.choose("Passphrase for the identity")?;
            make_folder(&home)?;
            Identity::restore(from, &backup, &home, &passphrase, KdfCost::DEFAULT).map_err(OpError::from)?
        }
    };
    let wallet = bs58::encode(identity.wallet.address()).into_string();
    let encryption = hex::encode(identity.encryption.public());
    output.say(
        &format!(
            "wallet          {wallet}\nencryption key  {encryption}\nidentity        {}",
            home.display()
        ),
        &json!({ "wallet": wallet, "encryption_key": encryption, "identity": home }),
    );
    Ok(())
}

fn create(identity: Identity, home: &Path, caller: Caller) -> Result<Identity> {
    let passphrase = caller.passphrase.choose("Passphrase for the new identity")?;
    make_folder(home)?;
    identity
        .create(home, &passphrase, KdfCost::DEFAULT)
        .map_err(OpError::from)?;
    Ok(identity)
}

/// The folder of the identity, where this is the first time; for its owner only.
fn make_folder(home: &Path) -> Result<()> {
    match home.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display())),
        _ => Ok(()),
    }
}
