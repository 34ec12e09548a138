//! Patients as they stand: opened, handed over, recovered, with the keys of the moment.

use chartseal_program::{
    events::{AnyEvent, PatientOpened},
    seeds::Id,
};
use sqlx::PgConnection;

use super::{Changes, PublishedKeys, address, each, hash, id, number};
use crate::{
    decode::Located,
    sink::{Instant, SinkError},
};

/// Keys that a patient is opened with are its first.
const FIRST_EPOCH: i64 = 1;

pub(super) async fn open(connection: &mut PgConnection, events: &[&PatientOpened]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO patients (id, wallet, steward, encryption_key, post_quantum_key_hash, key_epoch, opened_at,
                               changed_at, made_seq, changed_seq)
         SELECT id, wallet, steward, encryption_key, post_quantum_key_hash, $8, at, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::timestamptz[], $7::bigint[])
              AS event (id, wallet, steward, encryption_key, post_quantum_key_hash, at, seq)",
        each(events, |e| e.link.subject) as _,
        each(events, |e| address(&e.wallet)) as _,
        each(events, |e| id(&e.steward)) as _,
        each(events, |e| e.encryption_key) as _,
        each(events, |e| hash(&e.post_quantum_key_hash)) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
        FIRST_EPOCH,
    )
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(Default)]
struct Columns {
    wallet: Option<[u8; 32]>,
    proposed: Option<Option<[u8; 32]>>,
    keys: Option<(u32, PublishedKeys)>,
}

pub(super) async fn change(connection: &mut PgConnection, events: &[&Located]) -> Result<(), SinkError> {
    let mut changes = Changes::<Id, Columns>::new();
    for event in events.iter().map(|located| &located.event) {
        let link = event.link();
        match event {
            AnyEvent::WalletProposed(e) => changes.of(link.subject, link).proposed = Some(address(&e.proposed)),
            AnyEvent::WalletAccepted(e) => {
                *changes.of(link.subject, link) = Columns {
                    wallet: Some(e.wallet.to_bytes()),
                    proposed: Some(None),
                    keys: Some((
                        e.key_epoch,
                        PublishedKeys::new(&e.encryption_key, &e.post_quantum_key_hash),
                    )),
                };
            }
            AnyEvent::RecoveryFinished(e) => {
                *changes.of(link.subject, link) = Columns {
                    wallet: Some(e.wallet.to_bytes()),
                    proposed: Some(None),
                    keys: Some((
                        e.key_epoch,
                        PublishedKeys::new(&e.encryption_key, &e.post_quantum_key_hash),
                    )),
                };
            }
            AnyEvent::PatientKeyRotated(e) => {
                let keys = PublishedKeys::new(&e.encryption_key, &e.post_quantum_key_hash);
                changes.of(link.subject, link).keys = Some((e.key_epoch, keys));
            }
            _ => {}
        }
    }
    let rows = changes.into_rows();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE patients p
         SET wallet = coalesce(new.wallet, p.wallet),
             proposed_wallet = CASE WHEN new.proposes THEN new.proposed ELSE p.proposed_wallet END,
             encryption_key = coalesce(new.encryption_key, p.encryption_key),
             post_quantum_key_hash = CASE WHEN new.epoch IS NULL THEN p.post_quantum_key_hash
                                          ELSE new.post_quantum END,
             key_epoch = coalesce(new.epoch, p.key_epoch), changed_at = new.at, changed_seq = new.seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::boolean[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[],
                     $8::timestamptz[], $9::bigint[])
              AS new (id, wallet, proposes, proposed, encryption_key, post_quantum, epoch, at, seq)
         WHERE p.id = new.id",
        each(&rows, |(id, _)| *id) as _,
        each(&rows, |(_, row)| row.columns.wallet) as _,
        &each(&rows, |(_, row)| row.columns.proposed.is_some()),
        each(&rows, |(_, row)| row.columns.proposed.flatten()) as _,
        each(&rows, |(_, row)| row.columns.keys.map(|(_, keys)| keys.encryption)) as _,
        each(&rows, |(_, row)| row
            .columns
            .keys
            .and_then(|(_, keys)| keys.post_quantum_hash)) as _,
        each(&rows, |(_, row)| row.columns.keys.map(|(epoch, _)| i64::from(epoch))) as _,
        each(&rows, |(_, row)| row.at) as _,
        &each(&rows, |(_, row)| row.seq),
    )
    .execute(connection)
    .await?;
    Ok(())
}
