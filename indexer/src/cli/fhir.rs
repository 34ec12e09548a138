//! `fhir export`: writes what the log and the grants say as FHIR R4 resources, to a file that is whole or not there.

use std::{
    io::{self, BufWriter, IsTerminal as _, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use chartseal_indexer::{
    fhir::{Exported, Format, Selection, export},
    sink::Instant,
};
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Database, run::stop_on_signals};

/// How often the line that shows progress is written anew.
const SHOWN_EVERY: u64 = 256;

#[derive(Subcommand)]
pub(super) enum Fhir {
    /// Write AuditEvents, Consents, DocumentReferences and Provenances (FHIR R4)
    ///
    /// Everybody in them is a pseudonym; docs/fhir.md says what is in which element. The same database gives the same
    /// bytes. A role that may see some rows only exports those.
    Export(Export),
}

#[derive(Args)]
pub(super) struct Export {
    #[command(flatten)]
    database: Database,
    /// Only what is about this patient: its id, 32 hex digits
    #[arg(long, value_name = "HEX", value_parser = patient)]
    patient: Option<[u8; 16]>,
    /// Only what happened or changed from here on: 2026-11-23, or 2026-11-23T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<Instant>,
    /// Only what happened or changed before
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<Instant>,
    /// Write to this file, in the place of what it was once all is written; to standard output where there is none
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// One resource in a line, or one Bundle of all
    #[arg(long, value_enum, default_value_t = Shape::Ndjson)]
    format: Shape,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shape {
    Ndjson,
    Bundle,
}

impl Fhir {
    pub(super) async fn execute(self) -> anyhow::Result<ExitCode> {
        let Self::Export(export) = self;
        export.execute().await
    }
}

impl Export {
    async fn execute(self) -> anyhow::Result<ExitCode> {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            bail!("nothing lies between --since and --until: the first must be before the second");
        }
        let exported = match &self.out {
            Some(path) => self.to_file(path).await?,
            None => self.to(BufWriter::new(io::stdout().lock())).await?,
        };
        eprintln!(
            "{} resources: {} AuditEvent, {} Consent, {} DocumentReference, {} Provenance",
            exported.total(),
            exported.audit_events,
            exported.consents,
            exported.documents,
            exported.provenances
        );
        Ok(ExitCode::SUCCESS)
    }

    /// Whatever ends this before it is done leaves nothing of it, and what was there before.
    async fn to_file(&self, path: &Path) -> anyhow::Result<Exported> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut file = tempfile::Builder::new()
            .prefix(".chartseal-fhir-")
            .tempfile_in(folder)
            .with_context(|| format!("cannot write in {}", folder.display()))?;
        let exported = self.to(BufWriter::new(file.as_file_mut())).await?;
        file.as_file()
            .sync_all()
            .with_context(|| format!("cannot write {}", path.display()))?;
        file.persist(path)
            .with_context(|| format!("cannot put the export at {}", path.display()))?;
        Ok(exported)
    }

    async fn to(&self, out: impl Write) -> anyhow::Result<Exported> {
        let selection = Selection {
            patient: self.patient,
            since: self.since,
            until: self.until,
        };
        let format = match self.format {
            Shape::Ndjson => Format::Ndjson,
            Shape::Bundle => Format::Bundle,
        };
        let stop = stop_on_signals()?;
        let bar = progress_bar();
        let show = |exported: &Exported| {
            if exported.total().is_multiple_of(SHOWN_EVERY) {
                bar.set_position(exported.total());
            }
        };
        let exported = export(&self.database.url, &selection, format, out, show, &stop).await;
        bar.finish_and_clear();
        Ok(exported?)
    }
}

/// On a terminal, and nowhere else.
fn progress_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} resources, {per_sec}, {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn patient(text: &str) -> Result<[u8; 16], String> {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).map_err(|_| "a patient's id is 32 hex digits".to_owned())?;
    Ok(id)
}

fn instant(text: &str) -> Result<Instant, String> {
    let midnight = format!("{text}T00:00:00Z");
    let text = if text.contains('T') { text } else { &midnight };
    OffsetDateTime::parse(text, &Rfc3339)
        .map(|time| Instant(time.unix_timestamp()))
        .map_err(|_| "a time is a day like 2026-11-23, or like 2026-11-23T12:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_and_a_time_has_a_zone() {
        assert_eq!(instant("2025-06-15"), Ok(Instant(1_749_945_600)));
        assert_eq!(instant("2025-06-15T17:06:40+02:00"), Ok(Instant(1_750_000_000)));
        for wrong in ["", "yesterday", "2025-06-15T17:06:40", "2025-13-01"] {
            assert!(instant(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_patient_is_sixteen_bytes() {
        assert_eq!(patient(&"21".repeat(16)), Ok([0x21; 16]));
        assert!(patient("21").is_err() && patient("zz").is_err());
    }
}
