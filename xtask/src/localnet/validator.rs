//! Which validator the stack runs on: the built-in one, or `surfpool` or `solana-test-validator` where they are installed.
//! Those two say nothing of being ready, so they are asked; surfpool is given the program over its JSON-RPC, and both are
//! asked for wallets' money.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::http;
use super::stack::Contract;

/// What a wallet gets where no amount is given.
const SOL: u64 = 100;
const LAMPORTS_PER_SOL: u64 = 1_000_000_000;
/// The slot time of a cluster, in milliseconds, and the ticks that it is divided into.
const SLOT_TIME: u64 = 400;
const TICKS_PER_SLOT: u64 = 64;
/// Fewer ticks a slot `solana-test-validator` does not take.
const FEWEST_TICKS: u64 = 2;
/// How much of its history `solana-test-validator` keeps, in shreds, as much as a cluster's validators: the indexer reads all.
const SHREDS: &str = "200000000";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Validator {
    /// The one that comes with this workspace
    BuiltIn,
    /// surfpool's own program, from PATH
    Surfpool,
    /// Agave's, from PATH; the program's upgrade authority is said at the start
    #[value(name = "solana-test-validator")]
    Agave,
}

/// What an installed validator is started with.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// Of JSON-RPC; subscriptions are on the next one.
    pub(super) port: u16,
    /// Where money comes from on `solana-test-validator`.
    pub(super) faucet_port: u16,
    pub(super) slot_time: u64,
    pub(super) contract: &'a Contract,
    pub(super) authority: Option<&'a str>,
    /// A folder that it may write into.
    pub(super) data: &'a Path,
}

impl Validator {
    fn program(self) -> &'static str {
        match self {
            Self::BuiltIn => "chartseal-localnet",
            Self::Surfpool => "surfpool",
            Self::Agave => "solana-test-validator",
        }
    }

    /// The installed program, where it was `found`.
    ///
    /// # Errors
    /// Where it was not.
    fn installed(self, found: Option<PathBuf>) -> Result<PathBuf> {
        let name = self.program();
        found.with_context(|| {
            format!(
                "not on PATH: {name}. Install it, or leave out --validator for the one that comes with this workspace"
            )
        })
    }

    /// The installed program.
    ///
    /// # Errors
    /// Where it is not on PATH.
    pub(super) fn find(self) -> Result<PathBuf> {
        self.installed(crate::process::find(self.program()))
    }

    /// The command line of an installed validator.
    pub(super) fn command(self, program: &Path, plan: &Plan<'_>) -> Command {
        let mut command = Command::new(program);
        // Whatever it looks for or leaves behind where it is started is not of this checkout.
        command.current_dir(plan.data);
        let (port, slot_time) = (plan.port.to_string(), plan.slot_time.to_string());
        match self {
            Self::BuiltIn => {}
            Self::Surfpool => {
                command
                    .args(["start", "--offline", "--no-tui", "--no-studio", "--no-deploy"])
                    .args(["--host", "127.0.0.1", "--port", &port])
                    .args(["--ws-port", &plan.port.saturating_add(1).to_string()])
                    .args(["--slot-time", &slot_time, "--log-path"])
                    .arg(plan.data.join("surfpool"));
            }
            Self::Agave => {
                command
                    .args(["--reset", "--log", "--bind-address", "127.0.0.1", "--rpc-port", &port])
                    .args(["--faucet-port", &plan.faucet_port.to_string()])
                    .args(["--limit-ledger-size", SHREDS, "--ledger"])
                    .arg(plan.data.join("ledger"))
                    .args(["--ticks-per-slot", &ticks(plan.slot_time).to_string()])
                    .args(["--upgradeable-program", &plan.contract.address])
                    .arg(&plan.contract.file)
                    .arg(plan.authority.unwrap_or("none"));
            }
        }
        command
    }

    /// Whether it takes the program over JSON-RPC, and another upgrade authority at any time.
    pub(super) fn is_surfpool(self) -> bool {
        matches!(self, Self::BuiltIn | Self::Surfpool)
    }
}

fn ticks(slot_time: u64) -> u64 {
    (slot_time.saturating_mul(TICKS_PER_SLOT) / SLOT_TIME).max(FEWEST_TICKS)
}

/// Whether a validator answers that it is well.
pub(super) fn is_up(rpc: &str) -> bool {
    http::call(rpc, "getHealth", &json!([])).is_ok_and(|health| health == "ok")
}

/// Deploys the program on surfpool.
///
/// # Errors
/// When the file cannot be read, or surfpool does not take it.
pub(super) fn deploy(rpc: &str, contract: &Contract, authority: Option<&str>) -> Result<()> {
    let file = &contract.file;
    let elf = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut hex = String::with_capacity(elf.len().saturating_mul(2));
    for byte in elf {
        write!(hex, "{byte:02x}")?;
    }
    http::call(
        rpc,
        "surfnet_writeProgram",
        &json!([contract.address, hex, 0, authority]),
    )
    .context("cannot deploy the program")?;
    Ok(())
}

/// A wallet that is to get money, and how much, in lamports.
pub(super) fn wallet(text: &str) -> Result<(&str, u64)> {
    let (address, sol) = match text.split_once('=') {
        Some((address, sol)) => (
            address,
            sol.parse().with_context(|| format!("{sol} is no number of SOL"))?,
        ),
        None => (text, SOL),
    };
    let lamports = u64::checked_mul(sol, LAMPORTS_PER_SOL).filter(|lamports| *lamports > 0);
    Ok((
        address,
        lamports.with_context(|| format!("{sol} SOL are too few or too many"))?,
    ))
}

/// Asks for money.
///
/// # Errors
/// When the faucet refuses.
pub(super) fn request(rpc: &str, wallet: &str, lamports: u64) -> Result<()> {
    let answer = http::call(rpc, "requestAirdrop", &json!([wallet, lamports]));
    let signature = answer.with_context(|| format!("cannot fund {wallet}"))?;
    ensure!(
        signature.is_string(),
        "cannot fund {wallet}: the faucet says {signature}"
    );
    Ok(())
}

/// Whether a wallet has its money.
pub(super) fn has(rpc: &str, wallet: &str, lamports: u64) -> bool {
    let asked = json!([wallet, { "commitment": "confirmed" }]);
    let answer = http::call(rpc, "getBalance", &asked);
    answer.is_ok_and(|balance| balance["value"].as_u64() >= Some(lamports) && balance["value"] != Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// What a program of that name is started with, as it sees it itself.
    fn arguments(validator: Validator, slot_time: u64, authority: Option<&str>) -> Vec<String> {
        let data = std::env::temp_dir().join(format!(
            "xtask-validator-{}-{slot_time}-{}",
            validator.program(),
            std::process::id()
        ));
        std::fs::create_dir(&data).unwrap();
        let fake = data.join(validator.program());
        std::fs::write(&fake, "#!/bin/sh\nprintf '%s\\n' \"$@\" > arguments\n").unwrap();
        std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
        let contract = Contract {
            address: "G4q".into(),
            file: "/c.so".into(),
        };
        let plan = Plan {
            port: 7000,
            faucet_port: 7002,
            slot_time,
            contract: &contract,
            authority,
            data: &data,
        };
        assert!(validator.command(&fake, &plan).status().unwrap().success());
        // It was started in its own folder.
        let seen = std::fs::read_to_string(data.join("arguments")).unwrap();
        let seen = seen.replace(&data.display().to_string(), "/data");
        std::fs::remove_dir_all(data).unwrap();
        seen.lines().map(str::to_owned).collect()
    }

    #[test]
    fn surfpool_runs_offline_without_its_terminal() {
        let line = "start --offline --no-tui --no-studio --no-deploy --host 127.0.0.1 --port 7000 --ws-port 7001 --slot-time 50 \
                    --log-path /data/surfpool";
        assert_eq!(
            arguments(Validator::Surfpool, 50, None),
            line.split(' ').collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_test_validator_begins_anew_with_the_program_and_its_authority() {
        let line = "--reset --log --bind-address 127.0.0.1 --rpc-port 7000 --faucet-port 7002 --limit-ledger-size 200000000 \
                    --ledger /data/ledger --ticks-per-slot 8 --upgradeable-program G4q /c.so";
        for (authority, said) in [(Some("Adm1n"), "Adm1n"), (None, "none")] {
            let seen = arguments(Validator::Agave, 50, authority);
            assert_eq!(seen, line.split(' ').chain([said]).collect::<Vec<_>>());
        }
    }

    #[test]
    fn slots_are_as_long_as_they_are_said_to_be() {
        assert_eq!([400, 50, 10, 60_000].map(ticks), [64, 8, 2, 9_600]);
    }

    #[test]
    fn a_validator_that_is_not_there_is_named() {
        for (validator, name) in [
            (Validator::Surfpool, "not on PATH: surfpool."),
            (Validator::Agave, "not on PATH: solana-test-validator."),
        ] {
            let error = validator.installed(None).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("--validator"), "{error}");
        }
    }

    #[test]
    fn a_wallet_is_an_address_and_perhaps_an_amount() {
        assert_eq!(wallet("W").unwrap(), ("W", 100 * LAMPORTS_PER_SOL));
        assert_eq!(wallet("W=7").unwrap(), ("W", 7 * LAMPORTS_PER_SOL));
        for wrong in ["W=", "W=x", "W=0", "W=-1", "W=99999999999999"] {
            assert!(wallet(wrong).is_err(), "{wrong}");
        }
    }
}
