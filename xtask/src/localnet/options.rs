//! What `cargo xtask localnet` understands.

use std::path::PathBuf;

use clap::Subcommand;

use super::part::Part;
use super::validator::Validator;

#[derive(Debug, clap::Args)]
pub(crate) struct Localnet {
    /// The stack's folder: what runs, its logs, profiles and keys. It is empty at first, or not there. A stack with another folder
    /// runs beside this one, given free ports
    /// [default: localnet/run in the build folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Action,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Start the stack on a local validator: validator, gateway, Postgres, key service and indexer. Runs until Ctrl-C
    Up(Up),
    /// Say what runs, where, and whether it is well
    Status {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show what the parts have written
    Logs {
        /// Only this one
        #[arg(value_enum)]
        part: Option<Part>,
        /// Go on until Ctrl-C
        #[arg(long, short)]
        follow: bool,
    },
    /// Print what to export so that `chartseal` and `chartseal-indexer` find the stack, for `eval "$(…)"`
    Env,
    /// Let an institution's staff store keys at the key service, which starts anew for it
    Institution {
        /// Its id, as `chartseal institution register` printed it
        #[arg(value_parser = institution)]
        id: String,
    },
    /// Make a wallet the program's upgrade authority, so that it may `chartseal registry init`
    Admin {
        /// Its address
        wallet: String,
    },
    /// Stop everything, and forget what the ledger, the gateway and the database held
    Down,
}

#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct Up {
    /// Come back once everything is up; `down` stops it
    #[arg(long)]
    pub(super) detach: bool,
    /// Which validator to run on; those that do not come with this workspace have to be on PATH
    #[arg(long, value_enum, default_value_t = Validator::BuiltIn)]
    pub(super) validator: Validator,
    /// The port of the validator's JSON-RPC; its subscriptions are on the next one. 0: any free pair
    #[arg(long, value_name = "PORT", default_value_t = 8899, value_parser = clap::value_parser!(u16).range(..=65_534))]
    pub(super) port: u16,
    /// The gateway's port. 0: any free one
    #[arg(long, value_name = "PORT", default_value_t = 8901)]
    pub(super) gateway_port: u16,
    /// The key service's port. 0: any free one
    #[arg(long, value_name = "PORT", default_value_t = 8903)]
    pub(super) key_service_port: u16,
    /// An institution whose staff may store keys at the key service, by its id; `institution` says it later
    #[arg(long = "institution", value_name = "ID", value_parser = institution)]
    pub(super) institutions: Vec<String>,
    /// A file of profiles that `localnet` and `localnet-service` are written into too, over what they said before
    #[arg(long, value_name = "FILE")]
    pub(super) profile_into: Option<PathBuf>,
    /// How long a slot is, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 400, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub(super) slot_time: u64,
    /// Who may initialise the registry; `admin` says it later, but not to solana-test-validator
    #[arg(long, value_name = "ADDRESS", required_if_eq("validator", "solana-test-validator"))]
    pub(super) upgrade_authority: Option<String>,
    /// A wallet that gets money, 100 SOL unless said otherwise; may be given several times
    #[arg(long = "fund", value_name = "ADDRESS[=SOL]")]
    pub(super) wallets: Vec<String>,
}

/// An id as it is printed.
fn institution(text: &str) -> Result<String, String> {
    if text.len() == 32 && text.chars().all(|digit| digit.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("an id has 32 hexadecimal digits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_32_hexadecimal_digits() {
        assert_eq!(institution(&"Ab".repeat(16)), Ok("ab".repeat(16)));
        for wrong in ["", "ab", &"x".repeat(32), &"ab".repeat(17)] {
            assert!(institution(wrong).is_err(), "{wrong}");
        }
    }
}
