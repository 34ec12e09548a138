//! Proof of access without a name: somebody shows that one of the leaves in the tree of anonymous grants is theirs, lives
//! and covers what they ask for, and not which one.
//!
//! The statement stands in [`circuit`], clause by clause. [`witness`] makes a statement and its witness from what a
//! reader holds, [`prove()`] makes the proof, and the contract's own code verifies it, on chain and off chain alike. The
//! keys come from a [`ceremony`] of many, of whom one honest one suffices; the key for tests comes from a seed that
//! everybody knows, proves nothing, and says so. [`tree`] keeps the leaves off chain.

pub mod ceremony;
pub mod circuit;
mod encoding;
mod field;
mod file;
pub mod keys;
mod prove;
mod relation;
pub mod tree;
pub mod witness;

pub use chartseal_program::{
    membership::{AnonymousTerms, DEPTH, Field},
    proof::Statement,
};
pub use field::NotCanonical;
pub use prove::{Proof, ProveError, prove};
pub use relation::Relation;
