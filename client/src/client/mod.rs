//! The clinic's way in: a [`Client`] acts as one identity, and gives [`Chart`]s, one for each patient. What is done in a
//! chart reads as it is said, files come and go as streams that are verified against the chain, and nothing here asks for
//! a type of Solana's. What it leaves out (policies, passing on, delegates, emergencies, archives, payment, recovery,
//! erasure, health and repair of stores) is in [`ops`](crate::ops): [`Client::session`] gives a client's own session for it.
//!
//! A client is shared between tasks in an [`Arc`](std::sync::Arc); all that it does can be spawned.
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
//!     .identity_file("doctor.id", Passphrase::from_file("doctor.pass")?)
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
mod files;
mod get;
mod grants;
mod ids;
mod log;
mod names;
mod people;
mod put;
mod requests;
mod terms;
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
pub use get::{Access, Get, Opened, Reader};
pub use grants::{Grant, GrantState, Granted, Grantee, Revoked};
pub use ids::{GrantId, InstitutionId, MemberId, NotAName, PatientId, RecordId, RequestId, Wallet};
pub(crate) use ids::{parse_address, parse_id};
pub use log::{Entry, Log, What};
pub use put::{Put, Stored};
pub use requests::{Approval, Ask, Request};

pub use crate::{
    keys::{Identity, Passphrase},
    ledger::{Commitment, LedgerOptions, Payer},
    ops::OpError as Error,
    seal::Progress,
    store::Code,
};

/// The session that a client works with.
pub type ClientSession = Session<Backend, KeyStores<KeyBackend>>;

/// One identity at work: a clinic's, one of its members', or a patient's. Keep it: it holds connections and what it learnt.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_done_can_be_spawned() {
        fn is_sent<T: Send>(_: &T) {}
        // Nothing is done: whether it could be in another thread is known without.
        let _ = |client: &Client, class: Class, record: RecordId, grant: GrantId, request: RequestId, to: MemberId| {
            let chart = client.chart(PatientId::new([1; 16]));
            is_sent(&Client::builder().build());
            is_sent(&client.open_chart());
            is_sent(&chart.put(class).file("file"));
            is_sent(&chart.amend(record).stream(tokio::io::empty()));
            is_sent(&chart.get(record).to_file("file"));
            is_sent(&chart.get(record).to_vec(1));
            is_sent(&chart.get(record).reader());
            is_sent(&chart.grant(to).send());
            is_sent(&chart.revoke(grant));
            is_sent(&chart.ask().send());
            is_sent(&chart.approve(request).send());
            is_sent(&chart.grants());
            is_sent(&chart.requests());
            is_sent(&chart.log());
            is_sent(&chart.verify(record));
        };
    }
}
