//! Bytes and times, as the database keeps them and as callers write them.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type, schema::SchemaType},
};

use crate::sink::Instant;

/// An id: 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) [u8; 16]);

impl std::str::FromStr for Id {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| "an id has 32 hexadecimal digits")?;
        Ok(Self(id))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        string("32 hexadecimal digits.")
            .pattern(Some("^[0-9a-fA-F]{32}$"))
            .into()
    }
}

impl ToSchema for Id {}

/// Bytes that people write in hexadecimal digits: ids and hashes.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl PartialSchema for Hex {
    fn schema() -> RefOr<Schema> {
        string("Hexadecimal digits.").pattern(Some("^([0-9a-f]{2})+$")).into()
    }
}

impl ToSchema for Hex {}

/// Bytes that Solana and Arweave write in base58: addresses.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct Base58(pub(crate) Vec<u8>);

impl Serialize for Base58 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bs58::encode(&self.0).into_string())
    }
}

impl PartialSchema for Base58 {
    fn schema() -> RefOr<Schema> {
        string("Base58, as explorers show addresses.").into()
    }
}

impl ToSchema for Base58 {}

/// A point in time: RFC 3339, in UTC. One that no calendar has, such as the end of a grant without end, is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct Time(pub(crate) Instant);

impl Time {
    pub(super) fn text(self) -> Option<String> {
        let time = OffsetDateTime::from_unix_timestamp(self.0.0).ok()?;
        time.format(&Rfc3339).ok()
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = OffsetDateTime::parse(&text, &Rfc3339)
            .map_err(|_| D::Error::custom("a time is written like 2026-03-01T00:00:00Z"))?;
        Ok(Self(Instant(time.unix_timestamp())))
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        string("RFC 3339, in UTC; null for a time that no calendar has.")
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for Time {}

fn string(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_are_utc_and_none_beyond_the_calendar() {
        let shown = |seconds| serde_json::to_string(&Time(Instant(seconds))).unwrap();
        assert_eq!(shown(0), "\"1970-01-01T00:00:00Z\"");
        assert_eq!(shown(i64::MAX), "null");
        let read: Time = serde_json::from_str("\"2026-03-01T01:00:00+01:00\"").unwrap();
        assert_eq!(shown(read.0.0), "\"2026-03-01T00:00:00Z\"");
        assert!(serde_json::from_str::<Time>("\"yesterday\"").is_err());
    }

    #[test]
    fn an_id_of_another_length_is_none() {
        assert!("21".repeat(16).parse::<Id>().is_ok());
        for text in ["", "21", "zz212121212121212121212121212121"] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
    }
}
