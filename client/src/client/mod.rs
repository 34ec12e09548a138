//! The clinic's way in: a [`Client`] acts as one identity, and gives [`Chart`]s, one for each patient. What is done in a
//! chart reads as it is said, files come and go as streams that are verified against the chain, and nothing here asks for
//! a type of Solana's. What it leaves out (emergencies, archives, payment, recovery, erasure) is in
//! [`ops`](crate::ops): [`Client::session`] gives a client's own session for it.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use chartseal::client::{Class, Client, Grantee, Passphrase, PatientId, Purpose, Right};
//!
//! const IMAGING: Class = Class::new(1).unwrap();
//! const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
//!
//! # async fn story(patient: PatientId, specialist: Grantee) -> Result<(), Box<dyn std::error::Error>> {
//! let doctor = Client::builder()
//!     .rpc("https://rpc.example")
//!     .store("https://gateway.example")
//!     .key_store("/srv/keys")
//!     .identity_file("doctor.id", Passphrase::new(std::fs::read("doctor.pass")?)?)
//!     .build()
//!     .await?;
//! let chart = doctor.chart(patient);
//! let scan = chart.put(IMAGING).purpose(Purpose::Treatment).file("scan.dcm").await?;
//! chart.get(scan.record).to_file("copy.dcm").await?;
//! # let patients_client = doctor;
//!
//! let chart = patients_client.chart(patient);
//! let grant = chart
//!     .grant(specialist)
//!     .record(scan.record)
//!     .rights([Right::Read])
//!     .purposes([Purpose::Treatment])
//!     .lasting(MONTH)
//!     .send()
//!     .await?;
//! chart.revoke(grant.grant).await?;
//! # Ok(())
//! # }
//! ```

mod builder;
mod chart;
mod class;
mod consent;
mod files;
mod ids;
mod log;
mod people;
mod time;

use crate::{
    ops::Session,
    store::{Backend, KeyStores, keystore::KeyBackend},
};

pub use builder::Builder;
pub use chart::{Chart, RecordState, Verified};
pub use chartseal_program::vocabulary::{
    Action as Right, ActorKind, Basis, InstitutionKind, Purpose, Reason, RequestState, Role,
};
pub use class::{CLASSES, Class, NotAClass};
pub use consent::{Approval, Ask, Grant, GrantState, Granted, Grantee, Request, Revoked};
pub use files::{Access, Get, Opened, Put, Reader, Stored};
pub use ids::{GrantId, InstitutionId, MemberId, NotAName, PatientId, RecordId, RequestId, Wallet};
pub(crate) use ids::{parse_address, parse_id};
pub use log::{Entry, Log, What};

pub use crate::{
    keys::{Identity, Passphrase},
    ledger::Commitment,
    ops::OpError as Error,
    seal::Progress,
    store::Code,
};

/// The session that a client works with.
pub type ClientSession = Session<Backend, KeyStores<KeyBackend>>;

/// One identity at work: a clinic's, one of its members', or a patient's. Cheap to keep and free to share between tasks.
#[derive(Debug)]
pub struct Client {
    session: ClientSession,
}

impl Client {
    /// Says where everything is.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Says that everything is where the environment says, in the variables of the command line: `CHARTSEAL_RPC_URL`,
    /// `CHARTSEAL_STORES` or else `CHARTSEAL_GATEWAY_URL`, `CHARTSEAL_SPREAD`, `CHARTSEAL_KEY_STORE`,
    /// `CHARTSEAL_KEY_SERVICE`. Who acts it does not say.
    ///
    /// # Errors
    /// [`Error::Usage`] where a variable is not understood.
    pub fn from_env() -> Result<Builder, Error> {
        Builder::from_env()
    }

    fn new(session: ClientSession) -> Self {
        Self { session }
    }

    /// The wallet that it acts by, as others name it.
    #[must_use]
    pub fn wallet(&self) -> Wallet {
        Wallet::from(self.session.identity().wallet.address())
    }

    /// A patient's chart: what this client may do in it the chain decides, each time.
    #[must_use]
    pub fn chart(&self, patient: PatientId) -> Chart<'_> {
        Chart::new(&self.session, patient)
    }

    /// The session behind it, for whatever else there is to be done.
    #[must_use]
    pub fn session(&self) -> &ClientSession {
        &self.session
    }
}
