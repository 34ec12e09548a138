//! Lossless coding of native image pixels.

pub mod jpegls;
