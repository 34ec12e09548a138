//! The machine that is measured: what it is, which of its cores a process may use, and what a process took of it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// What of a processor's features this project's figures hang on.
const FEATURES: [&str; 8] = [
    "aes",
    "vaes",
    "pclmulqdq",
    "vpclmulqdq",
    "sha_ni",
    "avx2",
    "avx512f",
    "avx512bw",
];

/// The numbers of the cores that this process may use.
///
/// # Errors
/// Where the system does not say.
pub fn cores() -> Result<Vec<usize>> {
    let set = sched_getaffinity(None).context("cannot tell which cores there are")?;
    Ok((0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect())
}

/// Lets this thread, and all that it starts from now on, run on these cores only.
///
/// # Errors
/// Where there are no such cores.
pub fn stay_on(cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        if core >= CpuSet::MAX_CPU {
            bail!("there is no core {core}");
        }
        set.set(core);
    }
    sched_setaffinity(None, &set).with_context(|| format!("cannot stay on cores {cores:?}"))
}

/// Time that all threads of this process have computed, for themselves and in the system.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// The most memory that this process ever held, in MiB.
///
/// # Errors
/// Where the system does not say.
pub fn peak_rss_mib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = mark
        .and_then(|mark| mark.trim().trim_end_matches(" kB").parse().ok())
        .context("the system does not tell how much memory a process held")?;
    Ok(kib / 1024.0)
}

/// The first line of results: model, cores, features, and what else it was doing.
///
/// # Errors
/// Where the system does not say.
pub fn machine() -> Result<Value> {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Option<f64> = load.split_whitespace().next().and_then(|word| word.parse().ok());
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: Option<u64> = field(&memory, "MemTotal").and_then(|text| text.trim_end_matches(" kB").parse().ok());
    Ok(json!({
        "head": "machine",
        "cpu": field(&text, "model name").unwrap_or("unknown"),
        "family_model": format!(
            "{}/{}",
            field(&text, "cpu family").unwrap_or("?"),
            field(&text, "model").unwrap_or("?")
        ),
        "cores": cores()?.len(),
        "features": features(&text),
        "memory_gib": kib.map(|kib| kib >> 20),
        "load_before": load,
    }))
}

/// The second line: what was measured with what.
#[must_use]
pub fn versions() -> Value {
    json!({
        "head": "versions",
        "chartseal": env!("CARGO_PKG_VERSION"),
        "commit": said(Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"])),
        "rustc": said(Command::new("rustc").arg("--version")),
        "kernel": said(Command::new("uname").arg("-sr")),
        "age": said(Command::new("age").arg("--version")),
        "gpg": said(Command::new("gpg").arg("--version")),
        "sha256sum": said(Command::new("sha256sum").arg("--version")),
        "gzip": said(Command::new("gzip").arg("--version")),
        "zstd": zstd::zstd_safe::version_string(),
        "date": said(Command::new("date").args(["-u", "+%F"])),
    })
}

/// The first line of what a program prints.
fn said(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}

fn features(cpuinfo: &str) -> Vec<&'static str> {
    let flags: Vec<&str> = field(cpuinfo, "flags").unwrap_or_default().split_whitespace().collect();
    FEATURES.into_iter().filter(|feature| flags.contains(feature)).collect()
}

/// The first value of that name in a file of `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const CPUINFO: &str =
        "processor\t: 0\nmodel name\t: A Processor\nmodel\t\t: 2\nflags\t\t: fpu aes sha_ni avx512f\n";

    #[test]
    fn a_processor_is_known_by_its_name_and_by_the_features_that_matter() {
        assert_eq!(field(CPUINFO, "model name"), Some("A Processor"));
        assert_eq!(field(CPUINFO, "model"), Some("2"));
        assert_eq!(features(CPUINFO), ["aes", "sha_ni", "avx512f"]);
        assert_eq!(features(""), Vec::<&str>::new());
    }

    #[test]
    fn a_thread_stays_where_it_is_told_to() {
        let all = cores().unwrap();
        let last = *all.last().unwrap();
        // On a thread of its own: other tests want all cores.
        let seen = std::thread::spawn(move || {
            stay_on(&[last]).unwrap();
            cores().unwrap()
        });
        assert_eq!(seen.join().unwrap(), [last]);
        assert_eq!(cores().unwrap(), all);
        assert!(stay_on(&[CpuSet::MAX_CPU]).is_err());
    }

    #[test]
    fn a_process_knows_what_it_took() {
        let before = cpu_time();
        let mut sum = 0_u64;
        while cpu_time() - before < Duration::from_millis(2) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
        assert!(peak_rss_mib().unwrap() > 1.0);
    }
}
