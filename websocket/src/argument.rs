//! A WebSocket as a program's argument or variable. A wrong one is not repeated, as `clap` would: there may be a key in it.

use std::ffi::OsStr;

use clap::{Arg, Command, builder::TypedValueParser, error::ErrorKind};

use crate::WebSocket;

#[derive(Clone)]
struct Reader;

impl TypedValueParser for Reader {
    type Value = WebSocket;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, text: &OsStr) -> Result<WebSocket, clap::Error> {
        let name = argument.map(ToString::to_string).unwrap_or_default();
        let refused = |why| clap::Error::raw(ErrorKind::ValueValidation, format!("{name}: {why}\n"));
        // What is no text is no address either.
        let parsed = WebSocket::parse(text.to_str().unwrap_or_default());
        parsed.map_err(|why| refused(why).with_cmd(command))
    }
}

impl WebSocket {
    /// Reads an argument or a variable, as [`WebSocket::parse`] does.
    pub fn parser() -> impl TypedValueParser<Value = Self> {
        Reader
    }
}
