//! How much memory a program holds while a large file goes through it.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use crate::{people::Person, report::Report, stack::Stack};

/// The most that a process may hold resident, in MiB.
pub const LIMIT_MIB: u64 = 200;

/// Stores and opens a file of this many MiB that does not compress, through the CLI and the gateway.
///
/// # Errors
/// Where the file does not come back, or a process held more than [`LIMIT_MIB`].
pub fn large_file(mib: u64, report: &Report) -> Result<()> {
    let (stack, patient, id) = one_patient()?;
    let file = stack.folder().join("large");
    write_noise(&file, mib)?;
    let path = file.to_str().context("the path is no UTF-8")?;

    let (put_mib, stored) = peak(patient.command(&["put", &id, path])?)?;
    let record = stored["record"].as_str().context("put gave no record")?.to_owned();
    report.step("put", &format!("{mib} MiB stored, at most {put_mib} MiB resident"), &json!({ "file_mib": mib, "peak_rss_mib": put_mib }));
    let out = stack.folder().join("back");
    let (get_mib, _) = peak(patient.command(&["get", &id, &record, "--out", out.to_str().context("no UTF-8")?])?)?;
    report.step("get", &format!("and opened, at most {get_mib} MiB resident"), &json!({ "file_mib": mib, "peak_rss_mib": get_mib }));
    ensure!(same(&file, &out)?, "the file did not come back byte for byte");
    ensure!(put_mib < LIMIT_MIB && get_mib < LIMIT_MIB, "put held {put_mib} MiB and get {get_mib} MiB");
    stack.stop()
}

/// A stack with one patient, who stores files of their own.
///
/// # Errors
/// Where a part does not start.
pub fn one_patient() -> Result<(Stack, Person, String)> {
    let folder = tempfile::Builder::new().prefix("chartseal-").tempdir().context("cannot make a folder")?;
    let nowhere = crate::stack::Endpoints::default();
    let admin = Person::new("admin", folder.path(), &nowhere).makes_keys()?;
    let stack = Stack::start(folder, &admin)?;
    let (admin, patient) = (stack.person("admin"), stack.person("patient"));
    admin.does(&["airdrop", "100"])?;
    admin.does(&["registry", "init"])?;
    patient.arrives()?;
    let id = patient.does(&["patient", "open"])?.text("patient")?;
    Ok((stack, patient, id))
}

/// Runs a command to its end: the most that it held resident, in MiB, and what it printed.
fn peak(mut command: Command) -> Result<(u64, serde_json::Value)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().context("cannot run chartseal")?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    let status = loop {
        // The kernel keeps the high-water mark itself, so between two looks nothing is missed but the last moment.
        let status = std::fs::read_to_string(&status_file).unwrap_or_default();
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = mark.and_then(|mark| mark.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0);
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
fn write_noise(path: &Path, mib: u64) -> Result<()> {
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
        file.write_all(&block).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn same(a: &Path, b: &Path) -> Result<bool> {
    let status = Command::new("cmp").arg("--silent").args([a, b]).status().context("cannot run cmp")?;
    Ok(status.success())
}
