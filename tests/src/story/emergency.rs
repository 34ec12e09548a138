//! An emergency: somebody without any grant reads what has to be read, others help by what they hold, and all of it is
//! reviewed.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::{
    cast::Cast,
    steps::{figure, is_refusal, read, text},
};
use crate::{
    people::{Outcome, Person},
    report::Report,
};

/// Why. It stays in the hospital's books.
pub(super) const REASON: &str = "unconscious after a fall from a ladder";

/// The specialist reads in an emergency, with the help of two institutions.
pub(super) fn break_glass(cast: &Cast, report: &Report) -> Result<()> {
    report.chapter("Emergency: break the glass, and answer for it");
    let (specialist, id) = (&cast.university.member, &cast.patient_id);
    let mr = &cast.files[1];
    let holders = format!("{},{}", cast.hospital.id, cast.university.id);
    let set = ["break-glass", "set", id, "--holders", &holders, "--threshold", "2"];
    cast.patient.does(&set)?;
    let wrapped = figure(&cast.patient.does(&["rewrap", id])?, "wrapped");
    ensure!(
        wrapped == 2 * cast.files.len(),
        "{wrapped} shares were made for two holders"
    );
    report.step(
        "holders",
        "the patient names both hospitals: their shares together open a record in an emergency, one alone nothing",
        &json!({ "holders": 2, "threshold": 2, "shares": wrapped }),
    );

    let credential = ["member", "emergency-credential", "on", &cast.university.membership];
    cast.university.authority.does(&credential)?;
    is_refusal(&opens(cast, &cast.nurse)?, "no-emergency-credential").context("the nurse opens an emergency")?;
    report.step(
        "refuse",
        "the nurse, who has no emergency credential, opens an emergency and is refused",
        &json!({ "who": "nurse", "reason": "no-emergency-credential", "exit_code": 2 }),
    );
    let opened = opens(cast, specialist)?;
    ensure!(
        opened.code == 0,
        "the specialist cannot open an emergency: {}",
        opened.error
    );
    let emergency = opened.text("emergency")?;
    let kept = read(&PathBuf::from(opened.text("reason_file")?))?;
    ensure!(contains(&kept, REASON), "the books do not give the reason");
    report.step(
        "emergency",
        "the specialist, who has one, opens an emergency; the reason stays in the hospital's books, its hash is on chain",
        &json!({ "emergency": emergency }),
    );

    let by_emergency = ["--emergency"];
    let (asked, _) = cast.asks_for(specialist, mr, &by_emergency)?;
    ensure!(
        asked.code == 1 && asked.error.contains("0 of the 2 shares"),
        "the MR opened without shares, or not for want of them: {}",
        asked.error
    );
    let transaction = transaction(&asked)?;
    for holder in [&cast.hospital.authority, &cast.university.authority] {
        holder.does(&["break-glass", "release", "--transaction", &transaction])?;
    }
    report.step(
        "release",
        "both hospitals see the emergency on chain, and release their shares of the MR",
        &json!({ "shares": 2 }),
    );
    let basis = cast.opens(specialist, mr, &by_emergency)?;
    report.step(
        "get",
        "the specialist opens the MR",
        &json!({ "file": mr.title, "basis": basis }),
    );

    is_refusal(&opens(cast, specialist)?, "emergency-awaits-review").context("a second emergency")?;
    report.step(
        "refuse",
        "nobody with an unreviewed emergency opens another: the specialist is refused, and that is logged",
        &json!({ "who": "specialist", "reason": "emergency-awaits-review", "exit_code": 2 }),
    );
    for (reviewer, who) in [(&cast.university.authority, "institution"), (&cast.patient, "patient")] {
        let words = ["emergency", "review", id, &emergency, "--verdict", "justified"];
        let reviewed = reviewer.does(&words)?.text("reviewer")?;
        ensure!(reviewed == who, "reviewed for the {reviewed} instead of the {who}");
    }
    report.step(
        "review",
        "the university hospital reviews it, and so does the patient: justified",
        &json!({ "emergency": emergency, "institution": "justified", "patient": "justified" }),
    );
    Ok(())
}

fn opens(cast: &Cast, who: &Person) -> Result<Outcome> {
    let books = cast.stack.folder().join("books");
    let words = ["emergency", "open", "--patient", &cast.patient_id, "--reason", REASON];
    who.types(&[&words[..], &["--books", text(&books)?]].concat())
}

/// The transaction that holders have to see, which is in the message.
fn transaction(asked: &Outcome) -> Result<String> {
    let after = asked.error.split("transaction ").nth(1);
    let word = after.and_then(|after| after.split_whitespace().next());
    word.map(str::to_owned)
        .with_context(|| format!("the message names no transaction: {}", asked.error))
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
