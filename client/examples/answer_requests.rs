//! A patient's portal answers who asks: reading for treatment is approved for a week at most, everything else is denied. Then
//! it shows what is shared with whom, and who read what.
//!
//! ```text
//! answer_requests IDENTITY PASSPHRASE-FILE PATIENT
//! ```
//!
//! Ledger, stores and key store are where the environment says, as for `chartseal` itself (`cargo xtask localnet env`).

use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use chartseal::client::{Chart, Client, Grantee, Passphrase, Purpose, Request, Right, What};

/// How long what is approved lasts.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [identity, passphrase, patient] = arguments.as_slice() else {
        bail!("type: answer_requests IDENTITY PASSPHRASE-FILE PATIENT");
    };
    let client = Client::from_env()?
        .identity_file(identity, Passphrase::from_file(passphrase)?)
        .build()
        .await?;
    let chart = client.chart(patient.parse()?);

    for request in chart.requests().await?.iter().filter(|request| request.is_open()) {
        // One that cannot be answered must not keep the others waiting.
        if let Err(error) = answer(chart, request).await {
            println!("request {} is not answered: {error:#}", request.request);
        }
    }
    for grant in chart.grants().await?.iter().filter(|grant| grant.fault.is_none()) {
        let left = grant.expires.duration_since(SystemTime::now()).unwrap_or_default();
        let (to, days) = (shown(&grant.grantee), left.as_secs() / 86_400);
        println!(
            "grant {} lets {to} {:?} for {days} days more",
            grant.grant, grant.rights
        );
    }
    show_log(chart).await
}

/// Whoever wants to read for treatment may, for a week or as long as was asked for.
async fn answer(chart: Chart<'_>, asked: &Request) -> Result<()> {
    let is_over = asked.until <= SystemTime::now();
    if !is_over && asked.rights.contains(&Right::Read) && asked.purposes.contains(&Purpose::Treatment) {
        let granted = chart
            .approve(asked.request)
            .rights([Right::Read])
            .purposes([Purpose::Treatment])
            .lasting(WEEK)
            .send()
            .await?;
        println!(
            "request {} of {} approved: grant {}",
            asked.request, asked.member, granted.grant
        );
    } else {
        chart.deny(asked.request).await?;
        println!("request {} denied", asked.request);
    }
    Ok(())
}

fn shown(grantee: &Grantee) -> String {
    match grantee {
        Grantee::Member(member) => format!("member {member}"),
        Grantee::Institution(institution) => format!("institution {institution}"),
        Grantee::Person { wallet, .. } => format!("{wallet}"),
    }
}

/// Reads and refusals, from a log that was recomputed link by link.
async fn show_log(chart: Chart<'_>) -> Result<()> {
    let log = chart.log().await?;
    for entry in &log.entries {
        let who = entry
            .wallet
            .map_or_else(|| "somebody".to_owned(), |wallet| wallet.to_string());
        match &entry.what {
            What::Read { record, purpose, .. } => println!("{who} read {record} for {}", purpose.word()),
            What::Refused { right, reason, .. } => println!("{who} was refused to {}: {}", right.word(), reason.word()),
            _ => {}
        }
    }
    match log.broken {
        None => println!("the log is whole: {} entries", log.entries.len()),
        Some(broken) => bail!("the log is not whole: {broken} is missing or altered"),
    }
    Ok(())
}
