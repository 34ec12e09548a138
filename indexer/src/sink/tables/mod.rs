//! The typed tables: what the events say, as rows that an analyst reads.
//!
//! Each kind of row is made for a whole batch by one statement, and changed by another one ([`Changes`]). What is in the
//! tables after a set of events does not depend on how they were cut into batches.

mod agreements;
mod anonymous;
mod batches;
mod decisions;
mod delegates;
mod emergencies;
mod erasures;
mod forget;
mod grants;
mod institutions;
mod list;
mod members;
mod partitions;
mod patients;
mod policies;
mod records;
mod registry;
mod requests;
mod rollups;
mod safeguards;
mod standings;

pub(in crate::sink) use forget::forget;
pub(crate) use list::{TABLES, Table};
pub(in crate::sink) use rollups::recount;

use std::collections::BTreeMap;

use anchor_lang::prelude::Address;
use chartseal_program::{
    events::{Actor, AnyEvent},
    log::Link,
    seeds::{Id, NO_ID},
    vocabulary::{Action, ActorKind, Basis, Purpose},
};
use sqlx::PgConnection;

use super::{Instant, SinkError};
use crate::decode::Located;

/// The events of one kind among those of a batch, in their order.
macro_rules! of_kind {
    ($events:expr, $kind:ident) => {
        $events
            .iter()
            .filter_map(|located| match &located.event {
                AnyEvent::$kind(event) => Some(event),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
}

/// Writes what follows from these events, which were not stored before.
pub(super) async fn write(connection: &mut PgConnection, events: &[&Located]) -> Result<(), SinkError> {
    // Rows that others refer to come first.
    registry::write(connection, events).await?;
    anonymous::open(connection, &of_kind!(events, TreeOpened)).await?;
    institutions::register(connection, &of_kind!(events, InstitutionRegistered)).await?;
    institutions::change(connection, events).await?;
    standings::keep_institutions(connection, events).await?;
    members::register(connection, &of_kind!(events, MemberRegistered)).await?;
    members::change(connection, events).await?;
    standings::keep_members(connection, events).await?;
    batches::anchor(connection, &of_kind!(events, BatchAnchored)).await?;
    patients::open(connection, &of_kind!(events, PatientOpened)).await?;
    patients::change(connection, events).await?;
    standings::keep_wallets(connection, events).await?;
    delegates::name(connection, &of_kind!(events, DelegateNamed)).await?;
    delegates::change(connection, events).await?;
    safeguards::change(connection, events).await?;
    safeguards::name_guardians(connection, &of_kind!(events, GuardiansSet)).await?;
    safeguards::name_holders(connection, &of_kind!(events, BreakGlassSet)).await?;
    safeguards::keep_steps(connection, &safeguards::steps(events)).await?;
    policies::write(connection, &of_kind!(events, PolicySet)).await?;
    emergencies::open(connection, &of_kind!(events, EmergencyOpened)).await?;
    emergencies::review(connection, &of_kind!(events, EmergencyReviewed)).await?;
    records::create(connection, &records::creations(events)).await?;
    let versions = records::versions(events);
    records::add_versions(connection, &versions).await?;
    records::change(connection, events).await?;
    rollups::add_versions(connection, &versions).await?;
    let erased = of_kind!(events, RecordErased);
    erasures::erase(connection, &erased).await?;
    rollups::erase(connection, &erased).await?;
    erasures::attest(connection, &of_kind!(events, ErasureAttested)).await?;
    requests::ask(connection, &of_kind!(events, AccessRequested)).await?;
    grants::give(connection, &grants::given(events)).await?;
    grants::pass_on(connection, &of_kind!(events, GrantPassedOn)).await?;
    grants::take_uses(connection, &grants::uses(events)).await?;
    grants::revoke(connection, &of_kind!(events, GrantRevoked)).await?;
    requests::decide(connection, &of_kind!(events, RequestDecided)).await?;
    anonymous::give(connection, &of_kind!(events, AnonymousGrantCreated)).await?;
    anonymous::revoke(connection, &of_kind!(events, AnonymousGrantRevoked)).await?;
    anonymous::prove(connection, &of_kind!(events, AccessProven)).await?;
    anonymous::close(connection, &of_kind!(events, NullifierClosed)).await?;
    let allowed = of_kind!(events, AccessAllowed);
    partitions::make_room(connection, &allowed).await?;
    decisions::allow(connection, &allowed).await?;
    rollups::add_accesses(connection, &allowed).await?;
    let refused = of_kind!(events, ActionRefused);
    decisions::refuse(connection, &refused).await?;
    rollups::add_refusals(connection, &refused).await?;
    agreements::propose(connection, &of_kind!(events, AgreementProposed)).await?;
    agreements::change(connection, events).await?;
    agreements::fund(connection, &of_kind!(events, AgreementFunded)).await?;
    agreements::settle(connection, &of_kind!(events, AccessSettled)).await
}

/// What a batch changes in rows that are there: for each row, the last word of its events on each column.
///
/// A chain's events come in their order, so whatever a batch says is newer than what the tables hold.
struct Changes<K, C>(BTreeMap<K, Change<C>>);

struct Change<C> {
    /// Place and time of the row's newest event.
    at: Instant,
    seq: i64,
    columns: C,
}

impl<K: Ord, C: Default> Changes<K, C> {
    fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The columns of a row, which the event of this link changes.
    fn of(&mut self, key: K, link: &Link) -> &mut C {
        let (at, seq) = (Instant(link.at), number(link.seq));
        let change = self.0.entry(key).or_insert_with(|| Change {
            at,
            seq,
            columns: C::default(),
        });
        (change.at, change.seq) = (at, seq);
        &mut change.columns
    }

    fn into_rows(self) -> Vec<(K, Change<C>)> {
        self.0.into_iter().collect()
    }
}

/// Encryption keys that an event publishes.
#[derive(Clone, Copy)]
struct PublishedKeys {
    encryption: [u8; 32],
    post_quantum_hash: Option<[u8; 32]>,
}

impl PublishedKeys {
    fn new(encryption: &[u8; 32], post_quantum_hash: &[u8; 32]) -> Self {
        Self {
            encryption: *encryption,
            post_quantum_hash: hash(post_quantum_hash),
        }
    }
}

/// One column of a batch.
pub(super) fn each<R, T>(rows: &[R], column: impl FnMut(&R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}

/// A count as Postgres keeps it. Sizes are stated by whoever writes a record, so there may be one beyond its range,
/// and that must not stop the indexer: it becomes the greatest that there is.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// An id, or nothing where zeros stand for none.
fn id(id: &Id) -> Option<Id> {
    (*id != NO_ID).then_some(*id)
}

/// An address, or nothing where zeros stand for none.
fn address(address: &Address) -> Option<[u8; 32]> {
    hash(&address.to_bytes())
}

/// A hash or key, or nothing where zeros stand for none.
fn hash(hash: &[u8; 32]) -> Option<[u8; 32]> {
    (*hash != [0; 32]).then_some(*hash)
}

/// The actor's columns.
struct ActorColumns {
    kind: Vec<&'static str>,
    wallet: Vec<[u8; 32]>,
    member: Vec<Option<[u8; 32]>>,
    delegate: Vec<Option<[u8; 32]>>,
    institution: Vec<Option<Id>>,
}

impl ActorColumns {
    fn of<R>(rows: &[R], actor: impl Fn(&R) -> Actor) -> Self {
        let credential = |row: &R, kind| {
            let actor = actor(row);
            (actor.kind == kind).then(|| address(&actor.credential)).flatten()
        };
        Self {
            kind: each(rows, |row| actor(row).kind.word()),
            wallet: each(rows, |row| actor(row).wallet.to_bytes()),
            member: each(rows, |row| credential(row, ActorKind::Member)),
            delegate: each(rows, |row| credential(row, ActorKind::Delegate)),
            institution: each(rows, |row| id(&actor(row).institution)),
        }
    }
}

/// The columns that say why something was allowed. A delegation is its actor's, and stands there.
struct BasisColumns {
    basis: Vec<&'static str>,
    grant: Vec<Option<Id>>,
    policy: Vec<Option<Id>>,
    emergency: Vec<Option<Id>>,
}

impl BasisColumns {
    fn of<R>(rows: &[R], basis: impl Fn(&R) -> (Basis, Id)) -> Self {
        let under = |row: &R, kind| {
            let (basis, under) = basis(row);
            (basis == kind).then(|| id(&under)).flatten()
        };
        Self {
            basis: each(rows, |row| basis(row).0.word()),
            grant: each(rows, |row| under(row, Basis::Grant)),
            policy: each(rows, |row| under(row, Basis::Policy)),
            emergency: each(rows, |row| under(row, Basis::Emergency)),
        }
    }
}

/// A mask of rights as a literal of Postgres' text[].
fn rights(mask: u8) -> String {
    literal(
        Action::ALL
            .iter()
            .filter(|right| mask & right.bit() != 0)
            .map(|right| right.word()),
    )
}

/// A mask of purposes as a literal of Postgres' text[].
fn purposes(mask: u8) -> String {
    literal(
        Purpose::ALL
            .iter()
            .filter(|purpose| mask & purpose.bit() != 0)
            .map(|purpose| purpose.word()),
    )
}

/// A mask of classes as a literal of Postgres' integer[]; nothing where it is empty.
fn classes(mask: u32) -> Option<String> {
    (mask != 0).then(|| {
        literal(
            (0..u32::BITS)
                .filter(|class| mask & (1 << class) != 0)
                .map(|class| class.to_string()),
        )
    })
}

/// Arrays of arrays cannot be unnested, so an array within a row goes as text. None of the words needs quotes.
fn literal(words: impl Iterator<Item = impl AsRef<str>>) -> String {
    let words: Vec<_> = words.collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    format!("{{{}}}", words.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_become_words() {
        assert_eq!(rights(Action::Read.bit() | Action::Share.bit()), "{read,share}");
        assert_eq!(purposes(Purpose::Payment.bit()), "{payment}");
        assert_eq!(classes(1 | 1 << 31).as_deref(), Some("{0,31}"));
        assert_eq!(classes(0), None);
    }
}
