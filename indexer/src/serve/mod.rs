//! What the indexer answers over HTTP: how it fares, and what the database says about decisions and holdings.
//!
//! Every route is documented in `/openapi.json` by being routed at all. Questions run in read-only transactions under the
//! caller's database role, each with a time limit; so many at a time as there are connections, and a few that wait. What
//! is beyond that is refused at once rather than kept waiting.

mod access;
mod aggregates;
mod anonymous;
mod decisions;
mod health;
mod holdings;
mod notifications;
mod page;
mod problem;
pub mod tokens;
pub(crate) mod values;

use std::{
    str::FromStr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use axum::{
    BoxError, Extension, Router,
    error_handling::HandleErrorLayer,
    extract::{MatchedPath, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer, load_shed::error::Overloaded};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use access::Access;

use crate::{
    Progress,
    metrics::{self, Exporter},
    sink::{SCHEMA, SinkError},
    verify::VerificationState,
};
use problem::Problem;

/// Questions that wait for a connection, for each one that there is.
const WAITING: usize = 4;
/// How much longer than its statement a question may take: waiting for a connection, and writing the answer.
const MARGIN: Duration = Duration::from_secs(2);

/// How to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// URL of the database; a read replica does.
    pub database: String,
    pub access: Access,
    /// How long a question may take.
    pub patience: Duration,
    /// Connections to the database, at most.
    pub connections: u32,
    /// Ends streams, when the process ends.
    pub stop: CancellationToken,
    /// How the indexer of this process fares, where there is one.
    pub progress: Option<watch::Receiver<Progress>>,
    /// What the verification of this process found, where there is one.
    pub verification: Option<watch::Receiver<VerificationState>>,
}

impl Options {
    /// The usual ones.
    #[must_use]
    pub fn new(database: &str, access: Access) -> Self {
        Self {
            database: database.to_owned(),
            access,
            patience: Duration::from_secs(5),
            connections: 8,
            stop: CancellationToken::new(),
            progress: None,
            verification: None,
        }
    }
}

/// What answers.
#[derive(Clone, Debug)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    pool: PgPool,
    exporter: Exporter,
    /// Places for streams.
    streams: notifications::Places,
    /// When the database was last asked whether it answers, and what came of it.
    database: Mutex<Option<(Instant, health::Part)>>,
    /// The newest notification; followed from the first stream on.
    head: OnceLock<Arc<watch::Sender<i64>>>,
}

impl Service {
    /// Gets ready to answer. The database need not be there yet.
    ///
    /// # Errors
    /// Where the database's URL is none.
    pub fn new(options: Options, exporter: Exporter) -> Result<Self, SinkError> {
        let connect = PgConnectOptions::from_str(&options.database)?
            .application_name("chartseal-indexer serve")
            // Filters that are not used have to cost nothing: each plan is for what was really asked.
            .options([("search_path", SCHEMA), ("plan_cache_mode", "force_custom_plan")]);
        let pool = PgPoolOptions::new()
            // One more, which hears of notifications.
            .max_connections(options.connections.saturating_add(1))
            .acquire_timeout(MARGIN)
            .connect_lazy_with(connect);
        let connections = usize::try_from(options.connections).unwrap_or(usize::MAX);
        Ok(Self(Arc::new(Inner {
            options,
            pool,
            exporter,
            streams: notifications::Places::new(connections),
            database: Mutex::default(),
            head: OnceLock::new(),
        })))
    }

    /// All routes.
    pub fn router(&self) -> Router {
        let (router, api) = OpenApiRouter::with_openapi(Document::openapi())
            .merge(self.questions())
            .routes(routes!(health::healthz))
            .routes(routes!(health::readyz))
            .routes(routes!(health::metrics))
            .routes(routes!(document))
            .split_for_parts();
        let text: Arc<str> = api.to_json().unwrap_or_default().into();
        router
            .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is no such route: see /openapi.json") })
            .layer(Extension(text))
            .layer(middleware::from_fn_with_state(self.clone(), own_name))
            .layer(middleware::from_fn(measure))
            .with_state(self.clone())
    }

    /// Routes that ask the database under limits.
    fn questions(&self) -> OpenApiRouter<Self> {
        let connections = usize::try_from(self.0.options.connections).unwrap_or(usize::MAX);
        let limits = ServiceBuilder::new()
            .layer(HandleErrorLayer::new(refused))
            .load_shed()
            .layer(GlobalConcurrencyLimitLayer::new(connections.saturating_mul(WAITING)))
            .timeout(self.patience() + MARGIN + MARGIN);
        OpenApiRouter::new()
            .routes(routes!(decisions::accesses))
            .routes(routes!(decisions::refusals))
            .routes(routes!(decisions::decisions))
            .routes(routes!(holdings::grants))
            .routes(routes!(holdings::records))
            .routes(routes!(holdings::emergencies))
            .routes(routes!(holdings::members))
            .routes(routes!(anonymous::grants))
            .routes(routes!(anonymous::proofs))
            .routes(routes!(aggregates::accesses))
            .routes(routes!(aggregates::refusals))
            // Who asks for a stream and where it begins; the stream itself is counted by itself.
            .routes(routes!(notifications::notifications))
            .layer(limits)
    }

    fn streams(&self) -> &notifications::Places {
        &self.0.streams
    }

    /// The newest notification's number, as it grows.
    fn head(&self) -> watch::Receiver<i64> {
        let head = self.0.head.get_or_init(|| {
            let head = Arc::new(watch::Sender::new(0));
            let stop = self.0.options.stop.clone();
            tokio::spawn(notifications::follow(self.pool().clone(), head.clone(), stop));
            head
        });
        head.subscribe()
    }

    fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    fn access(&self) -> Access {
        self.0.options.access
    }

    fn patience(&self) -> Duration {
        self.0.options.patience
    }

    fn progress(&self) -> Option<&watch::Receiver<Progress>> {
        self.0.options.progress.as_ref()
    }

    fn verification(&self) -> Option<&watch::Receiver<VerificationState>> {
        self.0.options.verification.as_ref()
    }

    fn exporter(&self) -> &Exporter {
        &self.0.exporter
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Chartseal",
        description = "What the ledger says about decisions, records and grants. Pages are newest first: `next` is the `cursor` of the one after. \
                       A token sees the rows of its institution, of its patient, or all; what it may not see is left out."
    ),
    modifiers(&Tokens)
)]
struct Document;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token of `chartseal-indexer tokens add`."))
            .build();
        api.components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "service", responses((status = 200, description = "OpenAPI 3.1.")))]
async fn document(Extension(text): Extension<Arc<str>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], text.to_string())
}

/// A question that got no turn, or took too long although the database let it.
async fn refused(error: BoxError) -> Problem {
    match error.is::<Overloaded>() {
        true => Problem::busy(),
        false => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "the question took too long: narrow it, or ask again later",
        ),
    }
}

/// Where no tokens are asked for, only what is addressed to this machine is answered: a web page of somebody else's, whose
/// name was made to lead here, must not read what is for whoever sits here.
async fn own_name(State(service): State<Service>, request: Request, next: Next) -> Response {
    match service.access() {
        Access::Open if !access::names_this_machine(request.headers()) => Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "without tokens only this machine is answered: ask 127.0.0.1, [::1] or localhost",
        )
        .into_response(),
        _ => next.run(request).await,
    }
}

async fn measure(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let started = Instant::now();
    let response = next.run(request).await;
    metrics::answered(route, response.status().as_u16(), started.elapsed());
    response
}
