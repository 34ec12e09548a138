//! `chartseal emergency` and `break-glass release`.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use chartseal_program::{
    seeds::Id,
    state::{Emergency as EmergencyAccount, LONGEST_EMERGENCY},
    vocabulary::Verdict,
};
use clap::{ArgGroup, Args as ClapArgs, Subcommand};
use serde_json::{Value, json};

use super::{args::Holders, caller::Caller, guardians, output::Output, parse};
use crate::{
    ops::{OpError, Reason},
    store::{Existing, write_file},
};

/// Reasons are no novels.
const REASON_LIMIT: u64 = 64 << 10;

#[derive(Debug, Subcommand)]
pub(super) enum Emergency {
    /// Open a patient's chart without asking, for hours. The patient is told, and patient and hospital review it.
    Open(Open),
    /// List the emergencies that were ever opened about a patient.
    List {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
    },
    /// Say whether an emergency was justified: as the patient, or for the opener's hospital.
    Review {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
        /// The emergency's id.
        #[arg(value_parser = parse::id)]
        emergency: Id,
        /// What you found. An unjustified emergency ends at once. Justified can be turned to unjustified, not back.
        #[arg(long, value_parser = parse::word(Verdict::ALL, Verdict::word))]
        verdict: Verdict,
    },
}

#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("why").required(true).args(["reason", "reason_file"]))]
pub(super) struct Open {
    /// The patient's id.
    #[arg(long, value_parser = parse::id)]
    patient: Id,
    /// What happened. It does not leave this machine: only its salted hash goes on chain.
    #[arg(long)]
    reason: Option<String>,
    /// Read what happened from a file.
    #[arg(long, value_name = "FILE")]
    reason_file: Option<PathBuf>,
    /// How long it is open, at most 12h.
    #[arg(long = "for", value_parser = parse::duration, default_value = "4h")]
    lasts: i64,
    /// The folder that keeps reasons, for the hospital's books [default: emergencies in the data folder].
    #[arg(long, value_name = "FOLDER")]
    books: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum BreakGlass {
    /// Name the institutions that open your new records together in an emergency, in place of those before.
    Set(Holders),
    /// Release your institution's share of a record's key to whoever opened an emergency, while it is live. For a holder's
    /// authority, whose key opens the share.
    Release(Release),
}

#[derive(Debug, ClapArgs)]
pub(super) struct Release {
    /// The transaction of the access that rests on the emergency.
    #[arg(long, value_name = "SIGNATURE")]
    transaction: String,
    /// Whose share it is, where your wallet speaks for several holders.
    #[arg(long, value_parser = parse::id)]
    institution: Option<Id>,
}

impl Emergency {
    /// Whether it sends transactions.
    pub(super) fn sends(&self) -> bool {
        !matches!(self, Self::List { .. })
    }
}

pub(super) async fn emergency(command: Emergency, caller: Caller, output: Output) -> Result<()> {
    match command {
        Emergency::Open(command) => open(&command, caller, output).await,
        Emergency::List { patient } => list(&patient, &caller, output).await,
        Emergency::Review {
            patient,
            emergency,
            verdict,
        } => {
            let session = caller.session().await?;
            let (reviewer, receipt) = session.review_emergency(&patient, &emergency, verdict).await?;
            let signature = receipt.signature.to_string();
            output.say(
                &format!("reviewed for the {} as {}", reviewer.word(), verdict.word()),
                &json!({
                    "emergency": hex::encode(emergency), "reviewer": reviewer.word(), "verdict": verdict.word(),
                    "signature": signature,
                }),
            );
            Ok(())
        }
    }
}

async fn open(command: &Open, caller: Caller, output: Output) -> Result<()> {
    if command.lasts > LONGEST_EMERGENCY {
        return Err(OpError::Usage("an emergency lasts at most 12h".into()).into());
    }
    let text = reason_text(command)?;
    let books = caller.globals.emergencies(command.books.as_ref())?;
    let session = caller.session().await?;
    let reason = session.emergency_reason(&command.patient, text.trim()).await?;
    // Written down first: a hash that nobody can explain would be worth nothing in a review.
    let file = keep(&reason, &books)?;
    let opened = session
        .open_emergency(&command.patient, &reason, command.lasts)
        .await
        .inspect_err(|error| forget_unless_it_may_stand(&file, error))?;
    let id = hex::encode(opened.emergency);
    output.say(
        &format!(
            "emergency {id}, open until {} (unix)\nthe reason is kept in {}\nread with: chartseal get {} RECORD --emergency",
            opened.expires,
            file.display(),
            hex::encode(command.patient)
        ),
        &json!({
            "emergency": id, "expires": opened.expires, "reason_file": file, "reason_hash": reason.hash,
            "signature": opened.signature,
        }),
    );
    Ok(())
}

fn reason_text(command: &Open) -> Result<String> {
    match (&command.reason, &command.reason_file) {
        (Some(reason), _) => Ok(reason.clone()),
        (None, Some(path)) => {
            let at = || format!("cannot read {}", path.display());
            let length = std::fs::metadata(path).with_context(at)?.len();
            if length > REASON_LIMIT {
                return Err(OpError::Usage(format!("a reason has at most {REASON_LIMIT} bytes")).into());
            }
            std::fs::read_to_string(path).with_context(at)
        }
        (None, None) => Err(OpError::Usage("say why (--reason or --reason-file)".into()).into()),
    }
}

/// Writes a reason into the books, for its owner only (0600). The file.
fn keep(reason: &Reason, books: &Path) -> Result<PathBuf> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(books)
        .with_context(|| format!("cannot make the folder {}", books.display()))?;
    let file = books.join(format!("{}.json", reason.emergency));
    let text = serde_json::to_string_pretty(reason).context("cannot write the reason down")?;
    write_file(&file, text.as_bytes(), Existing::Refuse).map_err(OpError::from)?;
    Ok(file)
}

/// An emergency that was not opened needs no reason. Of one that may have been it is the only copy.
fn forget_unless_it_may_stand(file: &Path, error: &OpError) {
    let may_stand = matches!(error, OpError::Ledger(error) if error.may_stand());
    if !may_stand {
        let _ = std::fs::remove_file(file);
    }
}

async fn list(patient: &Id, caller: &Caller, output: Output) -> Result<()> {
    let ledger = caller.ledger();
    let now = ledger.now().await.map_err(OpError::from)?;
    let emergencies = ledger.emergencies(patient).await.map_err(OpError::from)?;
    let mut emergencies: Vec<_> = emergencies.iter().map(|found| &found.account).collect();
    emergencies.sort_by_key(|emergency| emergency.opened_at);
    output.table(
        &[
            "emergency",
            "opened (unix)",
            "until (unix)",
            "state",
            "patient says",
            "hospital says",
            "member",
        ],
        emergencies.into_iter().map(|emergency| row(emergency, now)).collect(),
    );
    Ok(())
}

fn row(emergency: &EmergencyAccount, now: i64) -> (Vec<String>, Value) {
    let verdict = |reviewed_at: i64, verdict: u8| match reviewed_at {
        0 => None,
        _ => Some(Verdict::from_byte(verdict).map_or("unknown", Verdict::word)),
    };
    let id = hex::encode(emergency.id);
    let state = if now < emergency.expires { "live" } else { "over" };
    let by_patient = verdict(emergency.patient_reviewed_at, emergency.patient_verdict);
    let by_institution = verdict(emergency.institution_reviewed_at, emergency.institution_verdict);
    let member = emergency.member.to_string();
    let object = json!({
        "emergency": id, "member": member, "wallet": emergency.wallet.to_string(),
        "institution": hex::encode(emergency.institution), "opened_at": emergency.opened_at,
        "expires": emergency.expires, "state": state, "reason_hash": hex::encode(emergency.reason_hash),
        "patient_verdict": by_patient, "institution_verdict": by_institution,
    });
    let shown = |verdict: Option<&str>| verdict.unwrap_or("not reviewed").to_owned();
    let cells = vec![
        id,
        emergency.opened_at.to_string(),
        emergency.expires.to_string(),
        state.into(),
        shown(by_patient),
        shown(by_institution),
        member,
    ];
    (cells, object)
}

pub(super) async fn break_glass(command: &BreakGlass, caller: Caller, output: Output) -> Result<()> {
    match command {
        BreakGlass::Set(command) => guardians::set_break_glass(command, caller, output).await,
        BreakGlass::Release(command) => release(command, caller, output).await,
    }
}

async fn release(command: &Release, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session().await?;
    let released = session.release_share(&command.transaction, command.institution).await?;
    let (record, emergency) = (hex::encode(released.record), hex::encode(released.emergency));
    output.say(
        &format!(
            "share of record {record} version {} released to {} for emergency {emergency}",
            released.version, released.reader
        ),
        &json!({
            "institution": hex::encode(released.institution), "patient": hex::encode(released.patient),
            "record": record, "version": released.version, "emergency": emergency, "reader": released.reader,
        }),
    );
    Ok(())
}
