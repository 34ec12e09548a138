//! A viewer shows a moment of a sealed video without fetching the rest. Where the reader has no right, it asks the patient
//! for it.
//!
//! ```text
//! seek_in_video IDENTITY PASSPHRASE-FILE PATIENT RECORD PERCENT
//! ```
//!
//! Ledger, stores and key store are where the environment says, as for `chartseal` itself (`cargo xtask localnet env`).

use std::io::SeekFrom;

use anyhow::{Result, bail};
use chartseal::client::{Client, Passphrase, Purpose, RecordId};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

/// What a viewer shows at once, in bytes.
const MOMENT: usize = 64 << 10;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [identity, passphrase, patient, record, percent] = arguments.as_slice() else {
        bail!("type: seek_in_video IDENTITY PASSPHRASE-FILE PATIENT RECORD PERCENT");
    };
    let client = Client::from_env()?
        .identity_file(identity, Passphrase::from_file(passphrase)?)
        .build()
        .await?;
    let chart = client.chart(patient.parse()?);
    let (record, percent): (RecordId, u64) = (record.parse()?, percent.parse()?);

    let mut video = match chart.get(record).reader().await {
        Ok(video) => video,
        Err(error) if error.is_refusal() => {
            let request = chart.ask().record(record).purposes([Purpose::Treatment]).send().await?;
            println!("{error}; asked the patient: request {request}");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let moment = video.length() / 100 * percent.min(100);
    video.seek(SeekFrom::Start(moment)).await?;
    let mut shown = vec![0; MOMENT];
    let mut filled = 0;
    while let Some(rest) = shown.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match video.read(rest).await? {
            0 => break,
            read => filled += read,
        }
    }
    println!(
        "{} ({}, {} bytes): {filled} bytes from {moment} on, each verified against the chain",
        video.name(),
        video.media_type(),
        video.length()
    );
    Ok(())
}
