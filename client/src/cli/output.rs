//! What is printed: lines and tables for people, or one JSON object a line. Progress goes to standard error, and only
//! where a person watches.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
    sync::Arc,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::failure::Failure;
use crate::seal::Progress;

/// How this run speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Says one thing: a sentence to people, an object to programs.
    pub(super) fn say(self, sentence: &str, object: &Value) {
        let line = if self.json {
            object.to_string()
        } else {
            sentence.to_owned()
        };
        print_line(&line);
    }

    /// Says many of one kind: a table to people, an object a line to programs.
    pub(super) fn table(self, head: &[&str], rows: Vec<(Vec<String>, Value)>) {
        if self.json {
            for (_, object) in rows {
                print_line(&object.to_string());
            }
            return;
        }
        let mut widths: Vec<usize> = head.iter().map(|cell| cell.len()).collect();
        for (cells, _) in &rows {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded: Vec<String> = cells
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}", width = *width))
                .collect();
            print_line(padded.join("  ").trim_end());
        };
        line(&mut head.iter().copied());
        for (cells, _) in &rows {
            line(&mut cells.iter().map(String::as_str));
        }
    }

    /// Says what is being done, where a person watches.
    pub(super) fn note(self, message: &str) {
        if !self.json && std::io::stderr().is_terminal() {
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(std::io::stderr().lock(), "{message}");
        }
    }

    /// Says what to look after. Programs find it in the object, so only people are told.
    pub(super) fn warn(self, message: &str) {
        if !self.json {
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(std::io::stderr().lock(), "chartseal: warning: {message}");
        }
    }

    /// Says why it did not work, and gives the exit code for it.
    pub(super) fn failed(self, error: &anyhow::Error) -> ExitCode {
        let (message, failure) = (format!("{error:#}"), Failure::of(error));
        let mut stderr = std::io::stderr().lock();
        // Where standard error is closed there is nobody to tell.
        let _ = if self.json {
            writeln!(
                stderr,
                "{}",
                serde_json::json!({ "error": message, "kind": failure.word() })
            )
        } else {
            writeln!(stderr, "chartseal: {message}")
        };
        ExitCode::from(failure.exit_code())
    }

    /// A bar for a stream of `length` bytes, if that is known.
    pub(super) fn progress(self, length: Option<u64>) -> Bar {
        let bar = match length {
            _ if self.json || !std::io::stderr().is_terminal() => ProgressBar::hidden(),
            Some(length) => ProgressBar::new(length).with_style(style(OF_KNOWN_LENGTH)),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {bytes}, {bytes_per_sec}")),
        };
        Bar(Arc::new(bar))
    }

    /// A bar for so many files.
    pub(super) fn count(self, files: usize) -> Bar {
        let bar = if self.json || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(files as u64).with_style(style("{bar:30} {pos} of {len} files, {eta} left"))
        };
        Bar(Arc::new(bar))
    }
}

impl Output {
    /// A bar for things that are still being found.
    pub(super) fn tally(self, things: &str) -> Bar {
        let bar = if self.json || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(0).with_style(style(&format!("{{bar:30}} {{pos}} of {{len}} {things}, {{eta}} left")))
        };
        Bar(Arc::new(bar))
    }
}

/// A bar for a stream whose length is known.
const OF_KNOWN_LENGTH: &str = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Standard output that is closed early (`| head`) ends the program's talking, not the program.
fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A progress bar.
pub(super) struct Bar(Arc<ProgressBar>);

impl Bar {
    /// What a stream calls as it proceeds.
    pub(super) fn callback(&self) -> impl Fn(Progress) + Send + Sync + use<> {
        let bar = Arc::clone(&self.0);
        move |progress| {
            // Opening says how long the file is as soon as it knows.
            if let Some(expected) = progress.expected
                && bar.length() != Some(expected)
            {
                bar.set_style(style(OF_KNOWN_LENGTH));
                bar.set_length(expected);
            }
            // Verifying reads no original bytes: then the sealed ones tell how far it is.
            let done = if progress.original == 0 {
                progress.sealed
            } else {
                progress.original
            };
            bar.set_position(done);
        }
    }
}

impl Bar {
    /// What an upload calls as it proceeds: what counts is what is stored, reading runs ahead of that.
    pub(super) fn uploaded(&self) -> impl Fn(Progress) + Send + Sync + use<> {
        let bar = Arc::clone(&self.0);
        move |progress| bar.set_position(progress.stored)
    }
}

impl Bar {
    /// What counts files as they are done.
    pub(super) fn counter(&self) -> impl Fn(usize) + Send + Sync + use<> {
        let bar = Arc::clone(&self.0);
        move |done| bar.set_position(done as u64)
    }
}

impl Bar {
    /// What counts things as they are found and done.
    pub(super) fn tally(&self) -> impl Fn(usize, usize) + Send + Sync + use<> {
        let bar = Arc::clone(&self.0);
        move |done, found| {
            bar.set_length(found as u64);
            bar.set_position(done as u64);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
