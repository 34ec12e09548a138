//! What a client needs before it can do anything: where ledger, stores and keys are, and who it is.

use std::{env::VarError, path::PathBuf, sync::Arc};

use super::{Client, Error, MemberId};
use crate::{
    keys::{Identity, Passphrase},
    ledger::{Commitment, Ledger, LedgerOptions, Payer, Relayer},
    ops::{Session, off_thread},
    store::{
        Backend, Code, KeyStores, Stores,
        keystore::{KeyPlace, Opener},
    },
};

/// Who a client is.
enum Who {
    Nobody,
    Somebody(Box<Identity>),
    File(PathBuf, Passphrase),
}

/// Says where everything is, and makes a [`Client`]. Nothing is connected to before the client is used.
pub struct Builder {
    rpc: Vec<String>,
    commitment: Commitment,
    stores: Vec<String>,
    spread: Option<Code>,
    key_places: Vec<KeyPlace>,
    who: Who,
    payer: Payer,
    member: Option<MemberId>,
    post_quantum_only: bool,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            rpc: Vec::new(),
            commitment: Commitment::default(),
            stores: Vec::new(),
            spread: None,
            key_places: Vec::new(),
            who: Who::Nobody,
            payer: Payer::default(),
            member: None,
            post_quantum_only: false,
        }
    }

    /// What the environment says, in the variables of the command line: `CHARTSEAL_RPC_URL`, `CHARTSEAL_STORES` or else
    /// `CHARTSEAL_GATEWAY_URL`, `CHARTSEAL_SPREAD`, `CHARTSEAL_KEY_STORE`, `CHARTSEAL_KEY_SERVICE`.
    pub(super) fn from_env() -> Result<Self, Error> {
        let mut builder = Self::new();
        builder.rpc = listed("CHARTSEAL_RPC_URL")?;
        builder.stores = listed("CHARTSEAL_STORES")?;
        if builder.stores.is_empty() {
            builder.stores = listed("CHARTSEAL_GATEWAY_URL")?;
        }
        if let Some(spread) = variable("CHARTSEAL_SPREAD")? {
            let code = spread.parse::<Code>();
            builder.spread = Some(code.map_err(|error| usage(&format!("CHARTSEAL_SPREAD: {error}")))?);
        }
        if let Some(text) = std::env::var_os("CHARTSEAL_KEY_STORE").filter(|text| !text.is_empty()) {
            let places = KeyPlace::parse_all(&text);
            builder.key_places = places.map_err(|error| usage(&format!("CHARTSEAL_KEY_STORE: {error}")))?;
        }
        if let Some(service) = variable("CHARTSEAL_KEY_SERVICE")? {
            builder = builder.key_service(service);
        }
        Ok(builder)
    }

    /// Adds the JSON-RPC address of a node of the cluster. Several stand in for each other.
    #[must_use]
    pub fn rpc(mut self, url: impl Into<String>) -> Self {
        self.rpc.push(url.into());
        self
    }

    /// When an answer of the ledger is believed; once it is confirmed, where this is not said.
    #[must_use]
    pub fn commitment(self, commitment: Commitment) -> Self {
        Self { commitment, ..self }
    }

    /// Adds a store for ciphertext: a gateway (`https://…`), a bucket (`s3://…`, `gs://…`, `az://…`, with credentials from
    /// the environment), or a folder's path. Several keep a whole copy each, or what [`spread`](Self::spread) says.
    #[must_use]
    pub fn store(mut self, address: impl Into<String>) -> Self {
        self.stores.push(address.into());
        self
    }

    /// Cuts what is stored into `data + parity` pieces, one for each store in the order in which they were added; any
    /// `data` of them are enough to read.
    #[must_use]
    pub fn spread(self, code: Code) -> Self {
        Self {
            spread: Some(code),
            ..self
        }
    }

    /// Adds a folder of wrapped keys, made where it is not there. What is written goes to all of them.
    #[must_use]
    pub fn key_store(mut self, folder: impl Into<PathBuf>) -> Self {
        self.key_places.push(KeyPlace::Folder(folder.into()));
        self
    }

    /// Adds a key service (`https://…`), which keeps wrapped keys for several machines and is asked as one more key store.
    #[must_use]
    pub fn key_service(mut self, url: impl Into<String>) -> Self {
        let service = KeyPlace::Service(url.into());
        if !self.key_places.contains(&service) {
            self.key_places.push(service);
        }
        self
    }

    /// Has a relayer pay fee and rent (JSON-RPC as Kora speaks it): the wallet needs no SOL.
    #[must_use]
    pub fn relayer(self, url: &str) -> Self {
        Self {
            payer: Payer::Relayer(Relayer::new(url)),
            ..self
        }
    }

    /// Acts as this identity.
    #[must_use]
    pub fn identity(self, identity: Identity) -> Self {
        Self {
            who: Who::Somebody(Box::new(identity)),
            ..self
        }
    }

    /// Acts as the identity in a file, as `chartseal keys new` makes it.
    #[must_use]
    pub fn identity_file(self, path: impl Into<PathBuf>, passphrase: Passphrase) -> Self {
        Self {
            who: Who::File(path.into(), passphrase),
            ..self
        }
    }

    /// Acts as this member, where the wallet belongs to several institutions.
    #[must_use]
    pub fn acting_as(self, member: MemberId) -> Self {
        Self {
            member: Some(member),
            ..self
        }
    }

    /// Wraps keys by X-Wing or not at all: nobody without such a key gets one.
    #[must_use]
    pub fn post_quantum_only(self) -> Self {
        Self {
            post_quantum_only: true,
            ..self
        }
    }

    /// Makes the client. Opening an identity's file takes about a second of a core, by design of its key derivation.
    ///
    /// # Errors
    /// [`Error::Usage`] where something is missing or does not go together; otherwise what could not be opened.
    pub async fn build(self) -> Result<Client, Error> {
        if self.rpc.is_empty() {
            return Err(usage("no node of the ledger is named: say where one is (Builder::rpc)"));
        }
        if self.key_places.is_empty() {
            return Err(usage(
                "no key store is named: say where keys are (Builder::key_store, Builder::key_service)",
            ));
        }
        let stores = stores(&self.stores, self.spread)?;
        let who = self.who;
        let identity = off_thread(move || open(who)).await??;
        let ledger = || {
            Ledger::with(LedgerOptions {
                commitment: self.commitment,
                ..LedgerOptions::new(&self.rpc)
            })
        };
        let member = self.member.map(MemberId::to_bytes);
        let opener = Opener {
            wallet: identity.wallet.clone(),
            ledger: Arc::new(ledger()),
            member,
        };
        let places = self.key_places;
        let keys = off_thread(move || {
            places
                .into_iter()
                .map(|place| opener.open(place))
                .collect::<Result<Vec<_>, _>>()
        });
        let keys = KeyStores::new(keys.await??)?;
        let session = Session::new(identity, ledger().paid_by(self.payer), stores, keys)
            .requiring_post_quantum(self.post_quantum_only);
        Ok(Client::new(match member {
            Some((institution, member)) => session.as_member(institution, member),
            None => session,
        }))
    }
}

impl std::fmt::Debug for Builder {
    /// Says nothing of who it is.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("stores", &self.stores)
            .finish_non_exhaustive()
    }
}

fn open(who: Who) -> Result<Identity, Error> {
    match who {
        Who::Nobody => Err(usage(
            "nobody is named: say who acts (Builder::identity, Builder::identity_file)",
        )),
        Who::Somebody(identity) => Ok(*identity),
        Who::File(path, passphrase) => Ok(Identity::load(&path, &passphrase)?),
    }
}

fn stores(addresses: &[String], spread: Option<Code>) -> Result<Stores<Backend>, Error> {
    let members: Result<Vec<_>, _> = addresses.iter().map(|address| Backend::at(address)).collect();
    Stores::named(members?, spread).map_err(|error| Error::Usage(error.to_string()))
}

/// A variable of the environment that says something.
fn variable(name: &str) -> Result<Option<String>, Error> {
    match std::env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(usage(&format!("{name} is no text (UTF-8)"))),
    }
}

/// What a variable lists with commas in between.
fn listed(name: &str) -> Result<Vec<String>, Error> {
    let listed = variable(name)?;
    Ok(listed.map_or_else(Vec::new, |text| text.split(',').map(str::to_owned).collect()))
}

fn usage(what: &str) -> Error {
    Error::Usage(what.to_owned())
}
