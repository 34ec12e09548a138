//! `cargo xtask sqlx-prepare`: asks a real Postgres about every query of the indexer and keeps the answers in `.sqlx`,
//! which is committed, so that everybody else compiles the indexer without a database and still with checked queries.
//!
//! The database is the sandbox's, made for this and gone after it; none that a variable of the caller's names is touched.
//! Migrations are applied with psql and not by the indexer, because the indexer compiles only once `.sqlx` is right.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process;
use crate::report::progress;
use crate::sbf::replace;
use crate::setup;
use crate::workspace::Workspace;

/// Named in `indexer/sqlx.toml`, so that the usual `DATABASE_URL` means nothing to us.
const BUILD_DATABASE: &str = "CHARTSEAL_BUILD_DB";
const INDEXER: &str = "chartseal-indexer";
const SANDBOX: &str = "chartseal-sandbox";
const START_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// Query files by name.
type Queries = BTreeMap<String, Vec<u8>>;

/// Writes `.sqlx`, or with `check` compares with it.
///
/// # Errors
/// When the database does not start, a migration fails, or a query is wrong.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<ExitCode> {
    setup::ensure()?;
    progress("building the sandbox");
    let programs = workspace.build(&["--package", SANDBOX, "--bins"])?;
    let scratch = Scratch::new()?;
    let sandbox = Sandbox::start(programs.command(SANDBOX)?, &scratch.0)?;
    migrate(workspace, &sandbox.database)?;
    let fresh = describe(workspace, &sandbox.database, &scratch.0.join("queries"))?;
    drop(sandbox);

    let folder = workspace.root.join(".sqlx");
    let committed = read(&folder)?;
    let differences = differences(&committed, &fresh);
    if check {
        differences.iter().for_each(|line| println!("{line}"));
        println!("{} queries, {} differences", fresh.len(), differences.len());
        if !differences.is_empty() {
            bail!(
                "{} is not what the indexer's queries need: run `cargo xtask sqlx-prepare`",
                folder.display()
            );
        }
    } else {
        write(&folder, &committed, &fresh)?;
        println!(
            "{} queries in {}, {} changed",
            fresh.len(),
            folder.display(),
            differences.len()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Applies the migrations in the order of their names, each as a whole.
fn migrate(workspace: &Workspace, database: &str) -> Result<()> {
    let folder = workspace.root.join("migrations");
    let psql = setup::postgres::program("psql").context("psql is missing: install Postgres' client programs")?;
    for (name, _) in files(&folder)?.into_iter().filter(|(name, _)| is_migration(name)) {
        progress(&format!("applying {name}"));
        let mut command = Command::new(&psql);
        command.args([
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            "--file",
        ]);
        command
            .arg(folder.join(&name))
            .arg(database)
            .stdin(Stdio::null())
            .stdout(std::io::stderr());
        process::run(&mut command).with_context(|| format!("migrations/{name} does not apply"))?;
    }
    Ok(())
}

fn is_migration(name: &str) -> bool {
    name.ends_with(".sql") && !name.ends_with(".down.sql")
}

/// Lets sqlx's macros ask the database about each query, and returns what they noted down.
fn describe(workspace: &Workspace, database: &str, queries: &Path) -> Result<Queries> {
    std::fs::create_dir_all(queries).with_context(|| format!("cannot make {}", queries.display()))?;
    // Macros write when they run, and cargo runs them only where a file is newer than the last result.
    touch_all(&workspace.root.join("indexer"))?;
    progress("asking the database about each query");
    let mut command = workspace.cargo();
    command
        .args(["check", "--package", INDEXER, "--all-targets"])
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", queries)
        .env(BUILD_DATABASE, database)
        .env_remove("DATABASE_URL")
        .stdout(std::io::stderr());
    process::run(&mut command)?;
    read(queries)
}

fn touch_all(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry
            .with_context(|| format!("cannot list {}", folder.display()))?
            .path();
        if path.is_dir() {
            touch_all(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = std::fs::File::options().append(true).open(&path);
            file.and_then(|file| file.set_modified(std::time::SystemTime::now()))
                .with_context(|| format!("cannot touch {}", path.display()))?;
        }
    }
    Ok(())
}

/// The query files in `folder`; none when there is no such folder.
fn read(folder: &Path) -> Result<Queries> {
    if !folder.exists() {
        return Ok(Queries::new());
    }
    let queries = files(folder)?
        .into_iter()
        .filter(|(name, _)| name.starts_with("query-") && name.ends_with(".json"));
    queries
        .map(|(name, file)| {
            let content = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            Ok((name, content))
        })
        .collect()
}

/// Files in `folder` by name.
fn files(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let list = || -> std::io::Result<_> {
        let entries = std::fs::read_dir(folder)?;
        entries
            .map(|entry| entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())))
            .collect()
    };
    list().with_context(|| format!("cannot list {}", folder.display()))
}

/// New files first and obsolete ones last, so that whatever compiles in between finds its queries.
fn write(folder: &Path, committed: &Queries, fresh: &Queries) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, content) in fresh
        .iter()
        .filter(|(name, content)| committed.get(*name) != Some(content))
    {
        replace(&folder.join(name), content)?;
    }
    for name in committed.keys().filter(|name| !fresh.contains_key(*name)) {
        let file = folder.join(name);
        std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    Ok(())
}

fn differences(committed: &Queries, fresh: &Queries) -> Vec<String> {
    let wanted = fresh.iter().filter_map(|(name, content)| match committed.get(name) {
        None => Some(format!("missing: {name}")),
        Some(known) if known != content => Some(format!("changed: {name}")),
        Some(_) => None,
    });
    let obsolete = committed
        .keys()
        .filter(|name| !fresh.contains_key(*name))
        .map(|name| format!("obsolete: {name}"));
    wanted.chain(obsolete).collect()
}

/// A folder that goes with this value. Not in the build folder, which the user `postgres` may not be able to enter.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("chartseal-sqlx-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // Postgres' user must get through, whatever the umask is.
        let open = std::fs::set_permissions(&folder, Permissions::from_mode(0o711));
        open.with_context(|| format!("cannot open {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// A running sandbox, which stops with this value.
struct Sandbox {
    process: Child,
    database: String,
}

/// What the sandbox writes when it can be used, as far as it matters here.
#[derive(Deserialize)]
struct Ready {
    database: String,
}

impl Sandbox {
    fn start(mut command: Command, scratch: &Path) -> Result<Self> {
        progress("starting a database of its own");
        let ready = scratch.join("ready.json");
        command
            .arg("--data")
            .arg(scratch.join("data"))
            .arg("--ready-file")
            .arg(&ready);
        command
            .args(["--rpc-port", "0", "--gateway-port", "0"])
            .stdin(Stdio::null())
            .stdout(std::io::stderr());
        let process = command
            .spawn()
            .with_context(|| format!("cannot start: {}", process::line(&command)))?;
        let mut sandbox = Self {
            process,
            database: String::new(),
        };
        let started = Instant::now();
        while started.elapsed() < START_WITHIN {
            if let Some(status) = sandbox.process.try_wait().context("cannot watch the sandbox")? {
                bail!(
                    "the sandbox ended with {status} before it was ready: {}",
                    process::line(&command)
                );
            }
            let told = std::fs::read(&ready)
                .ok()
                .and_then(|text| serde_json::from_slice::<Ready>(&text).ok());
            if let Some(Ready { database }) = told {
                sandbox.database = database;
                return Ok(sandbox);
            }
            sleep(Duration::from_millis(50));
        }
        bail!(
            "the sandbox was not ready within {} s: {}",
            START_WITHIN.as_secs(),
            process::line(&command)
        );
    }
}

impl Drop for Sandbox {
    /// Asks it to stop, so that it stops its Postgres too, and ends it if it does not.
    fn drop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(None)) {
            return;
        }
        let asked = Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status();
        let started = Instant::now();
        while asked.is_ok() && started.elapsed() < STOP_WITHIN {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        eprintln!("the sandbox did not stop when asked: killing it");
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            eprintln!(
                "the sandbox (process {}) may still be running: {error}",
                self.process.id()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queries(entries: &[(&str, &str)]) -> Queries {
        entries
            .iter()
            .map(|(name, content)| ((*name).to_owned(), content.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let committed = queries(&[("query-a.json", "1"), ("query-b.json", "1"), ("query-d.json", "1")]);
        let fresh = queries(&[("query-a.json", "1"), ("query-b.json", "2"), ("query-c.json", "1")]);
        let expected = [
            "changed: query-b.json",
            "missing: query-c.json",
            "obsolete: query-d.json",
        ];
        assert_eq!(differences(&committed, &fresh), expected);
    }

    #[test]
    fn the_folder_holds_what_is_needed_and_nothing_else() {
        let scratch = Scratch::new().unwrap();
        let folder = scratch.0.join(".sqlx");
        write(
            &folder,
            &Queries::new(),
            &queries(&[("query-a.json", "1"), ("query-b.json", "1")]),
        )
        .unwrap();
        let fresh = queries(&[("query-b.json", "2"), ("query-c.json", "1")]);
        write(&folder, &read(&folder).unwrap(), &fresh).unwrap();
        assert_eq!(read(&folder).unwrap(), fresh);
    }

    #[test]
    fn undoing_is_no_migration() {
        assert!(is_migration("0001_tables.sql") && is_migration("0002_more.up.sql"));
        assert!(!is_migration("0002_more.down.sql") && !is_migration("README.md"));
    }
}
