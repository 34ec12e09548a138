//! A patient's log as people read it: what happened, who did it, and whether the log is whole.

use std::time::SystemTime;

use chartseal_program::{
    events::{Actor, AnyEvent},
    seeds::{Id, NO_ID},
};

use super::{
    ActorKind, Basis, GrantId, InstitutionId, Purpose, Reason, RecordId, RequestId, Right, Wallet, time::system,
};
use crate::ledger::{Logged, PatientLog};

/// A patient's log.
#[derive(Clone, Debug)]
pub struct Log {
    /// What happened, oldest first.
    pub entries: Vec<Entry>,
    /// What is missing or altered first, in words; `None` where the log is whole.
    pub broken: Option<String>,
}

/// A line of a log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When, by the chain's clock.
    pub at: SystemTime,
    /// In what capacity it was done, where the log says.
    pub capacity: Option<ActorKind>,
    /// The wallet that signed, where the log says.
    pub wallet: Option<Wallet>,
    /// The institution that it acted for, if any.
    pub institution: Option<InstitutionId>,
    /// What was done.
    pub what: What,
    /// The transaction that it stands in, in base58.
    pub transaction: String,
}

/// What a line of a log is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A record was read: its key was given out against this.
    Read {
        /// Which.
        record: RecordId,
        /// In which version.
        version: u32,
        /// What for.
        purpose: Purpose,
        /// Why it was allowed.
        basis: Basis,
    },
    /// Somebody was refused.
    Refused {
        /// What was wanted.
        right: Right,
        /// Of which record; none where it was about no one record.
        record: Option<RecordId>,
        /// What for.
        purpose: Purpose,
        /// Why not.
        reason: Reason,
    },
    /// A record, or a version of it, was stored.
    Stored {
        /// Which.
        record: RecordId,
        /// In which version.
        version: u32,
        /// Why it was allowed.
        basis: Basis,
    },
    /// A right was given.
    Granted(GrantId),
    /// A right was taken back.
    Revoked(GrantId),
    /// Somebody asked for rights.
    Asked(RequestId),
    /// The patient answered.
    Decided {
        /// What was asked.
        request: RequestId,
        /// The grant that came of it; none where it was denied.
        grant: Option<GrantId>,
    },
    /// Anything else, by the name of the contract's event. `Session::ledger` has all of it.
    Other(&'static str),
}

impl Log {
    /// Whether nothing is missing and nothing was altered.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.broken.is_none()
    }
}

pub(super) fn of(log: &PatientLog) -> Log {
    Log {
        entries: log.events.iter().map(entry).collect(),
        broken: log
            .broken
            .map(|broken| format!("link {} of the {}", broken.seq, broken.chain.word())),
    }
}

fn entry(logged: &Logged) -> Entry {
    let (actor, wallet) = who(&logged.event);
    Entry {
        at: system(logged.event.link().at),
        capacity: actor.map(|actor| actor.kind),
        wallet,
        institution: actor.and_then(|actor| some(actor.institution, InstitutionId::new)),
        what: what(&logged.event),
        transaction: logged.signature.to_string(),
    }
}

fn some<T>(id: Id, named: impl Fn(Id) -> T) -> Option<T> {
    (id != NO_ID).then(|| named(id))
}

fn what(event: &AnyEvent) -> What {
    match event {
        AnyEvent::AccessAllowed(e) => What::Read {
            record: RecordId::new(e.record),
            version: e.version,
            purpose: e.purpose,
            basis: e.basis,
        },
        AnyEvent::ActionRefused(e) => What::Refused {
            right: e.action,
            record: some(e.record, RecordId::new),
            purpose: e.purpose,
            reason: e.reason,
        },
        AnyEvent::RecordCreated(e) => stored(e.record, 1, e.basis),
        AnyEvent::RecordPromoted(e) => stored(e.record, 1, e.basis),
        AnyEvent::RecordAmended(e) => stored(e.record, e.version, e.basis),
        AnyEvent::GrantCreated(e) => What::Granted(GrantId::new(e.grant)),
        AnyEvent::GrantPassedOn(e) => What::Granted(GrantId::new(e.grant)),
        AnyEvent::GrantRevoked(e) => What::Revoked(GrantId::new(e.grant)),
        AnyEvent::AccessRequested(e) => What::Asked(RequestId::new(e.request)),
        AnyEvent::RequestDecided(e) => What::Decided {
            request: RequestId::new(e.request),
            grant: e.approved.then(|| GrantId::new(e.grant)),
        },
        event => What::Other(event.name()),
    }
}

fn stored(record: Id, version: u32, basis: Basis) -> What {
    What::Stored {
        record: RecordId::new(record),
        version,
        basis,
    }
}

/// Who did it: with capacity where the log has it, or else the wallet alone.
fn who(event: &AnyEvent) -> (Option<&Actor>, Option<Wallet>) {
    let actor = match event {
        AnyEvent::AccessAllowed(e) => &e.actor,
        AnyEvent::ActionRefused(e) => &e.actor,
        AnyEvent::RecordCreated(e) => &e.author,
        AnyEvent::RecordAmended(e) => &e.author,
        AnyEvent::RecordPromoted(e) => &e.actor,
        AnyEvent::GrantPassedOn(e) => &e.actor,
        AnyEvent::AccessRequested(e) => &e.actor,
        AnyEvent::EmergencyOpened(e) => &e.actor,
        AnyEvent::ErasureAttested(e) => &e.actor,
        AnyEvent::GrantCreated(e) => return (None, Some(e.issuer.to_bytes().into())),
        AnyEvent::GrantRevoked(e) => return (None, Some(e.by.to_bytes().into())),
        AnyEvent::AnonymousGrantCreated(e) => return (None, Some(e.issuer.to_bytes().into())),
        AnyEvent::AnonymousGrantRevoked(e) => return (None, Some(e.by.to_bytes().into())),
        AnyEvent::RequestDecided(e) => return (None, Some(e.by.to_bytes().into())),
        AnyEvent::PolicySet(e) => return (None, Some(e.by.to_bytes().into())),
        AnyEvent::RecordErased(e) => return (None, Some(e.by.to_bytes().into())),
        AnyEvent::EmergencyReviewed(e) => return (None, Some(e.by.to_bytes().into())),
        AnyEvent::PatientOpened(e) => return (None, Some(e.wallet.to_bytes().into())),
        _ => return (None, None),
    };
    (Some(actor), Some(actor.wallet.to_bytes().into()))
}
