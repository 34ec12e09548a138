//! Where ciphertext is kept, and how that is looked after.

use std::path::PathBuf;

use chartseal_program::seeds::Id;
use clap::Args as ClapArgs;

use crate::{
    cli::parse,
    store::{Code, Price},
};

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct StoreArgs {
    /// A store, instead of the gateway: https://HOST (a gateway), s3://BUCKET/PREFIX, gs://BUCKET/PREFIX,
    /// az://CONTAINER/PREFIX, a folder, or arweave+https://HOST (straight onto Arweave, for small files). Name several for
    /// a whole copy at each, or see --spread. Credentials are taken from the environment (AWS_*, GOOGLE_*, AZURE_*).
    #[arg(
        long = "store",
        global = true,
        env = "CHARTSEAL_STORES",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub(in crate::cli) stores: Vec<String>,
    /// Cut what is stored into DATA+PARITY pieces, one for each store in the order in which they are named: any DATA of
    /// them are enough to read.
    #[arg(long, global = true, env = "CHARTSEAL_SPREAD", value_name = "DATA+PARITY")]
    pub(in crate::cli) spread: Option<Code>,
    /// The wallet (JWK) that pays for what goes straight onto Arweave.
    #[arg(long, global = true, env = "CHARTSEAL_ARWEAVE_WALLET", value_name = "FILE")]
    pub(in crate::cli) arweave_wallet: Option<PathBuf>,
    /// What it pays at most in one run for each such store, in AR; for one item at most a tenth of it.
    #[arg(long, global = true, env = "CHARTSEAL_MAX_PRICE", value_name = "AR", default_value = "1", value_parser = parse::ar)]
    pub(in crate::cli) max_price: Price,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Kept {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
    /// The record's id [default: all of the patient's].
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) record: Option<Id>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Repair {
    #[command(flatten)]
    pub(in crate::cli) kept: Kept,
    /// As who stored the records: also where no store can tell the signature of a manifest.
    #[arg(long)]
    pub(in crate::cli) as_author: bool,
}
