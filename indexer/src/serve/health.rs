//! Whether the process lives, whether it does what it is for, and what it measured.

use std::time::{Duration, Instant};

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Service, problem::is_not_allowed};
use crate::{Health, Progress, verify::VerificationState};

/// How long ago all that the ledger had may have been stored.
const LONGEST_LAG: Duration = Duration::from_secs(60);

/// For how long an answer of the database is as good as a new one: who asks here shows no token.
const FRESH: Duration = Duration::from_secs(1);
/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How one part fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Part {
    /// Whether it does what it has to.
    pub(crate) ready: bool,
    /// What there is to say about it.
    pub(crate) detail: String,
}

impl Part {
    pub(crate) fn ready(detail: impl Into<String>) -> Self {
        Self {
            ready: true,
            detail: detail.into(),
        }
    }

    pub(crate) fn not(detail: impl Into<String>) -> Self {
        Self {
            ready: false,
            detail: detail.into(),
        }
    }
}

/// Whether all parts are ready, and which is not.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    ready: bool,
    /// The database answers.
    database: Part,
    /// The indexer beside it has stored all that there is, or stands by for another one; null where there is none.
    indexer: Option<Part>,
    /// What is stored is as on the ledger, as far as was verified; null where nothing verifies beside the service.
    verification: Option<Part>,
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "service", responses((status = 200, body = String, description = "It lives.")))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// The service does what it is for.
#[utoipa::path(get, path = "/readyz", tag = "service",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness, description = "A part is not ready.")))]
pub(crate) async fn readyz(State(service): State<Service>) -> impl IntoResponse {
    let database = database(&service).await;
    let indexer = service.progress().map(|progress| indexer(&progress.borrow()));
    let verification = service.verification().map(|state| verification(&state.borrow()));
    let beside = [&indexer, &verification];
    let readiness = Readiness {
        ready: database.ready && beside.iter().all(|part| part.as_ref().is_none_or(|part| part.ready)),
        database,
        indexer,
        verification,
    };
    let status = match readiness.ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(readiness))
}

async fn database(service: &Service) -> Part {
    // Whoever comes while it is asked waits for that answer.
    let mut last = service.0.database.lock().await;
    if let Some((at, part)) = &*last
        && at.elapsed() < FRESH
    {
        return part.clone();
    }
    // With its schema: to whoever may not use that, there is no table of that name alone.
    let asked = sqlx::query("SELECT 1 FROM chartseal.checkpoint").execute(service.pool());
    let part = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(_)) => Part::ready("answers"),
        Ok(Err(error)) if is_not_allowed(&error) => {
            Part::not("this database role may not serve: `chartseal-indexer services add` lets it")
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "not ready");
            Part::not("does not answer; the log says more")
        }
        Err(_) => Part::not("takes too long to answer"),
    };
    *last = Some((Instant::now(), part.clone()));
    part
}

/// How the indexer beside the service fares.
fn indexer(progress: &Progress) -> Part {
    let frontier = match progress.frontier {
        Some(frontier) => format!("stored up to slot {}", frontier.slot),
        None => "nothing is stored yet".to_owned(),
    };
    let lags = progress.caught_up.is_none_or(|at| at.elapsed() > LONGEST_LAG);
    match &progress.health {
        Health::Well if lags => Part::not(format!("lags behind the ledger: {frontier}")),
        Health::Well => Part::ready(frontier),
        Health::Connecting => Part::not(format!("connects to the database: {frontier}")),
        Health::StandingBy => Part::ready("stands by: another indexer writes"),
        Health::Starting => Part::not(format!("catches up: {frontier}")),
        // What exactly is in the log: an error may name addresses.
        Health::Waiting(_) => Part::not(format!("waits for the node or the database: {frontier}")),
        Health::Ended(_) => Part::not(format!("has ended: {frontier}")),
    }
}

/// What the verification beside the service found.
fn verification(state: &VerificationState) -> Part {
    match state {
        VerificationState::Unknown => Part::ready("nothing was verified yet"),
        VerificationState::Whole { slot: Some(slot) } => Part::ready(format!("whole, up to slot {slot}")),
        VerificationState::Whole { slot: None } => Part::ready("whole"),
        // Whether that is for too long, the indexer's part says.
        VerificationState::Behind { events } => Part::ready(format!("{events} events are not stored yet")),
        // Which ones is in the log: whoever asks here need not be one who may know.
        VerificationState::Broken { findings, .. } => Part::not(format!(
            "the database is not what the ledger is, in {findings} places: the log says where"
        )),
    }
}

/// What was measured, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "service", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(service): State<Service>) -> impl IntoResponse {
    let format = [(
        axum::http::header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (format, service.exporter().render())
}
