//! What runs. A process is known by its number and the time it started at, so that one that was given the number later is
//! never taken for it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::part::Part;
use super::validator::Validator;

/// A stack that was started, or is being started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) validator: Validator,
    /// The folder of the gateway's items and of the database. It is removed when the stack goes down.
    pub(super) data: PathBuf,
    /// The ledger's JSON-RPC, once the validator is there; the others likewise.
    pub(super) rpc: Option<String>,
    /// The ledger's subscriptions.
    pub(super) ws: Option<String>,
    pub(super) gateway: Option<String>,
    pub(super) database: Option<String>,
    pub(super) key_service: Option<String>,
    /// Whose staff may store keys at the key service, by id.
    pub(super) institutions: Vec<String>,
    /// In the order that they were started in.
    pub(super) parts: Vec<Running>,
}

/// A process that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Running {
    pub(super) part: Part,
    pub(super) pid: i32,
    /// When it started, in the system's ticks since it booted.
    pub(super) started: u64,
    pub(super) log: PathBuf,
}

impl Running {
    /// Whether the process is still there. One that has ended and was not waited for is not.
    pub(super) fn is_alive(&self) -> bool {
        started(self.pid) == Some(self.started)
    }
}

impl State {
    /// Nothing yet.
    pub(super) fn new(data: PathBuf, validator: Validator) -> Self {
        Self {
            validator,
            data,
            rpc: None,
            ws: None,
            gateway: None,
            database: None,
            key_service: None,
            institutions: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// The part, where it was started.
    pub(super) fn part(&self, part: Part) -> Option<&Running> {
        self.parts.iter().find(|running| running.part == part)
    }
}

/// When the process with this number started, as Linux tells it; none where there is none, or it has ended.
pub(super) fn started(pid: i32) -> Option<u64> {
    start_in(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The twenty-second field of `/proc/<pid>/stat` (see proc_pid_stat(5)), unless the third says that it has ended.
fn start_in(stat: &str) -> Option<u64> {
    // The second is the program's name in parentheses, and may have any of these characters itself.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// This process as a part of a stack, for tests.
#[cfg(test)]
pub(super) fn ourselves() -> Running {
    let pid = i32::try_from(std::process::id()).unwrap();
    Running {
        part: Part::Validator,
        pid,
        started: started(pid).unwrap(),
        log: PathBuf::from("validator.log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_the_number_of_another_is_not_taken_for_it() {
        let us = ourselves();
        assert!(us.is_alive());
        let earlier = Running {
            started: us.started - 1,
            ..us
        };
        assert!(!earlier.is_alive());
    }

    #[test]
    fn a_process_that_ended_and_was_not_waited_for_is_not_there() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        while started(pid).is_some() {
            std::thread::yield_now();
        }
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn the_start_is_found_behind_any_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 8192 10";
        assert_eq!(start_in(stat), Some(4242));
        assert_eq!(start_in(&stat.replace(" S ", " Z ")), None);
        assert_eq!(start_in("7 (cut) S 1"), None);
        assert_eq!(start_in(""), None);
    }
}
