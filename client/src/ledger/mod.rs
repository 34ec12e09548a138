//! The ledger: what stands on chain, and how something new comes to stand there. A transaction is sent until its fate
//! is known; it is signed anew only once the old one can no longer be applied, so nothing is ever done twice. Whatever
//! an instruction decides comes back as the event that it emitted.

mod anonymous;
mod audited;
mod blockhashes;
mod break_glass;
mod budget;
mod consent;
mod error;
mod fates;
mod gate;
mod grant_trees;
mod history;
mod listener;
#[cfg(test)]
mod mock_node;
mod nodes;
mod options;
mod read;
mod relay;
mod socket;
pub(crate) mod standing;
mod submit;
mod time;
pub(crate) mod versions;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use solana_rpc_client::{nonblocking::rpc_client::RpcClient, rpc_client::RpcClientConfig};
use solana_rpc_client_api::client_error::{Error as ClientError, ErrorKind};
use tokio::sync::OnceCell;

pub use anonymous::AnonymousGate;
pub use audited::Differs;
use blockhashes::Blockhashes;
pub use break_glass::{HolderGate, ReleasedShareGate};
use budget::Fees;
pub use chartseal_websocket::WebSocket;
pub use error::LedgerError;
use fates::Fates;
pub use gate::LedgerGate;
pub use grant_trees::{AnonymousGrant, GrownTree};
pub use history::{Broken, Logged, PatientLog};
use nodes::{Nodes, shown};
pub use options::{Commitment, LedgerOptions};
pub use read::{Found, Listed};
pub use relay::{Payer, Relayer};
use socket::Place;
pub use submit::{Receipt, Receipts};

/// How long a transaction's fate is asked for while the ledger does not answer, unless it is told otherwise.
const PATIENCE: Duration = Duration::from_secs(45);

/// How long an answer is waited for before anything was sent: the caller may well hear that there is none.
const SHORT_PATIENCE: Duration = Duration::from_secs(10);

/// How often something is read where the line fails.
const READS: u32 = 5;

/// How often it is asked for.
const POLL: Duration = Duration::from_millis(100);

/// A Solana cluster that runs the contract, reached over JSON-RPC, of one node or of several.
pub struct Ledger {
    rpc: Arc<RpcClient>,
    url: String,
    cluster: OnceCell<[u8; 32]>,
    blockhashes: Blockhashes,
    fates: Arc<Fates>,
    fees: Fees,
    max_priority_fee: u64,
    patience: Duration,
    payer: Payer,
}

impl Ledger {
    /// A ledger at an address. Nothing is asked yet. Answers are believed once they are confirmed.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self::with(LedgerOptions::new([url]))
    }

    /// A ledger with other options than [`new`](Self::new) has. Nothing is asked yet.
    #[must_use]
    pub fn with(options: LedgerOptions) -> Self {
        let LedgerOptions {
            urls,
            websocket,
            cluster,
            commitment,
            max_priority_fee,
            patience,
        } = options;
        let shown: Vec<_> = urls.iter().map(|url| shown(url)).collect();
        let url = shown.join(", ");
        let cluster = cluster.map(|hash| bs58::encode(hash).into_string());
        let config = RpcClientConfig::with_commitment(commitment.into());
        let nodes = Nodes::new(&urls, cluster);
        let place = Place::new(urls, nodes.current(), websocket);
        let rpc = Arc::new(RpcClient::new_sender(nodes, config));
        Self {
            fates: Fates::new(Arc::clone(&rpc), Some(place), patience),
            blockhashes: Blockhashes::new(&url),
            rpc,
            url,
            cluster: OnceCell::new(),
            fees: Fees::default(),
            max_priority_fee,
            patience,
            payer: Payer::default(),
        }
    }

    /// Where it is reached: all addresses, without what may be a key in them.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Which cluster it is: its genesis hash.
    ///
    /// # Errors
    /// [`LedgerError::Unreachable`].
    pub async fn cluster(&self) -> Result<[u8; 32], LedgerError> {
        let ask = || async { Ok(self.call(self.rpc.get_genesis_hash()).await?.to_bytes()) };
        self.cluster.get_or_try_init(ask).await.copied()
    }

    /// Asks a cluster that gives money away (a local one) for some, and waits until it is there.
    ///
    /// # Errors
    /// [`LedgerError::Rpc`] where the cluster gives none.
    pub async fn airdrop(&self, wallet: [u8; 32], lamports: u64) -> Result<u64, LedgerError> {
        let address = solana_address::Address::new_from_array(wallet);
        let signature = self.call(self.rpc.request_airdrop(&address, lamports)).await?;
        self.wait_for(&signature).await?;
        self.call(self.rpc.get_balance(&address)).await
    }

    /// Asks until there is an answer that another try would not change, or for so long that nobody is there.
    async fn ask_patiently<T, F>(&self, ask: impl Fn() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let since = Instant::now();
        loop {
            match ask().await {
                Err(error) if error::may_pass(&error) && since.elapsed() < SHORT_PATIENCE => {
                    tokio::time::sleep(POLL).await;
                }
                answer => return answer,
            }
        }
    }

    /// Asks what changes nothing: where the line fails, a few times.
    async fn ask_again<T, F>(&self, ask: impl Fn() -> F) -> Result<T, LedgerError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let since = Instant::now();
        for _ in 1..READS {
            match ask().await {
                // What is found on this side of the line stays so.
                Err(error)
                    if error::may_pass(&error)
                        && !matches!(*error.kind, ErrorKind::Custom(_))
                        && since.elapsed() < SHORT_PATIENCE =>
                {
                    tokio::time::sleep(POLL).await;
                }
                answer => return self.call(std::future::ready(answer)).await,
            }
        }
        self.call(ask()).await
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, ClientError>>) -> Result<T, LedgerError> {
        call.await.map_err(|error| LedgerError::call(&self.url, error))
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger({})", self.url)
    }
}
