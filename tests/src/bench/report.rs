//! The report: what was measured, in words, tables and figures. It is written from results alone, so the committed one
//! can be made again from the committed JSON, and says the same whoever's machine it was.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::inputs::Kind;
use super::job::Op;
use super::line::{Line, Results};
use super::plot::Bars;
use super::stats::one_after_the_other;
use super::table::{self, figure, markdown};

const SPEED: &str = "media-speed.svg";
const RECORDS: &str = "media-records.svg";
const SIZES: &str = "media-sizes.svg";

/// Writes `media.md`, its figures and `media.jsonl` into a folder.
///
/// # Errors
/// Where a file cannot be written.
pub fn write(results: &Results, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let files = [
        ("media.jsonl", results.to_json_lines()?),
        ("media.md", page(results)),
        (SPEED, speeds(results).svg()),
        (RECORDS, records(results).svg()),
        (SIZES, sizes(results).svg()),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// What Chartseal does to whole files, in the order in which figures show it.
const OWN: [(Op, &str); 4] = [
    (Op::Seal, "#0072b2"),
    (Op::Put, "#56b4e9"),
    (Op::Open, "#009e73"),
    (Op::Get, "#8fd3b6"),
];
const AGE: (&str, &str) = ("age + sha256sum", "#e69f00");
const GPG: (&str, &str) = ("gpg", "#b0b7be");

fn all_kinds() -> impl Iterator<Item = Kind> {
    Kind::PAPER.into_iter().chain(Kind::RAW)
}

fn speeds(results: &Results) -> Bars<'static> {
    let rate = |kind: &str, op: Op| results.line(kind, op, 1, false).map(|line| line.gb_per_s_core);
    let mut series: Vec<(&str, &str)> = OWN.map(|(op, colour)| (op.name(), colour)).to_vec();
    series.extend([AGE, GPG]);
    let groups = all_kinds().map(|kind| {
        let ops = OWN.map(|(op, _)| op).into_iter().chain(Op::PEERS);
        (kind.name().to_owned(), ops.map(|op| rate(kind.name(), op)).collect())
    });
    let limit = |name: &str, op: Op| {
        let line = results.line(Kind::Raw256.name(), op, 1, false)?;
        Some((name.to_owned(), line.gb_per_s_core / line.limit_ratio?))
    };
    Bars {
        title: "GB/s on one core",
        subtitle: format!("compression off; all inputs made; {}", machine(results)),
        series,
        groups: groups.collect(),
        lines: [
            limit("AES-256-GCM, then SHA-256 in four lanes", Op::Seal),
            limit("and SHA-384 in many", Op::Put),
        ]
        .into_iter()
        .flatten()
        .collect(),
        logarithmic: false,
    }
}

fn records(results: &Results) -> Bars<'static> {
    let rate = |kind: Kind, op: Op, cores: usize| {
        results
            .line(kind.name(), op, cores, false)
            .map(|line| line.records_per_s)
    };
    Bars {
        title: "Records a second",
        subtitle: format!("compression off; each step is ten times as much; {}", machine(results)),
        series: vec![
            ("seal, 1 core", "#8cbfe0"),
            ("seal, 2 cores", "#0072b2"),
            ("put, 2 cores with the gateway", "#56b4e9"),
            ("the paper's figure", "#cc79a7"),
        ],
        groups: Kind::PAPER
            .map(|kind| {
                let bars = vec![
                    rate(kind, Op::Seal, 1),
                    rate(kind, Op::Seal, 2),
                    rate(kind, Op::Put, 2),
                    kind.paper_records_per_s(),
                ];
                (kind.name().to_owned(), bars)
            })
            .to_vec(),
        lines: Vec::new(),
        logarithmic: true,
    }
}

fn sizes(results: &Results) -> Bars<'static> {
    let groups = results.sizes.iter().map(|size| {
        // The first and the last word of a sample's name say nothing that the others do not.
        let name = size.kind.split('.').next().unwrap_or_default();
        let name = name.trim_start_matches("examples_").trim_start_matches("waveform_");
        let bars = vec![
            Some(size.size_ratio),
            size.jpegls,
            Some(size.zstd_3),
            Some(size.zstd_19),
            Some(size.gzip),
        ];
        (name.to_owned(), bars)
    });
    Bars {
        title: "How many times smaller",
        subtitle: "Chartseal with headers and manifest, without padding; the others without any of these".into(),
        series: vec![
            ("Chartseal", "#0072b2"),
            ("JPEG-LS alone", "#cc79a7"),
            ("zstd -3", "#e69f00"),
            ("zstd -19", "#f0c987"),
            ("gzip", "#b0b7be"),
        ],
        groups: groups.collect(),
        lines: vec![("as large as before".into(), 1.0)],
        logarithmic: false,
    }
}

fn text<'a>(head: Option<&'a Value>, key: &str) -> &'a str {
    head.and_then(|head| head[key].as_str()).unwrap_or("unknown")
}

fn machine(results: &Results) -> String {
    let head = results.head("machine");
    let cores = head.and_then(|head| head["cores"].as_u64()).unwrap_or(0);
    format!("{}, {cores} cores", text(head, "cpu"))
}

fn page(results: &Results) -> String {
    let (head, versions) = (results.head("machine"), results.head("versions"));
    let words = |value: Option<&Value>| -> String {
        let words = value
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        words.collect::<Vec<_>>().join(", ")
    };
    let mut out = format!(
        "# Media: how fast, how small, in how much memory\n\n\
         Written by `cargo xtask bench media --report`; do not edit. The figures are in [media.jsonl](media.jsonl), an\n\
         object a line; `--from` makes this page of such a file again.\n\n\
         - Machine: {} (family/model {}), {} GiB; it has {}; load before the run {}\n\
         - SHA-256 by {}, in four lanes by {}; SHA-384 by {}\n\
         - Chartseal {} at {}, {}, {}\n\
         - age {}; {}; {}; {}; zstd {}\n\
         - {}\n\n",
        machine(results),
        text(head, "family_model"),
        head.map_or(0, |head| head["memory_gib"].as_u64().unwrap_or(0)),
        words(head.map(|head| &head["features"])),
        head.and_then(|head| head["load_before"].as_f64()).unwrap_or(f64::NAN),
        text(results.head("hashes"), "sha256_fastest"),
        text(results.head("hashes"), "sha256_four_lane"),
        text(results.head("hashes"), "sha384_multi_lane"),
        text(versions, "chartseal"),
        text(versions, "commit"),
        text(versions, "rustc"),
        text(versions, "kernel"),
        text(versions, "age"),
        text(versions, "gpg"),
        text(versions, "sha256sum"),
        text(versions, "gzip"),
        text(versions, "zstd"),
        text(versions, "date"),
    );
    inputs(results, &mut out);
    out.push_str(METHOD);
    speed_section(results, &mut out);
    paper(results, &mut out);
    size_section(results, &mut out);
    out
}

fn inputs(results: &Results, out: &mut String) {
    out.push_str("## Inputs\nAll are made, and the same on every machine. No real patient's file is among them");
    let in_memory = results.head("inputs").is_some_and(|head| head["in_memory"] == true);
    out.push_str(if in_memory {
        ". They lie in memory: no disk is measured.\n\n"
    } else {
        ".\n\n"
    });
    let kinds = results.head("inputs").and_then(|head| head["kinds"].as_array());
    let rows = kinds.into_iter().flatten().map(|kind| {
        let cell = |key: &str| kind[key].as_str().unwrap_or_default().to_owned();
        vec![cell("kind"), kind["bytes"].to_string(), cell("how")]
    });
    out.push_str(&markdown(&["file", "bytes", "how"], &rows.collect::<Vec<_>>()));
}

const METHOD: &str = "
## How it is measured
Every run is a process of its own that stays on one core or two (`sched_setaffinity`), does the thing once unmeasured and
then again and again; its memory is its own high-water mark. The cases take turns, so that what else the machine does hits
all alike. Medians are shown, with the lowest and the highest run.

- **aes256gcm, sha256, sha384, memcpy**: the primitives alone, on buffers of a shard's size (4 MiB; eight of them for
  SHA-384 and memcpy), by the same code that seals.
- **seal**: read, encrypt, hash; nothing is signed or stored, as with `put --dry-run`. **put**: the same, signed and uploaded
  to the sandbox's gateway, a process of its own on loopback, which keeps items in memory. With one core measured it has the
  other one, with two it shares them. **open**: sealed shards from a folder in the page cache, verified and decrypted, written to
  nowhere. **get**: the same from the gateway. **range**: 1 MiB in the middle of 1 GiB. Files under 8 MiB are too short for two
  cores: with two, two of them are under way at a time.
- **GB/s a core**: bytes of the original by the clock, and by cores; for put, get and range by the time that the client's
  process computed, in user and in system, because the gateway computes on the same machine. `gb_per_cpu_s` in the JSON is by
  computed time for all of ours: where it is much more than by the clock, something else was running.
- **of limit**: of 1 / (1/AES-256-GCM + 1/SHA-256 in four lanes) of the same run and as many cores; for put, with
  1/SHA-384 in many lanes. Only where nothing is compressed.
- **x age**: how many times as many records a second as `age -r` of the file and then `sha256sum` of its output, from and to
  memory, on as many cores. `gpg` is `--symmetric --cipher-algo AES256 --compress-algo none`, with its passphrase hardly
  stretched, which is in its favour.
";

fn speed_section(results: &Results, out: &mut String) {
    let _ = write!(
        out,
        "\n## Speed\n![GB/s on one core, by file, beside age, gpg and the limit]({SPEED})\n\n"
    );
    let bounds: Vec<&str> = Op::LIMITS.iter().chain(&Op::PEERS).map(|op| op.name()).collect();
    let (bounds, own): (Vec<&Line>, Vec<&Line>) = results
        .lines
        .iter()
        .partition(|line| bounds.contains(&line.op.as_str()));
    let rows = |lines: Vec<&Line>| lines.into_iter().map(table::speed).collect::<Vec<_>>();
    out.push_str(&markdown(&table::SPEEDS, &rows(own)));
    for line in results.lines.iter().filter(|line| line.op == Op::Range.name()) {
        if let (Some(fetched), Some(round_trips)) = (line.fetched, line.round_trips) {
            let _ = write!(
                out,
                "\nReading 1 MiB in the middle of 1 GiB fetched {fetched} bytes ({:.3} MiB) in {round_trips} requests one after \
                 the other, manifest and leaves included.\n",
                fetched as f64 / f64::from(1 << 20)
            );
        }
    }
    out.push_str("\n### Limits and what a user would take otherwise\n\n");
    out.push_str(&markdown(&table::SPEEDS, &rows(bounds)));
}

/// What the paper's figures ask for, and what this machine has.
fn paper(results: &Results, out: &mut String) {
    let _ = write!(
        out,
        "\n## Beside the paper's figures\n![Records a second, beside the paper's]({RECORDS})\n\n\
         What the paper's records a second are in bytes, and how many cores like these they would take, if all were as fast and \
         memory kept up:\n\n"
    );
    let rows = Kind::PAPER.iter().filter_map(|kind| {
        let wanted = kind.paper_records_per_s()?;
        let seal = results.line(kind.name(), Op::Seal, 1, false)?;
        let put = results.line(kind.name(), Op::Put, 1, false)?;
        let rate = wanted * put.bytes as f64 / 1e9;
        let cores = |line: &Line| format!("{:.1}", rate / line.gb_per_s_core);
        let measured = |line: &Line| figure(line.records_per_s);
        Some(vec![
            kind.name().to_owned(),
            format!("{wanted:.0}"),
            format!("{rate:.2}"),
            measured(seal),
            cores(seal),
            measured(put),
            cores(put),
        ])
    });
    let head = [
        "file",
        "paper, records/s",
        "that is GB/s",
        "seal, 1 core",
        "cores for it",
        "put, 1 core",
        "cores for it",
    ];
    out.push_str(&markdown(&head, &rows.collect::<Vec<_>>()));
    out.push_str(&video(results).unwrap_or_default());
}

/// How far the paper's figure for video is from what cores like these can do, however a pipeline is written.
fn video(results: &Results) -> Option<String> {
    let rate = |op: Op| results.line("shard", op, 1, false).map(|line| line.gb_per_s_core);
    let wanted = Kind::Video.paper_records_per_s()? * 40e6 / 1e9;
    let cores = |sha256: Op| Some(wanted / one_after_the_other(&[rate(Op::Aes256gcm)?, rate(sha256)?]));
    Some(format!(
        "\nFor video, 450 files of 40 MB are {wanted:.0} GB/s. AES-256-GCM and SHA-256 alone, without reading, signing or \
         storing anything, would take {:.1} of these cores for that in four lanes, and {:.1} by the fastest SHA-256 that they \
         have.\n",
        cores(Op::Sha256FourLane)?,
        cores(Op::Sha256Fastest)?,
    ))
}

fn size_section(results: &Results, out: &mut String) {
    let _ = write!(
        out,
        "\n## Size\n![How many times smaller each file becomes]({SIZES})\n\n\
         Times smaller. `stored` has shards, leaves, manifest and the headers of all items; `padded` is the same with sizes \
         hidden (Padmé), as it is unless one asks otherwise. DICOM files are real (see tests/fixtures), the others made.\n\n"
    );
    out.push_str(&markdown(&table::SIZES, &table::sizes(results)));
}
