//! Data items. Any bytes: what our parser takes keeps the standard's bounds, and the gateway's parser, which others wrote
//! their items for too, reads the same out of it. Signed bytes verify, and with one bit altered they do not.

use chartseal::fuzzing;
use chartseal::store::SignedItem;
use chartseal::store::ans104::{HEADER_LEN, ParsedItem};

use crate::bytes::Bytes;

/// The sandbox gateway's own reader, which shares no line with ours.
#[allow(dead_code, unreachable_pub, reason = "the gateway uses more of it")]
#[path = "../../../sandbox/src/gateway/ans104.rs"]
mod gateway;

pub(super) fn run(input: &[u8]) {
    let gateways = gateway::Header::read(input);
    if let Ok(item) = ParsedItem::parse(input) {
        bounded(&item, input);
        let header = gateways
            .expect("the gateway reads what we read")
            .expect("its header ends");
        assert_eq!(input.len() - header.length, item.data.len());
        assert_eq!(input[..header.length], header.encode());
        assert_eq!(item.owner, header.owner);
        let ours = item.tags.iter().map(|tag| (tag.name, tag.value));
        let theirs = header
            .tags
            .iter()
            .map(|tag| (tag.name.as_slice(), tag.value.as_slice()));
        assert!(ours.eq(theirs), "the gateway reads other tags");
        assert_eq!(header.id(), item.id().to_string());
        let mut data = gateway::DataHash::default();
        data.update(item.data);
        assert_eq!(item.verify().is_ok(), header.verify(data).is_ok());
    }
    signed(&mut Bytes(input));
}

fn bounded(item: &ParsedItem<'_>, input: &[u8]) {
    assert!(item.tags.len() <= 128);
    for tag in &item.tags {
        assert!((1..=1024).contains(&tag.name.len()) && (1..=3072).contains(&tag.value.len()));
    }
    assert!(item.data.len() + HEADER_LEN <= input.len());
    assert!(input.ends_with(item.data));
}

fn signed(input: &mut Bytes<'_>) {
    let key = fuzzing::storage_key(&input.array());
    let (place, bit) = (usize::from(input.u16()), 1 << (input.byte() % 8));
    let data = input.rest();
    let item = SignedItem::sign(data, &key);
    let parsed = ParsedItem::parse(item.bytes()).expect("what we sign parses");
    assert_eq!(
        (parsed.data, parsed.id(), parsed.owner),
        (data, item.id(), key.address())
    );
    parsed.verify().expect("what we sign verifies");
    let mut altered = item.bytes().to_vec();
    let place = place % altered.len();
    altered[place] ^= bit;
    let verified = ParsedItem::parse(&altered).and_then(|item| item.verify());
    assert!(verified.is_err(), "byte {place} was altered, and nobody noticed");
}
