//! What stands at the head of an item or a transaction, in the texts in which the network shows it: what is binary as
//! base64url, amounts in winston, tags as UTF-8.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::ans104::Header;

/// What an amount is that nobody pays.
const NOTHING: &str = "0";

/// A head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) anchor: String,
    pub(super) signature: String,
    /// The owner's public key.
    pub(super) key: String,
    /// Empty for none.
    pub(super) recipient: String,
    pub(super) fee: String,
    pub(super) quantity: String,
    pub(super) tags: Vec<(String, String)>,
}

impl From<&Header> for Head {
    /// An item costs nothing of its own: its bundle paid for it.
    fn from(header: &Header) -> Self {
        let tags = header.tags.iter();
        Self {
            anchor: BASE64_URL_SAFE_NO_PAD.encode(&header.anchor),
            signature: BASE64_URL_SAFE_NO_PAD.encode(header.signature),
            key: BASE64_URL_SAFE_NO_PAD.encode(header.owner),
            recipient: BASE64_URL_SAFE_NO_PAD.encode(&header.target),
            fee: NOTHING.to_owned(),
            quantity: NOTHING.to_owned(),
            tags: tags.map(|tag| (text(&tag.name), text(&tag.value))).collect(),
        }
    }
}

/// A name or value of a tag, which should be UTF-8.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
