//! The targets, by name.

mod codec;
mod data_item;
mod envelope;
mod frame_index;
mod manifest;
mod segment;

pub(crate) use envelope::{context, share_context, stranger as reader};
pub(crate) use manifest::shards;

use chartseal::fuzzing;
use chartseal::seal::DataKey;

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name; that of its folder in `corpus`, too.
    pub name: &'static str,
    /// Tries one input.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "codec",
        run: codec::run,
    },
    Target {
        name: "data_item",
        run: data_item::run,
    },
    Target {
        name: "envelope",
        run: envelope::run,
    },
    Target {
        name: "frame_index",
        run: frame_index::run,
    },
    Target {
        name: "manifest",
        run: manifest::run,
    },
    Target {
        name: "segment",
        run: segment::run,
    },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}

pub(crate) fn data_key(bytes: &[u8; 32]) -> DataKey {
    fuzzing::data_key(bytes).expect("32 bytes are a key")
}
