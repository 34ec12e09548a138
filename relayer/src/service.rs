//! Signing for whoever asks: what keeps to the rules, works when it is tried, and is within the budget. The signature is made
//! last: the ledger tries out what nobody could send.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chartseal::keys::WalletKey;
use chartseal_serving::Pace;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sha2::{Digest as _, Sha256};
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_address::Address;
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::client_error::{Error as ClientError, ErrorKind};
use solana_rpc_client_api::config::{
    RpcSendTransactionConfig, RpcSimulateTransactionAccountsConfig, RpcSimulateTransactionConfig,
};
use solana_rpc_client_api::request::RpcError;
use solana_rpc_client_api::response::RpcSimulateTransactionResult;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::UiTransactionEncoding;
use tokio::sync::{Mutex, OnceCell};

use crate::Refusal;
use crate::purse::{Limits, Purse};
use crate::rules::{Proper, Rules};

/// How long the ledger may take for an answer.
const LEDGER: Duration = Duration::from_secs(15);

/// How often a trial is made whose cost another transaction blurs.
const TRIALS: u32 = 5;

/// How long what the wallet has is told again without asking.
const TOLD: Duration = Duration::from_secs(5);

const DAY: Duration = Duration::from_secs(86_400);

/// A wallet that pays for others, and the ledger that it asks.
pub struct Service {
    key: WalletKey,
    rules: Rules,
    purse: Purse,
    pace: DefaultKeyedRateLimiter<Address>,
    rpc: RpcClient,
    rent: OnceCell<u64>,
    told: Mutex<Option<(Instant, Result<u64, Refusal>)>>,
}

/// What was signed.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) transaction: VersionedTransaction,
    pub(crate) signature: Signature,
}

impl Service {
    /// Pays with this key, for what the ledger at this address takes.
    ///
    /// # Errors
    /// As [`Rules::new`].
    pub fn new(key: WalletKey, rpc: String, limits: Limits, most_price: u64, pace: Pace) -> anyhow::Result<Self> {
        let rules = Rules::new(Address::new_from_array(key.address()), most_price)?;
        Ok(Self {
            key,
            rules,
            purse: Purse::new(limits),
            pace: RateLimiter::keyed(Quota::per_second(pace.per_second).allow_burst(pace.burst)),
            rpc: RpcClient::new_with_timeout_and_commitment(rpc, LEDGER, CommitmentConfig::confirmed()),
            rent: OnceCell::new(),
            told: Mutex::default(),
        })
    }

    /// The wallet that pays.
    #[must_use]
    pub fn payer(&self) -> Address {
        self.rules.payer()
    }

    pub(crate) fn limits(&self) -> Limits {
        self.purse.limits()
    }

    /// What the wallet has, in lamports.
    ///
    /// # Errors
    /// [`Refusal::NoLedger`].
    pub async fn balance(&self) -> Result<u64, Refusal> {
        self.rpc.get_balance(&self.payer()).await.map_err(no_ledger)
    }

    /// The same, as it was a few seconds ago at most: whoever asks often spends nothing of the ledger's patience.
    pub(crate) async fn recent_balance(&self) -> Result<u64, Refusal> {
        let mut told = self.told.lock().await;
        if let Some((when, balance)) = &*told
            && when.elapsed() < TOLD
        {
            return balance.clone();
        }
        let balance = self.balance().await;
        *told = Some((Instant::now(), balance.clone()));
        balance
    }

    pub(crate) async fn blockhash(&self) -> Result<String, Refusal> {
        let hash = self.rpc.get_latest_blockhash().await;
        Ok(hash.map_err(no_ledger)?.to_string())
    }

    /// Signs a transaction, given in bytes.
    pub(crate) async fn sign(&self, bytes: &[u8]) -> Result<Signed, Refusal> {
        let Proper {
            mut transaction,
            message,
            signer,
            fee,
            made,
        } = self.rules.check(bytes)?;
        // Only now is it known that this wallet asks, and nobody in its name.
        if let Err(not_until) = self.pace.check_key(&signer) {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            let seconds = wait.as_secs() + 1;
            return Err(Refusal::TooOften { signer, seconds });
        }
        if self.pace.len() > MOST_REMEMBERED {
            self.pace.retain_recent();
        }
        let (day, digest) = (today(), Sha256::digest(&message).into());
        if !self.purse.has_paid(day, &digest) {
            // What it would cost now, or could cost at most when it is sent.
            let most = fee.saturating_add(made.rent(self.rent_of_nothing().await?));
            let cost = self.try_out(&transaction, most).await?.max(most);
            self.purse.take(day, signer, digest, cost)?;
            tracing::info!(%signer, cost, "paid for");
        }
        let signature = Signature::from(self.key.sign(&message));
        if let Some(first) = transaction.signatures.first_mut() {
            *first = signature;
        }
        tracing::info!(%signer, %signature, "signed");
        Ok(Signed { transaction, signature })
    }

    /// What an account without data has to hold, in lamports. The rate is only ever lowered, so it is asked for once.
    async fn rent_of_nothing(&self) -> Result<u64, Refusal> {
        let ask = || async {
            let told = self.rpc.get_minimum_balance_for_rent_exemption(0).await;
            told.map_err(no_ledger)
        };
        self.rent.get_or_try_init(ask).await.copied()
    }

    /// Sends what was signed. A node that has it already took it from somebody else.
    pub(crate) async fn send(&self, signed: &Signed) -> Result<(), Refusal> {
        let config = RpcSendTransactionConfig {
            preflight_commitment: Some(CommitmentConfig::confirmed().commitment),
            ..RpcSendTransactionConfig::default()
        };
        match self.rpc.send_transaction_with_config(&signed.transaction, config).await {
            Ok(_) => Ok(()),
            Err(error) => match error.get_transaction_error() {
                Some(TransactionError::AlreadyProcessed) => Ok(()),
                Some(reason) => Err(Refusal::WouldFail(reason.to_string())),
                None => Err(no_ledger(error)),
            },
        }
    }

    /// Lets the ledger try a transaction out that we did not sign yet; what it would cost us.
    async fn try_out(&self, transaction: &VersionedTransaction, most: u64) -> Result<u64, Refusal> {
        let mut cost = 0;
        for _ in 0..TRIALS {
            let before = self.balance().await?;
            let tried = self.simulate(transaction).await?;
            if let Some(error) = &tried.err {
                let error = TransactionError::from(error.clone());
                // Asked for again after it was sent: nobody pays twice for it.
                if error == TransactionError::AlreadyProcessed {
                    return Ok(0);
                }
                let logs = tried.logs.as_deref().unwrap_or_default();
                return Err(self.failed(&error, logs, before < most));
            }
            let left = tried
                .accounts
                .as_deref()
                .and_then(<[_]>::first)
                .and_then(Option::as_ref);
            let left = left.map_or(0, |account| account.lamports);
            if let Some(exactly) = tried.pre_balances.as_deref().and_then(<[_]>::first) {
                return Ok(exactly.saturating_sub(left));
            }
            let after = self.balance().await?;
            cost = before.max(after).saturating_sub(left);
            if before == after {
                break;
            }
        }
        Ok(cost)
    }

    async fn simulate(&self, transaction: &VersionedTransaction) -> Result<RpcSimulateTransactionResult, Refusal> {
        let config = RpcSimulateTransactionConfig {
            // The others' signatures were looked at, and ours is not made yet.
            sig_verify: false,
            replace_recent_blockhash: false,
            commitment: Some(CommitmentConfig::confirmed()),
            encoding: Some(UiTransactionEncoding::Base64),
            accounts: Some(RpcSimulateTransactionAccountsConfig {
                encoding: Some(UiAccountEncoding::Base64),
                addresses: vec![self.payer().to_string()],
            }),
            ..RpcSimulateTransactionConfig::default()
        };
        match self.rpc.simulate_transaction_with_config(transaction, config).await {
            Ok(answer) => Ok(answer.value),
            Err(error) => Err(refused(&error).unwrap_or_else(|| no_ledger(error))),
        }
    }

    /// Of a trial that failed. `is_short`: there may be too little in our wallet.
    fn failed(&self, error: &TransactionError, logs: &[String], is_short: bool) -> Refusal {
        let is_broke = match error {
            TransactionError::AccountNotFound | TransactionError::InsufficientFundsForFee => true,
            TransactionError::InsufficientFundsForRent { account_index } => *account_index == 0,
            // Others may be short of money too, of what they deposit for example.
            _ => is_short && logs.iter().any(|line| line.contains("insufficient lamports")),
        };
        if is_broke {
            tracing::error!(payer = %self.payer(), "the wallet has not enough SOL left");
            return Refusal::Empty(self.payer());
        }
        let own = logs
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix("Program log: AnchorError"));
        let said = own.map(|words| format!(" (AnchorError{words})")).unwrap_or_default();
        Refusal::WouldFail(format!("{error}{said}"))
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Service({})", self.payer())
    }
}

/// Wallets whose pace is remembered before those that rested are forgotten.
const MOST_REMEMBERED: usize = 10_000;

/// What a node itself has against a transaction.
fn refused(error: &ClientError) -> Option<Refusal> {
    match &*error.kind {
        ErrorKind::RpcError(RpcError::RpcResponseError { message, .. }) => Some(Refusal::WouldFail(message.clone())),
        _ => None,
    }
}

fn no_ledger(error: ClientError) -> Refusal {
    tracing::error!(error = plain(error), "the ledger does not answer");
    Refusal::NoLedger
}

/// What went wrong, without the ledger's address: a provider's key may be in it.
fn plain(error: ClientError) -> String {
    match *error.kind {
        ErrorKind::Reqwest(error) => error.without_url().to_string(),
        kind => kind.to_string(),
    }
}

/// Days since 1970.
fn today() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() / DAY.as_secs()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_ledger_that_does_not_answer_is_logged_without_its_address() {
        let failed = || async {
            let rpc = RpcClient::new("http://127.0.0.1:1/?api-key=secret".to_owned());
            rpc.get_slot().await.unwrap_err()
        };
        assert!(failed().await.to_string().contains("secret"), "the library says it");
        let said = plain(failed().await);
        assert!(!said.is_empty() && !said.contains("secret"), "{said}");
    }
}
