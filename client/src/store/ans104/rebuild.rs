//! Making a data item again from what it consists of. Whoever has its bytes, its signature and its signer's public key
//! has the item: to put a lost one back takes no secret.

use super::{Ans104Error, HEADER_LEN, ParsedItem, SIGNATURE_TYPE};
use crate::store::SignedItem;

/// The data item without tags that this owner signed with this signature.
///
/// # Errors
/// [`Ans104Error::BadSignature`] where the signature is not the owner's over these bytes.
pub fn item_from_parts(owner: &[u8; 32], signature: &[u8; 64], data: &[u8]) -> Result<SignedItem, Ans104Error> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + data.len());
    bytes.extend_from_slice(&SIGNATURE_TYPE.to_le_bytes());
    bytes.extend_from_slice(signature);
    bytes.extend_from_slice(owner);
    // No target, no anchor, no tags.
    bytes.resize(HEADER_LEN, 0);
    bytes.extend_from_slice(data);
    let item = ParsedItem::parse(&bytes)?;
    item.verify()?;
    let id = item.id();
    Ok(SignedItem::from_parts(id, bytes.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::keys::StorageKey;

    #[test]
    fn an_item_is_made_again_without_its_key() {
        for data in [&b""[..], b"x", &[9; 70_000]] {
            let item = SignedItem::sign(data, &StorageKey::from_secret(&[7; 32]));
            let parsed = ParsedItem::parse(item.bytes()).unwrap();
            let again = item_from_parts(&parsed.owner, &parsed.signature, data).unwrap();
            assert_eq!((again.id(), again.bytes()), (item.id(), item.bytes()));
        }
    }

    #[test]
    fn other_bytes_another_owner_and_another_signature_make_no_item() {
        let key = StorageKey::from_secret(&[7; 32]);
        let item = SignedItem::sign(b"sealed bytes", &key);
        let signature = ParsedItem::parse(item.bytes()).unwrap().signature;
        let other = StorageKey::from_secret(&[8; 32]).address();
        for made in [
            item_from_parts(&key.address(), &signature, b"sealed byteS"),
            item_from_parts(&key.address(), &signature, b"sealed bytes "),
            item_from_parts(&other, &signature, b"sealed bytes"),
            item_from_parts(&key.address(), &[0; 64], b"sealed bytes"),
        ] {
            assert_eq!(made.unwrap_err(), Ans104Error::BadSignature);
        }
    }
}
