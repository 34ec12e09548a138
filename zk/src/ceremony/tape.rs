//! A transcript's bytes as they are read and written, and their hash so far. There is one way only to write each thing.

use std::io::{self, Read, Write};

use ark_bn254::{G1Affine, G2Affine};
use ark_serialize::Valid as _;
use sha2::{Digest as _, Sha256};

use super::{
    fault::{CeremonyError, Fault},
    share::Share,
};
use crate::encoding;

/// Longest name of a party, in bytes.
pub(super) const LONGEST_NAME: usize = 64;

/// SHA-256 of the transcript so far.
pub(super) fn so_far(hash: &Sha256) -> [u8; 32] {
    hash.clone().finalize().into()
}

/// Why a section was not read.
#[derive(Debug)]
pub(super) enum ReadError {
    Fault(Fault),
    Io(io::Error),
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Fault(Fault::Truncated),
            _ => Self::Io(error),
        }
    }
}

/// Reads a transcript and hashes what it reads.
pub(super) struct Source<'a> {
    input: &'a mut dyn Read,
    pub(super) hash: Sha256,
}

impl<'a> Source<'a> {
    pub(super) fn new(input: &'a mut dyn Read) -> Self {
        Self {
            input,
            hash: Sha256::new(),
        }
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.hash.update(bytes);
        Ok(bytes)
    }

    /// The next section's mark; none at the end.
    pub(super) fn mark(&mut self) -> Result<Option<u8>, ReadError> {
        let mut mark = [0];
        loop {
            match self.input.read(&mut mark) {
                Ok(0) => return Ok(None),
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.hash.update(mark);
        Ok(Some(mark[0]))
    }

    pub(super) fn name(&mut self) -> Result<String, ReadError> {
        let [length] = self.bytes()?;
        let mut name = vec![0; usize::from(length).min(LONGEST_NAME + 1)];
        self.input.read_exact(&mut name)?;
        self.hash.update(&name);
        let name = String::from_utf8(name).map_err(|_| Fault::BadName)?;
        if is_name(&name) {
            Ok(name)
        } else {
            Err(Fault::BadName.into())
        }
    }

    pub(super) fn g1(&mut self) -> Result<G1Affine, ReadError> {
        Ok(encoding::read_g1(&self.bytes()?).ok_or(Fault::BadPoint)?)
    }

    pub(super) fn g2(&mut self) -> Result<G2Affine, ReadError> {
        let points = self.many_g2(1)?;
        Ok(*points.first().ok_or(Fault::BadPoint)?)
    }

    pub(super) fn many_g1(&mut self, count: usize) -> Result<Vec<G1Affine>, ReadError> {
        (0..count).map(|_| self.g1()).collect()
    }

    pub(super) fn many_g2(&mut self, count: usize) -> Result<Vec<G2Affine>, ReadError> {
        let read = |_| Ok(encoding::read_g2(&self.bytes()?).ok_or(Fault::BadPoint)?);
        let points: Vec<G2Affine> = (0..count).map(read).collect::<Result<_, ReadError>>()?;
        G2Affine::batch_check(points.iter()).map_err(|_| Fault::BadPoint)?;
        Ok(points)
    }

    pub(super) fn share(&mut self) -> Result<Share, ReadError> {
        Ok(Share {
            g1: self.g1()?,
            g2: self.g2()?,
            knowledge: self.g1()?,
        })
    }
}

/// Writes a transcript and hashes what it writes.
pub(super) struct Sink<'a> {
    output: &'a mut dyn Write,
    hash: &'a mut Sha256,
}

impl<'a> Sink<'a> {
    pub(super) fn new(output: &'a mut dyn Write, hash: &'a mut Sha256) -> Self {
        Self { output, hash }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CeremonyError> {
        self.output.write_all(bytes)?;
        self.hash.update(bytes);
        Ok(())
    }

    pub(super) fn name(&mut self, name: &str) -> Result<(), CeremonyError> {
        let length = u8::try_from(name.len()).map_err(|_| CeremonyError::BadName)?;
        self.bytes(&[length])?;
        self.bytes(name.as_bytes())
    }

    pub(super) fn many_g1(&mut self, points: &[G1Affine]) -> Result<(), CeremonyError> {
        points.iter().try_for_each(|point| self.bytes(&encoding::g1(point)))
    }

    pub(super) fn many_g2(&mut self, points: &[G2Affine]) -> Result<(), CeremonyError> {
        points.iter().try_for_each(|point| self.bytes(&encoding::g2(point)))
    }

    pub(super) fn share(&mut self, share: &Share) -> Result<(), CeremonyError> {
        self.many_g1(&[share.g1])?;
        self.many_g2(&[share.g2])?;
        self.many_g1(&[share.knowledge])
    }
}

/// Whether a party can be called so.
pub(super) fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len()) && !name.chars().any(char::is_control)
}
