//! Notifications as server-sent events: what comes, and what came since the number that a reader saw last.
//!
//! A stream reads the outbox page by page at the pace of its reader, so a slow one costs one page of memory. Between pages
//! it waits until there is more. It ends after an hour, or with the service; readers of this kind come back by themselves,
//! with the number of the last one that they saw, and show their token again.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use serde::Deserialize;
use sqlx::{PgPool, postgres::PgListener};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use super::{Service, access::Caller, problem::Problem};
use crate::{
    metrics,
    notify::{self, Notification},
    sink::CHANNEL,
};

/// Streams at a time.
pub(super) const STREAMS: usize = 200;
/// Notifications that are read at a time.
const PAGE: i64 = 100;
/// How often to look without having been woken.
const LOOK: Duration = Duration::from_secs(1);
/// How often to say that the stream lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream lasts.
const LONGEST: Duration = Duration::from_secs(3600);

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Since {
    /// After the notification of this number; the header `Last-Event-ID` comes before it. Without either, with what comes.
    #[param(example = 0)]
    after: Option<i64>,
}

/// Notifications, as they come: events with a number, a kind, and JSON.
#[utoipa::path(get, path = "/v1/notifications", tag = "notifications",
    params(Since, ("Last-Event-ID" = Option<i64>, Header, description = "The number of the last one that was seen.")),
    responses((status = 200, content_type = "text/event-stream", body = Notification), (status = "default", body = Problem)),
    security(("token" = [])))]
pub(crate) async fn notifications(
    State(service): State<Service>,
    caller: Caller,
    since: Result<Query<Since>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(since) = since?;
    let seen = match headers.get("last-event-id") {
        None => since.after,
        Some(id) => {
            let id = id.to_str().ok().and_then(|id| id.trim().parse().ok());
            Some(id.ok_or_else(|| Problem::bad("Last-Event-ID: this is not the number of a notification"))?)
        }
    };
    let place = service.streams().try_acquire_owned().map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many streams are open: come back in a moment",
        )
    })?;
    let head = service.head();
    let last = match seen {
        Some(seen) => seen,
        None => notify::head(&mut *service.pool().acquire().await?).await?,
    };
    let reader = Reader {
        service: service.clone(),
        audience: match (caller.patient, caller.institution) {
            (Some(patient), _) => Some(("patient", patient.0)),
            (None, Some(institution)) => Some(("institution", institution.0)),
            (None, None) => None,
        },
        last,
        page: VecDeque::new(),
        head,
        ends: Instant::now() + LONGEST,
        _open: Open::new(place),
    };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response())
}

/// A stream that is open: counted until it is dropped.
struct Open {
    _place: OwnedSemaphorePermit,
}

impl Open {
    fn new(place: OwnedSemaphorePermit) -> Self {
        metrics::streams(1.0);
        Self { _place: place }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::streams(-1.0);
    }
}

/// One reader's stream.
struct Reader {
    service: Service,
    audience: Option<(&'static str, [u8; 16])>,
    last: i64,
    page: VecDeque<Notification>,
    head: watch::Receiver<i64>,
    ends: Instant,
    _open: Open,
}

impl Reader {
    /// The next event; nothing where the stream ends.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(notification) = self.page.pop_front() {
                self.last = notification.id;
                let event = Event::default()
                    .id(notification.id.to_string())
                    .event(&notification.kind)
                    .json_data(&notification);
                return event.ok();
            }
            let newest = *self.head.borrow_and_update();
            if newest > self.last {
                self.turn(newest).await.ok()?;
                continue;
            }
            let stop = &self.service.0.options.stop;
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep_until(self.ends) => return None,
                changed = self.head.changed() => changed.ok()?,
            }
        }
    }

    /// Reads the next page. Where nothing up to there is for this reader, all of it is behind.
    async fn turn(&mut self, newest: i64) -> Result<(), sqlx::Error> {
        let mut connection = self.service.pool().acquire().await?;
        let page = notify::after(&mut connection, self.last, newest, self.audience, PAGE).await?;
        if page.is_empty() {
            self.last = newest;
        }
        self.page = page.into();
        Ok(())
    }
}

/// Follows the newest number, for all streams at once: woken by the database where it can, and looking every second all the
/// same (a replica wakes nobody).
pub(super) async fn follow(pool: PgPool, head: Arc<watch::Sender<i64>>, stop: CancellationToken) {
    let mut listener = None;
    while !stop.is_cancelled() {
        if listener.is_none() {
            listener = listen(&pool).await;
        }
        let newest = async { notify::head(&mut *pool.acquire().await?).await };
        match newest.await {
            Ok(newest) => {
                head.send_if_modified(|head| {
                    let is_newer = newest > *head;
                    *head = newest.max(*head);
                    is_newer
                });
            }
            Err(error) => tracing::debug!(%error, "streams wait for the database"),
        }
        let woken = async {
            match &mut listener {
                Some(listener) => listener.try_recv().await,
                None => std::future::pending().await,
            }
        };
        let lost = tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => false,
            woken = woken => !matches!(woken, Ok(Some(_))),
        };
        if lost {
            listener = None;
        }
    }
}

async fn listen(pool: &PgPool) -> Option<PgListener> {
    let mut listener = PgListener::connect_with(pool).await.ok()?;
    listener.listen(CHANNEL).await.ok()?;
    Some(listener)
}
