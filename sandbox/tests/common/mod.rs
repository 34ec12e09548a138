//! What the sandbox's tests share: a sandbox in this process or in one of its own, and a wallet with money.
#![allow(dead_code, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod items;
pub mod transactions;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chartseal_sandbox::{Config, Endpoints, Sandbox};
use serde_json::Value;
use solana_address::Address;
use solana_commitment_config::CommitmentConfig;
use solana_keypair::Keypair;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::client_error::{Error as ClientError, ErrorKind};
use solana_rpc_client_api::request::{RpcError, RpcResponseErrorData};
use solana_signature::Signature;
use solana_signer::Signer as _;
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;

pub const SOL: u64 = 1_000_000_000;

/// Long enough for a machine that does other things; no test asserts how long something takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A folder that nobody but us can enter, removed at the end.
pub fn folder() -> tempfile::TempDir {
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    tempfile::Builder::new()
        .prefix("chartseal-sandbox-test-")
        .permissions(closed)
        .tempdir()
        .unwrap()
}

/// Settings without Postgres.
pub fn config(folder: &Path) -> Config {
    Config {
        postgres: false,
        ..Config::new(folder)
    }
}

pub async fn sandbox(folder: &Path) -> Sandbox {
    Sandbox::start(config(folder)).await.unwrap()
}

pub fn client(endpoints: &Endpoints) -> RpcClient {
    RpcClient::new_with_commitment(rpc(endpoints).to_owned(), CommitmentConfig::confirmed())
}

/// The ledger's JSON-RPC.
pub fn rpc(endpoints: &Endpoints) -> &str {
    endpoints.rpc.as_deref().expect("this sandbox has a ledger")
}

/// The ledger's subscriptions.
pub fn ws(endpoints: &Endpoints) -> &str {
    endpoints.ws.as_deref().expect("this sandbox has a ledger")
}

/// A new wallet with some SOL.
pub async fn wallet(client: &RpcClient) -> Keypair {
    let wallet = Keypair::new();
    airdrop(client, &wallet.pubkey(), 10 * SOL).await;
    wallet
}

pub async fn airdrop(client: &RpcClient, to: &Address, lamports: u64) -> Signature {
    let signature = client.request_airdrop(to, lamports).await.unwrap();
    assert!(client.confirm_transaction(&signature).await.unwrap());
    signature
}

/// A signed transfer that names the latest block hash.
pub async fn transfer(client: &RpcClient, from: &Keypair, to: &Address, lamports: u64) -> Transaction {
    let blockhash = client.get_latest_blockhash().await.unwrap();
    let instruction = solana_system_interface::instruction::transfer(&from.pubkey(), to, lamports);
    Transaction::new_signed_with_payer(&[instruction], Some(&from.pubkey()), &[from], blockhash)
}

/// The code and message of a refusal, and the error of a failed preflight.
pub fn refusal(error: &ClientError) -> (i64, String, Option<TransactionError>) {
    match error.kind() {
        ErrorKind::RpcError(RpcError::RpcResponseError { code, message, data }) => {
            let err = match data {
                RpcResponseErrorData::SendTransactionPreflightFailure(result) => result.err.clone().map(Into::into),
                _ => None,
            };
            (*code, message.clone(), err)
        }
        other => panic!("not a refusal: {other}"),
    }
}

/// Sends JSON and returns the JSON of the answer.
pub async fn post(url: &str, body: Value) -> Value {
    reqwest::Client::new()
        .post(url)
        .json(&body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

/// `chartseal-sandbox` as a process of its own, killed when dropped.
pub struct Process {
    child: Child,
    pub endpoints: Endpoints,
}

impl Process {
    /// Starts it on `folder` and waits until it is ready.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_by(&[], folder, arguments)
    }

    /// The same by way of another program, which becomes it.
    pub fn start_by(launcher: &[&str], folder: &Path, arguments: &[&str]) -> Self {
        let ready = folder.join("ready.json");
        // A killed one leaves its file behind.
        let _ = std::fs::remove_file(&ready);
        let sandbox = command(folder);
        let mut command = match launcher {
            [] => sandbox,
            [program, options @ ..] => {
                let mut command = Command::new(program);
                command
                    .args(options)
                    .arg(sandbox.get_program())
                    .args(sandbox.get_args());
                command.stdout(Stdio::null());
                command
            }
        };
        let mut child = command.arg("--ready-file").arg(&ready).args(arguments).spawn().unwrap();
        let endpoints = wait_for("the ready file", || {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the sandbox ended instead of starting"
            );
            Some(serde_json::from_slice(&std::fs::read(&ready).ok()?).unwrap())
        });
        Self { child, endpoints }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it ends by itself, and returns whether it says that all went well.
    pub fn ended(mut self) -> bool {
        wait_for("the end of the sandbox", || self.child.try_wait().unwrap()).success()
    }

    /// Ends it with SIGTERM and returns whether it says that all went well.
    pub fn terminate(mut self) -> bool {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        wait_for("the end of the sandbox", || self.child.try_wait().unwrap()).success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program on `folder`, with free ports.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chartseal-sandbox"));
    command
        .arg("--data")
        .arg(folder)
        .args(["--rpc-port", "0", "--gateway-port", "0"])
        .stdout(Stdio::null());
    command
}

/// Runs the program until it ends by itself, and returns whether it succeeded and what it logged.
pub fn run(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = command(folder).args(arguments).stderr(Stdio::piped()).output().unwrap();
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

pub fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(found) = found() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("waited in vain for {what}");
}

pub fn journal(folder: &Path) -> PathBuf {
    folder.join("ledger.journal")
}
