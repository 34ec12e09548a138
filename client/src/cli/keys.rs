//! `chartseal keys`.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::{args::Keys, caller::Caller, output::Output, passphrase};
use crate::{
    keys::{Identity, KdfCost, KeyError, Passphrase, WalletKey},
    ops::OpError,
    store::FileError,
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
        Keys::Restore { from, force, other } => {
            let file = other.backup_passphrase_file.as_deref();
            let backup = passphrase::ask_other(file, "Passphrase of the backup")?;
            let passphrase = caller.passphrase.choose("Passphrase for the identity")?;
            make_folder(&home)?;
            restore((from, &backup), (&home, &passphrase), *force, output)?
        }
        Keys::Publish | Keys::Rotate(_) | Keys::Recover(_) => bail!("this is done with the ledger's help"),
    };
    let wallet = bs58::encode(identity.wallet.address()).into_string();
    let encryption = hex::encode(identity.encryption.public());
    let post_quantum = identity.encryption.post_quantum();
    let post_quantum = post_quantum.map(|_| hex::encode(identity.encryption.post_quantum_hash()));
    output.say(
        &format!(
            "wallet            {wallet}\nencryption key    {encryption}\npost-quantum key  {}\nidentity          {}",
            post_quantum
                .as_deref()
                .unwrap_or("none: a patient takes one by `chartseal keys rotate`"),
            home.display()
        ),
        &json!({
            "wallet": wallet, "encryption_key": encryption, "post_quantum_key_sha256": post_quantum, "identity": home,
            "earlier_encryption_keys": identity.earlier.iter().map(|key| hex::encode(key.public())).collect::<Vec<_>>(),
        }),
    );
    Ok(())
}

/// Puts the X-Wing public key into the key stores.
pub(super) async fn publish(caller: Caller, output: Output) -> Result<()> {
    let keys = caller.session().await?.publish_keys().await?;
    if keys.post_quantum_hash == [0; 32] {
        bail!("this identity has no post-quantum key; a patient takes one by `chartseal keys rotate`");
    }
    let hash = hex::encode(keys.post_quantum_hash);
    output.say(
        &format!("post-quantum key {hash} is in the key stores"),
        &json!({ "post_quantum_key_sha256": hash }),
    );
    Ok(())
}

/// Makes the identity from a backup. Where there is one already and the caller insists, that one is kept beside.
fn restore(
    (from, backup): (&Path, &Passphrase),
    (home, passphrase): (&Path, &Passphrase),
    force: bool,
    output: Output,
) -> Result<Identity> {
    let restored = Identity::restore(from, backup, home, passphrase, KdfCost::DEFAULT);
    let taken = matches!(&restored, Err(KeyError::File(FileError::Exists { .. })));
    if !taken || !force {
        return Ok(restored.map_err(OpError::from)?);
    }
    let aside = set_aside(home).with_context(|| format!("cannot keep {} under another name", home.display()))?;
    match Identity::restore(from, backup, home, passphrase, KdfCost::DEFAULT) {
        Ok(identity) => {
            output.warn(&format!("the identity before is kept as {}", aside.display()));
            Ok(identity)
        }
        Err(error) => {
            fs::rename(&aside, home).with_context(|| format!("the identity before is kept as {}", aside.display()))?;
            Err(OpError::from(error).into())
        }
    }
}

/// Gives a file the next free name beside its own: `identity.1`, `identity.2` and so on.
fn set_aside(home: &Path) -> io::Result<PathBuf> {
    for number in 1_u32.. {
        let mut name = home.as_os_str().to_owned();
        name.push(format!(".{number}"));
        let aside = PathBuf::from(name);
        match fs::hard_link(home, &aside) {
            Ok(()) => {
                fs::remove_file(home)?;
                return Ok(aside);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
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
