//! Results for people: a table each for limits, peers, speeds, ranges and sizes.

use super::job::Op;
use super::line::{Line, Results};

/// All of them, after what they were measured on.
pub(super) fn all(results: &Results) -> String {
    let mut out = String::new();
    for head in &results.heads {
        out.push_str(&format!("{head}\n"));
    }
    let ops: Vec<&str> = Op::LIMITS.iter().chain(&Op::PEERS).map(|op| op.name()).collect();
    let (bounds, own): (Vec<&Line>, Vec<&Line>) =
        results.lines.iter().partition(|line| ops.contains(&line.op.as_str()));
    for (title, lines) in [
        ("What the machine allows, and what a user would take otherwise", bounds),
        ("What Chartseal does", own),
    ] {
        if !lines.is_empty() {
            out.push_str(&format!("\n{title}\n"));
            out.push_str(&plain(&SPEEDS, &lines.into_iter().map(speed).collect::<Vec<_>>()));
        }
    }
    if !results.sizes.is_empty() {
        out.push_str("\nHow many times smaller\n");
        out.push_str(&plain(&SIZES, &sizes(results)));
    }
    out
}

/// Heads of a table of speeds.
pub(super) const SPEEDS: [&str; 11] = [
    "file",
    "what",
    "cores",
    "codec",
    "records/s",
    "GB/s a core",
    "min",
    "max",
    "of limit",
    "x age",
    "MiB",
];

/// A row of it.
pub(super) fn speed(line: &Line) -> Vec<String> {
    let maybe = |value: Option<f64>, digits| value.map_or(String::new(), |value| format!("{value:.digits$}"));
    vec![
        line.kind.clone(),
        line.op.clone(),
        line.cores.to_string(),
        if line.compression { "on" } else { "off" }.into(),
        figure(line.records_per_s),
        format!("{:.3}", line.gb_per_s_core),
        format!("{:.3}", line.runs.min),
        format!("{:.3}", line.runs.max),
        maybe(line.limit_ratio, 2),
        maybe(line.vs_age_sha256, 2),
        maybe(line.peak_rss_mib, 0),
    ]
}

/// Heads of a table of sizes.
pub(super) const SIZES: [&str; 10] = [
    "file",
    "made",
    "bytes",
    "stored",
    "padded",
    "Chartseal",
    "JPEG-LS",
    "zstd -3",
    "zstd -19",
    "gzip",
];

/// Its rows.
pub(super) fn sizes(results: &Results) -> Vec<Vec<String>> {
    let row = |size: &super::sizes::Size| {
        let ratio = |value: f64| format!("{value:.3}");
        vec![
            size.kind.clone(),
            if size.made { "yes" } else { "no" }.into(),
            size.bytes.to_string(),
            size.stored.to_string(),
            size.stored_padded.to_string(),
            ratio(size.size_ratio),
            size.jpegls.map_or(String::new(), ratio),
            ratio(size.zstd_3),
            ratio(size.zstd_19),
            ratio(size.gzip),
        ]
    };
    results.sizes.iter().map(row).collect()
}

/// With as many digits as say something.
pub(super) fn figure(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

pub(super) fn plain(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut out = line(&mut head.iter().copied());
    for row in rows {
        out.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    out
}

/// The same as Markdown.
pub(super) fn markdown(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &mut dyn Iterator<Item = &str>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let mut out = line(&mut head.iter().copied());
    out.push_str(&line(&mut head.iter().map(|_| "---")));
    for row in rows {
        out.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_their_heads() {
        let rows = [
            vec!["a".to_owned(), "1".to_owned()],
            vec!["longer".to_owned(), "2".to_owned()],
        ];
        assert_eq!(plain(&["file", "n"], &rows), "  file    n\n  a       1\n  longer  2\n");
        assert_eq!(
            markdown(&["file", "n"], &rows[..1]),
            "| file | n |\n| --- | --- |\n| a | 1 |\n"
        );
    }

    #[test]
    fn a_figure_has_about_three_digits() {
        assert_eq!([1234.5, 12.34, 1.234].map(figure), ["1234", "12.3", "1.23"]);
    }
}
