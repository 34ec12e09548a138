//! Sums without the numbers: clinics add up what they observed under encryption, a committee opens the total, and anybody
//! checks every step. This package is all of the cryptography, and none of the chain.

pub mod budget;
pub mod collection;
pub mod committee;
pub mod contribution;
pub mod decryption;
pub mod group;
pub mod noise;
pub mod publication;
mod shamir;
pub mod sigma;
pub mod statistics;
pub mod study;
pub mod transcript;
