//! What the chain charges for grants without a name, beside grants with one. The contract's own example `cu` counts, on
//! the real program; this picks its rows and holds them to the targets.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::{Line, Part, Plan};
use crate::ending;
use crate::programs::root;

/// The instructions of grants without a name.
const OURS: [&str; 5] = [
    "open_tree",
    "create_anonymous_grant",
    "revoke_anonymous_grant",
    "verify_access_proof",
    "close_nullifier",
];
/// What one would do otherwise: the same with a name.
const PEERS: [(&str, &str); 3] = [
    ("create_grant", "to a person"),
    ("revoke_grant", "by the patient"),
    ("access_record", "by a person's grant"),
];
/// The one that there are targets for: the most compute units, and the most bytes of a transaction.
const TARGET: (&str, f64, u64) = ("verify_access_proof", 150_000.0, 1_232);

/// A row of the example's report; of the others only the last has anything of it.
#[derive(Debug, Deserialize)]
struct Row {
    instruction: String,
    variant: String,
    cu: u64,
    tx_bytes: u64,
}

/// The program that counts.
///
/// # Errors
/// Where nobody said which it is.
pub(super) fn program(plan: &Plan) -> Result<&Path> {
    plan.cu.as_deref().context(
        "nobody said which program counts compute units: run `cargo xtask bench privacy`, which builds it, or give --cu",
    )
}

pub(super) fn measure(plan: &Plan) -> Result<Vec<Line>> {
    let program = program(plan)?;
    let runs = plan.cu_runs.to_string();
    let mut command = Command::new(program);
    command.args(["--json", "--runs", &runs]).current_dir(root());
    let output = ending::tie(command)?
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    // Where one of its own limits is broken it ends with an error too, once it has said everything.
    let said = String::from_utf8(output.stdout).context("the count of compute units is no text")?;
    let lines = lines(&said, usize::try_from(plan.cu_runs)?)?;
    ensure!(
        output.status.success(),
        "the count of compute units ended with {}: see `cargo xtask bench cu`",
        output.status
    );
    Ok(lines)
}

fn lines(said: &str, runs: usize) -> Result<Vec<Line>> {
    let rows: Vec<Row> = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let mut lines = Vec::new();
    for name in OURS {
        let of_it: Vec<_> = rows.iter().filter(|row| row.instruction == name).collect();
        ensure!(!of_it.is_empty(), "the count of compute units has nothing of {name}");
        lines.extend(of_it.into_iter().map(|row| line(row, runs)));
    }
    for (name, variant) in PEERS {
        let row = rows
            .iter()
            .find(|row| row.instruction == name && row.variant == variant);
        let row = row.with_context(|| format!("the count of compute units has nothing of {name} {variant}"))?;
        lines.push(line(row, runs).of_peer());
    }
    Ok(lines)
}

fn line(row: &Row, runs: usize) -> Line {
    let case = if row.variant.is_empty() {
        row.instruction.clone()
    } else {
        format!("{}, {}", row.instruction, row.variant)
    };
    let (name, most_cu, most_bytes) = TARGET;
    let has_target = row.instruction == name;
    Line {
        part: Part::Chain.name().to_owned(),
        case,
        unit: "CU".to_owned(),
        value: row.cu as f64,
        runs: Some(runs),
        tx_bytes: Some(row.tx_bytes),
        target: has_target.then_some(most_cu),
        target_tx_bytes: has_target.then_some(most_bytes),
        ..Line::default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What the example says, with so many compute units for a proof.
    fn said(cu: u64, tx_bytes: u64) -> String {
        let row = |instruction: &str, variant: &str, cu: u64, tx_bytes: u64| {
            serde_json::json!({ "instruction": instruction, "variant": variant, "cu": cu, "limit": 200_000,
                "tx_bytes": tx_bytes, "rent_bytes": 0, "rent_lamports": 0, "ok": true })
            .to_string()
        };
        let mut lines = vec![r#"{"bench":"cu","runs":9}"#.to_owned()];
        for name in OURS {
            let (cu, tx_bytes) = if name == TARGET.0 {
                (cu, tx_bytes)
            } else {
                (190_000, 1_232)
            };
            lines.push(row(name, "", cu, tx_bytes));
            lines.push(row(name, "lamports sent ahead", cu + 1, tx_bytes));
        }
        lines.extend(PEERS.map(|(name, variant)| row(name, variant, 9_000, 500)));
        lines.push(row("record_payment", "", 1, 1));
        lines.push(r#"{"rows":14,"missing":[],"ok":true}"#.to_owned());
        lines.join("\n")
    }

    fn missed(cu: u64, tx_bytes: u64) -> Vec<String> {
        lines(&said(cu, tx_bytes), 9)
            .unwrap()
            .iter()
            .filter_map(Line::missed)
            .collect()
    }

    #[test]
    fn rows_of_the_five_instructions_and_their_peers_are_picked() {
        let lines = lines(&said(100_000, 1_000), 9).unwrap();
        assert_eq!(lines.len(), 13);
        assert_eq!(lines.iter().filter(|line| line.peer).count(), 3);
        assert!(
            lines
                .iter()
                .all(|line| line.runs == Some(9) && !line.case.contains("payment"))
        );
        assert_eq!(lines[1].case, "open_tree, lamports sent ahead");
    }

    #[test]
    fn a_proof_that_costs_too_much_is_told() {
        assert_eq!(missed(149_999, 1_232), Vec::<String>::new());
        let much = missed(150_000, 1_232);
        assert_eq!(
            much,
            ["verify_access_proof, lamports sent ahead took 150001 CU, and may take 150000"]
        );
        let long = missed(1, 1_233);
        assert_eq!(
            long[0],
            "verify_access_proof took a transaction of 1233 bytes, and may take 1232"
        );
        assert_eq!(long.len(), 2);
    }

    #[test]
    fn an_instruction_that_was_not_counted_is_told() {
        let without = said(1, 1).replace("close_nullifier", "close_something");
        let error = lines(&without, 9).unwrap_err().to_string();
        assert!(error.contains("close_nullifier"), "{error}");
        let without = said(1, 1).replace("by a person's grant", "by nobody");
        assert!(lines(&without, 9).unwrap_err().to_string().contains("access_record"));
    }
}
