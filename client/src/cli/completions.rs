//! `chartseal completions` and `chartseal man`: what a shell and `man` are told about the command line, made from the very
//! definition that it is parsed by. Neither asks anybody anything.

use std::{
    fs::DirBuilder,
    io::{ErrorKind, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::args::Args;

/// Prints what makes a shell complete our words.
pub(super) fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "chartseal", &mut script);
    match std::io::stdout().lock().write_all(&script) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot print the completions"),
        _ => Ok(()),
    }
}

/// Writes a page of the manual for each command into a folder.
pub(super) fn man(out: &Path) -> Result<()> {
    let written = DirBuilder::new()
        .recursive(true)
        .create(out)
        .and_then(|()| clap_mangen::generate_to(Args::command(), out));
    written.with_context(|| format!("cannot write the pages of the manual to {}", out.display()))
}
