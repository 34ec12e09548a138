//! How fast this machine does what sealing cannot do without: the same primitives, on buffers of the same sizes, and
//! nothing else. What is faster than sealing by these figures is what the pipeline costs.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use chartseal::seal::{SEGMENT_LEN, SEGMENT_PLAIN_LEN, SHARD_SEGMENTS};
use chartseal_kernels::hash::{Sha256Backend, Sha384Backend, sha256_backends, sha384_backends};
use serde_json::{Value, json};

use super::host;
use super::job::{Clock, Job, Op, Sample};

/// Shards that are hashed side by side.
const SIDE_BY_SIDE: usize = 8;
const SHARD_LEN: usize = SEGMENT_LEN * SHARD_SEGMENTS;

/// Repeats a primitive on each of the job's cores at the same time.
pub(super) fn run(job: &Job) -> Result<Sample> {
    let clock_and_work = || -> Result<Sample> {
        let mut work = Work::new(job.op)?;
        // Once before, so that all memory is there.
        work.once()?;
        let clock = Clock::start();
        let (mut times, mut bytes) = (0, 0);
        while times == 0 || clock.seconds() < job.seconds {
            bytes += work.once()?;
            times += 1;
        }
        Ok(clock.sample(times, bytes))
    };
    let samples = std::thread::scope(|scope| {
        let threads: Vec<_> = job
            .cores
            .iter()
            .map(|&core| {
                scope.spawn(move || {
                    host::stay_on(&[core])?;
                    // What the other thread needs to get there too.
                    std::thread::sleep(Duration::from_millis(5));
                    clock_and_work()
                })
            })
            .collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().ok().context("a thread died")?);
        joined.collect::<Result<Vec<Sample>>>()
    })?;
    // They ran side by side for about as long: their bytes add up, their time is the mean.
    let total = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>();
    ensure!(!samples.is_empty(), "a limit needs a core");
    Ok(Sample {
        records: samples.iter().map(|sample| sample.records).sum(),
        bytes: samples.iter().map(|sample| sample.bytes).sum(),
        wall_s: total(|sample| sample.wall_s) / samples.len() as f64,
        cpu_s: total(|sample| sample.cpu_s) / samples.len() as f64,
        ..Sample::default()
    })
}

/// By which instructions this processor hashes, for the head of results.
pub(super) fn hashes() -> Value {
    json!({
        "head": "hashes",
        "sha256_four_lane": four_lane().map(|way| way.name()),
        "sha256_fastest": sha256_backends().last().map(Sha256Backend::name),
        "sha384_multi_lane": sha384_backends().last().map(Sha384Backend::name),
    })
}

/// Four segments at a time by the processor's own instructions; where it has none, the best that it has.
fn four_lane() -> Option<Sha256Backend> {
    let ways = sha256_backends();
    let four = ways.iter().find(|way| way.lanes() == 4);
    four.or(ways.last()).copied()
}

enum Work {
    Aes {
        key: LessSafeKey,
        number: u64,
        shard: Vec<u8>,
    },
    Sha256 {
        way: Sha256Backend,
        shard: Vec<u8>,
        leaves: Vec<[u8; 32]>,
    },
    Sha384 {
        way: Sha384Backend,
        shards: Vec<u8>,
        digests: Vec<[u8; 48]>,
    },
    Copy {
        from: Vec<u8>,
        to: Vec<u8>,
    },
}

impl Work {
    fn new(op: Op) -> Result<Self> {
        let shards = |count: usize| vec![7; count * SHARD_LEN];
        let sha256 = |way: Option<Sha256Backend>| -> Result<Self> {
            Ok(Self::Sha256 {
                way: way.context("no SHA-256 here")?,
                shard: shards(1),
                leaves: vec![[0; 32]; SHARD_SEGMENTS],
            })
        };
        let sha384 = |way: Option<&Sha384Backend>| -> Result<Self> {
            Ok(Self::Sha384 {
                way: *way.context("no SHA-384 here")?,
                shards: shards(SIDE_BY_SIDE),
                digests: vec![[0; 48]; SIDE_BY_SIDE],
            })
        };
        match op {
            Op::Aes256gcm => {
                let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).ok();
                Ok(Self::Aes {
                    key: LessSafeKey::new(key.context("no AES-256-GCM here")?),
                    number: 0,
                    shard: shards(1),
                })
            }
            // Ways are listed from the slowest to the fastest, and the first goes one by one.
            Op::Sha256OneLane => sha256(sha256_backends().first().copied()),
            Op::Sha256FourLane => sha256(four_lane()),
            Op::Sha256Fastest => sha256(sha256_backends().last().copied()),
            Op::Sha384OneLane => sha384(sha384_backends().first()),
            Op::Sha384MultiLane => sha384(sha384_backends().last()),
            Op::Memcpy => Ok(Self::Copy {
                from: shards(SIDE_BY_SIDE),
                to: vec![0; SIDE_BY_SIDE * SHARD_LEN],
            }),
            other => bail!("{} is no limit", other.name()),
        }
    }

    /// All of the buffer once: how many bytes that were.
    fn once(&mut self) -> Result<u64> {
        match self {
            Self::Aes { key, number, shard } => encrypt(key, number, shard),
            Self::Sha256 { way, shard, leaves } => {
                let segments: Vec<&[u8]> = shard.chunks(SEGMENT_LEN).collect();
                way.each_into(&segments, leaves);
                black_box(&leaves);
                Ok(shard.len() as u64)
            }
            Self::Sha384 { way, shards, digests } => {
                let each: Vec<&[u8]> = shards.chunks(SHARD_LEN).collect();
                way.each_into(&each, digests);
                black_box(&digests);
                Ok(shards.len() as u64)
            }
            Self::Copy { from, to } => {
                to.copy_from_slice(from);
                black_box(&to);
                Ok(from.len() as u64)
            }
        }
    }
}

fn encrypt(key: &LessSafeKey, number: &mut u64, shard: &mut [u8]) -> Result<u64> {
    let mut bytes = 0;
    for segment in shard.chunks_mut(SEGMENT_LEN) {
        let mut nonce = [0; NONCE_LEN];
        nonce[..8].copy_from_slice(&number.to_le_bytes());
        *number += 1;
        let (plaintext, room) = segment.split_at_mut(SEGMENT_PLAIN_LEN);
        let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from([0; 32]), plaintext);
        room.copy_from_slice(tag.ok().context("AES-256-GCM refuses a segment")?.as_ref());
        bytes += SEGMENT_PLAIN_LEN as u64;
    }
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_does_whole_shards() {
        for op in Op::LIMITS {
            let bytes = Work::new(op).unwrap().once().unwrap();
            let unit = if op == Op::Aes256gcm {
                SEGMENT_PLAIN_LEN
            } else {
                SEGMENT_LEN
            };
            assert_eq!(bytes % (unit * SHARD_SEGMENTS) as u64, 0, "{op:?}");
            assert!(bytes > 0);
        }
        assert!(Work::new(Op::Put).is_err());
    }

    #[test]
    fn what_aes_is_timed_on_does_change() {
        let mut work = Work::new(Op::Aes256gcm).unwrap();
        work.once().unwrap();
        let Work::Aes { shard, .. } = work else {
            panic!("no AES")
        };
        assert!(shard.chunks(SEGMENT_LEN).all(|segment| segment != [7; SEGMENT_LEN]));
    }

    #[test]
    fn one_lane_and_many_give_the_same_digests() {
        let digests = |op| {
            let mut work = Work::new(op).unwrap();
            work.once().unwrap();
            match work {
                Work::Sha256 { leaves, .. } => leaves.concat(),
                Work::Sha384 { digests, .. } => digests.concat(),
                _ => panic!("no hash"),
            }
        };
        assert_eq!(digests(Op::Sha256OneLane), digests(Op::Sha256FourLane));
        assert_eq!(digests(Op::Sha256OneLane), digests(Op::Sha256Fastest));
        assert_eq!(digests(Op::Sha384OneLane), digests(Op::Sha384MultiLane));
    }
}
