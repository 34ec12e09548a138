//! How much memory a program holds while a large file goes through it.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use crate::{people::Person, programs::work_folder, report::Report, stack::Stack};

/// The most that a process may hold resident, in MiB.
pub const LIMIT_MIB: u64 = 128;

/// The most that storing and opening held resident, in MiB.
#[derive(Clone, Copy, Debug)]
pub struct Peaks {
    /// Storing.
    pub put: u64,
    /// Opening.
    pub get: u64,
}

/// Stores and opens files of so many MiB that do not compress, one after the other, through the CLI and the gateway.
///
/// # Errors
/// Where a file does not come back, or a process held more than [`LIMIT_MIB`].
pub fn large_files<const N: usize>(sizes: [u64; N], report: &Report) -> Result<[Peaks; N]> {
    let (stack, patient, id) = one_patient()?;
    let mut peaks = [Peaks { put: 0, get: 0 }; N];
    for (peaks, mib) in peaks.iter_mut().zip(sizes) {
        *peaks = goes_through(&stack, &patient, &id, mib, report)?;
    }
    stack.stop()?;
    Ok(peaks)
}

fn goes_through(stack: &Stack, patient: &Person, id: &str, mib: u64, report: &Report) -> Result<Peaks> {
    let (file, out) = (stack.folder().join("large"), stack.folder().join("back"));
    write_noise(&file, mib)?;
    let (put, stored) = peak(patient.command(&["put", id, text(&file)?])?)?;
    let record = stored["record"].as_str().context("put gave no record")?.to_owned();
    report.step(
        "put",
        &format!("{mib} MiB stored, at most {put} MiB resident"),
        &json!({ "file_mib": mib, "peak_rss_mib": put }),
    );
    let (get, _) = peak(patient.command(&["get", id, &record, "--force", "--out", text(&out)?])?)?;
    report.step(
        "get",
        &format!("and opened, at most {get} MiB resident"),
        &json!({ "file_mib": mib, "peak_rss_mib": get }),
    );
    ensure!(same(&file, &out)?, "the file did not come back byte for byte");
    ensure!(
        put < LIMIT_MIB && get < LIMIT_MIB,
        "put held {put} MiB and get {get} MiB"
    );
    Ok(Peaks { put, get })
}

pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the path is no UTF-8")
}

/// A stack with one patient, who stores files of their own.
///
/// # Errors
/// Where a part does not start.
pub fn one_patient() -> Result<(Stack, Person, String)> {
    one_patient_with(&[])
}

/// The same on a sandbox with further options.
///
/// # Errors
/// Where a part does not start.
pub fn one_patient_with(options: &[&str]) -> Result<(Stack, Person, String)> {
    let folder = work_folder()?;
    let nowhere = crate::stack::Endpoints::default();
    let admin = Person::new("admin", folder.path(), &nowhere).makes_keys()?;
    let stack = Stack::start_with(folder, &admin, options)?;
    let (admin, patient) = (stack.person("admin"), stack.person("patient"));
    admin.does(&["airdrop", "100"])?;
    admin.does(&["registry", "init"])?;
    patient.arrives()?;
    let id = patient.does(&["patient", "open"])?.text("patient")?;
    Ok((stack, patient, id))
}

/// Runs a command to its end: the most that it held resident, in MiB, and what it printed.
fn peak(mut command: Command) -> Result<(u64, serde_json::Value)> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .context("cannot run chartseal")?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    let status = loop {
        // The kernel keeps the high-water mark itself, so between two looks nothing is missed but the last moment.
        let status = std::fs::read_to_string(&status_file).unwrap_or_default();
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = mark
            .and_then(|mark| mark.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or(0);
        peak_kib = peak_kib.max(kib);
        if let Some(status) = child.try_wait().context("cannot wait for chartseal")? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let output = child.wait_with_output().context("cannot read from chartseal")?;
    if !status.success() {
        bail!("chartseal ended with {status}");
    }
    ensure!(peak_kib > 0, "the system does not tell how much memory a process holds");
    let object = serde_json::from_slice(&output.stdout).context("chartseal printed no JSON")?;
    Ok((peak_kib / 1024, object))
}

/// Bytes that do not compress, from a small generator (xorshift64*): made, not recorded.
pub(crate) fn write_noise(path: &Path, mib: u64) -> Result<()> {
    let mut file = std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut block = vec![0u8; 1 << 20];
    for _ in 0..mib {
        for word in block.chunks_exact_mut(8) {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            word.copy_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
        }
        file.write_all(&block)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

pub(crate) fn same(a: &Path, b: &Path) -> Result<bool> {
    let status = Command::new("cmp")
        .arg("--silent")
        .args([a, b])
        .status()
        .context("cannot run cmp")?;
    Ok(status.success())
}
