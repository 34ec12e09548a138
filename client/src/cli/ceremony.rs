//! `chartseal zk ceremony`: files in, files out; the work is that of [`chartseal_zk::ceremony`].

use std::{fs::File, io::Read as _, path::Path};

use anyhow::{Context as _, Result, ensure};
use chartseal_zk::{
    Relation,
    ceremony::{self, Contribution, Progress, Report},
    keys::VerifyingKey,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    args::{Ceremony, Zk},
    output::Output,
};

/// Bytes that are read of what a party adds of its own.
const MOST_ENTROPY: u64 = 1 << 20;

/// It blocks, for minutes.
pub(super) fn zk(command: &Zk, output: Output) -> Result<()> {
    let Zk::Ceremony(command) = command;
    let relation = Relation::membership()?;
    let mut listener = |progress: Progress<'_>| watch(&progress, output);
    match command {
        Ceremony::Begin { to } => {
            ceremony::begin_file(relation, to)?;
            output.say(
                &format!("{} is a transcript that nobody has contributed to yet", to.display()),
                &json!({ "transcript": to }),
            );
        }
        Ceremony::Contribute { files, name, entropy } => {
            let entropy = entropy.as_deref().map(read_entropy).transpose()?.unwrap_or_default();
            let between = (files.from.as_path(), files.to.as_path());
            let made = ceremony::contribute_to_file(relation, between, name, &entropy, &mut listener)?;
            output.say(
                &format!(
                    "contribution {} to phase {}, published as {}",
                    made.number,
                    made.phase,
                    hex::encode(made.hash)
                ),
                &object(&made),
            );
        }
        Ceremony::PhaseTwo { files } => {
            let between = (files.from.as_path(), files.to.as_path());
            ceremony::enter_phase_two_of_file(relation, between, &mut listener)?;
            output.say(
                &format!("{} is in phase two", files.to.display()),
                &json!({ "transcript": files.to, "phase": 2 }),
            );
        }
        Ceremony::Verify { transcript, key } => {
            let report = ceremony::verify_file(relation, transcript, &mut listener)?;
            say_report(report, key.as_deref(), output)?;
        }
        Ceremony::Finish {
            transcript,
            verifying,
            proving,
        } => {
            let keys = ceremony::finish_file(
                relation,
                transcript,
                (verifying.as_path(), proving.as_path()),
                &mut listener,
            )?;
            let of = hex::encode(keys.verifying_key().transcript);
            output.say(
                &format!(
                    "{} is for the contract, {} for whoever proves; both are of transcript {of}",
                    verifying.display(),
                    proving.display()
                ),
                &json!({ "verifying": verifying, "proving": proving, "transcript_sha256": of }),
            );
        }
    }
    Ok(())
}

fn say_report(report: Report, key: Option<&Path>, output: Output) -> Result<()> {
    let is_named = match key {
        Some(path) => {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Some(report.gives(&VerifyingKey::parse(&bytes)?))
        }
        None => None,
    };
    let rows = report.contributions.iter().map(|made| {
        let cells = vec![
            made.number.to_string(),
            made.phase.to_string(),
            made.name.clone(),
            hex::encode(made.hash),
        ];
        (cells, object(made))
    });
    output.table(&["contribution", "phase", "by", "published as"], rows.collect());
    if let Some(fault) = report.fault {
        return Err(fault.into());
    }
    let (hash, complete) = (hex::encode(report.transcript), report.keys.is_some());
    let what = if complete { "complete" } else { "not complete yet" };
    output.say(
        &format!("all of it is sound, and {what}; SHA-256 {hash}"),
        &json!({ "transcript_sha256": hash, "complete": complete, "gives_key": is_named }),
    );
    ensure!(
        is_named != Some(false),
        "the verifying key is not the one that this transcript gives; do not use it"
    );
    Ok(())
}

fn object(made: &Contribution) -> Value {
    json!({
        "contribution": made.number, "phase": made.phase, "name": made.name, "hash": hex::encode(made.hash),
    })
}

fn read_entropy(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| file.take(MOST_ENTROPY).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}

/// Tells people how far it is.
fn watch(progress: &Progress<'_>, output: Output) {
    let line = match progress {
        Progress::Verified(made) => format!("contribution {} ({}) is sound", made.number, made.name),
        Progress::VerifiedPhaseTwo => "the beginning of phase two is sound".into(),
        Progress::Contributing => "contributing".into(),
        Progress::Evaluating => "evaluating the circuit".into(),
    };
    output.note(&line);
}
