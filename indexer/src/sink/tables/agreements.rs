//! Agreements as they stand, what arrived in escrow, and what was paid out of it.
//!
//! Amounts of tokens go as text, because they reach beyond what a bigint holds.

use chartseal_program::{
    events::{AccessSettled, AgreementFunded, AgreementProposed, AnyEvent},
    seeds::Id,
    vocabulary::AgreementState,
};
use sqlx::PgConnection;

use super::{Changes, classes, each, number};
use crate::{
    decode::Located,
    sink::{Instant, SinkError},
};

pub(super) async fn propose(connection: &mut PgConnection, events: &[&AgreementProposed]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO agreements (consumer, id, provider, state, classes, purpose, mint, token_program, escrow, refund,
                                 price, expires_at, proposed_at, changed_at, made_seq, changed_seq)
         SELECT consumer, id, provider, $14, classes::integer[], purpose, mint, token_program, escrow, refund,
                price::numeric, expires, at, at, seq, seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::text[], $5::text[], $6::bytea[], $7::bytea[],
                     $8::bytea[], $9::bytea[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::bigint[])
              AS event (consumer, id, provider, classes, purpose, mint, token_program, escrow, refund, price, expires,
                        at, seq)",
        each(events, |e| e.link.subject) as _,
        each(events, |e| e.agreement) as _,
        each(events, |e| e.provider) as _,
        each(events, |e| classes(e.classes)) as _,
        each(events, |e| e.purpose.word()) as _,
        each(events, |e| e.mint.to_bytes()) as _,
        each(events, |e| e.token_program.to_bytes()) as _,
        each(events, |e| e.escrow.to_bytes()) as _,
        each(events, |e| e.refund.to_bytes()) as _,
        &each(events, |e| e.price.to_string()),
        each(events, |e| Instant(e.expires)) as _,
        each(events, |e| Instant(e.link.at)) as _,
        &each(events, |e| number(e.link.seq)),
        AgreementState::Proposed.word(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(Clone)]
struct Closing {
    at: Instant,
    by: [u8; 32],
    returned: String,
    returned_to: [u8; 32],
}

#[derive(Default)]
struct Columns {
    state: Option<&'static str>,
    /// When the provider accepted, and where it is paid.
    accepted: Option<(Instant, [u8; 32])>,
    closed: Option<Closing>,
}

pub(super) async fn change(connection: &mut PgConnection, events: &[&Located]) -> Result<(), SinkError> {
    let mut changes = Changes::<(Id, Id), Columns>::new();
    for event in events.iter().map(|located| &located.event) {
        let link = event.link();
        match event {
            AnyEvent::AgreementAccepted(e) => {
                let row = changes.of((link.subject, e.agreement), link);
                row.state = Some(AgreementState::Active.word());
                row.accepted = Some((Instant(link.at), e.payee.to_bytes()));
            }
            AnyEvent::AgreementClosed(e) => {
                let row = changes.of((link.subject, e.agreement), link);
                row.state = Some(AgreementState::Closed.word());
                row.closed = Some(Closing {
                    at: Instant(link.at),
                    by: e.by.to_bytes(),
                    returned: e.returned.to_string(),
                    returned_to: e.refund.to_bytes(),
                });
            }
            _ => {}
        }
    }
    let rows = changes.into_rows();
    if rows.is_empty() {
        return Ok(());
    }
    let closed = |columns: &Columns| columns.closed.clone();
    sqlx::query!(
        "UPDATE agreements a
         SET state = coalesce(new.state, a.state), accepted_at = coalesce(new.accepted, a.accepted_at),
             payee = coalesce(new.payee, a.payee), closed_at = coalesce(new.closed, a.closed_at),
             closed_by = coalesce(new.closed_by, a.closed_by),
             returned = coalesce(new.returned::numeric, a.returned),
             returned_to = coalesce(new.returned_to, a.returned_to), changed_at = new.at, changed_seq = new.seq
         FROM UNNEST($1::bytea[], $2::bytea[], $3::text[], $4::timestamptz[], $5::bytea[], $6::timestamptz[],
                     $7::bytea[], $8::text[], $9::bytea[], $10::timestamptz[], $11::bigint[])
              AS new (consumer, id, state, accepted, payee, closed, closed_by, returned, returned_to, at, seq)
         WHERE a.consumer = new.consumer AND a.id = new.id",
        each(&rows, |((consumer, _), _)| *consumer) as _,
        each(&rows, |((_, id), _)| *id) as _,
        each(&rows, |(_, row)| row.columns.state) as _,
        each(&rows, |(_, row)| row.columns.accepted.map(|(at, _)| at)) as _,
        each(&rows, |(_, row)| row.columns.accepted.map(|(_, payee)| payee)) as _,
        each(&rows, |(_, row)| closed(&row.columns).map(|closing| closing.at)) as _,
        each(&rows, |(_, row)| closed(&row.columns).map(|closing| closing.by)) as _,
        each(&rows, |(_, row)| closed(&row.columns).map(|closing| closing.returned)) as _,
        each(&rows, |(_, row)| closed(&row.columns)
            .map(|closing| closing.returned_to)) as _,
        each(&rows, |(_, row)| row.at) as _,
        &each(&rows, |(_, row)| row.seq),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn fund(connection: &mut PgConnection, events: &[&AgreementFunded]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO agreement_deposits (consumer, seq, at, agreement, received)
         SELECT consumer, seq, at, agreement, received::numeric
         FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bytea[], $5::text[])
              AS event (consumer, seq, at, agreement, received)",
        each(events, |e| e.link.subject) as _,
        &each(events, |e| number(e.link.seq)),
        each(events, |e| Instant(e.link.at)) as _,
        each(events, |e| e.agreement) as _,
        &each(events, |e| e.received.to_string()),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn settle(connection: &mut PgConnection, events: &[&AccessSettled]) -> Result<(), SinkError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO settlements (patient, seq, at, consumer, agreement, record, version, request, wallet, amount)
         SELECT patient, seq, at, consumer, agreement, record, version, request, wallet, amount::numeric
         FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[],
                     $8::bytea[], $9::bytea[], $10::text[])
              AS event (patient, seq, at, consumer, agreement, record, version, request, wallet, amount)",
        each(events, |e| e.link.subject) as _,
        &each(events, |e| number(e.link.seq)),
        each(events, |e| Instant(e.link.at)) as _,
        each(events, |e| e.consumer) as _,
        each(events, |e| e.agreement) as _,
        each(events, |e| e.record) as _,
        &each(events, |e| i64::from(e.version)),
        each(events, |e| e.request) as _,
        each(events, |e| e.wallet.to_bytes()) as _,
        &each(events, |e| e.amount.to_string()),
    )
    .execute(connection)
    .await?;
    Ok(())
}
