//! An event's bytes, field by field, as the committed IDL describes them. Ids, addresses and hashes get names, the time of
//! the event goes, and a time that somebody chose is left as hours after it; all else is left as it stands.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value, json};

use super::names::Names;
use crate::programs::root;

/// When it happened.
const AT: &str = "at";
/// Fields that hold the hour of it, or a time next to it.
const AROUND: [&str; 2] = ["epoch", "now"];
/// Fields that hold a time which somebody chose.
const CHOSEN: [&str; 4] = ["expires", "until", "not_before", "ready_at"];
/// Nobody means a time after the year 9999: that is "without end".
const END: i64 = 253_402_300_800;

/// How events are laid out.
#[derive(Debug)]
pub(super) struct Layouts(Value);

impl Layouts {
    /// Those of the committed contract.
    ///
    /// # Errors
    /// Where its IDL cannot be read.
    pub(super) fn committed() -> Result<Self> {
        let path = root().join("programs/chartseal/artifacts/chartseal.json");
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self(serde_json::from_slice(&text).context("the IDL is no JSON")?))
    }

    /// What is left of an event.
    ///
    /// # Errors
    /// Where the bytes are no event of the contract.
    pub(super) fn read(&self, bytes: &[u8], names: &mut Names) -> Result<Value> {
        let (tag, mut rest) = bytes.split_at_checked(8).context("an event is too short")?;
        let is_it = |event: &&Value| event["discriminator"] == json!(tag);
        let events = self.0["events"].as_array();
        let event = events.and_then(|events| events.iter().find(is_it));
        let name = event.and_then(|event| event["name"].as_str());
        let name = name.context("an event that the IDL does not know")?;
        let mut reader = Reader {
            idl: &self.0,
            names,
            at: 0,
        };
        let fields = reader.defined(name, &mut rest).with_context(|| name.to_owned())?;
        ensure!(
            rest.is_empty(),
            "{name} has {} bytes more than the IDL says",
            rest.len()
        );
        Ok(fields)
    }
}

struct Reader<'a> {
    idl: &'a Value,
    names: &'a mut Names,
    /// When the event happened: the first field of each says it.
    at: i64,
}

impl Reader<'_> {
    fn defined(&mut self, name: &str, bytes: &mut &[u8]) -> Result<Value> {
        let types = self.idl["types"].as_array();
        let found = types.and_then(|types| types.iter().find(|it| it["name"] == name));
        let definition = &found.with_context(|| format!("the IDL has no type {name}"))?["type"];
        match definition["kind"].as_str() {
            Some("type") => self.value("", &definition["alias"], bytes),
            Some("enum") => {
                let index = usize::from(take::<1>(bytes)?[0]);
                let variant = &definition["variants"][index]["name"];
                ensure!(variant.is_string(), "{index} is no {name}");
                Ok(variant.clone())
            }
            Some("struct") => {
                let mut fields = Map::new();
                for field in definition["fields"].as_array().into_iter().flatten() {
                    let key = field["name"].as_str().unwrap_or_default();
                    let value = self.value(key, &field["type"], bytes);
                    fields.insert(key.to_owned(), value.with_context(|| key.to_owned())?);
                }
                Ok(fields.into())
            }
            _ => bail!("the IDL's type {name} is of no kind that is known here"),
        }
    }

    fn value(&mut self, field: &str, layout: &Value, bytes: &mut &[u8]) -> Result<Value> {
        if let Some(name) = layout["defined"]["name"].as_str() {
            return self.defined(name, bytes);
        }
        if let Some(item) = layout.get("vec") {
            let length = u32::from_le_bytes(take(bytes)?);
            let items = (0..length).map(|_| self.value(field, item, bytes));
            return Ok(Value::Array(items.collect::<Result<_>>()?));
        }
        if layout["array"] == json!(["u8", 16]) {
            return Ok(self.names.of("id", &take::<16>(bytes)?).into());
        }
        if layout["array"] == json!(["u8", 32]) {
            return Ok(self.names.of("hash", &take::<32>(bytes)?).into());
        }
        Ok(match layout.as_str() {
            Some("pubkey") => self.names.of("address", &take::<32>(bytes)?).into(),
            Some("bool") => (take::<1>(bytes)?[0] != 0).into(),
            Some("u8") => take::<1>(bytes)?[0].into(),
            Some("u16") => u16::from_le_bytes(take(bytes)?).into(),
            Some("u32") => u32::from_le_bytes(take(bytes)?).into(),
            Some("u64" | "i64") if AROUND.contains(&field) => {
                take::<8>(bytes)?;
                "a time".into()
            }
            Some("u64") => u64::from_le_bytes(take(bytes)?).into(),
            Some("i64") => self.number(field, i64::from_le_bytes(take(bytes)?)),
            _ => bail!("the IDL's {layout} is not known here"),
        })
    }

    fn number(&mut self, field: &str, number: i64) -> Value {
        if field == AT {
            self.at = number;
            return "a time".into();
        }
        if CHOSEN.contains(&field) && (1..END).contains(&number) {
            return format!("{} h", hours(number.saturating_sub(self.at))).into();
        }
        number.into()
    }
}

/// The whole hours that are nearest: what a command takes to be carried out is no difference.
fn hours(seconds: i64) -> i64 {
    seconds.saturating_add(1_800).div_euclid(3_600)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>().context("an event is too short")?;
    *bytes = rest;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DAY: i64 = 86_400;

    /// An institution's approval is renewed: by whom is in the log's subject, until when in seconds since 1970.
    fn renewed(layouts: &Layouts, subject: u8, at: i64, expires: i64) -> Vec<u8> {
        let events = layouts.0["events"].as_array().unwrap();
        let event = events
            .iter()
            .find(|event| event["name"] == "InstitutionRenewed")
            .unwrap();
        let tag = event["discriminator"].as_array().unwrap().iter();
        let tag: Vec<u8> = tag.map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap()).collect();
        let link = [&[subject; 16][..], &7_u64.to_le_bytes(), &at.to_le_bytes()].concat();
        [&tag[..], &link, &expires.to_le_bytes(), &[subject; 32]].concat()
    }

    #[test]
    fn what_is_random_and_when_it_was_are_left_out_and_how_long_it_lasts_is_not() {
        let layouts = Layouts::committed().unwrap();
        let read = |subject, at, expires| {
            let bytes = renewed(&layouts, subject, at, expires);
            layouts.read(&bytes, &mut Names::default()).unwrap()
        };
        let one = read(1, 1_800_000_000, 1_800_000_000 + 30 * DAY);
        // Two seconds passed between the choice and the event.
        assert_eq!(one, read(2, 1_900_000_002, 1_900_000_000 + 30 * DAY));
        assert_eq!(one["expires"], "720 h");
        assert_eq!(
            (&one["link"]["subject"], &one["link"]["seq"]),
            (&json!("id#1"), &json!(7))
        );
        assert_ne!(one, read(1, 1_800_000_000, 1_800_000_000 + 31 * DAY));
        // Without end, whenever that was said.
        assert_eq!(read(1, 1_800_000_000, i64::MAX), read(2, 1_900_000_000, i64::MAX));
    }

    #[test]
    fn bytes_that_are_no_event_are_refused() {
        let layouts = Layouts::committed().unwrap();
        let whole = renewed(&layouts, 1, 1, 1);
        for wrong in [
            &whole[..7],
            &whole[..whole.len() - 1],
            &[&whole[..], &[0]].concat(),
            &[9; 60],
        ] {
            assert!(layouts.read(wrong, &mut Names::default()).is_err(), "{wrong:?}");
        }
    }
}
