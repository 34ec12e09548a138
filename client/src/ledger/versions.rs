//! Earlier versions of a record. The chain's account of a record holds the newest; what those before said stands in the events
//! that wrote them. Each version carries the hash of the one before, so what a node tells of the past is held against the
//! account, link by link, and believed only where it leads there.

use std::collections::BTreeMap;

use chartseal_program::{
    events::{Actor, AnyEvent},
    seeds::address,
    state::Record,
    vocabulary::{ActorKind, Basis, Reason},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use solana_address::Address;
use solana_rpc_client::rpc_client::GetConfirmedSignaturesForAddress2Config;

use super::{Ledger, LedgerError, history::AT_ONCE};

/// Whether an access on this basis is to a version that it opens, by the rule that the contract has: the newest, or an earlier
/// one for the patient, its delegates, and whoever wrote the first. `credential` is the account of a member who reads.
///
/// # Errors
/// [`Reason::OlderVersion`].
pub(crate) fn may_read_version(
    record: &Record,
    version: u32,
    basis: Basis,
    credential: Option<Address>,
) -> Result<(), Reason> {
    let own = match basis {
        Basis::Patient | Basis::Delegate => true,
        Basis::Author => credential == Some(record.origin),
        Basis::Consent | Basis::Steward | Basis::Grant | Basis::Policy | Basis::Emergency => false,
    };
    if own || version == record.version {
        Ok(())
    } else {
        Err(Reason::OlderVersion)
    }
}

impl Ledger {
    /// A record as it was in a version from 1 to its newest, which `newest` is.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`] for a version that there is not; [`LedgerError::BrokenHistory`] where the node's history
    /// does not lead to what stands on chain.
    pub async fn record_version(&self, newest: &Record, version: u32) -> Result<Record, LedgerError> {
        let versions = self.record_versions(newest, version).await?;
        Ok(versions.last().copied().unwrap_or(*newest))
    }

    /// Whether no more transactions name a record than this, of which there may be 999.
    pub(super) async fn is_named_by_at_most(&self, record: &Record, most: usize) -> Result<bool, LedgerError> {
        let config = GetConfirmedSignaturesForAddress2Config {
            before: None,
            until: None,
            limit: Some(most.saturating_add(1)),
            commitment: Some(self.rpc.commitment()),
        };
        let at = address::record(&record.patient, &record.id);
        let page = self
            .call(self.rpc.get_signatures_for_address_with_config(&at, config))
            .await?;
        Ok(page.len() <= most)
    }

    /// A record's versions, from its newest down to this one.
    ///
    /// # Errors
    /// As [`record_version`](Self::record_version).
    pub async fn record_versions(&self, newest: &Record, down_to: u32) -> Result<Vec<Record>, LedgerError> {
        if down_to == newest.version {
            return Ok(vec![*newest]);
        }
        let id = hex::encode(newest.id);
        if down_to == 0 || down_to > newest.version {
            return Err(LedgerError::NotFound {
                what: format!("version {down_to} of record {id} (its newest is {})", newest.version),
            });
        }
        let signatures = self
            .signatures_of(&address::record(&newest.patient, &newest.id))
            .await?;
        let events = signatures
            .into_iter()
            .map(|signature| async move { self.events_of(&signature).await });
        let events: Vec<_> = stream::iter(events).buffered(AT_ONCE).try_collect().await?;
        let written = events
            .iter()
            .flat_map(|(_, events)| events)
            .filter_map(|event| written(newest, event));
        earlier(newest, down_to, written).ok_or(LedgerError::BrokenHistory { record: id })
    }
}

/// The version of this record that an event tells of.
fn written(newest: &Record, event: &AnyEvent) -> Option<Record> {
    let begun = |author: Address, institution| {
        let mut record = *newest;
        let (patient, at) = (newest.patient, event.link().at);
        record.begin(&newest.id, &patient, newest.class, &author, &institution, at);
        record.previous = [0; 32];
        record
    };
    let (record, mut version, content) = match event {
        AnyEvent::RecordCreated(e) => (
            e.record,
            begun(author(newest, &e.author), e.author.institution),
            &e.content,
        ),
        AnyEvent::RecordPromoted(e) => (e.record, begun(e.author, e.institution), &e.content),
        AnyEvent::RecordAmended(e) => {
            let amended = Record {
                version: e.version,
                previous: e.previous,
                created_at: newest.created_at,
                origin: newest.origin,
                ..begun(author(newest, &e.author), e.author.institution)
            };
            (e.record, amended, &e.content)
        }
        _ => return None,
    };
    version.set_content(content);
    (record == newest.id && event.link().subject == newest.patient).then_some(version)
}

/// The account that stands as author of what somebody wrote: a member's own, otherwise the patient's.
fn author(newest: &Record, actor: &Actor) -> Address {
    match actor.kind {
        ActorKind::Member => actor.credential,
        ActorKind::Patient | ActorKind::Delegate | ActorKind::Person => address::patient(&newest.patient),
    }
}

/// The versions from the newest down, if each is what the one after it says.
fn earlier(newest: &Record, down_to: u32, written: impl Iterator<Item = Record>) -> Option<Vec<Record>> {
    let by_hash: BTreeMap<[u8; 32], Record> = written.map(|record| (record.version_hash(), record)).collect();
    let (mut after, mut found) = (*newest, vec![*newest]);
    while after.version > down_to {
        let before = by_hash.get(&after.previous)?;
        if before.version.checked_add(1) != Some(after.version) {
            return None;
        }
        after = *before;
        found.push(after);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use anchor_lang::{AccountDeserialize as _, Discriminator as _};
    use chartseal_program::{
        events::{Content, RecordAmended, RecordCreated},
        log::Link,
        vocabulary::{Basis, Purpose},
    };

    use super::*;

    const PATIENT: [u8; 16] = [1; 16];
    const RECORD: [u8; 16] = [2; 16];

    fn member(n: u8) -> Actor {
        Actor {
            kind: ActorKind::Member,
            wallet: Address::new_from_array([n; 32]),
            credential: Address::new_from_array([n + 100; 32]),
            institution: [n; 16],
        }
    }

    fn content(n: u8) -> Content {
        Content {
            manifest_hash: [n; 32],
            root: [n + 1; 32],
            locator: [n + 2; 32],
            padded_size: u64::from(n),
        }
    }

    fn link() -> Link {
        Link {
            subject: PATIENT,
            seq: 1,
            at: 7,
        }
    }

    fn blank() -> Record {
        let bytes = [Record::DISCRIMINATOR, vec![0; std::mem::size_of::<Record>()].as_slice()].concat();
        Record::try_deserialize(&mut bytes.as_slice()).unwrap()
    }

    /// A record of three versions as the contract keeps it, and the events that it told.
    fn history() -> (Record, Vec<AnyEvent>) {
        let mut record = blank();
        let first = member(10);
        record.begin(&RECORD, &PATIENT, 3, &first.credential, &first.institution, 7);
        record.set_content(&content(10));
        let mut events = vec![AnyEvent::RecordCreated(RecordCreated {
            link: link(),
            request: [9; 16],
            record: RECORD,
            class: 3,
            author: first,
            purpose: Purpose::Treatment,
            basis: Basis::Grant,
            under: [8; 16],
            content: content(10),
            head: [0; 32],
        })];
        for n in 2..=3 {
            let by = member(10 * n);
            record.previous = record.version_hash();
            record.version += 1;
            record.author = by.credential;
            record.institution = by.institution;
            record.set_content(&content(10 * n));
            events.push(AnyEvent::RecordAmended(RecordAmended {
                link: link(),
                request: [9; 16],
                record: RECORD,
                version: record.version,
                author: by,
                purpose: Purpose::Treatment,
                basis: Basis::Grant,
                under: [8; 16],
                content: content(10 * n),
                previous: record.previous,
                head: [0; 32],
            }));
        }
        (record, events)
    }

    fn find(newest: &Record, version: u32, events: &[AnyEvent]) -> Option<Record> {
        earlier(
            newest,
            version,
            events.iter().filter_map(|event| written(newest, event)),
        )?
        .last()
        .copied()
    }

    #[test]
    fn every_version_is_found_as_it_was_written() {
        let (newest, events) = history();
        for version in 1..=3_u8 {
            let found = find(&newest, version.into(), &events).unwrap();
            assert_eq!(found.version, u32::from(version));
            assert_eq!(found.content(), content(10 * version));
            assert_eq!(found.author, member(10 * version).credential);
            assert_eq!(found.origin, member(10).credential);
        }
    }

    #[test]
    fn a_history_with_a_version_missing_or_altered_gives_none_before_it() {
        let (newest, events) = history();
        for lost in 0..2 {
            let mut others = events.clone();
            others.remove(lost);
            assert!(find(&newest, 1, &others).is_none());
        }
        for altered in 0..2 {
            let mut others = events.clone();
            match &mut others[altered] {
                AnyEvent::RecordCreated(e) => e.content.locator[0] ^= 1,
                AnyEvent::RecordAmended(e) => e.content.manifest_hash[0] ^= 1,
                _ => unreachable!(),
            }
            assert!(find(&newest, 1, &others).is_none(), "event {altered}");
        }
    }

    #[test]
    fn what_was_written_into_another_record_or_for_another_patient_is_no_version() {
        let (newest, mut events) = history();
        match &mut events[0] {
            AnyEvent::RecordCreated(e) => e.record = [3; 16],
            _ => unreachable!(),
        }
        assert!(find(&newest, 1, &events).is_none());
        let (_, mut events) = history();
        match &mut events[0] {
            AnyEvent::RecordCreated(e) => e.link.subject = [3; 16],
            _ => unreachable!(),
        }
        assert!(find(&newest, 1, &events).is_none());
    }
}
