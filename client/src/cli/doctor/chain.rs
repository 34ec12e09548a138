//! What the doctor asks the cluster. Every address is asked by itself, once and without patience: what the other commands
//! bridge by trying again and elsewhere is what is looked for here. Nothing is sent that changes anything.

use std::time::{SystemTime, UNIX_EPOCH};

use anchor_lang::AccountDeserialize as _;
use chartseal_program::{ID, seeds::address, state::Registry};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_address::Address;
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind},
    config::RpcAccountInfoConfig,
};

use super::{
    LIMIT,
    finding::{Finding, State, plain, within},
};

/// What is known of the program file of this release: `cargo xtask build-sbf` writes it.
const ARTIFACT: &str = include_str!("../../../../programs/chartseal/artifacts/toolchain.json");

/// The loader that keeps a program's code in an account of its own.
const UPGRADEABLE: Address = Address::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");
/// The loader that keeps it in the program's account, for good.
const FINAL: Address = Address::from_str_const("BPFLoader2111111111111111111111111111111111");
/// The account that says what time it is, and where in it: after four numbers of eight bytes.
const CLOCK: Address = Address::from_str_const("SysvarC1ock11111111111111111111111111111111");
const UNIX_TIMESTAMP: usize = 32;

/// Bytes of a ProgramData account before the code: tag (4), slot (8), option tag (1), authority (32).
const PROGRAM_DATA_HEADER: usize = 45;

/// How far this machine's clock may be from the chain's, in seconds: a little more than a cluster's own may drift.
const APART: u64 = 120;

#[derive(Deserialize)]
struct Artifact {
    bytes: usize,
    sha256: String,
}

/// An account, as far as it matters here.
struct Account {
    owner: String,
    executable: bool,
    data: Vec<u8>,
}

/// Everything about the cluster: each address, and by the first that answers what stands on chain.
pub(super) async fn look(addresses: &[&str], cluster: Option<[u8; 32]>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut heard = Vec::new();
    for &address in addresses {
        let rpc = RpcClient::new_with_timeout_and_commitment(address.to_owned(), LIMIT, CommitmentConfig::confirmed());
        let mut hash = None;
        let reached = within(LIMIT, "rpc", async {
            match rpc.get_genesis_hash().await {
                Ok(genesis) => {
                    hash = Some(genesis.to_bytes());
                    Finding::ok("rpc", "answers")
                }
                Err(error) => Finding::broken(
                    "rpc",
                    format!("does not answer ({})", said(&error)),
                    "check the address (--rpc, `rpc` of the profile) and whether the node runs",
                ),
            }
        });
        found.push(reached.await.at(plain(address)));
        if let Some(hash) = hash {
            heard.push((rpc, hash, plain(address)));
        }
    }
    // Where addresses lead to several clusters, the one that is meant is looked at.
    let meant = heard.iter().position(|(_, hash, _)| Some(*hash) == cluster);
    let Some((rpc, hash, _)) = heard.get(meant.unwrap_or(0)) else {
        let unasked = ["cluster", "program", "registry", "clock"];
        found.extend(unasked.map(|part| Finding::unknown(part, "no RPC address answers")));
        return found;
    };
    let expected = cluster.unwrap_or(*hash);
    let others = heard.iter().filter(|(_, hash, _)| *hash != expected);
    let others: Vec<_> = others
        .map(|(_, hash, at)| format!("{at} is {}", bs58::encode(hash).into_string()))
        .collect();
    found.push(of_cluster(cluster.is_some(), expected, &others));
    let (mut program, mut registry, clock) = tokio::join!(
        within(LIMIT, "program", program(rpc)),
        within(LIMIT, "registry", registry(rpc)),
        within(LIMIT, "clock", clock(rpc))
    );
    if registry.state == State::Broken && program.state == State::Broken {
        registry = Finding::unknown("registry", "it needs the program");
    }
    if expected != *hash {
        for finding in [&mut program, &mut registry] {
            if finding.state == State::Broken {
                *finding = Finding::unknown(finding.part, "it is looked for on the cluster that is meant");
            }
        }
    }
    found.extend([program, registry, clock]);
    found
}

fn of_cluster(is_named: bool, expected: [u8; 32], others: &[String]) -> Finding {
    let expected = bs58::encode(expected).into_string();
    if others.is_empty() {
        let nobody = if is_named {
            ""
        } else {
            "; no profile says which it ought to be"
        };
        return Finding::ok("cluster", format!("{expected}{nobody}"));
    }
    let whose = if is_named {
        "the profile means"
    } else {
        "the first address is"
    };
    Finding::broken(
        "cluster",
        format!("{}, and {whose} {expected}", others.join(", ")),
        "name addresses of one cluster (--rpc); where it was made anew, so is the profile (`chartseal init --force`)",
    )
}

async fn program(rpc: &RpcClient) -> Finding {
    let Ok(artifact) = serde_json::from_str::<Artifact>(ARTIFACT) else {
        return Finding::unknown("program", "this release does not know the hash of its program");
    };
    let account = match account(rpc, &ID).await {
        Ok(Some(account)) => account,
        Ok(None) => {
            return Finding::broken(
                "program",
                format!("there is no program {ID} on this cluster"),
                "name another cluster, or deploy programs/chartseal/artifacts/chartseal.so there",
            );
        }
        Err(error) => return unheard("program", &error),
    };
    if !account.executable {
        return Finding::broken(
            "program",
            format!("{ID} is an account and no program"),
            "name another cluster, or deploy programs/chartseal/artifacts/chartseal.so there",
        );
    }
    let cannot = |why: &str| {
        Finding::unknown(
            "program",
            format!("{ID} is there, but {why}: it may be another release"),
        )
    };
    let code = if account.owner == UPGRADEABLE.to_string() {
        let Some(place) = program_data(&account.data) else {
            return cannot("its account does not say where its code is");
        };
        match self::account(rpc, &place).await {
            Ok(Some(mut kept)) if kept.data.len() >= PROGRAM_DATA_HEADER => kept.data.split_off(PROGRAM_DATA_HEADER),
            Ok(_) => {
                return Finding::broken(
                    "program",
                    format!("{ID} was closed: its code is gone"),
                    "name another cluster; a closed program cannot be deployed again at its address",
                );
            }
            Err(error) => return cannot(&format!("its code cannot be had ({error})")),
        }
    } else if account.owner == FINAL.to_string() {
        account.data
    } else {
        return cannot(&format!(
            "the loader {} keeps its code in a way that is not known here",
            account.owner
        ));
    };
    if is_artifact(&code, artifact.bytes, &artifact.sha256) {
        return Finding::ok(
            "program",
            format!("{ID} is the one of this release ({})", artifact.sha256),
        );
    }
    let deployed = code.len() - code.iter().rev().take_while(|byte| **byte == 0).count();
    Finding::broken(
        "program",
        format!(
            "another program than this release's stands at {ID}: {deployed} bytes (SHA-256 {}), and ours has {} ({})",
            hex::encode(Sha256::digest(code.get(..deployed).unwrap_or_default())),
            artifact.bytes,
            artifact.sha256
        ),
        "install the release that belongs to it, or have its upgrade authority deploy this one's",
    )
}

/// Where the upgradeable loader keeps a program's code: after the tag of a program, 2.
fn program_data(program: &[u8]) -> Option<Address> {
    let (tag, rest) = program.split_first_chunk::<4>()?;
    let address = rest.first_chunk::<32>()?;
    (u32::from_le_bytes(*tag) == 2).then(|| Address::new_from_array(*address))
}

/// Whether this is the file; an account may be longer than its program, and is zero there.
fn is_artifact(code: &[u8], bytes: usize, sha256: &str) -> bool {
    let Some((file, room)) = code.split_at_checked(bytes) else {
        return false;
    };
    room.iter().all(|byte| *byte == 0) && hex::encode(Sha256::digest(file)) == sha256
}

async fn registry(rpc: &RpcClient) -> Finding {
    let account = match account(rpc, &address::registry()).await {
        Ok(account) => account.filter(|account| account.owner == ID.to_string()),
        Err(error) => return unheard("registry", &error),
    };
    let Some(account) = account else {
        return Finding::broken(
            "registry",
            "it has not been made yet",
            "the program's upgrade authority makes it with `chartseal registry init`",
        );
    };
    match Registry::try_deserialize(&mut &account.data[..]) {
        Ok(registry) if registry.is_paused() => Finding::broken(
            "registry",
            format!(
                "the program is paused: only revoking, erasing and reviewing go on (admin {})",
                registry.admin
            ),
            "ask that admin why; they end it with `chartseal registry resume`",
        ),
        Ok(registry) => Finding::ok("registry", format!("made and not paused (admin {})", registry.admin)),
        Err(_) => Finding::broken(
            "registry",
            "it is not of a form that this release knows",
            "install the release that belongs to the program",
        ),
    }
}

async fn clock(rpc: &RpcClient) -> Finding {
    let data = match account(rpc, &CLOCK).await {
        Ok(account) => account.map(|account| account.data).unwrap_or_default(),
        Err(error) => return unheard("clock", &error),
    };
    let chain = data.get(UNIX_TIMESTAMP..).and_then(<[u8]>::first_chunk::<8>);
    let here = SystemTime::now().duration_since(UNIX_EPOCH).map(|time| time.as_secs());
    let (Some(chain), Ok(here)) = (chain, here) else {
        return Finding::unknown("clock", "the chain does not say what time it is");
    };
    of_clocks(i64::from_le_bytes(*chain), i64::try_from(here).unwrap_or(i64::MAX))
}

fn of_clocks(chain: i64, here: i64) -> Finding {
    let apart = here.abs_diff(chain);
    if apart <= APART {
        return Finding::ok("clock", format!("{apart} s from the chain's"));
    }
    let which = if here < chain { "behind" } else { "ahead of" };
    Finding::broken(
        "clock",
        format!("this machine's is {apart} s {which} the chain's"),
        "set it (`timedatectl set-ntp true`); if it is right, this cluster's is not: a sandbox whose time was set forward?",
    )
}

fn unheard(part: &'static str, error: &str) -> Finding {
    Finding::broken(
        part,
        format!("the node does not tell ({error})"),
        "ask another node (--rpc), or see what this one refuses",
    )
}

async fn account(rpc: &RpcClient, at: &Address) -> Result<Option<Account>, String> {
    let config = RpcAccountInfoConfig {
        encoding: Some(UiAccountEncoding::Base64),
        commitment: Some(rpc.commitment()),
        ..RpcAccountInfoConfig::default()
    };
    let answer = rpc.get_ui_account_with_config(at, config).await;
    let Some(found) = answer.map_err(|error| said(&error))?.value else {
        return Ok(None);
    };
    let data = found.data.decode().ok_or("its answer is no account")?;
    Ok(Some(Account {
        owner: found.owner,
        executable: found.executable,
        data,
    }))
}

/// What a client says, without the address: there may be a key in it.
fn said(error: &ClientError) -> String {
    match &*error.kind {
        ErrorKind::Reqwest(error) if error.is_timeout() => "it takes too long".into(),
        ErrorKind::Reqwest(error) if error.is_connect() => "no connection".into(),
        ErrorKind::Reqwest(error) => match error.status() {
            Some(status) => format!("status {status}"),
            None => "the connection broke, or the answer is not one of a ledger".into(),
        },
        ErrorKind::RpcError(error) => error.to_string(),
        ErrorKind::SerdeJson(_) => "its answer is not one of a ledger".into(),
        _ => "it fails".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_program_is_the_artifact_whatever_zeros_come_after_it() {
        let (file, hash) = (b"program".as_slice(), hex::encode(Sha256::digest(b"program")));
        assert!(is_artifact(file, 7, &hash));
        assert!(is_artifact(b"program\0\0\0", 7, &hash));
        for other in [b"program\0x".as_slice(), b"progra", b"pr0gram\0", b""] {
            assert!(!is_artifact(other, 7, &hash), "{other:?}");
        }
    }

    #[test]
    fn this_release_knows_its_program() {
        let artifact: Artifact = serde_json::from_str(ARTIFACT).unwrap();
        let file = include_bytes!("../../../../programs/chartseal/artifacts/chartseal.so");
        assert!(is_artifact(file, artifact.bytes, &artifact.sha256));
    }

    #[test]
    fn a_program_says_where_its_code_is() {
        let code = [7; 32];
        let account = [&[2, 0, 0, 0][..], &code].concat();
        assert_eq!(program_data(&account), Some(Address::new_from_array(code)));
        assert_eq!(program_data(&account[..35]), None);
        assert_eq!(
            program_data(&[&[3, 0, 0, 0][..], &code].concat()),
            None,
            "the tag of the code itself"
        );
    }

    #[test]
    fn clocks_may_be_two_minutes_apart() {
        assert_eq!(of_clocks(1_000, 1_120).state, State::Ok);
        assert_eq!(of_clocks(1_120, 1_000).state, State::Ok);
        assert!(of_clocks(1_000, 1_121).what.contains("121 s ahead of"));
        assert!(of_clocks(1_121, 1_000).what.contains("121 s behind"));
        assert_eq!(of_clocks(i64::MIN, i64::MAX).state, State::Broken);
    }
}
