//! What pages point at exists: other pages, and the tests that the threat model calls as witnesses.

use std::path::PathBuf;

use crate::page::{read, spans};

fn exists(path: &str) -> bool {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
        .exists()
}

#[test]
fn files_that_the_pages_name_exist() {
    let mut tests = 0;
    for page in ["docs/contract.md", "docs/threat-model.md", "SECURITY.md"] {
        let text = read(page);
        for path in spans(&text).filter(|span| is_path(span)) {
            assert!(exists(path), "{page} names {path}, which does not exist");
            tests += usize::from(path.contains("tests/"));
        }
    }
    assert!(tests > 20, "the threat model names its witnesses");
}

fn is_path(span: &str) -> bool {
    const FOLDERS: [&str; 8] = [
        "programs/",
        "client/",
        "indexer/",
        "sandbox/",
        "tests/",
        "docs/",
        "migrations/",
        "xtask/",
    ];
    FOLDERS.iter().any(|folder| span.starts_with(folder)) && !span.contains(['*', ' ', '<'])
}

#[test]
fn links_between_pages_lead_somewhere() {
    for (folder, page) in [
        ("docs", "contract.md"),
        ("docs", "threat-model.md"),
        (".", "SECURITY.md"),
    ] {
        let text = read(&format!("{folder}/{page}"));
        let mut links = 0;
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'))
            .map(|(target, _)| target)
        {
            links += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { page } else { file };
            assert!(exists(&format!("{folder}/{file}")), "{page} links to {target}");
            let linked = read(&format!("{folder}/{file}"));
            let found = anchor.is_empty() || linked.lines().any(|line| anchor_of(line).as_deref() == Some(anchor));
            assert!(found, "{page} links to {target}, which has no such heading");
        }
        assert!(links > 0, "{page} links to others");
    }
}

/// The anchor that a heading gets.
fn anchor_of(line: &str) -> Option<String> {
    let heading = line
        .trim_start_matches('#')
        .strip_prefix(' ')
        .filter(|_| line.starts_with('#'))?;
    let kept = heading
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}

#[test]
fn the_program_says_where_to_report_faults() {
    let text = chartseal_program::security::SECURITY_TXT.as_bytes();
    let program = std::env::var_os("CHARTSEAL_SO").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("artifacts/chartseal.so"),
        PathBuf::from,
    );
    let program = std::fs::read(program).unwrap();
    assert_eq!(program.windows(text.len()).filter(|window| *window == text).count(), 1);
    // As explorers read it: pairs of a name and a value, and these have to be there.
    let text = chartseal_program::security::SECURITY_TXT;
    let (_, inner) = text.split_once("=======BEGIN SECURITY.TXT V1=======\0").unwrap();
    let (inner, _) = inner.split_once("=======END SECURITY.TXT V1=======\0").unwrap();
    let parts: Vec<_> = inner.strip_suffix('\0').unwrap().split('\0').collect();
    assert!(parts.len().is_multiple_of(2) && parts.iter().all(|part| !part.is_empty()));
    for name in ["name", "project_url", "contacts", "policy"] {
        assert!(parts.iter().step_by(2).any(|one| *one == name), "{name}");
    }
}
