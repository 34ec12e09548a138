//! Reading a page: its tables and headings.

use std::path::PathBuf;

/// The text of a file of this repository.
pub(crate) fn read(path: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// The contract's page.
pub(crate) fn contract() -> String {
    read("docs/contract.md")
}

/// The rows of the one table whose first cells are these, each as its cells.
pub(crate) fn table(page: &str, head: &[&str]) -> Vec<Vec<String>> {
    let mut lines = page.lines();
    lines
        .find(|line| cells(line).is_some_and(|cells| cells.iter().zip(head).all(|(cell, head)| cell == head)))
        .unwrap_or_else(|| panic!("the page has no table that begins with {head:?}"));
    lines.skip(1).map_while(cells).collect()
}

fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.strip_prefix("| ")?.strip_suffix(" |")?;
    Some(inner.split(" | ").map(str::to_owned).collect())
}

/// Cuts each row to its first cells.
pub(crate) fn first<const N: usize>(rows: Vec<Vec<String>>) -> Vec<[String; N]> {
    rows.into_iter()
        .map(|row| {
            row.first_chunk::<N>()
                .unwrap_or_else(|| panic!("a short row: {row:?}"))
                .clone()
        })
        .collect()
}

/// A name as the page sets it.
pub(crate) fn code(name: &str) -> String {
    format!("`{name}`")
}

/// Names as the page lists them; `none` where there are none.
pub(crate) fn list(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| code(name.as_ref())).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// A number in groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place != 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What stands between backticks.
pub(crate) fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn numbers_are_grouped_by_three() {
    assert_eq!(
        [0, 999, 1_000, 21_102_720].map(grouped),
        ["0", "999", "1,000", "21,102,720"]
    );
}
