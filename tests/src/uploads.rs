//! An upload that is killed again and again, at random moments, and goes on each time: in the end the record is whole, it is
//! one record, and the gateway's own log shows that nothing was sent twice.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    kills::Dice,
    memory::{one_patient, same, text, write_noise},
    people::{Outcome, Person},
    programs::Process,
    report::Report,
    stack::Stack,
};

/// A file, how often its upload is killed, and the seed of the moments.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The file's size in MiB.
    pub mib: u64,
    /// How often it is killed: `kill -9`.
    pub kills: u32,
    /// What the random moments come from.
    pub seed: u64,
}

/// Bytes of a file in a shard.
const SHARD_LEN: u64 = chartseal::seal::SHARD_PLAIN_LEN as u64;

/// The longest pause between what a kill waits for and the kill, in milliseconds.
const PAUSE_MS: u64 = 40;

/// How long an upload may take to begin.
const PATIENCE: Duration = Duration::from_secs(120);

/// Kills an upload at random moments, goes on with it each time, and compares file, gateway and ledger.
///
/// # Errors
/// Where it does not complete, sends something twice, leaves something, or is done before it was killed often enough.
pub fn survive(plan: Plan, report: &Report) -> Result<()> {
    let mut dice = Dice::new(plan.seed);
    let (stack, patient, id) = one_patient()?;
    let upload = Upload::of(&stack, plan.mib)?;
    // The last shard has what is left of the padding too; the manifest is an item as well.
    let least = (plan.mib << 20).div_ceil(SHARD_LEN) + 1;
    for number in 1..=plan.kills {
        // As many items as leave enough for the kills to come, for more of them are on their way than were counted.
        let left = least.saturating_sub(upload.taken()?.len() as u64);
        let most = left / (2 * u64::from(plan.kills - number + 1));
        let taken = upload.killed_after(&patient, &id, dice.below(most + 1), dice.pause(PAUSE_MS))?;
        let sentence = format!("killed, {number} of {}: the gateway has {taken} items", plan.kills);
        report.step("kill-upload", &sentence, &json!({ "number": number, "items": taken }));
    }
    let before = upload.taken()?.len();
    let put = upload.types(&patient, &id)?;
    ensure!(put.code == 0, "the last run ended with {}: {}", put.code, put.error);
    let shards = put.objects.first().and_then(|object| object["shards"].as_u64());
    upload.is_whole(
        &patient,
        &id,
        &put.text("record")?,
        shards.context("put counts no shards")?,
    )?;
    report.step(
        "whole",
        &format!(
            "{} MiB are there, {before} of {} items by the runs that were killed; none was sent twice",
            plan.mib,
            upload.taken()?.len()
        ),
        &json!({ "mib": plan.mib, "kills": plan.kills, "seed": plan.seed, "items": upload.taken()?.len() }),
    );
    stack.stop()
}

/// A file on its way into a stack.
struct Upload {
    folder: PathBuf,
    log: PathBuf,
}

impl Upload {
    fn of(stack: &Stack, mib: u64) -> Result<Self> {
        let folder = stack.folder().join("upload");
        std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let upload = Self {
            folder,
            log: stack.folder().join("sandbox/gateway-uploads.jsonl"),
        };
        write_noise(&upload.file(), mib)?;
        Ok(upload)
    }

    fn file(&self) -> PathBuf {
        self.folder.join("image")
    }

    /// As the system names it, behind links.
    fn journal(&self) -> Result<PathBuf> {
        let folder = self.folder.canonicalize().context("cannot find the folder")?;
        Ok(folder.join("image.chartseal-upload"))
    }

    /// The items that the gateway took whole, each time that it took one.
    fn taken(&self) -> Result<Vec<Value>> {
        let log = match std::fs::read_to_string(&self.log) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            log => log.context("cannot read the gateway's log")?,
        };
        let lines = log.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().context("the gateway's log is no JSON")
    }

    /// Types the command, and waits until it has ended.
    fn types(&self, patient: &Person, id: &str) -> Result<Outcome> {
        patient.types(&["put", id, text(&self.file())?])
    }

    /// Types the command, kills it a little after the gateway took so many items more, and says how many it has then.
    fn killed_after(&self, patient: &Person, id: &str, items: u64, pause: Duration) -> Result<usize> {
        let before = self.taken()?.len() as u64;
        let mut command = patient.command(&["put", id, text(&self.file())?])?;
        command.stdout(Stdio::null());
        let mut put = Process::start("an upload", &mut command)?;
        let journal = self.journal()?;
        let since = Instant::now();
        // Whoever looked by locking the journal would keep the upload from it.
        while !put.has_open(&journal) || (self.taken()?.len() as u64) < before + items {
            if let Some(status) = put.ended()? {
                bail!("the upload ended with {status} before it was killed");
            }
            ensure!(since.elapsed() < PATIENCE, "the upload does not begin");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(pause);
        if let Some(status) = put.ended()? {
            bail!("the upload ended with {status} before it was killed");
        }
        put.kill()?;
        // What had arrived whole when it was killed is still being taken.
        std::thread::sleep(Duration::from_millis(50));
        Ok(self.taken()?.len())
    }

    fn is_whole(&self, patient: &Person, id: &str, record: &str, shards: u64) -> Result<()> {
        let taken = self.taken()?;
        let mut ids = BTreeSet::new();
        for item in &taken {
            let name = item["id"].as_str().context("an item in the gateway's log has no id")?;
            ensure!(ids.insert(name), "item {name} was taken twice");
            ensure!(item["new"] == true, "item {name} was sent though it was there");
        }
        ensure!(
            ids.len() as u64 == shards + 1,
            "{} items were taken, for {shards} shards and a manifest",
            ids.len()
        );
        let records = patient.does(&["list", id])?.objects;
        ensure!(records.len() == 1, "there are {} records, not one", records.len());
        let left: Vec<_> = names_in(&self.folder)?;
        ensure!(left == ["image"], "beside the file there is something left: {left:?}");
        let back = self.folder.join("back");
        patient.does(&["get", id, record, "--out", text(&back)?])?;
        ensure!(same(&self.file(), &back)?, "the file did not come back byte for byte");
        Ok(())
    }
}

fn names_in(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot look into {}", folder.display()))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect()
}
