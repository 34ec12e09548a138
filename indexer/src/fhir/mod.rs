//! What the log and the grants say, as HL7 FHIR R4: AuditEvents, Consents, DocumentReferences and Provenances.
//!
//! The same database gives the same bytes, in one order: the export is of one moment (one snapshot), looks at no clock
//! and makes no ids. It is streamed, so its memory does not grow with the database. Everybody is a pseudonym in it, and
//! no wallet goes out; docs/fhir.md says which column becomes which element, and what has none. It reads tables, with
//! the rights of whoever asks: a role that sees some rows exports those.

mod audit_event;
mod consent;
mod document_reference;
mod model;
mod provenance;
mod subjects;
mod terms;
mod write;

use std::{
    io::{self, Write},
    str::FromStr,
};

use chartseal_program::seeds::Id;
use futures_util::{StreamExt, stream::BoxStream};
use serde::Serialize;
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;

use crate::sink::{Instant, SCHEMA, SinkError};
use write::Writer;

pub use write::Format;

/// What is exported.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection {
    /// One patient; everybody where there is none.
    pub patient: Option<Id>,
    /// What happened or changed from here on ...
    pub since: Option<Instant>,
    /// ... until just before here.
    pub until: Option<Instant>,
}

/// How many resources were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    pub audit_events: u64,
    pub consents: u64,
    pub documents: u64,
    pub provenances: u64,
}

/// What can go wrong with an export.
#[derive(Debug, thiserror::Error)]
pub enum FhirError {
    #[error(transparent)]
    Database(#[from] SinkError),
    #[error("cannot write the export: {0}")]
    Write(#[from] io::Error),
    #[error("stopped before it was done")]
    Stopped,
}

impl From<sqlx::Error> for FhirError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Exported {
    /// All resources.
    pub fn total(&self) -> u64 {
        self.audit_events + self.consents + self.documents + self.provenances
    }
}

/// Rows as they come.
type Rows<'a, R> = BoxStream<'a, Result<R, sqlx::Error>>;

/// Writes what is selected to `out`, and tells `progress` of every resource.
///
/// # Errors
/// Where the database is out of reach, has no schema of ours, or holds what it should not; where `out` does not take
/// it; and where `stop` is cancelled. What was written by then is no whole export.
pub async fn export(
    database: &str,
    selection: &Selection,
    format: Format,
    out: impl Write,
    progress: impl FnMut(&Exported),
    stop: &CancellationToken,
) -> Result<Exported, FhirError> {
    let mut connection = connect(database).await?;
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('chartseal.events') IS NOT NULL")
        .fetch_one(&mut connection)
        .await?;
    if !exists {
        return Err(SinkError::NoSchema.into());
    }
    // One moment for all resources.
    let mut snapshot = connection
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let mut export = Export {
        writer: Writer::new(out, format)?,
        done: Exported::default(),
        progress,
        stop,
    };
    export.everything(&mut snapshot, selection).await?;
    snapshot.rollback().await?;
    export.writer.finish()?;
    Ok(export.done)
}

/// Connects so that unqualified names mean the tables of our schema. Statements are not logged when they are slow: each
/// lasts as long as its part of the export.
async fn connect(database: &str) -> Result<PgConnection, sqlx::Error> {
    let options = PgConnectOptions::from_str(database)?
        .application_name("chartseal-indexer fhir export")
        .options([("search_path", SCHEMA)])
        .disable_statement_logging();
    PgConnection::connect_with(&options).await
}

/// One export under way.
struct Export<'a, W: Write, P> {
    writer: Writer<W>,
    done: Exported,
    progress: P,
    stop: &'a CancellationToken,
}

impl<W: Write, P: FnMut(&Exported)> Export<'_, W, P> {
    async fn everything(&mut self, connection: &mut PgConnection, selection: &Selection) -> Result<(), FhirError> {
        let rows = audit_event::rows(connection, selection);
        let made = audit_event::Row::into_resource;
        self.each(rows, "AuditEvent", made, |done| &mut done.audit_events)
            .await?;
        let rows = consent::grants::rows(connection, selection);
        let made = consent::grants::Row::into_resource;
        self.each(rows, "Consent", made, |done| &mut done.consents).await?;
        let rows = consent::policies::rows(connection, selection);
        let made = consent::policies::Row::into_resource;
        self.each(rows, "Consent", made, |done| &mut done.consents).await?;
        let rows = document_reference::rows(connection, selection);
        let made = document_reference::Row::into_resource;
        self.each(rows, "DocumentReference", made, |done| &mut done.documents)
            .await?;
        let rows = provenance::rows(connection, selection);
        let made = provenance::Row::into_resource;
        self.each(rows, "Provenance", made, |done| &mut done.provenances).await
    }

    async fn each<R, T: Serialize + write::Named>(
        &mut self,
        mut rows: Rows<'_, R>,
        kind: &'static str,
        make: impl Fn(R) -> Result<T, SinkError>,
        counter: impl Fn(&mut Exported) -> &mut u64,
    ) -> Result<(), FhirError> {
        loop {
            let row = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(FhirError::Stopped),
                row = rows.next() => row,
            };
            let Some(row) = row else { return Ok(()) };
            self.writer.write(kind, &make(row?)?)?;
            *counter(&mut self.done) += 1;
            (self.progress)(&self.done);
        }
    }
}
