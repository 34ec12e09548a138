//! The server's process: started so that it cannot outlive us, waited for, and stopped.
//!
//! The system sends SIGINT to the server when the thread that started it ends, which `kill -9` of our process brings about
//! too; Postgres takes that for a fast shutdown. The thread that starts it therefore does nothing else but wait for it.

#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::{oneshot, watch};

use super::PostgresError;
use super::folders::read_small;
use super::install::User;

/// How long a server may take to recover and become ready.
const START: Duration = Duration::from_secs(60);

/// How long a fast shutdown may take before it is made an immediate one, and how long that may take.
const FAST: Duration = Duration::from_secs(30);
const IMMEDIATE: Duration = Duration::from_secs(10);

const POLL: Duration = Duration::from_millis(20);

/// How much of the log goes into an error.
const LOG_LINES: usize = 8;

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    pid: Pid,
    cluster: PathBuf,
    log: PathBuf,
    /// How it ended, once it has.
    status: watch::Receiver<Option<String>>,
}

impl Server {
    /// Starts `command` and waits until the server answers.
    pub(super) async fn start(mut command: Command, cluster: &Path, log: &Path) -> Result<Self, PostgresError> {
        tie_to_us(&mut command);
        let (started, spawned) = oneshot::channel();
        let (ended, status) = watch::channel(None);
        std::thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || match command.spawn() {
                Ok(mut child) => {
                    // A process id is never negative.
                    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                    // If nobody waits any more, this thread still does, so that the child is not left a zombie.
                    let _ = started.send(Ok(pid));
                    let status = child.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
                    ended.send_replace(Some(status));
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            })
            .map_err(PostgresError::at("a thread"))?;
        let lost = || PostgresError::NotReady {
            log: "its thread ended".to_owned(),
        };
        let pid = spawned
            .await
            .map_err(|_| lost())?
            .map_err(PostgresError::at("postgres"))?
            .ok_or_else(lost)?;
        let server = Self {
            pid,
            cluster: cluster.to_owned(),
            log: log.to_owned(),
            status,
        };
        server.ready().await?;
        Ok(server)
    }

    async fn ready(&self) -> Result<(), PostgresError> {
        let begun = Instant::now();
        while begun.elapsed() < START {
            if let Some(status) = self.status.borrow().clone() {
                return Err(PostgresError::Ended {
                    status,
                    log: tail(&self.log),
                });
            }
            if PidFile::read(&self.cluster).is_some_and(|file| file.pid == self.pid && file.ready) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(PostgresError::NotReady { log: tail(&self.log) })
    }

    /// Waits until it ends by itself.
    pub(super) async fn ended(&mut self) -> PostgresError {
        let status = match self.status.wait_for(Option::is_some).await {
            Ok(status) => status.clone().unwrap_or_default(),
            Err(_) => "its thread ended".to_owned(),
        };
        PostgresError::Ended {
            status,
            log: tail(&self.log),
        }
    }

    /// Stops it: connections are cut, what was committed stays.
    pub(super) async fn stop(mut self) -> Result<(), PostgresError> {
        for (signal, patience) in [(Signal::INT, FAST), (Signal::QUIT, IMMEDIATE)] {
            self.signal(signal);
            if tokio::time::timeout(patience, self.status.wait_for(Option::is_some))
                .await
                .is_ok()
            {
                return Ok(());
            }
            tracing::warn!(?signal, "Postgres does not stop");
        }
        Err(PostgresError::DidNotStop {
            pid: self.pid.as_raw_nonzero().get(),
        })
    }

    fn signal(&self, signal: Signal) {
        // Once its status is known, its process id may be another process's.
        if self.status.borrow().is_none() && self.status.has_changed().is_ok() {
            // It can only fail if the process ended just now.
            let _ = kill_process(self.pid, signal);
        }
    }
}

impl Drop for Server {
    /// Ends a server that nobody stopped, and waits a little, so that a test that fails leaves nothing running.
    fn drop(&mut self) {
        self.signal(Signal::INT);
        let begun = Instant::now();
        while self.status.borrow().is_none() && self.status.has_changed().is_ok() && begun.elapsed() < IMMEDIATE {
            std::thread::sleep(POLL);
        }
    }
}

/// Makes the system end the process when the thread that starts it ends.
fn tie_to_us(command: &mut Command) {
    // A Ctrl-C in the terminal goes to our process group. Postgres has its own, and is stopped by us, in order.
    command.process_group(0);
    #[cfg(target_os = "linux")]
    {
        let us = Pid::from_raw(i32::try_from(std::process::id()).unwrap_or(0));
        let tie = move || {
            // After the change of user, which clears this setting; the standard library runs us after it.
            rustix::process::set_parent_process_death_signal(Some(Signal::INT))?;
            // We may have died before the line above.
            if rustix::process::getppid() == us {
                Ok(())
            } else {
                Err(std::io::Error::from(rustix::io::Errno::SRCH))
            }
        };
        // SAFETY: between fork and exec only async-signal-safe functions may be called. `tie` makes two system calls, by way
        // of rustix, which neither allocates nor locks, and makes an error from a number without allocating.
        unsafe { command.pre_exec(tie) };
    }
}

/// `postmaster.pid` in the cluster: process id, folder, start, port, socket folder, address, shared memory, state, a line each.
struct PidFile {
    pid: Pid,
    ready: bool,
}

impl PidFile {
    fn read(cluster: &Path) -> Option<Self> {
        let text = read_small(&cluster.join("postmaster.pid"))?;
        let mut lines = text.lines();
        let pid = Pid::from_raw(lines.next()?.trim().parse().ok()?)?;
        Some(Self {
            pid,
            ready: lines.nth(6).is_some_and(|state| state.trim() == "ready"),
        })
    }
}

/// Stops a server that a killed sandbox left in the cluster. Usually it is stopping already.
pub(super) async fn stop_leftover(cluster: &Path, user: Option<User>) -> Result<(), PostgresError> {
    let Some(PidFile { pid, .. }) = PidFile::read(cluster) else {
        return Ok(());
    };
    for (signal, patience) in [(Signal::INT, FAST), (Signal::QUIT, IMMEDIATE)] {
        match runs_in(pid, cluster, user) {
            Runs::Here => {
                tracing::warn!(
                    pid = pid.as_raw_nonzero().get(),
                    ?signal,
                    "stopping the Postgres of an earlier sandbox"
                );
                // It may have ended just now.
                let _ = kill_process(pid, signal);
            }
            // Whatever it is, it is not ours to signal. If it is the server, it ends by itself, because we did.
            Runs::Unknown => {}
            Runs::Elsewhere => return Ok(()),
        }
        let begun = Instant::now();
        while begun.elapsed() < patience && runs_in(pid, cluster, user) != Runs::Elsewhere {
            tokio::time::sleep(POLL).await;
        }
    }
    if runs_in(pid, cluster, user) == Runs::Elsewhere {
        return Ok(());
    }
    Err(PostgresError::Leftover {
        pid: pid.as_raw_nonzero().get(),
        folder: cluster.to_owned(),
    })
}

/// What is known of the process that a cluster names as its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runs {
    /// It is the server of that cluster.
    Here,
    /// It has ended, or its number was given to another.
    Elsewhere,
    /// The system tells too little.
    Unknown,
}

/// Whether that process is the server of that cluster, and not one that was given its number later. A server works in its
/// data folder; where that is kept from us, as it is from root without the right to trace others, its command line and
/// its user tell.
fn runs_in(pid: Pid, cluster: &Path, user: Option<User>) -> Runs {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let Ok(cluster) = fs::canonicalize(cluster) else {
        return Runs::Elsewhere;
    };
    match fs::read_link(process.join("cwd")) {
        Ok(folder) if folder == cluster => return Runs::Here,
        Ok(_) => return Runs::Elsewhere,
        Err(error) if error.kind() != ErrorKind::PermissionDenied => return Runs::Elsewhere,
        Err(_) => {}
    }
    match (fs::metadata(&process), fs::read(process.join("cmdline"))) {
        (Ok(metadata), Ok(line)) => {
            let owner = user.map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid);
            if metadata.uid() == owner && cluster_of(&line).is_some_and(|folder| folder == cluster) {
                Runs::Here
            } else {
                Runs::Elsewhere
            }
        }
        (Err(error), _) | (_, Err(error)) if error.kind() != ErrorKind::PermissionDenied => Runs::Elsewhere,
        _ => Runs::Unknown,
    }
}

/// The folder that a command line of a server names, as [`super::server_command`] makes it. A process that has ended and
/// was not yet waited for has an empty one.
fn cluster_of(line: &[u8]) -> Option<PathBuf> {
    let mut words = line.split(|byte| *byte == 0);
    words.find(|word| *word == b"-D")?;
    fs::canonicalize(OsStr::from_bytes(words.next()?)).ok()
}

/// The last lines of a log.
pub(super) fn tail(log: &Path) -> String {
    let text = fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_the_folder_on_its_command_line() {
        let cluster = tempfile::tempdir().unwrap();
        let folder = cluster.path().canonicalize().unwrap();
        let line = format!(
            "/usr/lib/postgresql/15/bin/postgres\0-D\0{}/.\0-k\0/tmp/s\0",
            folder.display()
        );
        assert_eq!(cluster_of(line.as_bytes()), Some(folder));
        for other in ["", "postgres: checkpointer ", "sleep\0-D", "sleep\0-D\0/not there\0"] {
            assert_eq!(cluster_of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_process_that_works_elsewhere_is_not_taken_for_the_server() {
        let cluster = tempfile::tempdir().unwrap();
        let us = Pid::from_raw(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert_eq!(runs_in(us, cluster.path(), None), Runs::Elsewhere);
        let here = std::env::current_dir().unwrap();
        assert_eq!(runs_in(us, &here, None), Runs::Here);
    }
}
