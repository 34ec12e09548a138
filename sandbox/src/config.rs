//! What a sandbox is started with.

use std::path::PathBuf;
use std::str::FromStr;

use solana_address::Address;

/// The largest data item that the gateway takes unless told otherwise: 32 MiB.
pub const MAX_ITEM_BYTES: u64 = 32 << 20;

/// How many uploads the gateway takes at once unless told otherwise.
pub const MAX_UPLOADS: usize = 64;

/// A program of the ledger: where it is deployed, and the file that is. Written `ADDRESS:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramSpec {
    /// Its address.
    pub address: Address,
    /// Its `.so` file.
    pub path: PathBuf,
}

impl FromStr for ProgramSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, path) = text.split_once(':').ok_or("expected ADDRESS:PATH")?;
        let address = address.parse().map_err(|e| format!("{address} is no address: {e}"))?;
        if path.is_empty() {
            return Err("the path is missing after the colon".to_owned());
        }
        Ok(Self {
            address,
            path: PathBuf::from(path),
        })
    }
}

/// The settings of a [`Sandbox`](crate::Sandbox). [`Config::new`] gives those of the program without options.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder that holds everything. It is made if it is not there.
    pub data: PathBuf,
    /// Whether to run a ledger. Without one, what follows of ledgers and programs has no effect.
    pub ledger: bool,
    /// The ledger's HTTP port; its WebSocket is on the next one. 0: any free pair.
    pub rpc_port: u16,
    /// The gateway's port. 0: any free one.
    pub gateway_port: u16,
    /// Whether to run Postgres.
    pub postgres: bool,
    /// The programs that the ledger begins with. A ledger that exists must be given the same.
    pub programs: Vec<ProgramSpec>,
    /// Who may upgrade them. `None` for a new ledger: nobody; for one that exists: whoever it was.
    pub upgrade_authority: Option<Address>,
    /// How long a slot is, in milliseconds. `None` for a new ledger: 400; for one that exists: what it was.
    pub slot_time_ms: Option<u64>,
    /// The largest data item that the gateway takes, in bytes.
    pub max_item_bytes: u64,
    /// The largest data item that costs nothing, in bytes. Nobody has a balance here, so larger ones are answered 402.
    /// `None`: nothing costs anything.
    pub charge_above: Option<u64>,
    /// How many uploads the gateway takes at once; it answers 429 to others.
    pub max_uploads: usize,
    /// A file to write the endpoints to once everything is up.
    pub ready_file: Option<PathBuf>,
}

impl Config {
    /// Free ports, a ledger, Postgres, no programs.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            ledger: true,
            rpc_port: 0,
            gateway_port: 0,
            postgres: true,
            programs: Vec::new(),
            upgrade_authority: None,
            slot_time_ms: None,
            max_item_bytes: MAX_ITEM_BYTES,
            charge_above: None,
            max_uploads: MAX_UPLOADS,
            ready_file: None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_an_address_and_a_path() {
        let spec: ProgramSpec = "11111111111111111111111111111111:a/b:c.so".parse().unwrap();
        assert_eq!(spec.address, Address::default());
        assert_eq!(spec.path, PathBuf::from("a/b:c.so"));
        assert!("11111111111111111111111111111111".parse::<ProgramSpec>().is_err());
        assert!("11111111111111111111111111111111:".parse::<ProgramSpec>().is_err());
        assert!("nonsense:x.so".parse::<ProgramSpec>().is_err());
    }
}
