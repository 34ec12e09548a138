//! What was measured, line by line: a JSON object each, with what it means beside what it is. The first lines tell of
//! the machine, the versions and the inputs, without which the figures say nothing.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::inputs::Kind;
use super::job::{Op, Sample};
use super::sizes::Size;
use super::stats::{Runs, one_after_the_other, rounded};

/// What is measured on how many cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// The file; none for a limit.
    pub kind: Option<Kind>,
    /// What is done with it.
    pub op: Op,
    /// On how many cores.
    pub cores: usize,
    /// Whether frames are compressed; a peer and a limit do not.
    pub compress: bool,
}

/// A case and what its runs gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The file, or `shard` for a limit, which is measured on buffers of a shard's size.
    pub kind: String,
    /// What is done with it.
    pub op: String,
    /// On how many cores.
    pub cores: usize,
    /// Whether frames are compressed.
    pub compression: bool,
    /// Files a second, by the clock.
    pub records_per_s: f64,
    /// GB of the original a second and core: the median of the runs. By the clock; where the gateway shares our cores, by
    /// the time that this process computed.
    pub gb_per_s_core: f64,
    /// GB of the original a second, by the clock, on all cores together.
    pub gb_per_s: f64,
    /// GB of the original for each second that this process computed, whatever else ran meanwhile. Not told for peers.
    pub gb_per_cpu_s: Option<f64>,
    /// Of what AES-256-GCM and SHA-256 in four lanes (and SHA-384 in many, where it is signed) allow.
    pub limit_ratio: Option<f64>,
    /// The same by the fastest SHA-256 that this processor has.
    pub limit_fastest_ratio: Option<f64>,
    /// How many times as fast, by the clock, as `age` and then `sha256sum` on as many cores.
    pub vs_age_sha256: Option<f64>,
    /// How many times smaller what is stored is, with headers and manifest and without padding.
    pub size_ratio: Option<f64>,
    /// The most memory that the process held. Not told for peers, which are processes of their own.
    pub peak_rss_mib: Option<f64>,
    /// The runs, in GB a second and core.
    #[serde(flatten)]
    pub runs: Runs,
    /// Bytes of one file.
    pub bytes: u64,
    /// Bytes that one record took from the store, manifest included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fetched: Option<u64>,
    /// How many requests one after the other that took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub round_trips: Option<u64>,
}

/// Everything that one run of the benchmark found.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// Machine, hashes, versions, inputs.
    pub heads: Vec<Value>,
    /// Speeds.
    pub lines: Vec<Line>,
    /// Sizes.
    pub sizes: Vec<Size>,
}

impl Results {
    /// A line of JSON for each.
    ///
    /// # Errors
    /// Never, as long as figures are numbers.
    pub fn to_json_lines(&self) -> Result<String> {
        let mut text = String::new();
        let heads = self.heads.iter().map(serde_json::to_string);
        let lines = self.lines.iter().map(serde_json::to_string);
        let sizes = self.sizes.iter().map(serde_json::to_string);
        for line in heads.chain(lines).chain(sizes) {
            text.push_str(&line?);
            text.push('\n');
        }
        Ok(text)
    }

    /// The other way round.
    ///
    /// # Errors
    /// Where a line is none of ours.
    pub fn from_json_lines(text: &str) -> Result<Self> {
        let mut results = Self::default();
        for (number, line) in text.lines().enumerate() {
            let at = || format!("line {} is not of this benchmark", number + 1);
            let value: Value = serde_json::from_str(line).with_context(at)?;
            if value.get("head").is_some() {
                results.heads.push(value);
            } else if value["op"] == super::sizes::OP {
                results.sizes.push(serde_json::from_value(value).with_context(at)?);
            } else {
                results.lines.push(serde_json::from_value(value).with_context(at)?);
            }
        }
        Ok(results)
    }

    /// A head by its name.
    #[must_use]
    pub fn head(&self, name: &str) -> Option<&Value> {
        self.heads.iter().find(|head| head["head"] == name)
    }

    /// The line of a case.
    #[must_use]
    pub fn line(&self, kind: &str, op: Op, cores: usize, compression: bool) -> Option<&Line> {
        self.lines.iter().find(|line| {
            line.kind == kind && line.op == op.name() && line.cores == cores && line.compression == compression
        })
    }
}

/// Makes lines of samples: what they mean hangs on what others gave in the same run.
#[must_use]
pub fn lines(samples: &BTreeMap<Case, Vec<Sample>>) -> Vec<Line> {
    let median = |case: &Case, of: &dyn Fn(&Sample) -> f64| -> Option<f64> {
        Some(Runs::of(samples.get(case)?.iter().map(of))?.median)
    };
    let rate = |op: Op, cores: usize| {
        let case = Case {
            kind: None,
            op,
            cores,
            compress: false,
        };
        median(&case, &|sample| sample.gb_per_s_core(op, cores))
    };
    let limit = |case: &Case, sha256: Op| -> Option<f64> {
        let mut rates = vec![rate(Op::Aes256gcm, case.cores)?, rate(sha256, case.cores)?];
        match case.op {
            Op::Seal | Op::Open | Op::Get => {}
            Op::Put => rates.push(rate(Op::Sha384MultiLane, case.cores)?),
            _ => return None,
        }
        // A codec is not what these bound.
        (!case.compress).then(|| one_after_the_other(&rates))
    };
    let line = |(case, samples): (&Case, &Vec<Sample>)| -> Option<Line> {
        let runs = Runs::of(samples.iter().map(|sample| sample.gb_per_s_core(case.op, case.cores)))?;
        let records_per_s = Runs::of(samples.iter().map(Sample::records_per_s))?.median;
        let last = samples.last()?;
        let bytes = last.bytes / last.records.max(1);
        let age = Case {
            op: Op::AgeSha256sum,
            compress: false,
            ..*case
        };
        let stores = matches!(case.op, Op::Seal | Op::Put);
        let is_peer = Op::PEERS.contains(&case.op);
        let of_limit = |sha256| Some(rounded(runs.median / limit(case, sha256)?, 3));
        let shown = |value: f64| rounded(value, 4);
        Some(Line {
            kind: case.kind.map_or("shard", Kind::name).to_owned(),
            op: case.op.name().to_owned(),
            cores: case.cores,
            compression: case.compress,
            records_per_s: shown(records_per_s),
            gb_per_s_core: shown(runs.median),
            gb_per_s: shown(records_per_s * bytes as f64 / 1e9),
            gb_per_cpu_s: Runs::of(samples.iter().map(|sample| sample.bytes as f64 / 1e9 / sample.cpu_s))
                .filter(|_| !is_peer)
                .map(|runs| shown(runs.median)),
            limit_ratio: of_limit(Op::Sha256FourLane),
            limit_fastest_ratio: of_limit(Op::Sha256Fastest),
            vs_age_sha256: if stores {
                median(&age, &Sample::records_per_s).map(|age| rounded(records_per_s / age, 3))
            } else {
                None
            },
            size_ratio: last
                .stored
                .filter(|_| stores)
                .map(|stored| shown(bytes as f64 / stored as f64)),
            peak_rss_mib: (!is_peer).then(|| {
                samples
                    .iter()
                    .map(|sample| sample.peak_rss_mib)
                    .fold(0.0, f64::max)
                    .ceil()
            }),
            runs: Runs {
                n: runs.n,
                median: shown(runs.median),
                min: shown(runs.min),
                max: shown(runs.max),
            },
            bytes,
            fetched: last.fetched,
            round_trips: last.round_trips,
        })
    };
    samples.iter().filter_map(line).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn case(kind: Option<Kind>, op: Op) -> Case {
        Case {
            kind,
            op,
            cores: 1,
            compress: false,
        }
    }

    /// A second of it, at so many GB/s, in files of 100 MB.
    fn second_of(rate: f64) -> Sample {
        Sample {
            records: 10,
            bytes: 1_000_000_000,
            wall_s: 1.0 / rate,
            cpu_s: 1.0 / rate,
            peak_rss_mib: 30.5,
            stored: Some(50_000_000),
            ..Sample::default()
        }
    }

    fn measured() -> BTreeMap<Case, Vec<Sample>> {
        [
            (case(None, Op::Aes256gcm), 8.0),
            (case(None, Op::Sha256FourLane), 4.0),
            (case(None, Op::Sha256Fastest), 8.0),
            (case(None, Op::Sha384MultiLane), 4.0),
            (case(Some(Kind::Raw8), Op::AgeSha256sum), 0.5),
            (case(Some(Kind::Raw8), Op::Put), 1.5),
            (case(Some(Kind::Raw8), Op::Open), 2.0),
        ]
        .into_iter()
        .map(|(case, rate)| (case, [rate, rate * 1.1, rate * 0.5].map(second_of).to_vec()))
        .collect()
    }

    fn find(lines: &[Line], op: Op) -> Line {
        lines.iter().find(|line| line.op == op.name()).unwrap().clone()
    }

    #[test]
    fn a_line_says_how_near_it_came_to_the_limits_of_the_same_run() {
        let lines = lines(&measured());
        let (open, put) = (find(&lines, Op::Open), find(&lines, Op::Put));
        // 1 / (1/8 + 1/4) and 1 / (1/8 + 1/4 + 1/4).
        assert_eq!(open.limit_ratio, Some(0.75));
        assert_eq!(open.limit_fastest_ratio, Some(0.5));
        assert_eq!(put.limit_ratio, Some(0.938));
        assert_eq!(put.vs_age_sha256, Some(3.0));
        assert_eq!(put.size_ratio, Some(2.0));
        assert_eq!(put.records_per_s, 15.0);
        assert_eq!(find(&lines, Op::AgeSha256sum).peak_rss_mib, None);
    }

    #[test]
    fn a_line_has_the_fields_that_it_is_read_by() {
        let line = serde_json::to_value(find(&lines(&measured()), Op::Put)).unwrap();
        for field in [
            "kind",
            "op",
            "cores",
            "records_per_s",
            "gb_per_s_core",
            "limit_ratio",
            "vs_age_sha256",
            "size_ratio",
            "peak_rss_mib",
            "n",
            "median",
            "min",
            "max",
            "compression",
        ] {
            assert!(line.get(field).is_some(), "{field} is missing in {line}");
        }
        assert_eq!(line["kind"], "raw_8mib");
        assert_eq!(line["n"], 3);
        assert_eq!(line["peak_rss_mib"], 31.0);
    }

    #[test]
    fn results_survive_being_written_and_read() {
        let results = Results {
            heads: vec![serde_json::json!({ "head": "machine", "cores": 2 })],
            lines: lines(&measured()),
            sizes: vec![Size::example()],
        };
        let text = results.to_json_lines().unwrap();
        let back = Results::from_json_lines(&text).unwrap();
        assert_eq!(back.to_json_lines().unwrap(), text);
        assert_eq!(back.head("machine").unwrap()["cores"], 2);
        assert!(back.line("raw_8mib", Op::Put, 1, false).is_some());
        assert!(Results::from_json_lines("{\"kind\":\"text\"}").is_err());
    }

    #[test]
    fn what_was_not_measured_is_not_made_up() {
        let alone: BTreeMap<_, _> = measured().into_iter().filter(|(case, _)| case.op == Op::Put).collect();
        let line = find(&lines(&alone), Op::Put);
        assert_eq!((line.limit_ratio, line.vs_age_sha256), (None, None));
    }
}
