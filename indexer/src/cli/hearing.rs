//! How `run` hears of transactions before it asks for them.

use chartseal_indexer::{Options, source::WebSocket};
use clap::Args;

#[derive(Args)]
pub(super) struct Hearing {
    /// Where the node tells of transactions by itself, ws:// or wss:// [default: the port after that of its JSON-RPC]. Where
    /// it does not, and with "off", it is asked
    #[arg(long, env = "CHARTSEAL_WS", hide_env_values = true, value_parser = WebSocket::parser(), value_name = "URL")]
    ws: Option<WebSocket>,
    #[cfg(feature = "yellowstone")]
    #[command(flatten)]
    yellowstone: yellowstone::Place,
}

impl Hearing {
    /// Puts what was chosen into the options.
    ///
    /// # Errors
    /// Where the token cannot be read, or an address is none.
    pub(super) fn choose(self, options: &mut Options) -> anyhow::Result<()> {
        options.websocket = self.ws.unwrap_or_default();
        #[cfg(feature = "yellowstone")]
        {
            options.yellowstone = self.yellowstone.read()?;
        }
        Ok(())
    }
}

#[cfg(feature = "yellowstone")]
mod yellowstone {
    use std::path::PathBuf;

    use anyhow::Context;
    use chartseal_indexer::source::Yellowstone;
    use clap::Args;
    use zeroize::Zeroizing;

    #[derive(Args)]
    pub(super) struct Place {
        /// URL of a Yellowstone gRPC endpoint that tells of transactions; what it tells need not be asked for, and it is
        /// trusted as the node is
        #[arg(long = "yellowstone", value_name = "URL")]
        url: Option<String>,
        /// File with the token that the endpoint asks for
        #[arg(long = "yellowstone-token-file", requires = "url", value_name = "FILE")]
        token: Option<PathBuf>,
    }

    impl Place {
        pub(super) fn read(self) -> anyhow::Result<Option<Yellowstone>> {
            let Some(url) = self.url else { return Ok(None) };
            let read = |file: PathBuf| {
                let text = std::fs::read_to_string(&file).map(Zeroizing::new);
                let text = text.with_context(|| format!("cannot read the token in {}", file.display()))?;
                anyhow::Ok(Zeroizing::new(text.trim_end().to_owned()))
            };
            let token = self.token.map(read).transpose()?;
            Yellowstone::new(&url, token).map(Some).map_err(anyhow::Error::msg)
        }
    }
}
