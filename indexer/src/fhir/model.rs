//! The data types of FHIR R4 that the resources are made of, as far as they are used here.
//!
//! Fields are written in the order in which they stand, and none that is empty: so the same rows always give the same
//! bytes. Typed models of the whole of FHIR are a thousand times as much; that these are what R4 says is shown by the
//! tests, which read every resource with two of them.

use std::borrow::Cow;

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::sink::{Instant, SinkError};

/// Bulk of the FHIR resources begins with this.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_updated: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) profile: Vec<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Coding {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) extension: Vec<Extension>,
    pub(super) system: &'static str,
    pub(super) code: Cow<'static, str>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct CodeableConcept {
    pub(super) coding: Vec<Coding>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Identifier {
    pub(super) system: &'static str,
    pub(super) value: String,
}

/// A reference by what something is called, never by where it is kept: the export is of no server, and what it refers
/// to may lie outside of what was asked for.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Reference {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identifier: Option<Identifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display: Option<&'static str>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Period {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Extension {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) extension: Vec<Extension>,
    pub(super) url: &'static str,
    #[serde(flatten)]
    pub(super) value: Option<Value>,
}

/// The value of an extension.
#[derive(Clone, Debug, Serialize)]
pub(super) enum Value {
    #[serde(rename = "valueCode")]
    Code(&'static str),
    #[serde(rename = "valueString")]
    String(String),
    #[serde(rename = "valueDateTime")]
    DateTime(String),
    #[serde(rename = "valueIdentifier")]
    Identifier(Identifier),
}

impl Coding {
    pub(super) fn new(system: &'static str, code: impl Into<Cow<'static, str>>) -> Self {
        Self {
            extension: Vec::new(),
            system,
            code: code.into(),
        }
    }
}

impl From<Coding> for CodeableConcept {
    fn from(coding: Coding) -> Self {
        Self { coding: vec![coding] }
    }
}

impl Identifier {
    pub(super) fn new(system: &'static str, value: impl Into<String>) -> Self {
        Self {
            system,
            value: value.into(),
        }
    }
}

impl Reference {
    pub(super) fn to(kind: &'static str, identifier: Identifier) -> Self {
        Self {
            kind,
            identifier: Some(identifier),
            display: None,
        }
    }

    /// Something that has no identifier which could be told.
    pub(super) fn unnamed(kind: &'static str, display: &'static str) -> Self {
        Self {
            kind,
            identifier: None,
            display: Some(display),
        }
    }
}

impl Extension {
    pub(super) fn new(url: &'static str, value: Value) -> Self {
        Self {
            extension: Vec::new(),
            url,
            value: Some(value),
        }
    }

    pub(super) fn of(url: &'static str, parts: Vec<Self>) -> Self {
        Self {
            extension: parts,
            url,
            value: None,
        }
    }
}

/// A point in time as FHIR writes it (`dateTime` and `instant`); nothing where its four digits of a year do not reach.
pub(super) fn time(at: Instant) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(at.0).ok()?;
    (1..=9999)
        .contains(&time.year())
        .then(|| time.format(&Rfc3339).ok())
        .flatten()
}

/// The chain's clock, which always can be written.
pub(super) fn clock(at: Instant) -> Result<String, SinkError> {
    time(at).ok_or(SinkError::Damaged("a time of the chain"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_fhir_reads_them() {
        assert_eq!(time(Instant(1_750_000_000)).as_deref(), Some("2025-06-15T15:06:40Z"));
        assert_eq!(time(Instant(253_402_300_799)).as_deref(), Some("9999-12-31T23:59:59Z"));
    }

    #[test]
    fn times_beyond_four_digits_are_left_out() {
        for seconds in [i64::MIN, i64::MAX, 253_402_300_800, -62_135_596_801] {
            assert_eq!(time(Instant(seconds)), None, "{seconds}");
        }
    }

    #[test]
    fn an_extension_has_a_value_or_parts() {
        let whole = Extension::of("a", vec![Extension::new("b", Value::Code("c"))]);
        let json = serde_json::to_string(&whole).unwrap();
        assert_eq!(json, r#"{"extension":[{"url":"b","valueCode":"c"}],"url":"a"}"#);
    }
}
