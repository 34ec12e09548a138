//! The ledger: what stands on chain, and how something new comes to stand there. A transaction is sent until its fate
//! is known; it is signed anew only once the old one can no longer be applied, so nothing is ever done twice. Whatever
//! an instruction decides comes back as the event that it emitted.

mod blockhashes;
mod break_glass;
mod budget;
mod consent;
mod error;
mod fates;
mod gate;
mod history;
mod read;
pub(crate) mod standing;
mod submit;
mod time;
pub(crate) mod versions;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::client_error::Error as ClientError;
use tokio::sync::OnceCell;

use blockhashes::Blockhashes;
pub use break_glass::{HolderGate, ReleasedShareGate};
use budget::Fees;
pub use error::LedgerError;
use fates::Fates;
pub use gate::LedgerGate;
pub use history::{Broken, Logged, PatientLog};
pub use read::{Found, Listed};
pub use submit::{Receipt, Receipts};

/// How long a single call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a transaction's fate is asked for while the ledger does not answer.
const PATIENCE: Duration = Duration::from_secs(45);

/// How long an answer is waited for before anything was sent: the caller may well hear that there is none.
const SHORT_PATIENCE: Duration = Duration::from_secs(10);

/// How often it is asked for.
const POLL: Duration = Duration::from_millis(100);

/// A Solana cluster that runs the contract, reached over JSON-RPC.
pub struct Ledger {
    rpc: Arc<RpcClient>,
    url: String,
    cluster: OnceCell<[u8; 32]>,
    blockhashes: Blockhashes,
    fates: Arc<Fates>,
    fees: Fees,
    max_priority_fee: u64,
}

impl Ledger {
    /// A ledger at an address. Nothing is asked yet. Answers are believed once they are confirmed.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let rpc =
            RpcClient::new_with_timeout_and_commitment(url.to_owned(), CALL_TIMEOUT, CommitmentConfig::confirmed());
        let rpc = Arc::new(rpc);
        Self {
            fates: Fates::new(Arc::clone(&rpc)),
            blockhashes: Blockhashes::new(url),
            rpc,
            url: url.to_owned(),
            cluster: OnceCell::new(),
            fees: Fees::default(),
            max_priority_fee: budget::MAX_PRIORITY_FEE,
        }
    }

    /// The address.
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

    async fn call<T>(&self, call: impl Future<Output = Result<T, ClientError>>) -> Result<T, LedgerError> {
        call.await.map_err(|error| LedgerError::call(&self.url, error))
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger({})", self.url)
    }
}
