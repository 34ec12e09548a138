//! The one difference of order that two runs have: a command that reads all of a patient's records, as the one does that
//! wraps their keys anew, goes through them in the order of their accounts, which is random. So where somebody reads several
//! records one after another, each once and all in the same capacity, for the same purpose and on the same basis, they are
//! put into the order in which the records came to be. How many reads there are, of which records, and where in the log
//! they stand is compared all the same.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Row;

/// What a read is in the log.
const READ: &str = "AccessAllowed";
/// What tells the reads of one command from each other; the rest is the same.
const OWN: [&str; 4] = ["record", "version", "request", "head"];

/// Whose log, and which place in it.
type Place = (String, String);
/// A record's name, and the version.
type What = (String, String);

/// Which record each read is counted for, and which it was.
#[derive(Debug, Default)]
pub(super) struct Reads(HashMap<Place, (What, What)>);

impl Reads {
    /// Puts reads that follow each other in order, in the rows of `events`.
    ///
    /// # Errors
    /// Where a row is not as this module makes them.
    pub(super) fn put_in_order(events: &mut [Row]) -> Result<Self> {
        let mut reads = Self::default();
        let mut bodies: Vec<Value> = Vec::new();
        for event in events.iter() {
            bodies.push(serde_json::from_str(cell(event, "body")?).context("an event is no JSON")?);
        }
        let mut begin = 0;
        while begin < events.len() {
            let end = begin + length(&events[begin..], &bodies[begin..])?;
            let mut records: Vec<What> = bodies[begin..end].iter().map(what).collect();
            // As they are named, which is as they came to be: id#9 before id#10.
            records.sort_by_key(|(record, version)| (record.len(), record.clone(), version.clone()));
            if end - begin > 1 {
                for ((event, body), next) in events[begin..end].iter_mut().zip(&mut bodies[begin..end]).zip(records) {
                    let place = (cell(event, "subject")?.to_owned(), cell(event, "seq")?.to_owned());
                    reads.0.insert(place, (what(body), next.clone()));
                    body["record"] = next.0.into();
                    body["version"] = serde_json::from_str(&next.1).context("a version is no number")?;
                    *cell_mut(event, "body")? = body.to_string();
                }
            }
            begin = end;
        }
        Ok(reads)
    }

    /// Does the same to a row of `accesses`, unless it is not what its event says: then it stays what it is.
    ///
    /// # Errors
    /// Where a row is not as this module makes them.
    pub(super) fn follow(&self, access: &mut Row) -> Result<()> {
        let place = (cell(access, "patient")?.to_owned(), cell(access, "seq")?.to_owned());
        let Some((was, is)) = self.0.get(&place) else {
            return Ok(());
        };
        let says = (cell(access, "record")?, cell(access, "version")?);
        if says == (was.0.as_str(), was.1.as_str()) {
            *cell_mut(access, "record")? = is.0.clone();
            *cell_mut(access, "version")? = is.1.clone();
        } else {
            cell_mut(access, "record")?.push_str(", of which the event does not tell");
        }
        Ok(())
    }
}

/// How many of these events, from the first on, are reads that may have come in any order; 1 where there are none.
fn length(events: &[Row], bodies: &[Value]) -> Result<usize> {
    let common = |body: &Value| {
        let mut body = body.clone();
        for field in OWN {
            body[field] = Value::Null;
        }
        body["link"]["seq"] = Value::Null;
        body
    };
    let mut seen = HashSet::new();
    let mut length = 0;
    for (event, body) in events.iter().zip(bodies) {
        let alike = cell(event, "name")? == READ && common(body) == common(&bodies[0]);
        if !alike || !seen.insert(what(body)) {
            break;
        }
        length += 1;
    }
    Ok(length.max(1))
}

fn what(body: &Value) -> What {
    let record = body["record"].as_str().unwrap_or_default().to_owned();
    (record, body["version"].to_string())
}

fn cell<'a>(row: &'a Row, column: &str) -> Result<&'a str> {
    let found = row.iter().find(|(name, _)| *name == column);
    let (_, cell) = found.with_context(|| format!("a row has no {column}"))?;
    Ok(cell)
}

fn cell_mut<'a>(row: &'a mut Row, column: &str) -> Result<&'a mut String> {
    let found = row.iter_mut().find(|(name, _)| *name == column);
    let (_, cell) = found.with_context(|| format!("a row has no {column}"))?;
    Ok(cell)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    /// Reads of these records, one after another, by somebody on some basis.
    fn log(reads: &[(&str, &str)]) -> Vec<Row> {
        let event = |(index, (record, basis)): (usize, &(&str, &str))| {
            let seq = index + 1;
            let body = json!({
                "link": { "subject": "id#1", "seq": seq }, "record": record, "version": 1, "basis": basis,
                "request": format!("id#{}", 100 + seq), "head": format!("hash#{seq}"),
            });
            vec![
                ("name", READ.to_owned()),
                ("subject", "id#1".to_owned()),
                ("seq", seq.to_string()),
                ("body", body.to_string()),
            ]
        };
        reads.iter().enumerate().map(event).collect()
    }

    fn records(events: &[Row]) -> Vec<String> {
        let body = |event| serde_json::from_str::<Value>(cell(event, "body").unwrap()).unwrap();
        events.iter().map(|event| what(&body(event)).0).collect()
    }

    #[test]
    fn reads_one_after_another_are_put_in_order_and_the_rows_follow() {
        let mut events = log(&[("id#10", "a"), ("id#9", "a"), ("id#11", "a")]);
        let reads = Reads::put_in_order(&mut events).unwrap();
        assert_eq!(records(&events), ["id#9", "id#10", "id#11"]);
        let access = |record: &str| {
            let cells = [("patient", "id#1"), ("seq", "1"), ("record", record), ("version", "1")];
            let mut access: Row = cells.map(|(column, cell)| (column, cell.to_owned())).into();
            reads.follow(&mut access).unwrap();
            cell(&access, "record").unwrap().to_owned()
        };
        assert_eq!(access("id#10"), "id#9");
        assert_ne!(access("id#9"), "id#9", "the row was altered");
        assert_ne!(access("id#11"), "id#11", "the row was altered");
    }

    #[test]
    fn reads_on_another_basis_or_of_a_record_again_begin_anew() {
        let mut events = log(&[("id#2", "a"), ("id#1", "b"), ("id#2", "b"), ("id#1", "b")]);
        Reads::put_in_order(&mut events).unwrap();
        assert_eq!(records(&events), ["id#2", "id#1", "id#2", "id#1"]);
        let mut another = log(&[("id#2", "a"), ("id#1", "a"), ("id#2", "a")]);
        another[1][0].1 = "GrantCreated".to_owned();
        Reads::put_in_order(&mut another).unwrap();
        assert_eq!(records(&another), ["id#2", "id#1", "id#2"]);
    }
}
