//! What was measured, as a table or as JSON, and whether it is as it has to be.

use std::collections::BTreeSet;

use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use crate::{
    cases::left_out,
    common::contract,
    stage::{Measured, TRANSACTION},
};

pub(crate) struct Report<'a> {
    seed: u64,
    runs: u64,
    rows: &'a [Measured],
    /// Instructions of the IDL that were not measured.
    missing: Vec<String>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(seed: u64, runs: u64, rows: &'a [Measured]) -> Self {
        Self {
            seed,
            runs,
            rows,
            missing: left_out(),
        }
    }

    /// Whether nothing is missing and no limit is broken.
    pub(crate) fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.rows.iter().all(Measured::is_within)
    }

    fn broken(&self) -> impl Iterator<Item = String> + '_ {
        let broken = self.rows.iter().filter(|row| !row.is_within());
        broken.map(|row| format!("{} {}", row.instruction, row.variant).trim_end().into())
    }

    pub(crate) fn print_json(&self) {
        println!("{}", self.context());
        for row in self.rows {
            let object = json!({
                "instruction": row.instruction,
                "variant": row.variant,
                "cu": row.cost.cu,
                "limit": row.limit,
                "tx_bytes": row.cost.tx_bytes,
                "rent_bytes": row.cost.rent_bytes,
                "rent_lamports": row.cost.rent_lamports,
                "ok": row.is_within(),
            });
            println!("{object}");
        }
        let end = json!({
            "rows": self.rows.len(),
            "instructions": self.measured(),
            "missing": self.missing,
            "broken": self.broken().collect::<Vec<_>>(),
            "ok": self.is_whole(),
        });
        println!("{end}");
    }

    pub(crate) fn print_table(&self) {
        let width = |text: fn(&Measured) -> usize| self.rows.iter().map(text).max().unwrap_or_default();
        let (first, second) = (width(|row| row.instruction.len()), width(|row| row.variant.len()));
        println!(
            "{:<first$}  {:<second$}  {:>6} {:>6} {:>8} {:>10} {:>13}",
            "instruction", "variant", "cu", "limit", "tx bytes", "rent bytes", "rent lamports"
        );
        for row in self.rows {
            let Measured {
                instruction,
                variant,
                limit,
                cost,
            } = row;
            println!(
                "{instruction:<first$}  {variant:<second$}  {:>6} {limit:>6} {:>8} {:>10} {:>13}{}",
                cost.cu,
                cost.tx_bytes,
                cost.rent_bytes,
                cost.rent_lamports,
                if row.is_within() { "" } else { "  BROKEN" }
            );
        }
        println!(
            "\n{} instructions, {} rows, {}",
            self.measured(),
            self.rows.len(),
            self.context()
        );
        println!("limit of a transaction: {TRANSACTION} bytes");
        for name in &self.missing {
            println!("not measured: {name}");
        }
        for name in self.broken() {
            println!("over its limit: {name}");
        }
    }

    /// How many instructions were measured.
    fn measured(&self) -> usize {
        let names: BTreeSet<_> = self.rows.iter().map(|row| row.instruction).collect();
        names.len()
    }

    /// What the figures depend on, and nothing of the machine.
    fn context(&self) -> Value {
        let so = contract();
        let hash: String = Sha256::digest(so).iter().map(|byte| format!("{byte:02x}")).collect();
        json!({
            "bench": "cu",
            "litesvm": version("litesvm"),
            "program_runtime": version("solana-program-runtime"),
            "contract_sha256": hash,
            "contract_bytes": so.len(),
            "runs": self.runs,
            "seed": self.seed,
        })
    }
}

/// The version of a package that this program is built with.
fn version(package: &str) -> &'static str {
    const LOCK: &str = include_str!("../../../../Cargo.lock");
    let head = format!("name = \"{package}\"\nversion = \"");
    let found = LOCK
        .split_once(head.as_str())
        .and_then(|(_, rest)| rest.split_once('"'));
    found.map_or("unknown", |(version, _)| version)
}
