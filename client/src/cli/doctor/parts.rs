//! What the doctor looks at beside the cluster and the database: gateway or stores, key service, key stores, identity.
//! Nothing is written anywhere, and nothing is made where it is not there.

use std::{fs::File, os::unix::fs::PermissionsExt as _, path::Path};

use super::{
    LIMIT,
    finding::{Finding, plain},
};
use crate::{
    cli::args::StoreArgs,
    crypto,
    store::{Backend, BlobStore as _, Gateway, GatewayOptions, ItemId, StoreError},
};

/// The gateway, where no stores are named instead of it.
pub(super) async fn gateway(address: &str) -> Finding {
    asked("gateway", gateway_at(address), "--gateway, `gateway` of the profile").await
}

/// One of the stores that were named.
pub(super) async fn store(address: &str, args: &StoreArgs) -> Finding {
    let opened = if address.starts_with("http://") || address.starts_with("https://") {
        gateway_at(address)
    } else {
        Backend::paid_by(address, args.arweave_wallet.as_deref(), args.max_price.winston)
    };
    let name = opened.as_ref().map(Backend::name).unwrap_or_else(|_| plain(address));
    asked("store", opened, "--store, `stores` of the profile")
        .await
        .at(name)
}

/// A gateway that is asked once: trying again is for those who need an answer.
fn gateway_at(address: &str) -> Result<Backend, StoreError> {
    let options = GatewayOptions {
        attempts: 1,
        connect_timeout: LIMIT,
        silence_timeout: LIMIT,
        ..GatewayOptions::default()
    };
    Gateway::new(address, options).map(Backend::from)
}

/// Asks a store for an item that nobody has: whoever says so works.
async fn asked(part: &'static str, store: Result<Backend, StoreError>, named_by: &str) -> Finding {
    let asked = async { store?.has(ItemId(crypto::random().map_err(|_| no_randomness())?)).await };
    match asked.await {
        Ok(_) | Err(StoreError::NotFound { .. }) => Finding::ok(part, "answers"),
        Err(error) => Finding::broken(part, error.to_string(), format!("it is named by {named_by}")),
    }
}

fn no_randomness() -> StoreError {
    StoreError::Failed {
        detail: "this system gives no random bytes".into(),
    }
}

/// A key service.
pub(super) async fn key_service(address: &str) -> Finding {
    let asked = async {
        let client = reqwest::Client::builder().timeout(LIMIT).build()?;
        let url = format!("{}/healthz", address.trim_end_matches('/'));
        client.get(url).send().await?.error_for_status()
    };
    match asked.await {
        Ok(_) => Finding::ok("key service", "answers"),
        Err(error) => {
            let why = match error.status() {
                Some(status) => format!("it answers status {status}"),
                None if error.is_timeout() => "it does not answer in time".into(),
                None if error.is_builder() => "that is no address".into(),
                None => "it does not answer".into(),
            };
            Finding::broken(
                "key service",
                why,
                "start it, or check its address (--key-service, --key-store)",
            )
        }
    }
}

/// A folder that keeps envelopes. What makes one that is not there makes an empty one, so that is left to whoever knows.
pub(super) fn key_store(folder: &Path) -> Finding {
    let part = |name: &str| std::fs::read_dir(folder.join(name));
    match part("envelopes").and_then(|_| part("record-keys")) {
        Ok(_) => Finding::ok("key store", "there"),
        Err(error) if folder.is_dir() => Finding::broken(
            "key store",
            format!("the folder is there, but it is no key store that can be read ({error})"),
            "mount the disk that it is on, or see whose it is; an empty one is made by the first command that needs it",
        ),
        Err(_) => Finding::broken(
            "key store",
            "there is no such folder",
            "mount the disk that it is on, or name another (--key-store); if there never was one, `chartseal keys publish` \
             makes it",
        ),
    }
}

/// The file with the keys. It is not opened: that takes its passphrase.
pub(super) fn identity(path: &Path) -> Finding {
    let found = match (path.metadata(), File::open(path)) {
        (Err(error), _) if error.kind() == std::io::ErrorKind::NotFound => Finding::broken(
            "identity",
            "there is no such file",
            "name it (--identity), restore it (`chartseal keys restore`), or make keys if there never were any (`chartseal \
             keys new`)",
        ),
        (Ok(about), _) if !about.is_file() => Finding::broken(
            "identity",
            "that is no file",
            "name the file with your keys (--identity)",
        ),
        (Err(error), _) | (_, Err(error)) => Finding::broken(
            "identity",
            format!("it cannot be read ({error})"),
            "see whose file it is; it is to be yours, with mode 600",
        ),
        (Ok(about), Ok(_)) => {
            let mode = about.permissions().mode() & 0o777;
            if mode & 0o077 == 0 {
                Finding::ok("identity", format!("there, mode {mode:o}"))
            } else {
                Finding::broken(
                    "identity",
                    format!("others may get at it: its mode is {mode:o}"),
                    format!("chmod 600 {}", path.display()),
                )
            }
        }
    };
    found.at(path.display().to_string())
}
