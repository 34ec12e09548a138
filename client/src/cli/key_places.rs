//! Where envelopes are kept, as it is typed.

use std::ffi::OsStr;

use anyhow::{Context as _, Result};
use clap::{Arg, Command, builder::TypedValueParser, error::ErrorKind};

use super::doctor::finding::plain;
pub(super) use crate::store::keystore::KeyPlace;

/// Those that one text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyPlaces(pub(super) Vec<KeyPlace>);

/// Reads what was typed, and does not repeat it where it will not do: there may be a password in it.
#[derive(Clone)]
struct Reader;

impl TypedValueParser for Reader {
    type Value = KeyPlaces;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, text: &OsStr) -> Result<KeyPlaces, clap::Error> {
        let refused = |why| clap::Error::raw(ErrorKind::ValueValidation, format!("--key-store: {why}\n"));
        KeyPlaces::parse(text).map_err(|why| refused(why).with_cmd(command))
    }
}

impl KeyPlaces {
    pub(super) fn parser() -> impl TypedValueParser<Value = Self> {
        Reader
    }

    /// Reads a text, which need not be UTF-8: folders have any name.
    ///
    /// # Errors
    /// Where one of the places is none; in words for whoever typed it.
    pub(super) fn parse(text: &OsStr) -> Result<Self, String> {
        KeyPlace::parse_all(text).map(Self)
    }
}

impl KeyPlace {
    /// In the words of the command line.
    ///
    /// # Errors
    /// Where a folder's name is no text.
    pub(super) fn text(&self) -> Result<String> {
        match self {
            Self::Service(address) => Ok(address.clone()),
            Self::Folder(path) => {
                let text = path.to_str().map(str::to_owned);
                text.context("a path is no text (UTF-8), and a profile cannot keep it")
            }
        }
    }

    /// For people to read.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Service(address) => plain(address),
            Self::Folder(path) => path.display().to_string(),
        }
    }
}
