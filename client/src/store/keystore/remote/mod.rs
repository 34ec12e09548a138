//! A key store that somebody else keeps, reached over HTTP. The reader signs every call with its wallet; the service asks
//! the chain itself whether it may be answered. Envelopes stay what they are, keys wrapped to their readers: the service
//! never sees a data key, and a call that was listened to is of no use to anybody.

mod capacity;
pub mod signature;
pub mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Client, Response, StatusCode, Url};
use serde::de::DeserializeOwned;

use self::capacity::Capacity;
use self::signature::{CONTENT_DIGEST, Message, SIGNATURE, SIGNATURE_INPUT};
use self::wire::{Acting, Asked, Asking, Bytes, CALLS, Call, Failure, LONGEST_ANSWER, PatientId, RecordId};
use super::{
    AnonymousAsking, AnonymousEnvelopes, Destruction, EnvelopeCopy, EnvelopeSlot, GateError, KeyStore, KeyStoreError,
    ProofGate, ReleaseGate, ReleaseRequest, Released, ReleasedEnvelope, ShareSlot,
};
use crate::backoff::Backoff;
use crate::crypto;
use crate::keys::WalletKey;
use crate::ledger::Ledger;
use crate::seal::envelope::Wrapping;
use crate::store::gateway::{is_loopback, shown};
use crate::store::no_password_in;

/// Tries of a call whose answer did not come. Every call can be made twice; the second answer may say that there was nothing
/// left to do.
const ATTEMPTS: u32 = 4;
const PAUSES: Backoff = Backoff::new(Duration::from_millis(500), LONGEST_PAUSE);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The service asks the ledger before it answers.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A key store behind a key service.
#[derive(Clone)]
pub struct RemoteKeyStore {
    client: Client,
    base: Url,
    /// Host and port as calls are signed for.
    authority: String,
    wallet: WalletKey,
    capacity: Capacity,
}

impl RemoteKeyStore {
    /// The key store at an address, `https://host[:port]`, asked by a wallet. Without TLS only on this machine. Connects to
    /// nothing yet.
    ///
    /// # Errors
    /// [`KeyStoreError::Service`] for an address that is none.
    pub fn new(address: &str, wallet: WalletKey) -> Result<Self, KeyStoreError> {
        Self::build(address, wallet, None)
    }

    /// The same for a service whose certificate comes from an authority of one's own, in PEM.
    ///
    /// # Errors
    /// [`KeyStoreError::Service`] for an address or a certificate that is none.
    pub fn with_root(address: &str, wallet: WalletKey, pem: &[u8]) -> Result<Self, KeyStoreError> {
        Self::build(address, wallet, Some(pem))
    }

    fn build(address: &str, wallet: WalletKey, root: Option<&[u8]>) -> Result<Self, KeyStoreError> {
        let bad = |detail: &str| KeyStoreError::Service {
            url: Url::parse(address).map_or_else(|_| "of this address".to_owned(), |url| shown(&url)),
            detail: detail.to_owned(),
        };
        let base = Url::parse(address).map_err(|error| bad(&error.to_string()))?;
        let host = base.host_str().ok_or_else(|| bad("it names no host"))?;
        let loopback = is_loopback(&base);
        if base.scheme() != "https" && !(base.scheme() == "http" && loopback) {
            return Err(bad("it must begin with https:// (http:// is for this machine only)"));
        }
        if !matches!(base.path(), "" | "/") || base.query().is_some() || !base.username().is_empty() {
            return Err(bad("it must be a host and nothing else, https://host[:port]"));
        }
        // Every message would repeat it.
        no_password_in(&base).map_err(|error| bad(&error))?;
        let authority = match base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("chartseal/", env!("CARGO_PKG_VERSION")));
        if loopback {
            // A proxy cannot reach this machine's own loopback.
            builder = builder.no_proxy();
        }
        if let Some(pem) = root {
            let certificate = Certificate::from_pem(pem).map_err(|error| bad(&error.to_string()))?;
            builder = builder.add_root_certificate(certificate);
        }
        Ok(Self {
            client: builder.build().map_err(|error| bad(&error.to_string()))?,
            base,
            authority,
            wallet,
            capacity: Capacity::Named(None),
        })
    }

    /// Calls in this capacity: what staff and delegates may do, they may not do as mere wallets.
    #[must_use]
    pub fn acting(self, acting: Acting) -> Self {
        Self {
            capacity: Capacity::Named(Some(acting)),
            ..self
        }
    }

    /// Calls in whatever capacity the ledger says that this wallet has towards the patient whom a call is about: as the
    /// patient, as this member or else as any, as a delegate, as an institution's authority.
    #[must_use]
    pub fn known_to(self, ledger: Arc<Ledger>, member: Option<([u8; 16], [u8; 16])>) -> Self {
        let capacity = Capacity::known(ledger, self.wallet.address(), member);
        Self { capacity, ..self }
    }

    fn failed(&self, detail: impl fmt::Display) -> KeyStoreError {
        KeyStoreError::Service {
            url: self.base.to_string(),
            detail: detail.to_string(),
        }
    }

    fn away(&self, error: &reqwest::Error) -> KeyStoreError {
        self.failed(format!(
            "it does not answer ({}); see that it runs and that this is its address (--key-store, --key-service), then run \
             again",
            chain(error)
        ))
    }

    async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, KeyStoreError> {
        let capacities = self.capacity.for_call(&call).await;
        let capacities = capacities.map_err(|error| GateError::Unavailable(Box::new(error)))?;
        let mut refused = None;
        for acting in capacities {
            match self.call_as(acting, &call).await {
                Err(error @ KeyStoreError::NotAllowed { .. }) => refused = refused.or(Some(error)),
                answered => return answered,
            }
        }
        self.capacity.forget(&call).await;
        Err(refused.unwrap_or(KeyStoreError::None))
    }

    async fn call_as<T: DeserializeOwned>(&self, acting: Option<Acting>, call: &Call) -> Result<T, KeyStoreError> {
        let asked = Asked {
            acting,
            call: call.clone(),
        };
        let body = serde_json::to_vec(&asked).map_err(|error| self.failed(error))?;
        let mut tried = 0;
        loop {
            tried += 1;
            let pause = match self.attempt(&body).await? {
                Answer::Done(answer) => return serde_json::from_slice(&answer).map_err(|error| self.failed(error)),
                Answer::Later(error, _) if tried == ATTEMPTS => return Err(error),
                Answer::Later(_, pause) => pause,
            };
            let pause = pause.unwrap_or_else(|| PAUSES.pause(tried - 1));
            tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
        }
    }

    /// Signs anew each time: a nonce is good once.
    async fn attempt(&self, body: &[u8]) -> Result<Answer, KeyStoreError> {
        let message = Message {
            method: "POST",
            authority: &self.authority,
            path: CALLS,
            body,
        };
        let headers = signature::sign(&message, &self.wallet, signature::now(), crypto::random()?);
        let url = self.base.join(CALLS).map_err(|error| self.failed(error))?;
        let sent = self
            .client
            .post(url)
            .header(CONTENT_DIGEST, headers.content_digest)
            .header(SIGNATURE_INPUT, headers.signature_input)
            .header(SIGNATURE, headers.signature)
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(body.to_vec())
            .send()
            .await;
        let (status, answer) = match sent {
            Ok(response) => {
                let status = response.status();
                match read(response).await {
                    Ok(Some(answer)) => (status, answer),
                    Ok(None) => return Err(self.failed("its answer is too long")),
                    Err(error) => return Ok(Answer::Later(self.away(&error), None)),
                }
            }
            Err(error) => return Ok(Answer::Later(self.away(&error), None)),
        };
        if status.is_success() {
            return Ok(Answer::Done(answer));
        }
        let url = self.base.as_str();
        let failure = serde_json::from_slice::<Failure>(&answer);
        Ok(match failure {
            Ok(failure @ Failure::Later { seconds, .. }) => {
                Answer::Later(failure.into_error(url), Some(Duration::from_secs(seconds)))
            }
            // Its node may be a moment behind ours.
            Ok(failure @ (Failure::LedgerUnavailable | Failure::Broken { .. } | Failure::NoDecision)) => {
                Answer::Later(failure.into_error(url), None)
            }
            Ok(failure) => return Err(failure.into_error(url)),
            Err(_) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Answer::Later(self.failed(status), None)
            }
            Err(_) => return Err(self.failed(format!("{status}: is this a key service?"))),
        })
    }
}

/// How one try ended that is not over for good.
enum Answer {
    Done(Vec<u8>),
    /// It may pass, after a pause that the service may name.
    Later(KeyStoreError, Option<Duration>),
}

/// The body; `None` where it is too long.
async fn read(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

/// An error with its causes: reqwest's own text leaves them out.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl KeyStore for RemoteKeyStore {
    type Member = Self;

    fn members(&self) -> &[Self] {
        std::slice::from_ref(self)
    }

    async fn name(&self) -> Result<String, KeyStoreError> {
        let name: String = self.call(Call::Name).await?;
        if name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(name)
        } else {
            Err(self.failed("its name is none"))
        }
    }

    async fn patients(&self) -> Result<Vec<[u8; 16]>, KeyStoreError> {
        let patients: Vec<PatientId> = self.call(Call::Patients).await?;
        Ok(patients.into_iter().map(|PatientId(id)| id).collect())
    }

    async fn put(&self, slot: EnvelopeSlot, envelope: &[u8]) -> Result<(), KeyStoreError> {
        let envelope = envelope.to_vec();
        self.call(Call::Put { slot, envelope }).await
    }

    async fn slots(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Vec<EnvelopeSlot>, KeyStoreError> {
        let slots: Vec<EnvelopeSlot> = self.call(Call::Slots(RecordId { patient, record })).await?;
        self.of_what_was_asked(
            slots
                .iter()
                .all(|slot| (slot.patient, slot.record) == (patient, record)),
        )?;
        Ok(slots)
    }

    async fn wrapping(&self, slot: EnvelopeSlot) -> Result<Option<Wrapping>, KeyStoreError> {
        self.call(Call::Wrapping(slot)).await
    }

    async fn discard(&self, slot: EnvelopeSlot) -> Result<bool, KeyStoreError> {
        self.call(Call::Discard(slot)).await
    }

    async fn destroy(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Destruction, KeyStoreError> {
        self.call(Call::Destroy(RecordId { patient, record })).await
    }

    async fn copies(&self, patient: [u8; 16], record: [u8; 16]) -> Result<Vec<EnvelopeCopy>, KeyStoreError> {
        let copies: Vec<EnvelopeCopy> = self.call(Call::Copies(RecordId { patient, record })).await?;
        let is_its = |copy: &EnvelopeCopy| (copy.slot.patient, copy.slot.record) == (patient, record);
        self.of_what_was_asked(copies.iter().all(is_its))?;
        Ok(copies)
    }

    async fn opens(&self, copy: &EnvelopeCopy) -> Result<bool, KeyStoreError> {
        self.call(Call::Opens(copy.clone())).await
    }

    /// The gate is the service's own; ours only says where it has to look.
    async fn release(
        &self,
        request: &ReleaseRequest,
        gate: &impl ReleaseGate,
    ) -> Result<ReleasedEnvelope, KeyStoreError> {
        let Some(claim) = gate.claim() else {
            let reason =
                "a key service does not release the keys of a batch's list; use the key store's folder".to_owned();
            return Err(GateError::Refused { reason }.into());
        };
        let asking = Asking {
            request_id: request.request_id,
            recipient: request.recipient,
            claim,
        };
        let given: ReleasedEnvelope = self.call(Call::Release(asking)).await?;
        let Released { slot, reader } = given.released;
        if slot.recipient != request.recipient || reader != self.wallet.address() {
            return Err(KeyStoreError::NotTheReader);
        }
        Ok(given)
    }

    /// The gate is the service's own. Whoever calls is whom the proof was made for, so it has to be a wallet of nobody's.
    async fn release_anonymously(
        &self,
        asking: &AnonymousAsking,
        _: &impl ProofGate,
    ) -> Result<AnonymousEnvelopes, KeyStoreError> {
        self.call(Call::ReleaseAnonymously(asking.clone())).await
    }

    async fn put_share(&self, slot: ShareSlot, share: &[u8]) -> Result<(), KeyStoreError> {
        let share = share.to_vec();
        self.call(Call::PutShare { slot, share }).await
    }

    async fn share(&self, slot: ShareSlot) -> Result<Option<Vec<u8>>, KeyStoreError> {
        let found: Option<Bytes> = self.call(Call::Share(slot)).await?;
        Ok(found.map(|Bytes(share)| share))
    }

    async fn shares(&self, patient: [u8; 16]) -> Result<Vec<ShareSlot>, KeyStoreError> {
        let slots: Vec<ShareSlot> = self.call(Call::Shares { patient }).await?;
        self.of_what_was_asked(slots.iter().all(|slot| slot.patient == patient))?;
        Ok(slots)
    }

    async fn discard_share(&self, slot: ShareSlot) -> Result<bool, KeyStoreError> {
        self.call(Call::DiscardShare(slot)).await
    }

    async fn put_public_key(&self, key: &[u8]) -> Result<[u8; 32], KeyStoreError> {
        let () = self.call(Call::PutPublicKey { key: key.to_vec() }).await?;
        // Whatever the service would call it.
        Ok(crypto::sha256(&[key]))
    }

    async fn public_key(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, KeyStoreError> {
        let found: Option<Bytes> = self.call(Call::PublicKey { hash }).await?;
        let key = found.map(|Bytes(key)| key);
        Ok(key.filter(|key| crypto::sha256(&[key]) == hash))
    }
}

impl RemoteKeyStore {
    /// What a store names is discarded in others too: it must not be somebody else's.
    fn of_what_was_asked(&self, is_it: bool) -> Result<(), KeyStoreError> {
        if is_it {
            Ok(())
        } else {
            Err(self.failed("it answered for another record or patient than was asked for"))
        }
    }
}

impl fmt::Debug for RemoteKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteKeyStore({})", self.base)
    }
}
