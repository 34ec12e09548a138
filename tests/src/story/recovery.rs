//! A patient loses everything, and guardians give it back: the wallet by votes and a delay, the history by shares.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::{
    cast::Cast,
    steps::{figure, is_failure},
};
use crate::{people::Person, report::Report, travel};

/// How long the patient can object, in seconds and as it is typed.
const DELAY: (i64, &str) = (2 * 86_400, "2d");

/// The patient loses wallet and keys, and gets the chart back with new ones.
pub(super) async fn losing_everything(cast: &Cast, report: &Report) -> Result<()> {
    report.chapter("Losing everything: three guardians, two of whom are enough");
    let id = cast.patient_id.as_str();
    let guardians = ["ada", "ben", "cem"].map(|name| cast.stack.person(name));
    let mut words = ["guardian", "set", id, "--threshold", "2", "--delay", DELAY.1]
        .map(str::to_owned)
        .to_vec();
    for guardian in &guardians {
        guardian.arrives()?;
        words.extend(["--guardian".to_owned(), key_of(guardian)?]);
    }
    let named = cast
        .patient
        .does(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
    let shares = figure(&named, "shares");
    ensure!(shares == 3, "{shares} shares were dealt");
    report.step(
        "guardians",
        "the patient names three guardians, and deals each a share of the encryption key",
        &json!({ "guardians": 3, "threshold": 2, "shares": shares }),
    );

    for lost in [cast.patient.identity(), cast.patient.passphrase()] {
        std::fs::remove_file(lost).context("cannot lose the keys")?;
    }
    cast.patient.arrives()?;
    let next_key = key_of(&cast.patient)?;
    report.step(
        "loss",
        "the patient loses wallet, keys and passphrase, and makes new ones",
        &json!({ "lost": ["wallet", "encryption key"] }),
    );
    let [ada, ben, _] = &guardians;
    for guardian in [ada, ben] {
        guardian.does(&["guardian", "vote", id, &next_key])?;
    }
    report.step(
        "vote",
        "two guardians vote for the new wallet; now the old one has two days to object",
        &json!({ "votes": 2, "delay_s": DELAY.0 }),
    );
    let finish = ["guardian", "finish", id];
    is_failure(&cast.patient.types(&finish)?, "TooEarly").context("taking over before the delay has passed")?;
    report.step(
        "too-early",
        "before they have passed nobody takes over",
        &json!({ "refused": "TooEarly" }),
    );
    travel::let_pass(&cast.stack, DELAY.0).await?;
    cast.patient.does(&finish)?;
    report.step(
        "take-over",
        "two days later, by the ledger's clock, the new wallet takes over",
        &json!({ "event": "WalletRecovered" }),
    );

    for guardian in [ada, ben] {
        guardian.does(&["guardian", "release", id])?;
    }
    let recovered = cast.patient.does(&["keys", "recover", id])?;
    let (wrapped, pending) = (figure(&recovered, "wrapped"), figure(&recovered, "pending"));
    ensure!(
        wrapped == cast.files.len() && pending == 0,
        "{wrapped} keys were wrapped, {pending} are pending"
    );
    report.step(
        "recover",
        "two released shares give the lost key back, and the keys of the history are wrapped for the new one",
        &json!({ "shares": 2, "wrapped": wrapped }),
    );
    for file in &cast.files {
        cast.opens(&cast.patient, file, &[])?;
    }
    report.step(
        "get",
        "the whole history opens again, byte for byte",
        &json!({ "files": cast.files.len(), "identical": true }),
    );
    Ok(())
}

/// `WALLET:KEY` of somebody.
fn key_of(who: &Person) -> Result<String> {
    let shown = who.does(&["keys", "show"])?;
    Ok(format!("{}:{}", shown.text("wallet")?, shown.text("encryption_key")?))
}
