//! What the story says while it is told: lines for people, or one JSON object a line.

use std::{io::Write as _, time::Instant};

use serde_json::{Value, json};

/// How the story is told.
#[derive(Debug)]
pub struct Report {
    json: bool,
    silent: bool,
    since: Instant,
}

impl Report {
    /// On standard output.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self {
            json,
            silent: false,
            since: Instant::now(),
        }
    }

    /// To nobody: for tests, which assert instead.
    #[must_use]
    pub fn silent() -> Self {
        Self {
            json: false,
            silent: true,
            since: Instant::now(),
        }
    }

    /// A chapter begins.
    pub fn chapter(&self, title: &str) {
        if !self.json {
            self.line(&format!("\n{title}"));
        }
    }

    /// A step was taken and turned out as it must.
    pub fn step(&self, step: &str, sentence: &str, figures: &Value) {
        let seconds = self.since.elapsed().as_secs_f64();
        if self.json {
            let mut object = json!({ "step": step, "ok": true, "at_s": (seconds * 1_000.0).round() / 1_000.0 });
            if let (Value::Object(object), Value::Object(figures)) = (&mut object, figures) {
                object.extend(figures.clone());
            }
            self.line(&object.to_string());
        } else {
            self.line(&format!("  {seconds:6.2} s  {sentence}"));
        }
    }

    /// The story broke off.
    pub fn failed(&self, error: &anyhow::Error) {
        if self.json {
            self.line(&json!({ "step": "failed", "ok": false, "error": format!("{error:#}") }).to_string());
        } else {
            self.line(&format!("\nFAILED: {error:#}"));
        }
    }

    /// A table.
    pub fn table(&self, step: &str, title: &str, head: &[&str], rows: &[Vec<String>]) {
        if self.json {
            let rows: Vec<Value> = rows
                .iter()
                .map(|row| {
                    head.iter()
                        .zip(row)
                        .map(|(key, cell)| ((*key).to_owned(), json!(cell)))
                        .collect()
                })
                .collect();
            self.step(step, title, &json!({ "rows": rows }));
            return;
        }
        let mut widths: Vec<usize> = head.iter().map(|cell| cell.len()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |cells: Vec<&str>| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            self.line(&format!("    {}", padded.collect::<Vec<_>>().join("  ").trim_end()));
        };
        self.line(&format!("\n  {title}"));
        line(head.to_vec());
        for row in rows {
            line(row.iter().map(String::as_str).collect());
        }
    }

    fn line(&self, line: &str) {
        if !self.silent {
            // Where nobody reads on there is nobody to tell.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    }
}
