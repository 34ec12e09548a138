//! The profiles by which `chartseal` finds the stack, cluster and all: `localnet`, where envelopes are kept in the folder
//! that the key service keeps too, and `localnet-service`, which asks that service for them as another machine would.
//! `chartseal init` writes them, so that they are in the form that this release reads, into a file of the stack's own: the
//! user's is touched where that was asked for only.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::state::State;
use crate::process;
use crate::workspace::Programs;

/// What the profile with the folder is called.
pub(super) const NAME: &str = "localnet";
/// What the profile with the key service is called.
const WITH_SERVICE: &str = "localnet-service";
/// The client's program.
pub(super) const CLIENT: &str = "chartseal";

/// Writes both profiles into a file, over those of their names; what else is there stays.
///
/// # Errors
/// When a part is not up, or the client cannot write them.
pub(super) fn write(programs: &Programs, state: &State, keys: &Path, file: &Path) -> Result<()> {
    let service = state.key_service.as_ref().context("the key service is not up")?;
    for (name, keys) in [(NAME, keys.as_os_str()), (WITH_SERVICE, service.as_ref())] {
        let mut init = programs.command(CLIENT)?;
        process::capture(say(&mut init, state, name, keys, file)?)
            .with_context(|| format!("cannot write the profile {name} into {}", file.display()))?;
    }
    Ok(())
}

fn say<'a>(init: &'a mut Command, state: &State, name: &str, keys: &OsStr, file: &Path) -> Result<&'a mut Command> {
    // What the user exported is of another cluster, and would get into the profile.
    let exported = std::env::vars_os().map(|(name, _)| name);
    for name in exported.filter(|name| name.as_encoded_bytes().starts_with(b"CHARTSEAL_")) {
        init.env_remove(name);
    }
    let up = |what: &Option<String>| what.clone().context("a part of the stack is not up");
    Ok(init
        .args(["--profile", name])
        .arg("--config")
        .arg(file)
        .args(["--rpc", &up(&state.rpc)?, "--gateway", &up(&state.gateway)?])
        .arg("--key-store")
        .arg(keys)
        .args(["init", "--defaults", "--force", "--database", &up(&state.database)?])
        .stdin(Stdio::null()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::localnet::validator::Validator;
    use std::path::PathBuf;

    #[test]
    fn a_profile_says_where_all_of_the_stack_is() {
        let mut state = State::new(PathBuf::from("/tmp/data"), Validator::BuiltIn);
        let mut init = Command::new("chartseal");
        let (keys, file) = (OsStr::new("/k"), Path::new("/p.toml"));
        assert!(say(&mut init, &state, NAME, keys, file).is_err(), "nothing is up");
        state.rpc = Some("http://r".into());
        state.gateway = Some("http://g".into());
        state.database = Some("postgres://d".into());
        let mut init = Command::new("chartseal");
        let line = process::line(say(&mut init, &state, NAME, keys, file).unwrap());
        assert_eq!(
            line,
            "chartseal --profile localnet --config /p.toml --rpc http://r --gateway http://g --key-store /k init --defaults \
             --force --database postgres://d"
        );
    }
}
