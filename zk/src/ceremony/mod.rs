//! The ceremony that makes the keys. Groth16 needs numbers that nobody may know: tau, alpha, beta and delta. Each party
//! multiplies what it is handed by shares of its own, proves that it knew them, and forgets them; the product is unknown as
//! long as one party did forget. After Bowe, Gabizon and Miers (eprint 2017/1050), with the proofs of knowledge of Kohlweiss,
//! Maller, Siim and Volkhov (eprint 2021/219), by which no random beacon is needed.
//!
//! Everything that parties contribute stands in a transcript, which anybody can verify from its first byte to its last:
//!
//! ```text
//! header          "CSCT", version 1, three zeros, hash of the circuit (32)
//! contribution 1  mark 1, length of the name (1), name, shares of tau, alpha and beta, all powers after it
//! phase two       mark 2, A, B and beta A + alpha B + C of every variable at tau
//! contribution 2  mark 3, length of the name (1), name, share of delta, all that is divided by delta after it
//! ```
//!
//! A share is a point of the first group (64 bytes), the same of the second (128) and the proof (64). How many points there
//! are elsewhere follows from the circuit. The hash of a transcript is the SHA-256 of its bytes; each proof of knowledge is
//! bound to the hash of everything before it, so that no contribution can be moved, left out or put under another name.
//! The transcript that a key came from is named in it by its hash.

mod delta;
mod fault;
mod files;
mod powers;
mod queries;
mod reading;
mod share;
mod tape;
#[cfg(test)]
mod tests;

use std::{fmt, io::Write};

use ark_bn254::{Fr, G2Affine};
use ark_ec::AffineRepr as _;
use ark_poly::EvaluationDomain as _;
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

pub use fault::{CeremonyError, Fault, Place};
pub use files::{begin_file, contribute_to_file, enter_phase_two_of_file, finish_file, verify_file};
pub use share::Exponent;

use crate::{
    Relation, field,
    keys::{KeyKind, ProvingKey, VerifyingKey},
};
use delta::Delta;
use powers::{PhaseOne, Powers};
use queries::Queries;
use share::Share;
use tape::{Sink, is_name, so_far};

/// The most contributions that a transcript can have, in both phases together.
pub const MOST_CONTRIBUTIONS: usize = 256;

const MAGIC: [u8; 8] = *b"CSCT\x01\0\0\0";
const PHASE_ONE: u8 = 1;
const QUERIES: u8 = 2;
const PHASE_TWO: u8 = 3;

/// A contribution that was found sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contribution {
    /// 1 or 2.
    pub phase: u8,
    /// From 1, in both phases together.
    pub number: usize,
    /// What the party calls itself.
    pub name: String,
    /// SHA-256 of the transcript up to and with it: what a party publishes, so that everybody sees that it took part.
    pub hash: [u8; 32],
}

/// What a transcript was found to hold.
#[derive(Debug)]
pub struct Report {
    /// The contributions up to the first fault, all sound.
    pub contributions: Vec<Contribution>,
    /// The first fault. What comes after it was not looked at.
    pub fault: Option<CeremonyError>,
    /// SHA-256 of the transcript as far as it was read: all of it, where there is no fault.
    pub transcript: [u8; 32],
    /// The keys that this transcript gives, where both phases are there and nothing is wrong.
    pub keys: Option<ProvingKey>,
}

impl Report {
    /// Whether a verifying key is the one that this transcript gives.
    pub fn gives(&self, key: &VerifyingKey) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.verifying_key() == key)
    }
}

/// What a ceremony is at, for whoever waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A contribution was verified.
    Verified(&'a Contribution),
    /// The beginning of the second phase was verified.
    VerifiedPhaseTwo,
    /// A contribution is being computed.
    Contributing,
    /// The circuit's polynomials are being evaluated, which takes longest.
    Evaluating,
}

/// Somebody to tell.
pub type Listener<'a> = &'a mut dyn FnMut(Progress<'_>);

enum Stage {
    One(Box<Powers>),
    Two(Box<Fixed>, Box<Delta>),
}

/// What the second phase does not move.
struct Fixed {
    alpha_g1: ark_bn254::G1Affine,
    beta_g1: ark_bn254::G1Affine,
    beta_g2: G2Affine,
    queries: Queries,
}

/// A ceremony in its course, all of whose transcript is sound.
pub struct Ceremony {
    relation: Relation,
    stage: Stage,
    hash: Sha256,
    contributions: Vec<Contribution>,
}

impl fmt::Debug for Ceremony {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ceremony")
            .field("phase", &self.phase())
            .field("contributions", &self.contributions)
            .finish_non_exhaustive()
    }
}

impl Ceremony {
    /// Begins a ceremony and writes the transcript's header.
    ///
    /// # Errors
    /// The circuit is too large or has no constraints; the output cannot be written.
    pub fn begin(relation: Relation, output: &mut dyn Write) -> Result<Self, CeremonyError> {
        let mut ceremony = Self::before_anybody(relation)?;
        let mut sink = Sink::new(output, &mut ceremony.hash);
        sink.bytes(&MAGIC)?;
        sink.bytes(&ceremony.relation.hash())?;
        Ok(ceremony)
    }

    fn before_anybody(relation: Relation) -> Result<Self, CeremonyError> {
        let size = relation.domain()?.size();
        if size < 2 {
            return Err(CeremonyError::TooSmall);
        }
        let stage = Stage::One(Box::new(Powers::begin(size)));
        Ok(Self {
            relation,
            stage,
            hash: Sha256::new(),
            contributions: Vec::new(),
        })
    }

    /// The phase that contributions go to: 1 or 2.
    pub fn phase(&self) -> u8 {
        match self.stage {
            Stage::One(_) => 1,
            Stage::Two(..) => 2,
        }
    }

    /// Everybody who has contributed.
    pub fn contributions(&self) -> &[Contribution] {
        &self.contributions
    }

    /// SHA-256 of the transcript so far.
    pub fn transcript(&self) -> [u8; 32] {
        so_far(&self.hash)
    }

    /// Contributes to the phase that the ceremony is in, and writes what is to be appended to the transcript. The shares are
    /// drawn from the system's randomness together with whatever else the caller has to give (dice, say), and forgotten.
    ///
    /// # Errors
    /// A name that none can be; no randomness; the output cannot be written.
    pub fn contribute(
        &mut self,
        name: &str,
        entropy: &[u8],
        output: &mut dyn Write,
        listener: Listener<'_>,
    ) -> Result<&Contribution, CeremonyError> {
        if !is_name(name) {
            return Err(CeremonyError::BadName);
        }
        if self.contributions.len() >= MOST_CONTRIBUTIONS {
            return Err(CeremonyError::Full(MOST_CONTRIBUTIONS));
        }
        listener(Progress::Contributing);
        let before = so_far(&self.hash);
        let seed = draw(entropy, &before)?;
        // Where the output fails, the ceremony stays as it was.
        let mut hash = self.hash.clone();
        let mut sink = Sink::new(output, &mut hash);
        match &mut self.stage {
            Stage::One(powers) => {
                let drawn = PhaseOne {
                    tau: field::derive(&*seed, b"tau"),
                    alpha: field::derive(&*seed, b"alpha"),
                    beta: field::derive(&*seed, b"beta"),
                };
                let exponents = [
                    (&drawn.tau, Exponent::Tau),
                    (&drawn.alpha, Exponent::Alpha),
                    (&drawn.beta, Exponent::Beta),
                ];
                let shares = shares(exponents, &before, name);
                let moved = powers.moved_by(&drawn);
                sink.bytes(&[PHASE_ONE])?;
                sink.name(name)?;
                shares.iter().try_for_each(|share| sink.share(share))?;
                moved.write(&mut sink)?;
                **powers = moved;
            }
            Stage::Two(_, delta) => {
                let drawn = Zeroizing::new(field::derive(&*seed, b"delta"));
                let [share] = shares([(&*drawn, Exponent::Delta)], &before, name);
                let moved = delta.moved_by(&drawn);
                sink.bytes(&[PHASE_TWO])?;
                sink.name(name)?;
                sink.share(&share)?;
                moved.write(&mut sink)?;
                **delta = moved;
            }
        }
        self.hash = hash;
        Ok(self.note(name.to_owned()))
    }

    /// Goes from the first phase to the second, and writes what is to be appended to the transcript. It takes nobody's
    /// secret: whoever does it again from the same transcript gets the same bytes.
    ///
    /// # Errors
    /// Nobody has contributed yet; the second phase has begun already; the output cannot be written.
    pub fn enter_phase_two(&mut self, output: &mut dyn Write, listener: Listener<'_>) -> Result<(), CeremonyError> {
        let Stage::One(powers) = &self.stage else {
            return Err(CeremonyError::OtherPhase(1));
        };
        if self.contributions.is_empty() {
            return Err(CeremonyError::NobodyContributed(1));
        }
        listener(Progress::Evaluating);
        let queries = Queries::of(powers, &self.relation)?;
        let mut hash = self.hash.clone();
        let mut sink = Sink::new(output, &mut hash);
        sink.bytes(&[QUERIES])?;
        queries.write(&mut sink)?;
        self.hash = hash;
        self.stage = second_stage(powers, queries, &self.relation);
        Ok(())
    }

    /// The keys, once somebody has contributed to each phase.
    ///
    /// # Errors
    /// A phase without contributions; a circuit with other public inputs than the contract's.
    pub fn keys(&self) -> Result<ProvingKey, CeremonyError> {
        let Stage::Two(fixed, delta) = &self.stage else {
            return Err(CeremonyError::OtherPhase(2));
        };
        if !self.contributed(2) {
            return Err(CeremonyError::NobodyContributed(2));
        }
        let Fixed {
            alpha_g1,
            beta_g1,
            beta_g2,
            queries,
        } = &**fixed;
        let key = ark_groth16::ProvingKey {
            vk: ark_groth16::VerifyingKey {
                alpha_g1: *alpha_g1,
                beta_g2: *beta_g2,
                gamma_g2: G2Affine::generator(),
                delta_g2: delta.g2,
                gamma_abc_g1: queries.k[..self.relation.instance()].to_vec(),
            },
            beta_g1: *beta_g1,
            delta_g1: delta.g1,
            a_query: queries.a.clone(),
            b_g1_query: queries.b_g1.clone(),
            b_g2_query: queries.b_g2.clone(),
            h_query: delta.h.clone(),
            l_query: delta.l.clone(),
        };
        Ok(ProvingKey::of(
            key,
            self.relation.clone(),
            KeyKind::Ceremony,
            self.transcript(),
        )?)
    }

    fn contributed(&self, phase: u8) -> bool {
        self.contributions
            .iter()
            .any(|contribution| contribution.phase == phase)
    }

    fn note(&mut self, name: String) -> &Contribution {
        let number = self.contributions.len();
        let noted = Contribution {
            phase: self.phase(),
            number: number + 1,
            name,
            hash: so_far(&self.hash),
        };
        self.contributions.push(noted);
        &self.contributions[number]
    }
}

fn second_stage(powers: &Powers, queries: Queries, relation: &Relation) -> Stage {
    let delta = Delta::begin(queries::vanishing(powers), queries.k[relation.instance()..].to_vec());
    let fixed = Fixed {
        alpha_g1: powers.alpha_g1[0],
        beta_g1: powers.beta_g1[0],
        beta_g2: powers.beta_g2,
        queries,
    };
    Stage::Two(Box::new(fixed), Box::new(delta))
}

/// The seed of one contribution's shares. Where the system's randomness is good the entropy changes nothing, and the other
/// way round.
fn draw(entropy: &[u8], transcript: &[u8; 32]) -> Result<Zeroizing<[u8; 64]>, CeremonyError> {
    let mut system = Zeroizing::new([0; 64]);
    getrandom::fill(system.as_mut())?;
    let mut hash = Sha512::new();
    hash.update(b"chartseal/ceremony/seed/v1");
    hash.update(system.as_ref());
    hash.update(transcript);
    hash.update(entropy);
    Ok(Zeroizing::new(hash.finalize().into()))
}

fn shares<const N: usize>(exponents: [(&Fr, Exponent); N], before: &[u8; 32], name: &str) -> [Share; N] {
    let points = exponents.map(|(exponent, _)| Share::of(exponent));
    let bound_to = share::binding(before, name, &points);
    std::array::from_fn(|n| Share::prove(points[n], exponents[n].0, exponents[n].1, &bound_to))
}
