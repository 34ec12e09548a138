//! ANS-104 bundles: several data items as the data of one transaction. The header says how many there are and, for each,
//! how long it is and its id; the items follow one after the other. An item that is not what the header says, or is not
//! signed by its owner, is left out: the transaction stands all the same, as it does on Arweave.

use std::io;
use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::gateway::Gateway;
use crate::gateway::ans104::{DataHash, Header, ItemError};
use crate::gateway::journal::By;
use crate::gateway::store::ItemInfo;
use crate::gateway::upload::OCTET_STREAM;

/// The length of a number in the header, and of an id.
const WORD: usize = 32;

/// Keeps every item of a bundle that is what it says it is.
pub(super) fn unpack(gateway: &Gateway, bundle_id: &str, bundle: &[u8], height: u64) -> io::Result<()> {
    let Some(items) = split(bundle) else {
        tracing::warn!("a transaction says that it is a bundle, and its data is none");
        return Ok(());
    };
    for (id, item) in items {
        let named = BASE64_URL_SAFE_NO_PAD.encode(id);
        match check(item) {
            Ok(header) if header.id() == named => keep(gateway, &header, item, bundle_id, height)?,
            Ok(_) => tracing::warn!(id = named, "an item of a bundle has another id"),
            Err(error) => tracing::warn!(id = named, %error, "an item of a bundle is left out"),
        }
    }
    Ok(())
}

/// Takes a bundle apart into ids and items. `None`: it is no bundle.
fn split(bundle: &[u8]) -> Option<Vec<([u8; WORD], &[u8])>> {
    let (count, mut rest) = bundle.split_first_chunk::<WORD>()?;
    let count = number(count)?;
    if count > rest.len() / (2 * WORD) {
        return None;
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let (size, after) = rest.split_first_chunk::<WORD>()?;
        let (id, after) = after.split_first_chunk::<WORD>()?;
        entries.push((number(size)?, *id));
        rest = after;
    }
    let mut items = Vec::with_capacity(count);
    for (size, id) in entries {
        let (item, after) = rest.split_at_checked(size)?;
        items.push((id, item));
        rest = after;
    }
    rest.is_empty().then_some(items)
}

/// A number of 256 bits, little-endian, if it is one that a length can have.
fn number(word: &[u8; WORD]) -> Option<usize> {
    let (low, high) = word.split_first_chunk::<8>()?;
    let fits = high.iter().all(|byte| *byte == 0);
    usize::try_from(u64::from_le_bytes(*low)).ok().filter(|_| fits)
}

fn check(item: &[u8]) -> Result<Header, ItemError> {
    let header = Header::read(item)?.ok_or(ItemError::Truncated)?;
    let mut data = DataHash::default();
    data.update(item.get(header.length..).unwrap_or_default());
    header.verify(data)?;
    Ok(header)
}

fn keep(gateway: &Gateway, header: &Header, item: &[u8], bundle_id: &str, height: u64) -> io::Result<()> {
    let mut draft = gateway.store.draft()?;
    draft.write_all(item.get(header.length..).unwrap_or_default())?;
    draft.flush()?;
    let content_type = header
        .tag("Content-Type")
        .and_then(|value| std::str::from_utf8(value).ok());
    let info = ItemInfo {
        content_type: content_type.unwrap_or(OCTET_STREAM).to_owned(),
        owner: header.owner_address(),
        height,
        header: BASE64_URL_SAFE_NO_PAD.encode(header.encode()),
        bundled_in: Some(bundle_id.to_owned()),
    };
    gateway.keep(draft, &header.id(), &info, item.len() as u64, By::Bundle)?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn word(number: u64) -> [u8; WORD] {
        let mut word = [0; WORD];
        word[..8].copy_from_slice(&number.to_le_bytes());
        word
    }

    #[test]
    fn a_bundle_is_split_as_its_header_says() {
        let bundle = [&word(2)[..], &word(3), &[7; 32], &word(1), &[8; 32], b"abcd"].concat();
        let items = split(&bundle).unwrap();
        assert_eq!(items, [([7; 32], &b"abc"[..]), ([8; 32], b"d")]);
        assert_eq!(split(&word(0)).unwrap(), []);
        for cut in 0..bundle.len() {
            assert!(split(&bundle[..cut]).is_none(), "cut at {cut}");
        }
        assert!(split(&[&bundle[..], b"x"].concat()).is_none(), "more than it says");
    }

    #[test]
    fn a_bundle_that_announces_more_than_there_is_is_none() {
        for count in [1, u64::MAX] {
            assert!(split(&word(count)).is_none());
        }
        let huge = [&word(1)[..], &[0xff; 32], &[7; 32], b"abc"].concat();
        assert!(split(&huge).is_none());
        let long = [&word(1)[..], &word(u64::MAX), &[7; 32], b"abc"].concat();
        assert!(split(&long).is_none());
    }
}
