//! The committee: `n` members make a key that none of them knows and any `k` can use together, without a dealer.
//!
//! A twisted ElGamal key is `P = s^-1 H`. Each member deals Feldman shares (degree `k - 1`) of its part of `s` and of a
//! mask `r`; the sums are everybody's. The members open `u = s r`, and `P = u^-1 R` follows, where `R = r H` is known to
//! all. `u` says nothing about `s`, for `r` is as random as `s`.
//!
//! **Why shares of zero are dealt too.** `s_i r_i` are points of a product of two polynomials, and such a product has no
//! secrets: once all its `2k - 1` points are open anybody factors it, and a single member picks the factor that its own
//! share lies on and has `s`. So each member also deals a random polynomial of degree `2k - 2` that is zero at 0, and what
//! is opened is `u_i = s_i r_i + z_i`: points of a polynomial that is random but for its value at 0.
//!
//! **Rounds.** 1: [`Dealing::promise`], the hash of all commitments. 2: [`Dealing::reveal`], the commitments and sealed
//! shares, when all promises are there: nobody chooses its part by what others dealt. 3: [`Holder::product`], `u_i` with a
//! proof of equal logarithms (`H`, `S_i`; `R_i`, `u_i H - Z_i`). 4: [`Holder::key_share`], `Y_i = s_i P` with a proof; that
//! `Y_i` lie on a polynomial of degree `k - 1` that is `H` at 0 proves that `P` is the key of those shares
//! ([`CommitteeKey::check`]). All `n` take part in all rounds. Whoever fails one is named; the others begin again without.
//! What was said in all rounds is a [`Ceremony`], which anybody verifies.
//!
//! **What it rests on.** Fewer than `k` members learn nothing about what is encrypted, where the decisional Diffie-Hellman
//! problem is hard even to those who are given one point more: besides `P` and `H = s P` they see `s H = s^2 P`, which
//! Feldman's commitments to `s` show. This is an instance of the uber-assumption (Boneh, Boyen, Goh 2005), `r s` being
//! independent of `1, s, s^2, r`, and holds in the generic group. A member who leaves after it saw what others revealed can
//! so choose among a few keys; this biases the key and does not make it easier to break (Gennaro, Jarecki, Krawczyk, Rabin 2007).

mod ceremony;
mod dealing;
mod key;
mod rounds;
mod sealing;
mod setup;

pub use ceremony::Ceremony;
pub use dealing::{Dealing, Reveal};
pub use key::{CommitteeKey, KeyShare, MemberKey};
pub use rounds::{Dealt, Holder, Opened, Product, at_fault};
pub use sealing::{SealedShare, Seat};
pub use setup::{CommitteeError, MAX_MEMBERS, Setup};

#[cfg(test)]
pub(crate) mod tests;
