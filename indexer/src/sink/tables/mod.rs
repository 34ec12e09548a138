//! The typed tables: what the events say, as rows that an analyst reads.
//!
//! Each kind of event is written for a whole batch by one statement. An update takes a row's newest event by its place
//! in the chain, so that what is in the tables after a set of events does not depend on how they were cut into batches.

mod decisions;
mod grants;
mod institutions;
mod members;
mod patients;
mod records;
mod registry;

use anchor_lang::prelude::Address;
use chartseal_program::{
    events::{Actor, AnyEvent},
    seeds::{Id, NO_ID},
    vocabulary::{Action, Purpose},
};
use sqlx::PgConnection;

use super::SinkError;
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
    institutions::register(connection, &of_kind!(events, InstitutionRegistered)).await?;
    institutions::accept(connection, &of_kind!(events, InstitutionAccepted)).await?;
    institutions::set_standing(connection, &of_kind!(events, InstitutionStandingSet)).await?;
    members::register(connection, &of_kind!(events, MemberRegistered)).await?;
    members::accept(connection, &of_kind!(events, MembershipAccepted)).await?;
    members::set_standing(connection, &of_kind!(events, MemberStandingSet)).await?;
    patients::open(connection, &of_kind!(events, PatientOpened)).await?;
    records::create(connection, &of_kind!(events, RecordCreated)).await?;
    records::add_versions(connection, &records::versions(events)).await?;
    records::amend(connection, &of_kind!(events, RecordAmended)).await?;
    grants::create(connection, &of_kind!(events, GrantCreated)).await?;
    grants::take_uses(connection, &grants::uses(events)).await?;
    grants::revoke(connection, &of_kind!(events, GrantRevoked)).await?;
    decisions::allow(connection, &of_kind!(events, AccessAllowed)).await?;
    decisions::refuse(connection, &of_kind!(events, ActionRefused)).await
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

/// The actor's columns, in the order in which all tables have them.
struct ActorColumns {
    kind: Vec<&'static str>,
    wallet: Vec<[u8; 32]>,
    member: Vec<Option<[u8; 32]>>,
    institution: Vec<Option<Id>>,
}

impl ActorColumns {
    fn of<R>(rows: &[R], actor: impl Fn(&R) -> Actor) -> Self {
        Self {
            kind: each(rows, |row| actor(row).kind.word()),
            wallet: each(rows, |row| actor(row).wallet.to_bytes()),
            member: each(rows, |row| address(&actor(row).member)),
            institution: each(rows, |row| id(&actor(row).institution)),
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
