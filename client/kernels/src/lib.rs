//! What Chartseal computes, apart from what it means: hashes of many inputs at once, pixels as JPEG-LS, and samples as
//! differences. A package of its own so that it is optimised in every build, and so that the few `unsafe` lines that
//! speak to the processor stand in one place.

pub mod hash;
pub mod pixels;
