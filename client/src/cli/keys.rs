//! `chartseal keys`.

use anyhow::Result;
use serde_json::json;

use super::{
    args::{Globals, Keys},
    output::Output,
    passphrase,
};
use crate::{
    keys::{Identity, KdfCost, WalletKey},
    ops::OpError,
};

pub(super) fn run(command: &Keys, globals: &Globals, output: &Output) -> Result<()> {
    let home = globals.identity()?;
    let identity = match command {
        Keys::New => create(Identity::generate().map_err(OpError::from)?, globals)?,
        Keys::Import { keypair } => {
            let wallet = WalletKey::import_solana_file(keypair).map_err(OpError::from)?;
            create(Identity::with_wallet(wallet).map_err(OpError::from)?, globals)?
        }
        Keys::Show => globals.open_identity()?,
        Keys::Backup { to, other } => {
            let passphrase = passphrase::ask(globals, "Passphrase of the identity")?;
            let file = other.backup_passphrase_file.as_deref();
            let backup = passphrase::choose_other(file, "Passphrase for the backup")?;
            Identity::backup(&home, &passphrase, to, &backup, KdfCost::DEFAULT).map_err(OpError::from)?
        }
        Keys::Restore { from, other } => {
            let file = other.backup_passphrase_file.as_deref();
            let backup = passphrase::ask_other(file, "Passphrase of the backup")?;
            let passphrase = passphrase::choose(globals, "Passphrase for the identity")?;
            make_folder(globals)?;
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

fn create(identity: Identity, globals: &Globals) -> Result<Identity> {
    let passphrase = passphrase::choose(globals, "Passphrase for the new identity")?;
    make_folder(globals)?;
    identity
        .create(&globals.identity()?, &passphrase, KdfCost::DEFAULT)
        .map_err(OpError::from)?;
    Ok(identity)
}

/// The folder of the identity, where it is the default one and this is the first time.
fn make_folder(globals: &Globals) -> Result<()> {
    if let Some(folder) = globals.identity()?.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(())
}
