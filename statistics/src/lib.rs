//! Sums without the numbers: clinics add up what they observed under encryption, a committee opens the total, and anybody
//! checks every step. This package is all of the cryptography, and none of the chain.

pub mod committee;
pub mod contribution;
pub mod group;
mod shamir;
pub mod sigma;
pub mod study;
pub mod transcript;
