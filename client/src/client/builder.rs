//! What a client needs before it can do anything: where ledger, stores and keys are, and who it is.

use std::{path::PathBuf, sync::Arc};

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

/// Where ciphertext is kept.
enum Kept {
    At(Vec<String>, Option<Code>),
    In(Stores<Backend>),
}

/// Says where everything is, and makes a [`Client`]. Nothing is connected to before the client is used.
pub struct Builder {
    ledger: LedgerOptions,
    kept: Kept,
    key_places: Vec<KeyPlace>,
    who: Who,
    payer: Payer,
    member: Option<MemberId>,
    post_quantum_only: bool,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            ledger: LedgerOptions::new::<String>([]),
            kept: Kept::At(Vec::new(), None),
            key_places: Vec::new(),
            who: Who::Nobody,
            payer: Payer::default(),
            member: None,
            post_quantum_only: false,
        }
    }

    /// Adds the JSON-RPC address of a node of the cluster. Several stand in for each other.
    #[must_use]
    pub fn rpc(mut self, url: impl Into<String>) -> Self {
        self.ledger.urls.push(url.into());
        self
    }

    /// When an answer of the ledger is believed; once it is confirmed, where this is not said.
    #[must_use]
    pub fn commitment(mut self, commitment: Commitment) -> Self {
        self.ledger.commitment = commitment;
        self
    }

    /// All that can be said of the ledger, in place of what was said before: its nodes and their WebSocket, which cluster it
    /// must be, the most that is paid for priority, and how long a node that does not answer is waited for.
    #[must_use]
    pub fn ledger(self, ledger: LedgerOptions) -> Self {
        Self { ledger, ..self }
    }

    /// Adds a store for ciphertext: a gateway (`https://…`), a bucket (`s3://…`, `gs://…`, `az://…`, with credentials from
    /// the environment), or a folder's path. Several keep a whole copy each, or what [`spread`](Self::spread) says.
    #[must_use]
    pub fn store(mut self, address: impl Into<String>) -> Self {
        let (mut addresses, code) = self.kept.addresses();
        addresses.push(address.into());
        self.kept = Kept::At(addresses, code);
        self
    }

    /// Cuts what is stored into `data + parity` pieces, one for each store in the order in which they were added; any
    /// `data` of them are enough to read.
    #[must_use]
    pub fn spread(mut self, code: Code) -> Self {
        let (addresses, _) = self.kept.addresses();
        self.kept = Kept::At(addresses, Some(code));
        self
    }

    /// Keeps ciphertext in these stores, in place of what was said before.
    #[must_use]
    pub fn stores(self, stores: Stores<Backend>) -> Self {
        Self {
            kept: Kept::In(stores),
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

    pub(crate) fn key_places(self, key_places: Vec<KeyPlace>) -> Self {
        Self { key_places, ..self }
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

    /// Has a relayer pay fee and rent (JSON-RPC as Kora speaks it): the wallet needs no SOL.
    #[must_use]
    pub fn relayer(self, url: impl AsRef<str>) -> Self {
        self.payer(Payer::Relayer(Relayer::new(url.as_ref())))
    }

    /// Says who pays fee and rent; whoever signs, where this is not said.
    #[must_use]
    pub fn payer(self, payer: Payer) -> Self {
        Self { payer, ..self }
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
        if self.ledger.urls.is_empty() {
            return Err(usage("no node of the ledger is named: say where one is (Builder::rpc)"));
        }
        if self.key_places.is_empty() {
            return Err(usage(
                "no key store is named: say where keys are (Builder::key_store, Builder::key_service)",
            ));
        }
        let stores = self.kept.opened()?;
        let who = self.who;
        let identity = off_thread(move || open(who)).await??;
        let member = self.member.map(MemberId::to_bytes);
        let opener = Opener {
            wallet: identity.wallet.clone(),
            ledger: Arc::new(Ledger::with(self.ledger.clone())),
            member,
        };
        let places = self.key_places;
        let keys = move || {
            places
                .into_iter()
                .map(|place| opener.open(place))
                .collect::<Result<_, _>>()
        };
        let keys = KeyStores::new(off_thread(keys).await??)?;
        let ledger = Ledger::with(self.ledger).paid_by(self.payer);
        let session = Session::new(identity, ledger, stores, keys).requiring_post_quantum(self.post_quantum_only);
        Ok(Client::new(match member {
            Some((institution, member)) => session.as_member(institution, member),
            None => session,
        }))
    }
}

impl Kept {
    /// What to add to: nothing where whole stores were given.
    fn addresses(self) -> (Vec<String>, Option<Code>) {
        match self {
            Self::At(addresses, code) => (addresses, code),
            Self::In(_) => (Vec::new(), None),
        }
    }

    fn opened(self) -> Result<Stores<Backend>, Error> {
        match self {
            Self::In(stores) => Ok(stores),
            Self::At(addresses, code) => {
                let members: Result<Vec<_>, _> = addresses.iter().map(|address| Backend::at(address)).collect();
                Stores::named(members?, code).map_err(|error| usage(&error.to_string()))
            }
        }
    }
}

impl std::fmt::Debug for Builder {
    /// Says nothing of who it is, nor where things are: addresses may have keys in them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("member", &self.member)
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

fn usage(what: &str) -> Error {
    Error::Usage(what.to_owned())
}
