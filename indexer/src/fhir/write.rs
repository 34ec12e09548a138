//! Resources as lines (NDJSON, as FHIR's bulk export has it) or as one Bundle, written as they come.

use std::io::{self, Write};

use serde::Serialize;

/// How the resources are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One resource in a line.
    Ndjson,
    /// One Bundle, a collection of all of them.
    Bundle,
}

/// A resource that says what its id is.
pub(super) trait Named {
    /// Unique within the kind of resource.
    fn id(&self) -> &str;
}

pub(super) struct Writer<W: Write> {
    out: W,
    format: Format,
    is_empty: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a, T> {
    full_url: String,
    resource: &'a T,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(mut out: W, format: Format) -> io::Result<Self> {
        if format == Format::Bundle {
            out.write_all(br#"{"resourceType":"Bundle","type":"collection""#)?;
        }
        Ok(Self {
            out,
            format,
            is_empty: true,
        })
    }

    pub(super) fn write<T: Serialize + Named>(&mut self, kind: &str, resource: &T) -> io::Result<()> {
        match self.format {
            Format::Ndjson => {
                serde_json::to_writer(&mut self.out, resource)?;
                self.out.write_all(b"\n")?;
            }
            Format::Bundle => {
                // FHIR has no empty lists.
                let before: &[u8] = if self.is_empty { b",\"entry\":[\n" } else { b",\n" };
                self.out.write_all(before)?;
                let entry = Entry {
                    full_url: format!("urn:chartseal:resource:{kind}:{}", resource.id()),
                    resource,
                };
                serde_json::to_writer(&mut self.out, &entry)?;
            }
        }
        self.is_empty = false;
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.format == Format::Bundle {
            let end: &[u8] = if self.is_empty { b"}\n" } else { b"\n]}\n" };
            self.out.write_all(end)?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Thing {
        id: &'static str,
    }

    impl Named for Thing {
        fn id(&self) -> &str {
            self.id
        }
    }

    fn written(format: Format, things: &[&'static str]) -> String {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, format).unwrap();
        for id in things {
            writer.write("Thing", &Thing { id }).unwrap();
        }
        writer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_resources() {
        assert_eq!(written(Format::Ndjson, &["a", "b"]), "{\"id\":\"a\"}\n{\"id\":\"b\"}\n");
        assert_eq!(written(Format::Ndjson, &[]), "");
    }

    #[test]
    fn a_bundle_is_json_and_has_no_empty_list() {
        let whole: serde_json::Value = serde_json::from_str(&written(Format::Bundle, &["a", "b"])).unwrap();
        assert_eq!(whole["entry"][1]["fullUrl"], "urn:chartseal:resource:Thing:b");
        assert_eq!(whole["entry"][1]["resource"]["id"], "b");
        let empty: serde_json::Value = serde_json::from_str(&written(Format::Bundle, &[])).unwrap();
        assert_eq!(
            empty,
            serde_json::json!({"resourceType": "Bundle", "type": "collection"})
        );
    }
}
