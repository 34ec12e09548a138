//! Stopping the parts, and removing what they held. It may be done again where it was broken off, and beside parts that
//! have ended by themselves.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::folder::{Folder, remove_if_there};
use super::part;
use super::state::{Running, State};
use crate::report::progress;

/// How long a part may take to end by itself: Postgres has half a minute to write down what it holds.
const STOP: Duration = Duration::from_secs(45);
/// How long the database's files may be in use after the sandbox was killed, until its Postgres has noticed.
const LEFTOVERS: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// Stops whatever of a stack still runs, the last that was started first, and removes what it held.
///
/// # Errors
/// When something cannot be stopped or removed; it stays written down. What one part holds keeps no other running.
pub(super) fn stop(folder: &Folder, state: &State) -> Result<()> {
    let mut stays = None;
    for running in state.parts.iter().rev() {
        match end(running) {
            Ok(()) => remove_if_there(&folder.ready_file(running.part))?,
            Err(error) => stays = stays.or(Some(error)),
        }
    }
    if let Some(error) = stays {
        return Err(error);
    }
    // Postgres ends with its sandbox, but where that was killed, a moment later.
    if let Some(sockets) = state.database.as_deref().and_then(part::socket_folder) {
        let begun = Instant::now();
        while sockets.join(part::SOCKET).exists() && begun.elapsed() < LEFTOVERS {
            std::thread::sleep(POLL);
        }
        // Only empty, as a server leaves it; the sandbox has removed it already unless it was killed.
        match std::fs::remove_dir(sockets) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                progress(&format!("{} stays behind: {error}", sockets.display()));
            }
            _ => {}
        }
    }
    remove_folder(&state.data)?;
    remove_folder(&folder.keys())?;
    remove_if_there(&folder.profile())?;
    folder.forget()
}

/// Ends one part, by force where it has to be.
///
/// # Errors
/// When it does not end.
pub(super) fn end(running: &Running) -> Result<()> {
    let pid = Pid::from_raw(running.pid).context("the state names no process")?;
    for (signal, patience) in [(Signal::TERM, STOP), (Signal::KILL, STOP)] {
        if !running.is_alive() {
            return Ok(());
        }
        // It may have ended just now.
        let _ = match signal {
            Signal::KILL => {
                progress(&format!("the {} does not end: killing it", running.part.name()));
                kill_process_group(pid, signal)
            }
            _ => kill_process(pid, signal),
        };
        let begun = Instant::now();
        while running.is_alive() && begun.elapsed() < patience {
            std::thread::sleep(POLL);
        }
    }
    if running.is_alive() {
        bail!("the {} (process {}) does not end", running.part.name(), running.pid);
    }
    Ok(())
}

/// What is in use still is tried again for a while.
fn remove_folder(path: &Path) -> Result<()> {
    let begun = Instant::now();
    loop {
        match std::fs::remove_dir_all(path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(_) if begun.elapsed() < LEFTOVERS => std::thread::sleep(POLL),
            Err(error) => return Err(error).with_context(|| format!("cannot remove {}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::localnet::part::Part;
    use crate::localnet::state::started;
    use crate::localnet::validator::Validator;
    use std::path::PathBuf;
    use std::process::{Child, Command};

    fn folder(name: &str) -> (PathBuf, Folder) {
        let path = std::env::temp_dir().join(format!("xtask-end-{name}-{}", std::process::id()));
        (path.clone(), Folder::usual(path).unwrap())
    }

    fn part(part: Part, child: &Child) -> Running {
        let pid = i32::try_from(child.id()).unwrap();
        Running {
            part,
            pid,
            started: started(pid).unwrap_or_default(),
            log: PathBuf::new(),
        }
    }

    #[test]
    fn a_part_that_does_not_end_keeps_no_other_running_and_what_it_uses_stays() {
        let (path, folder) = folder("stays");
        let mut state = State::new(path.join("data"), Validator::BuiltIn);
        std::fs::create_dir(&state.data).unwrap();
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let stays = Running {
            pid: 0,
            ..part(Part::Sandbox, &child)
        };
        state.parts = vec![part(Part::Validator, &child), stays];
        folder.keep(&state).unwrap();
        stop(&folder, &state).unwrap_err();
        assert!(!child.wait().unwrap().success());
        assert!(state.data.exists());
        assert_eq!(folder.state().unwrap(), Some(state));
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn down_stops_what_runs_also_beside_what_crashed_and_may_be_said_twice() {
        let (path, folder) = folder("down");
        let mut state = State::new(path.join("data"), Validator::BuiltIn);
        for folder in [&state.data, &folder.keys()] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("item"), "").unwrap();
        }
        std::fs::write(folder.profile(), "").unwrap();
        let sockets = path.join("sockets");
        std::fs::create_dir(&sockets).unwrap();
        state.database = Some(format!("postgres://x@localhost/x?host={}", sockets.display()));
        let mut children =
            ["exec sleep 1000", "exit 1"].map(|line| Command::new("sh").args(["-c", line]).spawn().unwrap());
        state.parts = vec![part(Part::Validator, &children[0]), part(Part::Sandbox, &children[1])];
        folder.keep(&state).unwrap();
        for _ in 0..2 {
            stop(&folder, &state).unwrap();
            assert!(state.parts.iter().all(|running| !running.is_alive()));
            assert!(!state.data.exists() && !sockets.exists());
            assert!(!folder.keys().exists() && !folder.profile().exists());
            assert_eq!(folder.state().unwrap(), None);
        }
        assert!(children.iter_mut().all(|child| !child.wait().unwrap().success()));
        std::fs::remove_dir_all(path).unwrap();
    }
}
