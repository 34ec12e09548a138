//! Ceremonies in files. A transcript goes from party to party; each verifies all of it, appends its part, and passes it on.
//! A file appears whole or not at all, and none is written over: who is handed the transcript back compares.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Write},
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::{Ceremony, CeremonyError, Contribution, Listener, Report};
use crate::{Relation, file, keys::ProvingKey};

/// Begins a ceremony in a new file.
///
/// # Errors
/// The file exists or cannot be written.
pub fn begin_file(relation: Relation, to: &Path) -> Result<(), CeremonyError> {
    write(to, |output| Ceremony::begin(relation, output).map(|_| ()))
}

/// Verifies a transcript, contributes to it under a name, and writes it to a new file. See [`Ceremony::contribute`].
///
/// # Errors
/// The transcript is not sound; the new file exists or cannot be written.
pub fn contribute_to_file(
    relation: Relation,
    (from, to): (&Path, &Path),
    name: &str,
    entropy: &[u8],
    listener: Listener<'_>,
) -> Result<Contribution, CeremonyError> {
    let mut ceremony = read(relation, from, listener)?;
    write(to, |output| {
        copy(from, &ceremony, output)?;
        ceremony.contribute(name, entropy, output, listener).cloned()
    })
}

/// Verifies a transcript, goes on to the second phase, and writes it to a new file. See [`Ceremony::enter_phase_two`].
///
/// # Errors
/// The transcript is not sound or not in its first phase; the new file exists or cannot be written.
pub fn enter_phase_two_of_file(
    relation: Relation,
    (from, to): (&Path, &Path),
    listener: Listener<'_>,
) -> Result<(), CeremonyError> {
    let mut ceremony = read(relation, from, listener)?;
    write(to, |output| {
        copy(from, &ceremony, output)?;
        ceremony.enter_phase_two(output, listener)
    })
}

/// Verifies a transcript and writes the keys that it gives: the verifying key, to be put into the contract, and the proving
/// key, which whoever proves needs.
///
/// # Errors
/// The transcript is not sound or not complete; one of the files exists or cannot be written.
pub fn finish_file(
    relation: Relation,
    transcript: &Path,
    (verifying, proving): (&Path, &Path),
    listener: Listener<'_>,
) -> Result<ProvingKey, CeremonyError> {
    let keys = read(relation, transcript, listener)?.keys()?;
    keys.save_new(proving)?;
    write(verifying, |output| {
        Ok(output.write_all(&keys.verifying_key().to_bytes())?)
    })?;
    Ok(keys)
}

/// Verifies a transcript. See [`Ceremony::verify`].
///
/// # Errors
/// The file cannot be opened.
pub fn verify_file(relation: Relation, transcript: &Path, listener: Listener<'_>) -> Result<Report, CeremonyError> {
    let file = File::open(transcript).map_err(|source| failed("read", transcript, source))?;
    Ceremony::verify(relation, &mut BufReader::new(file), listener)
}

fn read(relation: Relation, path: &Path, listener: Listener<'_>) -> Result<Ceremony, CeremonyError> {
    let file = File::open(path).map_err(|source| failed("read", path, source))?;
    Ceremony::read(relation, &mut BufReader::new(file), listener)
}

/// Copies the transcript that the ceremony was read from, and looks that it is still the same.
fn copy(from: &Path, ceremony: &Ceremony, output: &mut dyn Write) -> Result<(), CeremonyError> {
    let mut copied = Sha256::new();
    let mut copy = || {
        let mut file = File::open(from)?;
        let mut bytes = [0; 1 << 16];
        loop {
            match file.read(&mut bytes)? {
                0 => return Ok(()),
                read => {
                    copied.update(&bytes[..read]);
                    output.write_all(&bytes[..read])?;
                }
            }
        }
    };
    copy().map_err(|source| failed("copy", from, source))?;
    if <[u8; 32]>::from(copied.finalize()) != ceremony.transcript() {
        return Err(failed(
            "copy",
            from,
            io::Error::other("it was changed meanwhile; run again"),
        ));
    }
    Ok(())
}

fn write<T>(to: &Path, with: impl FnOnce(&mut dyn Write) -> Result<T, CeremonyError>) -> Result<T, CeremonyError> {
    let make = || -> Result<_, io::Error> {
        if to.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        file::Whole::beside(to)
    };
    let mut file = make().map_err(|source| failed("write", to, source))?;
    let mut output = BufWriter::new(&mut file);
    let done = with(&mut output)?;
    output.flush()?;
    drop(output);
    file.publish_new(to).map_err(|source| failed("write", to, source))?;
    Ok(done)
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> CeremonyError {
    CeremonyError::File {
        action,
        path: path.to_path_buf(),
        source,
    }
}
