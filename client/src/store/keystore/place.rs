//! Where envelopes are kept, as it is written down: folders and key services, several of them in one text with colons in
//! between. A colon that belongs to an address, after its scheme or before its port, divides nothing.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::PathBuf,
    sync::Arc,
};

use super::{FolderKeyStore, KeyBackend, KeyStoreError, RemoteKeyStore};
use crate::{keys::WalletKey, ledger::Ledger, store::web_address};

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyPlace {
    /// A folder on this machine.
    Folder(PathBuf),
    /// A key service at an address.
    Service(String),
}

impl KeyPlace {
    /// Reads a text that names several, and need not be UTF-8: folders have any name.
    ///
    /// # Errors
    /// Where one of the places is none; in words for whoever wrote it.
    pub(crate) fn parse_all(text: &OsStr) -> Result<Vec<Self>, String> {
        split(text.as_bytes()).into_iter().map(place).collect()
    }
}

/// Who opens key stores.
pub(crate) struct Opener {
    pub(crate) wallet: WalletKey,
    pub(crate) ledger: Arc<Ledger>,
    /// The membership that was named.
    pub(crate) member: Option<([u8; 16], [u8; 16])>,
}

impl Opener {
    /// Opens a key store, and makes a folder that is not there.
    ///
    /// # Errors
    /// What is wrong with the folder or the address.
    pub(crate) fn open(&self, place: KeyPlace) -> Result<KeyBackend, KeyStoreError> {
        match place {
            KeyPlace::Folder(folder) => Ok(FolderKeyStore::open(folder)?.into()),
            KeyPlace::Service(address) => self.service(&address),
        }
    }

    /// The same, where nothing is made.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub(crate) fn existing(&self, place: KeyPlace) -> Result<KeyBackend, KeyStoreError> {
        match place {
            KeyPlace::Folder(folder) => Ok(FolderKeyStore::existing(folder).into()),
            KeyPlace::Service(address) => self.service(&address),
        }
    }

    fn service(&self, address: &str) -> Result<KeyBackend, KeyStoreError> {
        let remote = RemoteKeyStore::new(address, self.wallet.clone())?;
        Ok(remote.known_to(Arc::clone(&self.ledger), self.member).into())
    }
}

fn place(text: &[u8]) -> Result<KeyPlace, String> {
    if text.is_empty() {
        return Err("a key store without a name; name a folder, or a key service (https://host)".into());
    }
    if !text.windows(3).any(|part| part == b"://") {
        return Ok(KeyPlace::Folder(OsString::from_vec(text.to_vec()).into()));
    }
    let address = str::from_utf8(text).map_err(|_| "an address is no text (UTF-8)".to_owned())?;
    web_address(address).map(KeyPlace::Service)
}

fn split(text: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(found) = rest
        .get(from..)
        .and_then(|tail| tail.iter().position(|byte| *byte == b':'))
    {
        let (before, after) = rest.split_at(from + found);
        let after = after.get(1..).unwrap_or_default();
        if is_of_address(before, after) {
            from += found + 1;
        } else {
            parts.push(before);
            (rest, from) = (after, 0);
        }
    }
    parts.push(rest);
    parts
}

/// Whether a colon stands in an address: after its scheme, in the brackets of IPv6, or before its port.
fn is_of_address(before: &[u8], after: &[u8]) -> bool {
    if after.starts_with(b"//") {
        return !before.is_empty() && before.iter().all(u8::is_ascii_alphanumeric);
    }
    let Some(host) = before
        .windows(3)
        .position(|part| part == b"://")
        .and_then(|at| before.get(at + 3..))
    else {
        return false;
    };
    let outside = match host.iter().position(|byte| *byte == b']') {
        None if host.starts_with(b"[") => return true,
        None => host,
        Some(end) => host.get(end..).unwrap_or_default(),
    };
    if outside.contains(&b':') || outside.contains(&b'/') {
        return false;
    }
    // What comes before the host may be a password, which is for another message.
    if after
        .iter()
        .take_while(|byte| !b":/".contains(byte))
        .any(|byte| *byte == b'@')
    {
        return true;
    }
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let ends = matches!(after.get(digits), None | Some(b':' | b'/'));
    digits > 0 && ends
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn named(text: &str) -> Vec<String> {
        let places = KeyPlace::parse_all(OsStr::new(text)).unwrap().into_iter();
        places
            .map(|place| match place {
                KeyPlace::Folder(path) => format!("folder {}", path.display()),
                KeyPlace::Service(address) => format!("service {address}"),
            })
            .collect()
    }

    #[test]
    fn folders_and_services_stand_in_one_text() {
        assert_eq!(named("here:there"), ["folder here", "folder there"]);
        assert_eq!(named("/srv/keys"), ["folder /srv/keys"]);
        assert_eq!(
            named("here:https://keys.example:/srv/keys"),
            ["folder here", "service https://keys.example", "folder /srv/keys"]
        );
        assert_eq!(
            named("https://one:8903:https://two/:http://[::1]:8903:8903"),
            [
                "service https://one:8903",
                "service https://two/",
                "service http://[::1]:8903",
                "folder 8903"
            ]
        );
        assert_eq!(named("http://[::1]:there"), ["service http://[::1]", "folder there"]);
        assert_eq!(named("https://one:8903a"), ["service https://one", "folder 8903a"]);
    }

    #[test]
    fn what_is_neither_folder_nor_service_is_an_error() {
        for text in ["", "here:", ":", "s3://bucket", "https://me:hush@host", "here::there"] {
            assert!(KeyPlace::parse_all(OsStr::new(text)).is_err(), "{text}");
        }
        let error = KeyPlace::parse_all(OsStr::new("https://me:hush@host")).unwrap_err();
        assert!(!error.contains("hush"), "{error}");
    }
}
