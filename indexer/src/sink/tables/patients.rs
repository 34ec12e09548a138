use chartseal_program::events::PatientOpened;
use sqlx::PgConnection;

use super::{address, each, hash, id, number};
use crate::sink::{Instant, SinkError};

pub(super) async fn open(connection: &mut PgConnection, events: &[&PatientOpened]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO patients (id, wallet, steward, encryption_key, post_quantum_key_hash, opened_at, changed_at,
                               made_seq, changed_seq)
         SELECT id, wallet, steward, encryption_key, post_quantum_key_hash, at, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::timestamptz[], $7::bigint[])
              AS event (id, wallet, steward, encryption_key, post_quantum_key_hash, at, seq)",
        each(events, |e| e.link.subject) as _,
        each(events, |e| address(&e.wallet)) as _,
        each(events, |e| id(&e.steward)) as _,
        each(events, |e| e.encryption_key) as _,
        each(events, |e| hash(&e.post_quantum_key_hash)) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
    )
    .execute(connection)
    .await?;
    Ok(())
}
