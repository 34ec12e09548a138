//! What a user would take otherwise: `age` to a recipient and `sha256sum` of what it wrote, which also encrypts under a
//! key of its own and also says what was stored; and `gpg`. Each reads and writes files in memory, on the same cores.

use std::ffi::OsStr;
use std::fs::{DirBuilder, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use super::job::{Clock, Job, Op, Sample};

const AGE_KEY: &str = "age.key";
const GPG_HOME: &str = "gnupg";
const PASSPHRASE: &str = "passphrase";

/// Makes the keys that they need, in a folder of ours.
///
/// # Errors
/// Where `age-keygen` is missing.
pub(super) fn prepare(folder: &Path) -> Result<()> {
    succeeds(Command::new("age-keygen").arg("-o").arg(folder.join(AGE_KEY)))?;
    let home = folder.join(GPG_HOME);
    DirBuilder::new()
        .mode(0o700)
        .create(&home)
        .context("cannot make a folder for gpg")?;
    let secret = super::random_hex()?;
    let path = folder.join(PASSPHRASE);
    let mut file = std::fs::File::create(&path).context("cannot write a passphrase for gpg")?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(secret.as_bytes())?;
    Ok(())
}

/// Repeats one of them.
pub(super) fn run(job: &Job) -> Result<Sample> {
    let out = job.folder.join(format!("out-{}", std::process::id()));
    let len = std::fs::metadata(&job.file)?.len();
    let recipient = if job.op == Op::AgeSha256sum {
        recipient(&job.folder)?
    } else {
        String::new()
    };
    let once = || -> Result<()> {
        match job.op {
            Op::AgeSha256sum => {
                succeeds(
                    Command::new("age")
                        .args(["-r", &recipient, "-o"])
                        .arg(&out)
                        .arg(&job.file),
                )?;
                succeeds(Command::new("sha256sum").arg(&out))
            }
            _ => gpg(job, &out),
        }
    };
    let outcome = repeat(job, len, once);
    let written = std::fs::metadata(&out).map_or(0, |metadata| metadata.len());
    let _ = std::fs::remove_file(&out);
    ensure!(written >= len, "{} wrote too little", job.op.name());
    outcome
}

fn repeat(job: &Job, len: u64, once: impl Fn() -> Result<()>) -> Result<Sample> {
    once()?;
    let clock = Clock::start();
    let mut records = 0;
    while records == 0 || clock.seconds() < job.seconds {
        once()?;
        records += 1;
    }
    Ok(clock.sample(records, records * len))
}

fn recipient(folder: &Path) -> Result<String> {
    let mut command = Command::new("age-keygen");
    let output = command
        .arg("-y")
        .arg(folder.join(AGE_KEY))
        .output()
        .context("cannot run age-keygen")?;
    ensure!(output.status.success(), "age-keygen ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)
        .context("age-keygen printed no text")?
        .trim()
        .to_owned())
}

fn gpg(job: &Job, out: &Path) -> Result<()> {
    // The lowest count of rounds that it allows itself for a passphrase: stretching takes a fifth of a second otherwise, and
    // would be most of what is measured of small files. With a count it needs no agent, which would outlive us.
    let options = [
        "--batch",
        "--yes",
        "--quiet",
        "--no-options",
        "--no-autostart",
        "--pinentry-mode",
        "loopback",
        "--symmetric",
        "--s2k-count",
        "65536",
        "--cipher-algo",
        "AES256",
        "--compress-algo",
        "none",
    ];
    let mut command = Command::new("gpg");
    let options = options.iter().map(OsStr::new);
    succeeds(
        command
            .arg("--homedir")
            .arg(job.folder.join(GPG_HOME))
            .args(options)
            .arg("--passphrase-file")
            .arg(job.folder.join(PASSPHRASE))
            .arg("--output")
            .arg(out)
            .arg(&job.file),
    )
}

fn succeeds(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_owned();
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot run {}; install it", name.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}: {}", name.display(), output.status, said.trim());
    }
    Ok(())
}
