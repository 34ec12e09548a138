//! The order of keys in the written IDL. serde_json's own depends on a feature that any other package can switch on.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// Keys in the order in which people read an IDL; those that are not here come after, by alphabet.
const ORDER: [&str; 35] = [
    "kind",
    "name",
    "code",
    "version",
    "address",
    "metadata",
    "spec",
    "description",
    "repository",
    "docs",
    "discriminator",
    "serialization",
    "repr",
    "generics",
    "writable",
    "signer",
    "optional",
    "pda",
    "relations",
    "instructions",
    "accounts",
    "args",
    "returns",
    "events",
    "errors",
    "msg",
    "type",
    "fields",
    "variants",
    "alias",
    "types",
    "constants",
    "value",
    "path",
    "account",
];

struct Ordered<'a>(&'a Value);

/// Serialises as the map does, in this module's order.
pub(super) struct OrderedMap<'a>(pub(super) &'a Map<String, Value>);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(map) => OrderedMap(map).serialize(serializer),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Ordered)),
            plain => plain.serialize(serializer),
        }
    }
}

impl Serialize for OrderedMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rank = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
        let mut entries: Vec<_> = self.0.iter().collect();
        entries.sort_by(|(one, _), (other, _)| (rank(one), *one).cmp(&(rank(other), *other)));
        serializer.collect_map(entries.into_iter().map(|(key, value)| (key, Ordered(value))))
    }
}
