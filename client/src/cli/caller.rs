//! Who types a command, and what they work with.

use std::{path::PathBuf, sync::Arc};

use super::{
    args::{Globals, StoreArgs},
    key_places::KeyPlace,
    no_keys::NoKeys,
    passphrase::Source,
};
use crate::{
    keys::{Identity, KdfCost, KeyError, Passphrase, WalletKey},
    ledger::{Ledger, LedgerOptions},
    ops::{AnonymousReader, OpError, Session},
    store::{
        Backend, FolderKeyStore, Gateway, GatewayOptions, KeyStoreError, KeyStores, Stores,
        keystore::{KeyBackend, Opener},
    },
};
use anyhow::{Context as _, Result};
use chartseal_program::seeds::Id;
use chartseal_zk::keys::ProvingKey;

/// The session that commands work with.
pub(super) type Here = Session<Backend, KeyStores<KeyBackend>>;

/// Somebody at the command line.
pub(super) struct Caller {
    pub(super) globals: Globals,
    pub(super) passphrase: Source,
}

impl Caller {
    /// Takes what the command line gives. Call it before anything is opened: see [`Source::new`].
    pub(super) fn new(globals: Globals) -> Result<Self> {
        let passphrase = Source::new(&globals)?;
        Ok(Self { globals, passphrase })
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.globals.ledger()
    }

    /// Opens the identity, asking for its passphrase where it was not given. It blocks.
    pub(super) fn open_identity(self) -> Result<Identity> {
        let path = self.globals.identity()?;
        let passphrase = self.passphrase.ask("Passphrase of the identity")?;
        Ok(Identity::load(&path, &passphrase).map_err(OpError::from)?)
    }

    /// Opens the identity; what else was said on the command line comes back with it.
    pub(super) async fn identity(self) -> Result<(Identity, Globals)> {
        let globals = self.globals.clone();
        Ok((off_thread(move || self.open_identity()).await?, globals))
    }

    /// A session of this identity.
    pub(super) async fn session(self) -> Result<Here> {
        let (identity, globals) = self.identity().await?;
        let keys = globals.key_stores_of(&identity.wallet, globals.act_as, Opener::open)?;
        globals.session(identity, keys)
    }

    /// A session of this identity that makes no key store: one that is not there must not be taken for an empty one.
    pub(super) async fn session_on_existing_stores(self) -> Result<Here> {
        let (identity, globals) = self.identity().await?;
        let keys = globals.key_stores_of(&identity.wallet, globals.act_as, Opener::existing)?;
        globals.session(identity, keys)
    }

    /// A session of this identity that may get further keys, and the file that they go into.
    pub(super) async fn session_and_file(self) -> Result<(Here, IdentityFile)> {
        let Self { globals, passphrase } = self;
        let path = globals.identity()?;
        let (identity, file) = off_thread(move || {
            let passphrase = passphrase.ask("Passphrase of the identity")?;
            let identity = Identity::load(&path, &passphrase).map_err(OpError::from)?;
            Ok((identity, IdentityFile { path, passphrase }))
        })
        .await?;
        let keys = globals.key_stores_of(&identity.wallet, globals.act_as, Opener::open)?;
        Ok((globals.session(identity, keys)?, file))
    }

    /// A session of nobody with the folders at hand, for what only looks; `None` where there are none, because a service tells
    /// nobody anything.
    pub(super) fn onlooker(&self) -> Result<Option<Session<Backend, KeyStores<FolderKeyStore>>>> {
        let folders = self.globals.key_stores()?.into_iter().filter_map(|place| match place {
            KeyPlace::Folder(folder) if folder.join("envelopes").is_dir() => Some(FolderKeyStore::existing(folder)),
            KeyPlace::Folder(_) | KeyPlace::Service(_) => None,
        });
        let Ok(keys) = KeyStores::new(folders.collect()) else {
            return Ok(None);
        };
        let nobody = Identity::generate().map_err(OpError::from)?;
        Ok(Some(Session::new(nobody, self.ledger(), self.globals.stores()?, keys)))
    }

    /// A session of nobody, for what needs neither identity nor keys.
    pub(super) fn anonymous(&self) -> Result<Session<Backend, NoKeys>> {
        let nobody = Identity::generate().map_err(OpError::from)?;
        Ok(Session::new(nobody, self.ledger(), self.globals.stores()?, NoKeys))
    }
}

/// The file of an identity, and what it is sealed under.
pub(super) struct IdentityFile {
    path: PathBuf,
    passphrase: Passphrase,
}

impl IdentityFile {
    /// Writes the identity over it. It blocks for as long as the passphrase takes to be made a key.
    pub(super) fn save(&self, identity: &Identity) -> Result<(), KeyError> {
        identity.save(&self.path, &self.passphrase, KdfCost::DEFAULT)
    }
}

impl Globals {
    /// Somebody who reads without a name. Nothing of an identity's goes into it: not its wallet, and not whose member it is.
    pub(super) fn anonymous_reader(
        &self,
        key: Arc<ProvingKey>,
    ) -> Result<AnonymousReader<Backend, KeyStores<KeyBackend>>> {
        let ledger = self.ledger().paid_by(self.payer()?);
        let keys = |wallet: &WalletKey| self.key_stores_of(wallet, None, Opener::existing);
        AnonymousReader::new(ledger, self.stores()?, keys, key)
    }

    /// The key stores, as this wallet uses them.
    fn key_stores_of(
        &self,
        wallet: &WalletKey,
        member: Option<(Id, Id)>,
        open: impl Fn(&Opener, KeyPlace) -> Result<KeyBackend, KeyStoreError>,
    ) -> Result<KeyStores<KeyBackend>> {
        let opener = Opener {
            wallet: wallet.clone(),
            ledger: Arc::new(self.ledger()),
            member,
        };
        let opened: Result<Vec<_>, _> = self
            .key_stores()?
            .into_iter()
            .map(|place| open(&opener, place))
            .collect();
        Ok(opened.and_then(KeyStores::new).map_err(OpError::from)?)
    }

    fn session(&self, identity: Identity, keys: KeyStores<KeyBackend>) -> Result<Here> {
        let session = Session::new(identity, self.ledger().paid_by(self.payer()?), self.stores()?, keys);
        let session = session.requiring_post_quantum(self.require_post_quantum);
        Ok(match self.act_as {
            Some((institution, member)) => session.as_member(institution, member),
            None => session,
        })
    }

    fn ledger(&self) -> Ledger {
        Ledger::with(self.ledger_options())
    }

    /// How the ledger is reached.
    pub(super) fn ledger_options(&self) -> LedgerOptions {
        // Who types another address for this once may mean another cluster.
        let meant = self.named.cluster.filter(|_| !self.named.is_given("rpc"));
        LedgerOptions {
            cluster: meant,
            websocket: self.ws.clone().unwrap_or_default(),
            commitment: self.commitment,
            ..LedgerOptions::new(self.rpc_addresses())
        }
    }

    /// The stores that were named, or else the gateway.
    pub(super) fn stores(&self) -> Result<Stores<Backend>> {
        let StoreArgs {
            stores,
            spread,
            arweave_wallet,
            max_price,
        } = &self.stores;
        let members: Result<Vec<_>, _> = match stores.as_slice() {
            [] => Gateway::new(&self.gateway, GatewayOptions::default()).map(|gateway| vec![gateway.into()]),
            named => named
                .iter()
                .map(|address| Backend::paid_by(address, arweave_wallet.as_deref(), max_price.winston))
                .collect(),
        };
        Ok(Stores::named(members.map_err(OpError::from)?, *spread)?)
    }
}

/// Does blocking work, reading what is typed for example, where signals are heard all the same.
pub(super) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .context("a thread ended early")?
}
