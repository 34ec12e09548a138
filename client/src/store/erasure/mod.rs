//! Reed-Solomon over a shard's payload: it is cut into `data` pieces, `parity` more of the same length are computed, and
//! any `data` of them give it back. The first `data` pieces are the payload itself, in order, so that a reader who finds
//! them in place computes nothing. The code finds no errors: hold every piece against its hash before it is used here.

use std::fmt;
use std::str::FromStr;

use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};
use thiserror::Error;

/// The most pieces that a shard is cut into.
pub const MOST_PIECES: usize = 64;

/// An erasure code: a shard becomes `data` pieces and `parity` more of the same length, and any `data` of them give it
/// back. `1 + m` is a whole copy at each of `1 + m` stores. Written as `4+2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code {
    /// Pieces that are enough, at least 1.
    pub data: u8,
    /// Pieces that may be lost.
    pub parity: u8,
}

/// A code that is none, or pieces that do not give a payload.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ErasureError {
    /// It is not written as a code is.
    #[error("'{0}' is no code: type DATA+PARITY, for example 4+2")]
    NotACode(String),
    /// No data pieces, or too many pieces.
    #[error("a code of {data}+{parity} is not possible: it takes at least 1 piece of data, and at most 64 in all")]
    BadCode {
        /// Pieces that would be enough.
        data: u8,
        /// Pieces that could be lost.
        parity: u8,
    },
    /// Less than the code needs.
    #[error("only {have} of the {need} pieces that it takes are there; repair the stores, or name more of them")]
    TooFew {
        /// How many there are.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// A piece of another length than all pieces of this payload have.
    #[error("piece {index} has {got} bytes instead of {expected}; it is not of this shard")]
    WrongLength {
        /// Which piece.
        index: usize,
        /// Its length.
        got: usize,
        /// The length that it must have.
        expected: usize,
    },
    /// A piece that the code does not have.
    #[error("there is no piece {index} in a code of {code}")]
    NoSuchPiece {
        /// Which piece.
        index: usize,
        /// The code.
        code: Code,
    },
    /// The computation refused what passed all checks.
    #[error("the erasure code cannot be computed ({0}); there may be too little memory")]
    Refused(String),
}

impl Code {
    /// One store, which must not lose anything.
    pub const ONE: Self = Self { data: 1, parity: 0 };

    /// A code of so many pieces.
    ///
    /// # Errors
    /// [`ErasureError::BadCode`] without data pieces, or with more than [`MOST_PIECES`] in all.
    pub fn new(data: u8, parity: u8) -> Result<Self, ErasureError> {
        Self { data, parity }.checked()
    }

    /// This code, if it is one.
    ///
    /// # Errors
    /// [`ErasureError::BadCode`].
    pub fn checked(self) -> Result<Self, ErasureError> {
        if self.data == 0 || self.pieces() > MOST_PIECES {
            Err(ErasureError::BadCode {
                data: self.data,
                parity: self.parity,
            })
        } else {
            Ok(self)
        }
    }

    /// Pieces of a shard.
    #[must_use]
    pub fn pieces(&self) -> usize {
        usize::from(self.data) + usize::from(self.parity)
    }

    /// Bytes of each piece of a payload: the payload's own where each piece is a copy, else its share, rounded up to an
    /// even number.
    #[must_use]
    pub fn piece_len(&self, payload_len: usize) -> usize {
        match usize::from(self.data) {
            0 | 1 => payload_len,
            data => payload_len.div_ceil(data).next_multiple_of(2).max(2),
        }
    }

    /// Cuts a payload into its pieces, those of data first.
    ///
    /// # Errors
    /// [`ErasureError::BadCode`].
    pub fn cut(&self, payload: &[u8]) -> Result<Vec<Vec<u8>>, ErasureError> {
        self.checked()?;
        if self.data == 1 {
            return Ok(vec![payload.to_vec(); self.pieces()]);
        }
        let len = self.piece_len(payload.len());
        let mut pieces = Vec::with_capacity(self.pieces());
        let mut rest = payload;
        for _ in 0..self.data {
            let (now, later) = rest.split_at(len.min(rest.len()));
            let mut piece = now.to_vec();
            piece.resize(len, 0);
            pieces.push(piece);
            rest = later;
        }
        if self.parity > 0 {
            let mut encoder = ReedSolomonEncoder::new(self.data.into(), self.parity.into(), len).map_err(refused)?;
            for piece in &pieces {
                encoder.add_original_shard(piece).map_err(refused)?;
            }
            let encoded = encoder.encode().map_err(refused)?;
            pieces.extend(encoded.recovery_iter().map(<[u8]>::to_vec));
        }
        Ok(pieces)
    }

    /// Puts a payload of this length together from any `data` of its pieces, which come with their numbers. What is
    /// there twice counts once. The result is right if every piece was.
    ///
    /// # Errors
    /// [`ErasureError`]: too few pieces, or such as cannot be of this payload.
    pub fn rebuild(&self, payload_len: usize, available: &[(usize, &[u8])]) -> Result<Vec<u8>, ErasureError> {
        self.checked()?;
        let slots = self.slots(payload_len, available)?;
        if self.data == 1 {
            return Ok(slots
                .iter()
                .flatten()
                .next()
                .map(|piece| piece.to_vec())
                .unwrap_or_default());
        }
        let (data, parity) = slots.split_at(self.data.into());
        let len = self.piece_len(payload_len);
        let mut payload = Vec::with_capacity(len.saturating_mul(data.len()));
        if data.iter().all(Option::is_some) {
            for piece in data.iter().flatten() {
                payload.extend_from_slice(piece);
            }
        } else {
            let mut decoder = ReedSolomonDecoder::new(self.data.into(), self.parity.into(), len).map_err(refused)?;
            for (index, piece) in data.iter().enumerate() {
                piece
                    .map_or(Ok(()), |piece| decoder.add_original_shard(index, piece))
                    .map_err(refused)?;
            }
            for (index, piece) in parity.iter().enumerate() {
                piece
                    .map_or(Ok(()), |piece| decoder.add_recovery_shard(index, piece))
                    .map_err(refused)?;
            }
            let decoded = decoder.decode().map_err(refused)?;
            for (index, piece) in data.iter().enumerate() {
                let restored = piece.or_else(|| decoded.restored_original(index));
                payload.extend_from_slice(restored.ok_or_else(|| ErasureError::Refused("a piece is missing".into()))?);
            }
        }
        payload.truncate(payload_len);
        Ok(payload)
    }

    /// Makes the pieces of these numbers anew from any `data` others.
    ///
    /// # Errors
    /// As [`rebuild`](Self::rebuild).
    pub fn rebuild_missing(
        &self,
        payload_len: usize,
        available: &[(usize, &[u8])],
        missing: &[usize],
    ) -> Result<Vec<Vec<u8>>, ErasureError> {
        let mut pieces = self.cut(&self.rebuild(payload_len, available)?)?;
        let taken = missing.iter().map(|index| {
            let piece = pieces.get_mut(*index).map(|piece| piece.clone());
            piece.ok_or(ErasureError::NoSuchPiece {
                index: *index,
                code: *self,
            })
        });
        taken.collect()
    }

    /// The pieces by their numbers, if they are enough and each may be what it is said to be.
    fn slots<'a>(
        &self,
        payload_len: usize,
        available: &[(usize, &'a [u8])],
    ) -> Result<Vec<Option<&'a [u8]>>, ErasureError> {
        let expected = self.piece_len(payload_len);
        let mut slots = vec![None; self.pieces()];
        for (index, piece) in available {
            let slot = slots.get_mut(*index).ok_or(ErasureError::NoSuchPiece {
                index: *index,
                code: *self,
            })?;
            if piece.len() != expected {
                return Err(ErasureError::WrongLength {
                    index: *index,
                    got: piece.len(),
                    expected,
                });
            }
            slot.get_or_insert(*piece);
        }
        let (have, need) = (slots.iter().flatten().count(), usize::from(self.data));
        if have < need {
            Err(ErasureError::TooFew { have, need })
        } else {
            Ok(slots)
        }
    }
}

fn refused(error: reed_solomon_simd::Error) -> ErasureError {
    ErasureError::Refused(error.to_string())
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.data, self.parity)
    }
}

impl FromStr for Code {
    type Err = ErasureError;

    fn from_str(text: &str) -> Result<Self, ErasureError> {
        let wrong = || ErasureError::NotACode(text.to_owned());
        let number = |part: &str| {
            // `u8` would take a sign too.
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| digits).ok_or_else(wrong)
        };
        let (data, parity) = text.split_once('+').ok_or_else(wrong)?;
        Self::new(number(data)?, number(parity)?)
    }
}

#[cfg(test)]
mod tests;
