//! Delivers to webhooks.
//!
//! One notification of a webhook is under way at a time, under a lock on its row that others skip, so several workers share
//! the webhooks and each keeps its order. What was delivered is noted after the answer: a worker that is killed in between
//! delivers once more, under the same `webhook-id`. What is not taken is tried again, later each time, and holds up what
//! comes after it; after so many tries it is given up, and stays for `chartseal-indexer webhooks retry`. What is older than
//! the outbox keeps anything is given up with it. A webhook that has much to get gets it in turns, so that those which are
//! slow do not keep the others from theirs.

use std::{
    collections::{HashMap, HashSet},
    str::FromStr,
    time::{Duration, Instant},
};

use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    Audience, Notification, address, after, head,
    post::{Receiver, post},
    waiting,
};
use crate::{
    metrics,
    sink::{SCHEMA, SinkError},
};

/// How often to forget what is old.
const TIDY: Duration = Duration::from_secs(3600);
/// Days for which notifications are kept.
const KEPT: i32 = 30;
/// SQLSTATE: there is no such table.
const UNDEFINED_TABLE: &str = "42P01";
/// Characters of a problem that are written down.
const LONGEST: usize = 300;

/// How to deliver.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    /// Webhooks that are posted to at a time.
    pub parallel: u32,
    /// How long a webhook is posted to before it is another's turn.
    pub turn: Duration,
    /// How long an answer may take.
    pub patience: Duration,
    /// How long to wait after the first try; twice as long after each other one.
    pub first_wait: Duration,
    /// The longest wait between two tries.
    pub longest_wait: Duration,
    /// Tries before a notification is given up.
    pub tries: i32,
    /// How often to look for new ones.
    pub look: Duration,
}

impl Default for Worker {
    /// Half a day of tries, and more.
    fn default() -> Self {
        Self {
            parallel: 7,
            turn: Duration::from_secs(30),
            patience: Duration::from_secs(10),
            first_wait: Duration::from_secs(5),
            longest_wait: Duration::from_secs(4 * 3600),
            tries: 16,
            look: Duration::from_secs(1),
        }
    }
}

impl Worker {
    /// How long to wait after so many tries: twice as long each time, and between half of that and all of it, so that what
    /// failed together does not come back together.
    fn wait(&self, tries: i32) -> Duration {
        let doubled = u32::try_from(tries - 1)
            .ok()
            .and_then(|exponent| 2u32.checked_pow(exponent));
        let longest = doubled
            .and_then(|factor| self.first_wait.checked_mul(factor))
            .map_or(self.longest_wait, |wait| wait.min(self.longest_wait));
        longest.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// Delivers until it is to stop.
///
/// # Errors
/// Where the database's URL is none. A database that is away is waited for.
pub async fn deliver(database: &str, worker: Worker, stop: &CancellationToken) -> Result<(), SinkError> {
    let connect = PgConnectOptions::from_str(database)?
        .application_name("chartseal-indexer webhooks")
        // Of a role that is an analyst too, transactions would write nothing.
        .options([("search_path", SCHEMA), ("default_transaction_read_only", "off")]);
    let pool = PgPoolOptions::new()
        // One more, which looks for what there is to do.
        .max_connections(worker.parallel.saturating_add(1))
        .connect_lazy_with(connect);
    let (mut busy, mut tasks) = (HashSet::new(), JoinSet::new());
    let parallel = usize::try_from(worker.parallel).unwrap_or(usize::MAX);
    let mut last_turns: HashMap<i64, Instant> = HashMap::new();
    let mut tidied: Option<Instant> = None;
    let mut away = false;
    while !stop.is_cancelled() {
        let Some(mut found) = stop.run_until_cancelled(round(&pool, &mut tidied)).await else {
            break;
        };
        match &found {
            Ok(_) => away = false,
            // The indexer beside it is about to make the tables.
            Err(error) if is_empty(error) => {}
            Err(error) if !away => {
                tracing::warn!(%error, "webhooks wait for the database");
                away = true;
            }
            Err(_) => {}
        }
        if let Ok(found) = &mut found {
            // Who had no turn yet comes first, then whose last one is longest ago.
            found.sort_by_key(|id| last_turns.get(id).copied());
        }
        for id in found.unwrap_or_default() {
            if tasks.len() < parallel && busy.insert(id) {
                last_turns.insert(id, Instant::now());
                let (pool, stop) = (pool.clone(), stop.clone());
                tasks.spawn(async move {
                    let ended = stop.run_until_cancelled(serve(&pool, &worker, id)).await;
                    if let Some(Err(error)) = ended {
                        tracing::debug!(%error, webhook = id, "the database did not answer");
                    }
                    id
                });
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            Some(Ok(id)) = tasks.join_next(), if !tasks.is_empty() => { busy.remove(&id); }
            () = tokio::time::sleep(worker.look) => {}
        }
    }
    while tasks.join_next().await.is_some() {}
    Ok(())
}

/// Whether a database has none of our tables yet.
fn is_empty(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == UNDEFINED_TABLE)
}

/// Webhooks for which there is something to do now.
async fn round(pool: &PgPool, tidied: &mut Option<Instant>) -> Result<Vec<i64>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    if tidied.is_none_or(|at| at.elapsed() > TIDY) {
        tidy(&mut connection).await?;
        *tidied = Some(Instant::now());
    }
    sqlx::query_scalar!(
        "SELECT w.id FROM webhooks w
         WHERE NOT EXISTS (SELECT FROM deliveries d
                           WHERE d.webhook = w.id AND d.state = 'waiting' AND d.next_try > now())
               AND (w.after_id < (SELECT max(id) FROM outbox)
                    OR EXISTS (SELECT FROM deliveries d WHERE d.webhook = w.id AND d.state = 'waiting'))
         ORDER BY w.id"
    )
    .fetch_all(&mut *connection)
    .await
}

/// Forgets what is old, also what a webhook never took: who was read when is kept no longer than is said, and a receiver
/// that is gone must not fill the disk. The newest stays: it says where the numbers are.
async fn tidy(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let missed = sqlx::query_scalar!(
        r#"WITH old AS (DELETE FROM outbox
                        WHERE queued_at < now() - make_interval(days => $1) AND id < (SELECT max(id) FROM outbox)
                        RETURNING id, audience, subject)
           SELECT count(*) AS "missed!"
           FROM old JOIN webhooks w
                ON old.id > w.after_id
                   AND (w.audience IS NULL OR (w.audience = old.audience AND w.subject = old.subject))"#,
        KEPT
    )
    .fetch_one(connection)
    .await?;
    if missed > 0 {
        metrics::delivery("dead", missed.unsigned_abs());
        tracing::warn!(missed, "notifications grew too old before their webhooks took them");
    }
    Ok(())
}

/// Delivers what there is for one webhook, until there is no more, one was not taken, or its turn is over.
async fn serve(pool: &PgPool, worker: &Worker, webhook: i64) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let (begun, mut client) = (Instant::now(), None);
    loop {
        let mut transaction = connection.begin().await?;
        let Some(row) = sqlx::query!(
            "SELECT origin, url_file, audience::text AS audience, subject::bytea AS subject, secret_file, private, after_id
             FROM webhooks WHERE id = $1 FOR UPDATE SKIP LOCKED",
            webhook
        )
        .fetch_optional(&mut *transaction)
        .await?
        else {
            return Ok(());
        };
        let Ok(audience) = Audience::read(row.audience.as_deref(), row.subject) else {
            return Ok(());
        };
        let newest = head(&mut transaction).await?;
        let Some((notification, tried)) = next(&mut transaction, webhook, row.after_id, newest, audience).await? else {
            // Nothing of all that is for this one: it is not looked at again.
            pass(&mut transaction, webhook, newest).await?;
            return transaction.commit().await;
        };
        let client = match &client {
            Some(client) => Ok(client),
            None => address::client(row.private, worker.patience).map(|made| &*client.insert(made)),
        };
        let posted = match client {
            Ok(client) => {
                let receiver = Receiver {
                    origin: &row.origin,
                    private: row.private,
                    url_file: row.url_file.as_ref(),
                    secret_file: row.secret_file.as_ref(),
                };
                post(client, receiver, &notification).await
            }
            Err(error) => Err(error.to_string()),
        };
        let taken = posted.is_ok();
        match posted {
            Ok(()) => {
                sqlx::query!(
                    "DELETE FROM deliveries WHERE webhook = $1 AND notification = $2",
                    webhook,
                    notification.id
                )
                .execute(&mut *transaction)
                .await?;
                pass(&mut transaction, webhook, notification.id).await?;
            }
            Err(problem) => put_off(&mut transaction, worker, webhook, notification.id, tried + 1, &problem).await?,
        }
        transaction.commit().await?;
        if taken {
            metrics::delivery("delivered", 1);
        } else if tried + 1 < worker.tries {
            metrics::delivery("failed", 1);
            return Ok(());
        } else {
            metrics::delivery("dead", 1);
            let (at, notification) = (row.origin, notification.id);
            tracing::warn!(webhook, at, notification, "a notification was given up");
        }
        if begun.elapsed() >= worker.turn {
            return Ok(());
        }
    }
}

/// The notification whose turn it is, and how often it was tried: first what waits, then what is new.
async fn next(
    connection: &mut PgConnection,
    webhook: i64,
    after_id: i64,
    newest: i64,
    audience: Audience,
) -> Result<Option<(Notification, i32)>, sqlx::Error> {
    let Some(waits) = waiting(connection, webhook).await? else {
        let mut new = after(connection, after_id, newest, audience.columns(), 1).await?;
        return Ok(new.pop().map(|it| (it, 0)));
    };
    let tried = sqlx::query_scalar!(
        "SELECT attempts FROM deliveries WHERE webhook = $1 AND notification = $2",
        webhook,
        waits.id
    )
    .fetch_optional(connection)
    .await?;
    Ok(Some((waits, tried.unwrap_or_default())))
}

/// Notes that a webhook is done with all up to this notification.
async fn pass(connection: &mut PgConnection, webhook: i64, id: i64) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE webhooks SET after_id = greatest(after_id, $2) WHERE id = $1",
        webhook,
        id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that a notification was not taken: it is tried again, or given up.
async fn put_off(
    connection: &mut PgConnection,
    worker: &Worker,
    webhook: i64,
    id: i64,
    tries: i32,
    problem: &str,
) -> Result<(), sqlx::Error> {
    let dead = tries >= worker.tries;
    let problem: String = problem.chars().take(LONGEST).collect();
    tracing::debug!(webhook, notification = id, tries, problem, "not taken");
    sqlx::query!(
        "INSERT INTO deliveries (webhook, notification, state, attempts, next_try, problem)
         VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5), $6)
         ON CONFLICT (webhook, notification) DO UPDATE
         SET state = excluded.state, attempts = excluded.attempts, next_try = excluded.next_try, problem = excluded.problem",
        webhook,
        id,
        if dead { "dead" } else { "waiting" },
        tries,
        worker.wait(tries).as_secs_f64(),
        problem,
    )
    .execute(&mut *connection)
    .await?;
    if dead {
        pass(connection, webhook, id).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_cap_and_differ() {
        let worker = Worker::default();
        for (tries, longest) in [(1, 5), (2, 10), (5, 80), (30, 14_400), (100, 14_400)] {
            let longest = Duration::from_secs(longest);
            let wait = worker.wait(tries);
            assert!(longest / 2 <= wait && wait <= longest, "{tries}: {wait:?}");
        }
    }
}
