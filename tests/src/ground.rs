//! What a stack stands on: the sandbox's embedded ledger, or the local validator. Everything else of the stack is the
//! same on both, and told where the ledger is by an address only.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    ending,
    programs::{keep_another, kept_contract},
};

/// How long a slot of the validator is, in milliseconds: what is final is 31 slots old, and the indexer waits for it.
const SLOT_MS: u32 = 100;

/// Ports are looked for from here on, and below those that the system gives to connections that go out.
const LOWEST_PORT: u16 = 10_000;
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// How often a free pair of ports is looked for.
const PORT_ATTEMPTS: u32 = 64;

/// What a stack stands on.
#[derive(Clone, Debug, Default)]
pub enum Ground {
    /// The sandbox's own ledger.
    #[default]
    Embedded,
    /// A local validator, by its program: `sandbox/localnet` builds it.
    Validator(PathBuf),
}

impl Ground {
    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Validator(_) => "validator",
        }
    }
}

/// The command that starts a validator for a stack in this folder, on ports that are free.
///
/// # Errors
/// Where its program is not there, or no ports are free.
pub(crate) fn validator(program: &Path, folder: &Path, upgrade_authority: &str, ready: &Path) -> Result<Command> {
    ensure!(
        program.is_file(),
        "{} is not there; `cargo xtask test --localnet` builds the validator",
        program.display()
    );
    let contract = format!("{}:{}", chartseal_program::ID, kept_contract(folder).display());
    let mut command = ending::tie(Command::new(keep_another(folder, program)))?;
    command
        .args(["--port", &free_pair()?.to_string()])
        .args(["--slot-time", &SLOT_MS.to_string()])
        .args(["--program", &contract])
        .args(["--upgrade-authority", upgrade_authority])
        .arg("--ready-file")
        .arg(ready)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Ok(command)
}

/// A port that is free, and so is the one after it, where clients look for subscriptions. Nothing keeps it so: whoever
/// finds it taken after all says so.
fn free_pair() -> Result<u16> {
    let text = std::fs::read_to_string(EPHEMERAL).unwrap_or_default();
    let end = text.split_whitespace().next().and_then(|first| first.parse().ok());
    // Where connections take even the low ports there is nothing to keep clear of.
    let end = end.filter(|end| *end > LOWEST_PORT + 1_000).unwrap_or(u16::MAX);
    for _ in 0..PORT_ATTEMPTS {
        let mut dice = [0; 2];
        getrandom::fill(&mut dice).context("the system gives no random bytes")?;
        let first = LOWEST_PORT + u16::from_le_bytes(dice) % (end - LOWEST_PORT - 1);
        let both = [first, first + 1].map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
        if both.iter().all(Result::is_ok) {
            return Ok(first);
        }
        let taken = both.iter().flat_map(|bound| bound.as_ref().err());
        for error in taken {
            ensure!(
                error.kind() == ErrorKind::AddrInUse,
                "cannot listen on this machine: {error}"
            );
        }
    }
    anyhow::bail!("no free ports were found for the validator")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_free_pair_of_ports_can_be_listened_on() {
        let first = free_pair().unwrap();
        for port in [first, first + 1] {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }

    #[test]
    fn a_validator_that_is_not_built_says_what_builds_it() {
        let nowhere = Path::new("/nowhere/chartseal-localnet");
        let error = validator(nowhere, Path::new("/nowhere"), "", Path::new("/nowhere")).unwrap_err();
        assert!(error.to_string().contains("cargo xtask test --localnet"), "{error}");
    }
}
