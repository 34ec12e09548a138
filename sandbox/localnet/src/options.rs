//! What the validator is started with. Addresses, amounts and ports are checked here, before anything runs.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;
use clap::Parser;
use solana_pubkey::Pubkey;

/// What a wallet gets where no amount is given.
const SOL: u64 = 100;
const LAMPORTS_PER_SOL: u64 = 1_000_000_000;
/// All the money that there is on a cluster, about: more than this is a mistake.
const MOST_SOL: u64 = 500_000_000;

/// A local Solana validator, offline and in memory, with programs deployed and wallets funded.
#[derive(Debug, Parser)]
#[command(name = "chartseal-localnet", version)]
pub(crate) struct Options {
    /// The port of JSON-RPC
    #[arg(long, value_name = "PORT", default_value_t = 8899, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The port of subscriptions [default: the one after that of JSON-RPC, where clients look for it]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    ws_port: Option<u16>,
    /// How long a slot is, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 400, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub(crate) slot_time: u64,
    /// A program to deploy; may be given several times
    #[arg(long = "program", value_name = "ADDRESS:PATH")]
    pub(crate) programs: Vec<Program>,
    /// Who may upgrade the programs [default: nobody]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) upgrade_authority: Option<Pubkey>,
    /// A wallet that gets money, 100 SOL unless said otherwise; may be given several times
    #[arg(long = "fund", value_name = "ADDRESS[=SOL]")]
    pub(crate) wallets: Vec<Wallet>,
    /// A file to write the addresses to, as JSON, once everything is there
    #[arg(long, value_name = "PATH")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Print the addresses as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where the validator listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) rpc: u16,
    pub(crate) ws: u16,
}

impl Options {
    /// Both ports, which differ.
    pub(crate) fn ports(&self) -> anyhow::Result<Ports> {
        let next = || {
            self.port
                .checked_add(1)
                .context("there is no port after 65535: choose a lower --port")
        };
        let ws = self.ws_port.map_or_else(next, Ok)?;
        anyhow::ensure!(ws != self.port, "--port and --ws-port are the same: choose two");
        Ok(Ports { rpc: self.port, ws })
    }
}

/// A program: where it is deployed, and the file that is. Written `ADDRESS:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) address: Pubkey,
    pub(crate) path: PathBuf,
}

impl FromStr for Program {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, path) = text.split_once(':').ok_or("expected ADDRESS:PATH")?;
        if path.is_empty() {
            return Err("the path is missing after the colon".to_owned());
        }
        Ok(Self {
            address: parse_address(address)?,
            path: PathBuf::from(path),
        })
    }
}

/// A wallet and its money. Written `ADDRESS` or `ADDRESS=SOL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wallet {
    pub(crate) address: Pubkey,
    pub(crate) lamports: u64,
}

impl FromStr for Wallet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, sol) = match text.split_once('=') {
            Some((address, sol)) => (
                address,
                sol.parse().map_err(|e| format!("{sol} is no number of SOL: {e}"))?,
            ),
            None => (text, SOL),
        };
        if !(1..=MOST_SOL).contains(&sol) {
            return Err(format!("{sol} SOL: choose between 1 and {MOST_SOL}"));
        }
        Ok(Self {
            address: parse_address(address)?,
            lamports: sol * LAMPORTS_PER_SOL,
        })
    }
}

fn parse_address(text: &str) -> Result<Pubkey, String> {
    text.parse().map_err(|e| format!("{text} is no address: {e}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ADDRESS: &str = "11111111111111111111111111111111";

    fn options(line: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(std::iter::once("chartseal-localnet").chain(line.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Options::command().debug_assert();
    }

    #[test]
    fn a_wallet_is_an_address_and_perhaps_an_amount() {
        let wallet = |text: &str| text.parse::<Wallet>();
        assert_eq!(wallet(ADDRESS).unwrap().lamports, 100 * LAMPORTS_PER_SOL);
        assert_eq!(wallet(&format!("{ADDRESS}=7")).unwrap().lamports, 7 * LAMPORTS_PER_SOL);
        for wrong in ["", "=7", "nonsense", "nonsense=7"] {
            assert!(wallet(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "0", "-1", "1.5", "500000001", "99999999999999999999"] {
            assert!(wallet(&format!("{ADDRESS}={wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_program_is_an_address_and_a_path() {
        let program: Program = format!("{ADDRESS}:a/b:c.so").parse().unwrap();
        assert_eq!(program.path, PathBuf::from("a/b:c.so"));
        for wrong in [ADDRESS, "11111111111111111111111111111111:", "nonsense:x.so"] {
            assert!(wrong.parse::<Program>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn subscriptions_are_on_the_next_port_unless_told_otherwise() {
        assert_eq!(options("").unwrap().ports().unwrap(), Ports { rpc: 8899, ws: 8900 });
        let both = options("--port 7000 --ws-port 9000").unwrap();
        assert_eq!(both.ports().unwrap(), Ports { rpc: 7000, ws: 9000 });
        assert!(options("--port 65535").unwrap().ports().is_err());
        assert!(options("--port 7000 --ws-port 7000").unwrap().ports().is_err());
        assert!(options("--port 0").is_err());
    }
}
