//! What environment and profile say, for programs that use the SDK: each option of the command line means there what it
//! means here.

use anyhow::{Result, bail};
use clap::{Args as _, Command, FromArgMatches as _};

use super::args::Globals;
use crate::client::{Builder, Client, Error, MemberId};

impl Client {
    /// Says that everything is where `chartseal` finds it when nothing is typed: where its environment variables say
    /// (`CHARTSEAL_RPC_URL`, `CHARTSEAL_STORES`, `CHARTSEAL_KEY_STORE` and so on, see `chartseal --help`), else where the
    /// profile says, else on this machine. Who acts is left to be said, and so is a fee payer's key.
    ///
    /// # Errors
    /// [`Error::Usage`] where a variable or the profile is not understood.
    pub fn from_env() -> Result<Builder, Error> {
        from_env().map_err(|error| Error::Usage(format!("{error:#}")))
    }
}

fn from_env() -> Result<Builder> {
    let matches = Globals::augment_args(Command::new("chartseal")).try_get_matches_from(["chartseal"])?;
    let mut globals = Globals::from_arg_matches(&matches)?;
    globals.settle(&matches, true)?;
    if globals.fee_payer.is_some() {
        bail!("CHARTSEAL_FEE_PAYER names a file of keys: open it in the program, and give it to Builder::payer");
    }
    let builder = Client::builder()
        .ledger(globals.ledger_options())
        .stores(globals.stores()?)
        .key_places(globals.key_stores()?)
        .payer(globals.payer()?);
    Ok(match globals.act_as {
        Some((institution, member)) => builder.acting_as(MemberId::of(institution, member)?),
        None => builder,
    })
}
