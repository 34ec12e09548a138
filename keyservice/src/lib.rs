//! The key service: a key store in a folder that others reach over HTTP. Whoever calls proves its wallet by a signature
//! ([`chartseal::store::keystore::remote::signature`]); what a wallet may do is what the chain says of it at that moment.
//! An envelope leaves against an access that the contract allowed and the policy still allows, to the wallet that made it,
//! wrapped to that reader's present key. Data keys never come here.

mod calls;
mod doorman;
mod http;
mod quotas;
mod sharing;
mod staff;
mod storing;

pub use calls::Service;
pub use doorman::Doorman;
pub use http::router;
