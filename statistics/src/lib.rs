//! Sums without the numbers: clinics add up what they observed under encryption, a committee opens the total, and anybody
//! checks every step. This package is all of the cryptography, and none of the chain.
//!
//! 1. [`committee`]: `n` members make a key, without a dealer, that any `k` of them use together.
//! 2. [`study`]: what is asked. [`study::Summary`]: what a clinic observed, in sum.
//! 3. [`contribution`]: the numbers encrypted, with proofs; [`noise`] and [`budget`] where the study wants noise.
//! 4. [`collection`]: promises, then contributions, then one encrypted total of at least so many.
//! 5. [`decryption`]: shares of the total, each proved, and what they open; [`statistics`]: what that says.
//! 6. [`publication`]: all of it in one file that anybody verifies.
//!
//! [`sigma`] has the proofs, [`transcript`] what they hash, and [`group`] what they are made of. The proofs that numbers
//! are in range and ciphertexts well formed are those of `solana-zk-sdk`, in the bytes that Solana's ZK ElGamal program
//! verifies.
//!
//! # What is promised
//! - Whoever has fewer than `k` members' shares learns of the clinics' numbers the published totals and nothing else
//!   (assumptions: [`committee`]).
//! - Nobody is counted who did not know what it contributed, for this study, epoch and clinic; no number is out of range;
//!   bins sum to the count.
//! - What is published is the sum of what was contributed, or the first that is at fault is named.
//!
//! # What is not
//! - `k` members together open every single contribution, not totals alone. Choose members who would not, and noise where
//!   that is not enough.
//! - Totals that differ by one clinic tell that clinic's numbers: a member answers for one total of a study and epoch
//!   ([`decryption::Answered`]), but two epochs are two totals, as are two studies about the same. Of `m` contributors,
//!   `m - 1` who pool theirs know the last one's. Whoever lets clinics in has to see that they are different ones.
//! - That a clinic tells the truth ([`contribution`] says what of it is proved).
//! - Who contributed, when, and how many did is public. Messages are not signed here; what carries them says whose they are.

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
