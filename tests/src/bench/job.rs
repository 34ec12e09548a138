//! One run of one thing, in a process of its own: so that its memory and its time are nobody else's, and so that it stays
//! on the cores it was given. The job goes in and the sample comes out as JSON, over standard input and output.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::{host, limits, ops, peers};
use crate::ending;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// AES-256-GCM over a shard's segments, as sealing does it.
    Aes256gcm,
    /// SHA-256 of a shard's segments, one after the other.
    Sha256OneLane,
    /// The same, four side by side where the processor has instructions for SHA-256.
    Sha256FourLane,
    /// The same, as sealing does it on this processor.
    Sha256Fastest,
    /// SHA-384 of eight shards, one after the other.
    Sha384OneLane,
    /// The same side by side, as signing does it on this processor.
    Sha384MultiLane,
    /// Copying.
    Memcpy,
    /// `age` to a recipient, then `sha256sum` of what it wrote.
    #[serde(rename = "age_sha256sum")]
    AgeSha256sum,
    /// `gpg --symmetric` with AES-256 and without compression.
    Gpg,
    /// Seal a file: read, encrypt, hash; neither sign nor store.
    Seal,
    /// Put a file into the gateway: sealed, signed, uploaded.
    Put,
    /// Open a file from sealed shards in a folder.
    Open,
    /// Fetch a file from the gateway and open it.
    Get,
    /// Read 1 MiB in the middle of 1 GiB from the gateway.
    Range,
}

impl Op {
    /// As it is called in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes256gcm => "aes256gcm",
            Self::Sha256FourLane => "sha256_four_lane",
            Self::Sha256Fastest => "sha256_fastest",
            Self::Sha256OneLane => "sha256_one_lane",
            Self::Sha384OneLane => "sha384_one_lane",
            Self::Sha384MultiLane => "sha384_multi_lane",
            Self::Memcpy => "memcpy",
            Self::AgeSha256sum => "age_sha256sum",
            Self::Gpg => "gpg",
            Self::Seal => "seal",
            Self::Put => "put",
            Self::Open => "open",
            Self::Get => "get",
            Self::Range => "range",
        }
    }

    /// What bounds the others.
    pub const LIMITS: [Self; 7] = [
        Self::Aes256gcm,
        Self::Sha256OneLane,
        Self::Sha256FourLane,
        Self::Sha256Fastest,
        Self::Sha384OneLane,
        Self::Sha384MultiLane,
        Self::Memcpy,
    ];
    /// What a user would take otherwise.
    pub const PEERS: [Self; 2] = [Self::AgeSha256sum, Self::Gpg];

    /// Whether a core's speed is told by the time that it computed. The gateway shares our cores, and what it computes is
    /// not ours; everything else is alone on its cores and is told by the clock.
    #[must_use]
    pub fn shares_its_cores(self) -> bool {
        matches!(self, Self::Put | Self::Get | Self::Range)
    }
}

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// What is measured.
    pub op: Op,
    /// The cores to stay on.
    pub cores: Vec<usize>,
    /// The file.
    pub file: PathBuf,
    /// Where the run may write; where keys of peers and sealed files are.
    pub folder: PathBuf,
    /// Whether frames are compressed.
    pub compress: bool,
    /// Records under way at a time.
    pub at_once: usize,
    /// The record that is opened, for what opens one.
    pub kept: Option<PathBuf>,
    /// Where the gateway is, for what needs one.
    pub gateway: Option<String>,
    /// For how long it is repeated, at least once.
    pub seconds: f64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Files that were done.
    pub records: u64,
    /// Bytes of theirs.
    pub bytes: u64,
    /// How long it took.
    pub wall_s: f64,
    /// How long cores computed for it, in this process.
    pub cpu_s: f64,
    /// The most memory that was held.
    pub peak_rss_mib: f64,
    /// Bytes that a store keeps of the file, headers and manifest included.
    pub stored: Option<u64>,
    /// Bytes that one record took from the store, manifest included.
    pub fetched: Option<u64>,
    /// How many of its requests had to wait for another to end, and one.
    pub round_trips: Option<u64>,
}

impl Sample {
    /// Bytes a second and core, in GB.
    #[must_use]
    pub fn gb_per_s_core(&self, op: Op, cores: usize) -> f64 {
        let seconds = if op.shares_its_cores() {
            self.cpu_s
        } else {
            self.wall_s * cores as f64
        };
        self.bytes as f64 / 1e9 / seconds
    }

    /// Files a second.
    #[must_use]
    pub fn records_per_s(&self) -> f64 {
        self.records as f64 / self.wall_s
    }
}

impl Job {
    /// Does it in a process of its own.
    ///
    /// # Errors
    /// Where that process fails; what it says goes to standard error.
    pub fn run(&self) -> Result<Sample> {
        let own = std::env::current_exe().context("cannot tell where this program is")?;
        let mut command = ending::tie(Command::new(own))?;
        let mut child = command
            .arg("worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a run")?;
        // Dropped at the end of the statement, so that the other side sees the end.
        let mut input = child.stdin.take().context("a run has no standard input")?;
        input.write_all(serde_json::to_string(self)?.as_bytes())?;
        drop(input);
        let output = child.wait_with_output().context("cannot wait for a run")?;
        if !output.status.success() {
            bail!("a run of {} ended with {}", self.op.name(), output.status);
        }
        serde_json::from_slice(&output.stdout).context("a run printed no sample")
    }
}

/// The other side of [`Job::run`].
///
/// # Errors
/// Where the job fails.
pub fn work() -> Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let job: Job = serde_json::from_str(&text).context("this is no job")?;
    // Before any thread is started: they inherit it.
    host::stay_on(&job.cores)?;
    let mut sample = match job.op {
        Op::AgeSha256sum | Op::Gpg => peers::run(&job)?,
        Op::Seal | Op::Put | Op::Open | Op::Get | Op::Range => ops::run(&job)?,
        _ => limits::run(&job)?,
    };
    sample.peak_rss_mib = host::peak_rss_mib()?;
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

/// Time by the clock and on the cores, since it was made.
#[derive(Debug)]
pub(super) struct Clock {
    wall: Instant,
    cpu: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            wall: Instant::now(),
            cpu: host::cpu_time(),
        }
    }

    pub(super) fn seconds(&self) -> f64 {
        self.wall.elapsed().as_secs_f64()
    }

    /// A sample of what was done since.
    pub(super) fn sample(&self, records: u64, bytes: u64) -> Sample {
        Sample {
            records,
            bytes,
            wall_s: self.seconds(),
            cpu_s: host::cpu_time().saturating_sub(self.cpu).as_secs_f64(),
            ..Sample::default()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_measurement_has_one_name() {
        let all = [
            Op::LIMITS.as_slice(),
            &Op::PEERS,
            &[Op::Seal, Op::Put, Op::Open, Op::Get, Op::Range],
        ]
        .concat();
        for op in all {
            assert_eq!(serde_json::to_value(op).unwrap(), op.name());
        }
    }

    #[test]
    fn a_core_is_judged_by_the_clock_where_it_is_ours_alone_and_by_its_own_time_where_not() {
        let sample = Sample {
            records: 4,
            bytes: 8_000_000_000,
            wall_s: 2.0,
            cpu_s: 1.0,
            ..Sample::default()
        };
        assert_eq!(sample.gb_per_s_core(Op::Open, 1), 4.0);
        assert_eq!(sample.gb_per_s_core(Op::Open, 2), 2.0);
        assert_eq!(sample.gb_per_s_core(Op::Put, 2), 8.0);
        assert_eq!(sample.records_per_s(), 2.0);
    }
}
