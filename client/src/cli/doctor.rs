//! `chartseal doctor`: looks at every part that the other commands rely on, says of each how it is and how to mend it, and
//! goes on after a broken one. It changes nothing, needs no passphrase, and gives no part longer than [`LIMIT`].

mod chain;
mod database;
pub(super) mod finding;
mod parts;

use std::time::Duration;

use anyhow::Result;
use clap::Args as ClapArgs;
use futures_util::future::join_all;
use thiserror::Error;

use self::finding::{Finding, State, plain, within};
use super::{
    args::Globals,
    caller::{Caller, off_thread},
    key_places::KeyPlace,
    output::Output,
    profile::forms,
};

/// How long a part may take. A program has almost a megabyte.
const LIMIT: Duration = Duration::from_secs(15);

#[derive(Debug, ClapArgs)]
pub(super) struct Doctor {
    /// The cluster that it ought to be: its genesis hash [default: the profile's].
    #[arg(long, value_name = "HASH", value_parser = forms::cluster)]
    cluster: Option<[u8; 32]>,
    /// The analysts' database [default: the profile's].
    #[arg(long, env = "CHARTSEAL_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
}

/// Some parts are broken.
#[derive(Debug, Error)]
#[error("broken: {parts}; the lines above say how to mend that")]
struct Broken {
    parts: String,
}

/// Looks at everything.
pub(super) async fn doctor(command: Doctor, caller: Caller, output: Output) -> Result<()> {
    let Globals {
        gateway, stores, named, ..
    } = &caller.globals;
    let addresses = caller.globals.rpc_addresses();
    let cluster = command.cluster.or(named.cluster);
    let database = command.database.or_else(|| named.database.clone());
    let (key_stores, identity) = (caller.globals.key_stores()?, caller.globals.identity()?);

    let blob_stores = async {
        if stores.stores.is_empty() {
            let found = within(LIMIT, "gateway", parts::gateway(gateway)).await;
            return vec![found.at(plain(gateway))];
        }
        let each = stores.stores.iter().map(|address| async move {
            let found = within(LIMIT, "store", parts::store(address, stores)).await;
            if found.at.is_some() {
                found
            } else {
                found.at(plain(address))
            }
        });
        join_all(each).await
    };
    let key_stores = join_all(key_stores.into_iter().map(|place| async move {
        let at = place.shown();
        let found = match place {
            KeyPlace::Folder(folder) => disk("key store", move || parts::key_store(&folder)).await,
            KeyPlace::Service(address) => within(LIMIT, "key service", parts::key_service(&address)).await,
        };
        found.at(at)
    }));
    let asked_database = async {
        let looked = tokio::time::timeout(LIMIT, database::look(database.as_deref())).await;
        looked.unwrap_or_else(|_| database::unreachable(&format!("does not answer within {} s", LIMIT.as_secs())))
    };
    let (chain, blob_stores, mut key_stores, database, identity) = tokio::join!(
        chain::look(&addresses, cluster),
        blob_stores,
        key_stores,
        asked_database,
        disk("identity", move || parts::identity(&identity)),
    );
    if !key_stores.iter().any(|found| found.part == "key service") {
        let what = "none is named (--key-service, `key_service` of the profile)";
        key_stores.push(Finding::none("key service", what));
    }
    let found = [
        vec![profile(&caller.globals)],
        chain,
        blob_stores,
        key_stores,
        database.into(),
        vec![identity],
    ]
    .concat();
    for finding in &found {
        output.say(&finding.line(), &finding.object());
    }
    let mut broken: Vec<_> = found.iter().filter(|finding| finding.state == State::Broken).collect();
    broken.dedup_by_key(|finding| finding.part);
    if broken.is_empty() {
        return Ok(());
    }
    let parts: Vec<_> = broken.iter().map(|finding| finding.part).collect();
    Err(Broken {
        parts: parts.join(", "),
    }
    .into())
}

/// Whose words are taken.
fn profile(globals: &Globals) -> Finding {
    match (&globals.named.profile, globals.config_file()) {
        (Some(name), Ok(file)) => Finding::ok("profile", name).at(file.display().to_string()),
        _ => Finding::none("profile", "none; `chartseal init` makes one"),
    }
}

/// Looks at something on a disk, which may hang like a network.
async fn disk(part: &'static str, look: impl FnOnce() -> Finding + Send + 'static) -> Finding {
    let looked = async {
        match off_thread(move || Ok(look())).await {
            Ok(finding) => finding,
            Err(error) => Finding::unknown(part, error.to_string()),
        }
    };
    within(LIMIT, part, looked).await
}
