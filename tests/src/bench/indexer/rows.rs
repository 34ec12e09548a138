//! The same rows as common frameworks write them: a database transaction for each transaction of the ledger, and in it an
//! upsert for each row, checkpoint included. Statements are prepared once, as theirs are.

use anyhow::{Result, bail};
use chartseal_indexer::decode::Located;
use chartseal_program::{
    events::{AccessAllowed, ActionRefused, Actor, AnyEvent, GrantCreated, PatientOpened, RecordCreated},
    log::Link,
    seeds::{Id, NO_ID},
    state::UNLIMITED,
    vocabulary::{Action, ActorKind, Basis, Purpose},
};
use sqlx::{Connection as _, PgConnection};

/// Makes the partitions of the months that these are in: nobody does that row by row.
pub(super) async fn prepare(connection: &mut PgConnection, transactions: &[Vec<Located>]) -> Result<()> {
    let times: Vec<i64> = transactions
        .iter()
        .flatten()
        .map(|located| located.event.link().at)
        .collect();
    sqlx::query("SELECT make_access_partitions(array_agg(DISTINCT to_timestamp(at))) FROM unnest($1::bigint[]) AS at")
        .bind(times)
        .execute(connection)
        .await?;
    Ok(())
}

/// Stores one transaction of the ledger.
pub(super) async fn store(connection: &mut PgConnection, events: &[Located]) -> Result<()> {
    let mut transaction = connection.begin().await?;
    for located in events {
        source(&mut transaction, located).await?;
        chain(&mut transaction, located).await?;
        match &located.event {
            AnyEvent::PatientOpened(event) => patient(&mut transaction, event).await?,
            AnyEvent::RecordCreated(event) => record(&mut transaction, event).await?,
            AnyEvent::GrantCreated(event) => grant(&mut transaction, event).await?,
            AnyEvent::AccessAllowed(event) => access(&mut transaction, event).await?,
            AnyEvent::ActionRefused(event) => refusal(&mut transaction, event).await?,
            other => bail!("{} is not in the middle of the load", other.name()),
        }
        sqlx::query(
            "INSERT INTO checkpoint (program, signature, slot, settled_signature, settled_slot) VALUES ($1, $2, $3, $2, $3)
             ON CONFLICT (single)
             DO UPDATE SET signature = excluded.signature, slot = excluded.slot,
                           settled_signature = excluded.settled_signature, settled_slot = excluded.settled_slot",
        )
        .bind(chartseal_program::ID.to_bytes())
        .bind(located.place.signature)
        .bind(i64::try_from(located.place.slot)?)
        .execute(&mut *transaction)
        .await?;
    }
    Ok(transaction.commit().await?)
}

async fn source(connection: &mut PgConnection, located: &Located) -> Result<()> {
    let (place, link) = (&located.place, located.event.link());
    sqlx::query(
        "INSERT INTO events (signature, outer_index, inner_index, slot, blockhash, block_time, chain, subject, seq, at,
                             name, body, head)
         VALUES ($1, $2, $3, $4, $5, to_timestamp($6), $7, $8, $9, to_timestamp($10), $11, $12, $13)
         ON CONFLICT (signature, outer_index, inner_index)
         DO UPDATE SET slot = excluded.slot, blockhash = excluded.blockhash, block_time = excluded.block_time",
    )
    .bind(place.signature)
    .bind(i32::from(place.outer))
    .bind(i32::from(place.inner))
    .bind(i64::try_from(place.slot)?)
    .bind(place.blockhash)
    .bind(place.block_time)
    .bind(located.event.chain().word())
    .bind(link.subject)
    .bind(i64::try_from(link.seq)?)
    .bind(link.at)
    .bind(located.event.name())
    .bind(&located.bytes)
    .bind(*located.event.head())
    .execute(connection)
    .await?;
    Ok(())
}

async fn chain(connection: &mut PgConnection, located: &Located) -> Result<()> {
    let link = located.event.link();
    sqlx::query(
        "INSERT INTO chains (chain, subject, seq, head, at) VALUES ($1, $2, $3, $4, to_timestamp($5))
         ON CONFLICT (chain, subject) DO UPDATE SET seq = excluded.seq, head = excluded.head, at = excluded.at",
    )
    .bind(located.event.chain().word())
    .bind(link.subject)
    .bind(i64::try_from(link.seq)?)
    .bind(*located.event.head())
    .bind(link.at)
    .execute(connection)
    .await?;
    Ok(())
}

async fn patient(connection: &mut PgConnection, event: &PatientOpened) -> Result<()> {
    sqlx::query(
        "INSERT INTO patients (id, wallet, encryption_key, opened_at, changed_at, made_seq, changed_seq, key_epoch)
         VALUES ($1, $2, $3, to_timestamp($4), to_timestamp($4), $5, $5, 1)
         ON CONFLICT (id) DO UPDATE SET wallet = excluded.wallet, changed_at = excluded.changed_at",
    )
    .bind(event.link.subject)
    .bind(event.wallet.to_bytes())
    .bind(event.encryption_key)
    .bind(event.link.at)
    .bind(i64::try_from(event.link.seq)?)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO patient_wallets (patient, made_seq, wallet, since, changed_seq)
         VALUES ($1, $2, $3, to_timestamp($4), $2)
         ON CONFLICT (patient, made_seq) DO UPDATE SET wallet = excluded.wallet",
    )
    .bind(event.link.subject)
    .bind(i64::try_from(event.link.seq)?)
    .bind(event.wallet.to_bytes())
    .bind(event.link.at)
    .execute(connection)
    .await?;
    Ok(())
}

async fn record(connection: &mut PgConnection, event: &RecordCreated) -> Result<()> {
    sqlx::query(
        "INSERT INTO records (patient, id, class, status, version, created_at, changed_at, made_seq, changed_seq)
         VALUES ($1, $2, $3, 'active', 1, to_timestamp($4), to_timestamp($4), $5, $5)
         ON CONFLICT (patient, id) DO UPDATE SET changed_at = excluded.changed_at",
    )
    .bind(event.link.subject)
    .bind(event.record)
    .bind(i16::from(event.class))
    .bind(event.link.at)
    .bind(i64::try_from(event.link.seq)?)
    .execute(&mut *connection)
    .await?;
    let actor = Columns::of(&event.author);
    sqlx::query(
        "INSERT INTO record_versions (patient, record, version, seq, at, request, actor_kind, wallet, member,
                                      institution, purpose, basis, manifest_hash, content_root, locator, padded_size)
         VALUES ($1, $2, 1, $3, to_timestamp($4), $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (patient, record, version) DO UPDATE SET at = excluded.at",
    )
    .bind(event.link.subject)
    .bind(event.record)
    .bind(i64::try_from(event.link.seq)?)
    .bind(event.link.at)
    .bind(event.request)
    .bind(actor.kind)
    .bind(actor.wallet)
    .bind(actor.member)
    .bind(actor.institution)
    .bind(event.purpose.word())
    .bind(event.basis.word())
    .bind(event.content.manifest_hash)
    .bind(event.content.root)
    .bind(event.content.locator)
    .bind(i64::try_from(event.content.padded_size)?)
    .execute(&mut *connection)
    .await?;
    let size = event.content.padded_size;
    sqlx::query(
        "INSERT INTO record_sizes (institution, class, status, step, versions, bytes)
         VALUES ($1, $2, 'active', $3, 1, $4::bigint)
         ON CONFLICT (institution, class, status, step)
         DO UPDATE SET versions = record_sizes.versions + 1, bytes = record_sizes.bytes + excluded.bytes",
    )
    .bind(actor.institution)
    .bind(i16::from(event.class))
    .bind(i16::try_from(u64::BITS - size.leading_zeros())?)
    .bind(i64::try_from(size)?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn grant(connection: &mut PgConnection, event: &GrantCreated) -> Result<()> {
    let terms = &event.terms;
    let rights = Action::ALL.iter().filter(|right| terms.rights & right.bit() != 0);
    let purposes = Purpose::ALL
        .iter()
        .filter(|purpose| terms.purposes & purpose.bit() != 0);
    let classes = (0..32).filter(|class| terms.classes & (1 << class) != 0);
    sqlx::query(
        "INSERT INTO grants (patient, id, issuer, classes, grantee_kind, grantee, rights, purposes, not_before, expires_at,
                             uses, uses_left, created_at, changed_at, made_seq, changed_seq, depth)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, to_timestamp($9), to_timestamp($10), $11, $11, to_timestamp($12),
                 to_timestamp($12), $13, $13, 0)
         ON CONFLICT (patient, id) DO UPDATE SET changed_at = excluded.changed_at",
    )
    .bind(event.link.subject)
    .bind(event.grant)
    .bind(event.issuer.to_bytes())
    .bind(classes.collect::<Vec<i32>>())
    .bind(terms.grantee_kind.word())
    .bind(terms.grantee.to_bytes())
    .bind(rights.map(|right| right.word()).collect::<Vec<_>>())
    .bind(purposes.map(|purpose| purpose.word()).collect::<Vec<_>>())
    .bind(terms.not_before)
    .bind(terms.expires)
    .bind((terms.uses != UNLIMITED).then_some(i64::from(terms.uses)))
    .bind(event.link.at)
    .bind(i64::try_from(event.link.seq)?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn access(connection: &mut PgConnection, event: &AccessAllowed) -> Result<()> {
    if event.basis == Basis::Grant {
        take_use(connection, &event.link, &event.under).await?;
    }
    let actor = Columns::of(&event.actor);
    sqlx::query(
        "INSERT INTO accesses (patient, seq, at, request, record, version, actor_kind, wallet, member, institution,
                               purpose, basis, grant_id)
         VALUES ($1, $2, to_timestamp($3), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (patient, seq, at) DO UPDATE SET request = excluded.request",
    )
    .bind(event.link.subject)
    .bind(i64::try_from(event.link.seq)?)
    .bind(event.link.at)
    .bind(event.request)
    .bind(event.record)
    .bind(i64::from(event.version))
    .bind(actor.kind)
    .bind(actor.wallet)
    .bind(actor.member)
    .bind(actor.institution)
    .bind(event.purpose.word())
    .bind(event.basis.word())
    .bind((event.basis == Basis::Grant).then_some(event.under))
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO access_hours (hour, institution, role, actor_kind, purpose, basis, accesses)
         VALUES (date_bin('1 hour', to_timestamp($1), '2000-01-01 00:00:00+00'), $2,
                 (SELECT role FROM members WHERE address = $3), $4, $5, $6, 1)
         ON CONFLICT (hour, institution, role, actor_kind, purpose, basis)
         DO UPDATE SET accesses = access_hours.accesses + 1",
    )
    .bind(event.link.at)
    .bind(actor.institution)
    .bind(actor.member)
    .bind(actor.kind)
    .bind(event.purpose.word())
    .bind(event.basis.word())
    .execute(connection)
    .await?;
    Ok(())
}

async fn take_use(connection: &mut PgConnection, link: &Link, grant: &Id) -> Result<()> {
    sqlx::query(
        "UPDATE grants SET uses_left = uses_left - 1, changed_at = to_timestamp($3), changed_seq = $4
         WHERE patient = $1 AND id = $2 AND uses_left IS NOT NULL",
    )
    .bind(link.subject)
    .bind(*grant)
    .bind(link.at)
    .bind(i64::try_from(link.seq)?)
    .execute(connection)
    .await?;
    Ok(())
}

async fn refusal(connection: &mut PgConnection, event: &ActionRefused) -> Result<()> {
    let actor = Columns::of(&event.actor);
    sqlx::query(
        "INSERT INTO refusals (patient, seq, at, request, record, action, actor_kind, wallet, member, institution, purpose,
                               reason, claim)
         VALUES ($1, $2, to_timestamp($3), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (patient, seq) DO UPDATE SET at = excluded.at",
    )
    .bind(event.link.subject)
    .bind(i64::try_from(event.link.seq)?)
    .bind(event.link.at)
    .bind(event.request)
    .bind(event.record)
    .bind(event.action.word())
    .bind(actor.kind)
    .bind(actor.wallet)
    .bind(actor.member)
    .bind(actor.institution)
    .bind(event.purpose.word())
    .bind(event.reason.word())
    .bind(event.claim.word())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO refusal_hours (hour, institution, role, action, purpose, reason, refusals)
         VALUES (date_bin('1 hour', to_timestamp($1), '2000-01-01 00:00:00+00'), $2,
                 (SELECT role FROM members WHERE address = $3), $4, $5, $6, 1)
         ON CONFLICT (hour, institution, role, action, purpose, reason)
         DO UPDATE SET refusals = refusal_hours.refusals + 1",
    )
    .bind(event.link.at)
    .bind(actor.institution)
    .bind(actor.member)
    .bind(event.action.word())
    .bind(event.purpose.word())
    .bind(event.reason.word())
    .execute(connection)
    .await?;
    Ok(())
}

/// The actor's columns.
struct Columns {
    kind: &'static str,
    wallet: [u8; 32],
    member: Option<[u8; 32]>,
    institution: Option<Id>,
}

impl Columns {
    fn of(actor: &Actor) -> Self {
        Self {
            kind: actor.kind.word(),
            wallet: actor.wallet.to_bytes(),
            member: (actor.kind == ActorKind::Member).then(|| actor.credential.to_bytes()),
            institution: (actor.institution != NO_ID).then_some(actor.institution),
        }
    }
}
