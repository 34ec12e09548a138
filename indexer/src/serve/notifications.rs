//! Notifications as server-sent events: what comes, and what came since the number that a reader saw last.
//!
//! A stream reads the outbox page by page at the pace of its reader, so a slow one costs one page of memory. Before each
//! page its token is looked up again; between pages it waits until there is more. It ends after an hour, or with the
//! service, also where nobody reads it; readers of this kind come back by themselves, with the number of the last one that
//! they saw, and show their token again. The outbox is read as the service's own role, so here it is this code that shows
//! a reader its own notifications only.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

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
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use super::{
    Service,
    access::{Caller, find, limit},
    problem::Problem,
};
use crate::{
    metrics,
    notify::{self, Notification},
    sink::CHANNEL,
};

/// Streams at a time.
const STREAMS: usize = 200;
/// Streams at a time of one token.
const STREAMS_OF_ONE: usize = 20;
/// Events that are made ready before a reader takes them.
const AHEAD: usize = 8;
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
    let open = service.streams().take(caller.token.as_deref()).ok_or_else(|| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many streams are open: come back in a moment",
        )
    })?;
    let head = service.head();
    let last = match seen {
        Some(seen) => seen,
        None => notify::head(&mut *service.pool().acquire().await?)
            .await
            .map_err(Problem::of_service)?,
    };
    let reader = Reader {
        service: service.clone(),
        audience: match (caller.patient, caller.institution) {
            (Some(patient), _) => Some(("patient", patient.0)),
            (None, Some(institution)) => Some(("institution", institution.0)),
            (None, None) => None,
        },
        token: caller.token,
        last,
        head,
    };
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        reader.run(&sender).await;
        drop(open);
    });
    let events = stream::unfold(receiver, |mut receiver| async move {
        let event = receiver.recv().await?;
        Some((Ok::<_, Infallible>(event), receiver))
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response())
}

/// Places for streams: so many in all, so many for each token, and a turn for half of the connections at once.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    of_tokens: Mutex<HashMap<Vec<u8>, Arc<Semaphore>>>,
    turns: Semaphore,
}

impl Places {
    pub(super) fn new(connections: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(STREAMS)),
            of_tokens: Mutex::default(),
            turns: Semaphore::new((connections / 2).max(1)),
        }
    }

    fn take(&self, token: Option<&[u8]>) -> Option<Open> {
        let own = match token {
            Some(token) => {
                let mut places = self.of_tokens.lock().unwrap_or_else(PoisonError::into_inner);
                // Whoever has a stream open holds its semaphore.
                places.retain(|_, place| Arc::strong_count(place) > 1);
                let place = places.entry(token.to_owned());
                let place = place.or_insert_with(|| Arc::new(Semaphore::new(STREAMS_OF_ONE)));
                Some(place.clone().try_acquire_owned().ok()?)
            }
            None => None,
        };
        let place = self.all.clone().try_acquire_owned().ok()?;
        metrics::streams(1.0);
        Some(Open {
            _place: place,
            _own: own,
        })
    }
}

/// A stream that is open: counted until it is dropped.
struct Open {
    _place: OwnedSemaphorePermit,
    _own: Option<OwnedSemaphorePermit>,
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
    /// The hash of the token that was shown.
    token: Option<Vec<u8>>,
    last: i64,
    head: watch::Receiver<i64>,
}

impl Reader {
    /// Sends until the stream ends, however slowly it is read: after its time, with its reader, or with the service.
    async fn run(mut self, sender: &mpsc::Sender<Event>) {
        let stop = self.service.0.options.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LONGEST) => {}
            () = sender.closed() => {}
            () = self.send(sender) => {}
        }
    }

    /// Sends until there is nobody who may read on.
    async fn send(&mut self, sender: &mpsc::Sender<Event>) {
        loop {
            let newest = *self.head.borrow_and_update();
            if newest <= self.last {
                match self.head.changed().await {
                    Ok(()) => continue,
                    Err(_) => return,
                }
            }
            let page = match self.turn(newest).await {
                Ok(Some(page)) => page,
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, "a stream waits for the database");
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
            };
            if page.is_empty() {
                // Nothing up to there is for this reader: all of it is behind.
                self.last = newest;
            }
            for notification in page {
                self.last = notification.id;
                let event = Event::default()
                    .id(notification.id.to_string())
                    .event(&notification.kind)
                    .json_data(&notification);
                let Ok(event) = event else { return };
                if sender.send(event).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Reads the next page; nothing where the token counts no more.
    async fn turn(&mut self, newest: i64) -> Result<Option<Vec<Notification>>, sqlx::Error> {
        let _turn = self.service.streams().turns.acquire().await;
        let mut view = self.service.pool().begin_with("BEGIN READ ONLY").await?;
        limit(&mut view, self.service.patience()).await?;
        if let Some(token) = &self.token
            && find(&mut view, token).await?.is_none()
        {
            return Ok(None);
        }
        let page = notify::after(&mut view, self.last, newest, self.audience, PAGE).await?;
        Ok(Some(page))
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
