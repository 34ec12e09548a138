//! Who pays for transactions: whoever signs them, another wallet whose key is at hand, or a relayer, a service that pays for
//! others. A relayer is asked in the JSON-RPC that Kora speaks for nothing but its signature: what was signed here is sent
//! from here, and what it gives back must be that, byte for byte, with its own valid signature added.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::StreamExt as _;
use reqwest::{Client, StatusCode, Url, header};
use serde_json::{Value, json};
use solana_address::Address;
use solana_signature::Signature;
use solana_transaction::Transaction;
use tokio::sync::OnceCell;

use super::{Ledger, LedgerError, SHORT_PATIENCE, blockhashes::Signed, nodes::shown};
use crate::{
    keys::WalletKey,
    store::{is_loopback, no_password_in},
};

mod landed;

/// How long a single call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a relayer is left in peace that does not answer or does not say how long.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest that it is left in peace, whatever it says.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The longest answer: a transaction has 1,232 bytes at most, and a base64 text of it a third more.
const LONGEST_ANSWER: usize = 64 * 1024;

/// The length of a signature.
const SIGNATURE: usize = size_of::<Signature>();

/// Who pays fee and rent.
#[derive(Debug, Default)]
pub enum Payer {
    /// Whoever signs first.
    #[default]
    Signer,
    /// A wallet whose key is at hand.
    Wallet(WalletKey),
    /// A service that pays for others.
    Relayer(Relayer),
}

impl Payer {
    pub(super) fn key(&self) -> Option<&WalletKey> {
        match self {
            Self::Wallet(key) => Some(key),
            Self::Signer | Self::Relayer(_) => None,
        }
    }

    pub(super) fn relayer(&self) -> Option<&Relayer> {
        match self {
            Self::Relayer(relayer) => Some(relayer),
            Self::Signer | Self::Wallet(_) => None,
        }
    }
}

/// A service that pays for others: Kora, or one that speaks like it.
pub struct Relayer {
    url: String,
    client: Result<Client, String>,
    /// Its wallet, once it told. It is asked for that one from then on, should it have several.
    address: OnceCell<Address>,
}

/// Why a relayer did not do what it was asked for.
enum Failure {
    /// Another try may go better. It is to be left in peace for so long.
    Passing(Duration, LedgerError),
    /// Nothing else is to be expected.
    Final(LedgerError),
}

impl Failure {
    fn error(self) -> LedgerError {
        match self {
            Self::Passing(_, error) | Self::Final(error) => error,
        }
    }
}

impl Relayer {
    /// The relayer at an address, over TLS or on this machine: else whoever is on the line could lie in its place. Nothing is
    /// asked yet, and nothing is ever asked where the address is not so.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            client: client(url),
            address: OnceCell::new(),
        }
    }

    /// The wallet that pays.
    async fn address(&self) -> Result<Address, LedgerError> {
        let ask = || async {
            let since = Instant::now();
            loop {
                match self.ask("getPayerSigner", &json!({})).await {
                    Ok(answer) => {
                        let address = answer["signer_address"].as_str().and_then(|text| text.parse().ok());
                        return address.ok_or_else(|| self.at_fault("does not tell the address of its wallet"));
                    }
                    Err(Failure::Passing(pause, _)) if since.elapsed() + pause < SHORT_PATIENCE => {
                        tokio::time::sleep(pause).await;
                    }
                    Err(failure) => return Err(failure.error()),
                }
            }
        };
        self.address.get_or_try_init(ask).await.copied()
    }

    /// Its signature under what was signed by everybody else.
    async fn sign(&self, transaction: &Transaction) -> Result<Signature, Failure> {
        let payer = self.address().await.map_err(Failure::Final)?;
        let asked = encoded(transaction);
        let params = json!({
            "transaction": STANDARD.encode(&asked),
            "signer_key": payer.to_string(),
            "sig_verify": false,
        });
        let answer = self.ask("signTransaction", &params).await?;
        let given = answer["signed_transaction"].as_str();
        let given = given.and_then(|text| STANDARD.decode(text).ok());
        let given = given.ok_or_else(|| Failure::Final(self.at_fault("gave back no transaction")))?;
        added(&asked, &given, &payer).map_err(|fault| Failure::Final(self.at_fault(fault)))
    }

    async fn ask(&self, method: &str, params: &Value) -> Result<Value, Failure> {
        let client = self.client.as_ref();
        let client = client.map_err(|error| Failure::Final(self.unreachable(error.clone())))?;
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let passing = |error: reqwest::Error| {
            let reason = error.without_url();
            // What its cause is says more than that it failed.
            let cause = std::iter::successors(std::error::Error::source(&reason), |error| error.source()).last();
            let reason = cause.map_or_else(|| reason.to_string(), |cause| format!("{reason}: {cause}"));
            Failure::Passing(PAUSE, self.unreachable(reason))
        };
        let sent = client.post(&self.url).json(&body).send().await.map_err(|error| {
            if error.is_builder() {
                Failure::Final(self.unreachable(error.without_url().to_string()))
            } else {
                passing(error)
            }
        })?;
        let status = sent.status();
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            let asked = sent.headers().get(header::RETRY_AFTER);
            let seconds = asked.and_then(|text| text.to_str().ok()?.trim().parse().ok());
            let pause = seconds.map_or(PAUSE, Duration::from_secs).clamp(PAUSE, LONGEST_PAUSE);
            return Err(Failure::Passing(pause, self.unreachable(format!("it says {status}"))));
        }
        let mut bytes = Vec::new();
        let mut parts = sent.bytes_stream();
        while let Some(part) = parts.next().await {
            bytes.extend_from_slice(&part.map_err(passing)?);
            if bytes.len() > LONGEST_ANSWER {
                return Err(Failure::Final(self.at_fault("gave an answer without end")));
            }
        }
        let no_answer = || Failure::Final(self.at_fault(&format!("gave no answer in JSON-RPC ({status})")));
        let mut answer: Value = serde_json::from_slice(&bytes).map_err(|_| no_answer())?;
        // Looked for and not indexed: what answers may be no object at all.
        match (answer.get("error").cloned(), answer.get_mut("result").map(Value::take)) {
            (None | Some(Value::Null), Some(result)) if result.is_object() => Ok(result),
            (None | Some(Value::Null), _) => Err(no_answer()),
            (Some(error), _) => Err(self.refusal(&error)),
        }
    }

    fn refusal(&self, error: &Value) -> Failure {
        let said = error
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or("it does not say why");
        // It comes into a terminal.
        let message: String = said.chars().filter(|char| !char.is_control()).take(500).collect();
        // Its node may not have come as far as ours, or the life of the blockhash ended meanwhile.
        let squeezed: String = message.to_lowercase().split_whitespace().collect();
        let refused = LedgerError::RelayerRefused {
            url: shown(&self.url),
            message,
        };
        if squeezed.contains("blockhashnotfound") {
            Failure::Passing(PAUSE, refused)
        } else {
            Failure::Final(refused)
        }
    }

    fn unreachable(&self, reason: String) -> LedgerError {
        LedgerError::RelayerUnreachable {
            url: shown(&self.url),
            reason,
        }
    }

    /// It named a wallet that signs here as its own.
    pub(super) fn lets_others_pay(&self) -> LedgerError {
        self.at_fault("names your own wallet as the one that pays")
    }

    fn at_fault(&self, fault: &str) -> LedgerError {
        LedgerError::RelayerAtFault {
            url: shown(&self.url),
            fault: fault.to_owned(),
        }
    }
}

fn client(url: &str) -> Result<Client, String> {
    let url = Url::parse(url).map_err(|error| format!("it was not asked, for that is no address ({error})"))?;
    let is_local = is_loopback(&url);
    if url.scheme() != "https" && !(url.scheme() == "http" && is_local) {
        return Err("it was not asked, for it is neither at https:// nor on this machine".into());
    }
    no_password_in(&url).map_err(|reason| format!("it was not asked: {reason}"))?;
    // An address that sends us elsewhere would get what was meant for this one.
    let client = Client::builder()
        .timeout(CALL_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    // A proxy cannot reach this machine's own loopback.
    let client = if is_local { client.no_proxy() } else { client };
    client.build().map_err(|error| error.to_string())
}

impl std::fmt::Debug for Relayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Relayer({})", shown(&self.url))
    }
}

/// A transaction as it goes over the line. It has a few signatures, so their number is one byte.
fn encoded(transaction: &Transaction) -> Vec<u8> {
    let count = u8::try_from(transaction.signatures.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![count];
    for signature in &transaction.signatures {
        bytes.extend_from_slice(signature.as_ref());
    }
    bytes.extend_from_slice(&transaction.message.serialize());
    bytes
}

/// The payer's signature, where nothing else was changed and it is valid.
fn added(asked: &[u8], given: &[u8], payer: &Address) -> Result<Signature, &'static str> {
    // How many signatures there are, the payer's, the others', and the message.
    let parts = |bytes: &'_ [u8]| -> Option<(u8, [u8; SIGNATURE])> {
        let (count, rest) = bytes.split_first()?;
        Some((*count, *rest.first_chunk::<SIGNATURE>()?))
    };
    let changed = "gave back another transaction than it was asked to pay for";
    let (Some((count, _)), Some((same_count, signature))) = (parts(asked), parts(given)) else {
        return Err(changed);
    };
    if count != same_count || asked.get(1 + SIGNATURE..) != given.get(1 + SIGNATURE..) {
        return Err(changed);
    }
    let message = asked.get(1 + usize::from(count) * SIGNATURE..).ok_or(changed)?;
    let signature = Signature::from(signature);
    if !is_valid(&signature, payer, message) {
        return Err("gave back a transaction without a valid signature of its wallet");
    }
    Ok(signature)
}

fn is_valid(signature: &Signature, signer: &Address, message: &[u8]) -> bool {
    let key = ed25519_dalek::VerifyingKey::from_bytes(&signer.to_bytes());
    let signature = ed25519_dalek::Signature::from_bytes(signature.as_array());
    key.is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}

impl Ledger {
    /// The same ledger, whose transactions another pays for.
    #[must_use]
    pub fn paid_by(self, payer: Payer) -> Self {
        Self { payer, ..self }
    }

    /// The wallet that pays fee and rent for what `own` signs.
    ///
    /// # Errors
    /// Where a relayer has to be asked and does not tell.
    pub async fn payer(&self, own: Address) -> Result<Address, LedgerError> {
        match &self.payer {
            Payer::Signer => Ok(own),
            Payer::Wallet(key) => Ok(Address::new_from_array(key.address())),
            Payer::Relayer(relayer) => relayer.address().await,
        }
    }

    /// Has a transaction signed by the relayer, and sends it until its fate is known. `None`: it was not applied and cannot
    /// be any more.
    ///
    /// The relayer holds what was signed here and may have sent it on, also under another signature of its own. So another
    /// transaction is only ever signed once the life of this one's blockhash has ended and it is nowhere on chain.
    pub(super) async fn push_relayed(
        &self,
        relayer: &Relayer,
        mut signed: Signed,
        is_simulated: bool,
    ) -> Result<Option<Signature>, LedgerError> {
        let since = Instant::now();
        let signature = loop {
            match relayer.sign(&signed.transaction).await {
                Ok(signature) => break signature,
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(pause, error)) => {
                    if self.ended(&signed).await.is_some() {
                        return self.landed(&mut signed).await;
                    }
                    if since.elapsed() + pause > self.patience {
                        return Err(error);
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        };
        put_first(&mut signed, signature);
        match self.send(&signed.transaction, is_simulated).await {
            // It may be taken a moment later all the same: the relayer can see to that it fails now, with an empty wallet for one.
            Err(error) if error.is_refusal() && !error.is_duplicate() && !error.is_unknown_blockhash() => self
                .landed(&mut signed)
                .await?
                .map_or(Err(error), |signature| Ok(Some(signature))),
            _ => match self.press(&signed).await? {
                Some(signature) => Ok(Some(signature)),
                None => self.landed(&mut signed).await,
            },
        }
    }
}

fn put_first(signed: &mut Signed, signature: Signature) {
    if let Some(first) = signed.transaction.signatures.first_mut() {
        *first = signature;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn nothing_is_asked_where_others_could_answer_and_no_password_is_repeated() {
        for (url, reason) in [
            ("http://relayer.example", "neither at https:// nor on this machine"),
            ("ws://127.0.0.1:1", "neither at https:// nor on this machine"),
            ("https://:hush@relayer.example", "there is a password in it"),
            ("relayer", "no address"),
        ] {
            let error = Relayer::new(url).address().await.unwrap_err().to_string();
            assert!(error.contains("was not asked") && error.contains(reason), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
        assert!(client("https://relayer.example").is_ok() && client("http://127.0.0.1:8904").is_ok());
    }
}
