use crate::workspace::Workspace;
use anyhow::Result;
use std::process::ExitCode;
pub(crate) fn run(_workspace: &Workspace, _check: bool) -> Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
