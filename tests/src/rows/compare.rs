//! Where the rows of two runs differ, in words that say which row of which table, and in which column.

use super::{Row, Rows, columns::EVENTS};

/// Every difference, table by table; none where the rows are the same. Of events the first one only: what comes after it
/// has other names.
#[must_use]
pub fn differences(one: (&str, &Rows), other: (&str, &Rows)) -> Vec<String> {
    let mut found = Vec::new();
    let tables: std::collections::BTreeSet<_> = one.1.0.keys().chain(other.1.0.keys()).collect();
    let (events, others): (Vec<_>, Vec<_>) = tables.into_iter().partition(|table| **table == EVENTS);
    for table in events.into_iter().chain(others) {
        let rows = |rows: &'_ Rows| rows.0.get(table).cloned().unwrap_or_default();
        let (ours, theirs) = (rows(one.1), rows(other.1));
        if table == EVENTS {
            found.extend(first_difference((one.0, &ours), (other.0, &theirs)));
        } else {
            compare_table(table, (one.0, ours), (other.0, theirs), &mut found);
        }
    }
    found
}

/// The first event that is not the same in both.
fn first_difference(one: (&str, &[Row]), other: (&str, &[Row])) -> Option<String> {
    let place = (0..one.1.len().max(other.1.len())).find(|place| one.1.get(*place) != other.1.get(*place))?;
    let number = place + 1;
    Some(match (one.1.get(place), other.1.get(place)) {
        (Some(ours), Some(theirs)) => format!(
            "events, number {number} of the log ({}): {}",
            shown(ours),
            changes((one.0, ours), (other.0, theirs))
        ),
        (Some(ours), None) => only(EVENTS, one.0, ours, number),
        (None, Some(theirs)) => only(EVENTS, other.0, theirs, number),
        (None, None) => return None,
    })
}

fn only(table: &str, run: &str, row: &Row, number: usize) -> String {
    format!("{table}, number {number}: only the {run} run has it: {}", whole(row))
}

fn compare_table(table: &str, one: (&str, Vec<Row>), other: (&str, Vec<Row>), found: &mut Vec<String>) {
    let (mut ours, mut theirs) = (one.1, other.1);
    ours.retain(|row| match theirs.iter().position(|theirs| theirs == row) {
        Some(same) => {
            theirs.remove(same);
            false
        }
        None => true,
    });
    for row in ours {
        let likeness = |other: &Row| row.iter().zip(other).filter(|(a, b)| a == b).count();
        // Rows that have most in common are the same row, changed.
        let like = (0..theirs.len()).max_by_key(|place| likeness(&theirs[*place]));
        match like.filter(|place| 2 * likeness(&theirs[*place]) > row.len()) {
            Some(place) => {
                let changed = theirs.remove(place);
                let changes = changes((one.0, &row), (other.0, &changed));
                found.push(format!("{table} ({}): {changes}", shown(&row)));
            }
            None => found.push(format!("{table}: only the {} run has: {}", one.0, whole(&row))),
        }
    }
    for row in theirs {
        found.push(format!("{table}: only the {} run has: {}", other.0, whole(&row)));
    }
}

/// Enough of a row to know it by.
fn shown(row: &Row) -> String {
    let cells: Vec<_> = row
        .iter()
        .take(4)
        .map(|(column, cell)| format!("{column} {cell}"))
        .collect();
    cells.join(", ")
}

fn whole(row: &Row) -> String {
    let cells: Vec<_> = row.iter().map(|(column, cell)| format!("{column} {cell}")).collect();
    cells.join(", ")
}

fn changes(one: (&str, &Row), other: (&str, &Row)) -> String {
    let pairs = one.1.iter().zip(other.1).filter(|(ours, theirs)| ours != theirs);
    let changes: Vec<_> = pairs
        .map(|((column, ours), (_, theirs))| {
            format!("{column} is {ours} in the {} run, {theirs} in the {}", one.0, other.0)
        })
        .collect();
    changes.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Cells = [(&'static str, &'static str); 4];

    fn rows(table: &'static str, rows: &[Cells]) -> Rows {
        let row = |row: &Cells| row.map(|(column, cell)| (column, cell.to_owned())).into();
        Rows([(table, rows.iter().map(row).collect())].into())
    }

    fn refusal(seq: &'static str, reason: &'static str) -> Cells {
        [
            ("patient", "id#1"),
            ("seq", seq),
            ("purpose", "payment"),
            ("reason", reason),
        ]
    }

    fn found(one: &[Cells], other: &[Cells], table: &'static str) -> Vec<String> {
        let (one, other) = (rows(table, one), rows(table, other));
        differences(("first", &one), ("second", &other))
    }

    #[test]
    fn the_same_rows_do_not_differ() {
        let both = [refusal("1", "no-grant"), refusal("2", "no-grant")];
        assert!(found(&both, &both, "refusals").is_empty());
    }

    #[test]
    fn a_changed_cell_is_named_with_its_row_and_both_values() {
        let one = [refusal("1", "no-grant"), refusal("2", "no-grant")];
        let other = [refusal("1", "no-grant"), refusal("2", "grant-revoked")];
        let said = found(&one, &other, "refusals");
        let expected = "refusals (patient id#1, seq 2, purpose payment, reason no-grant): \
                        reason is no-grant in the first run, grant-revoked in the second";
        assert_eq!(said, [expected]);
    }

    #[test]
    fn a_row_that_is_missing_or_there_twice_is_named() {
        let one = [refusal("1", "no-grant"), refusal("2", "no-grant")];
        for (ours, theirs, run) in [(&one[..], &one[..1], "first"), (&one[1..], &one[..], "second")] {
            let said = found(ours, theirs, "refusals");
            assert!(
                matches!(&said[..], [said] if said.contains(&format!("only the {run} run has"))),
                "{said:?}"
            );
        }
        let twice = [one[0], one[1], one[1]];
        assert_eq!(found(&one, &twice, "refusals").len(), 1);
    }

    #[test]
    fn events_in_another_order_differ() {
        let one = [refusal("1", "no-grant"), refusal("2", "grant-revoked")];
        let other = [one[1], one[0]];
        assert!(found(&one, &other, "refusals").is_empty());
        let said = found(&one, &other, EVENTS);
        assert!(
            matches!(&said[..], [said] if said.starts_with("events, number 1 of the log")),
            "{said:?}"
        );
        let said = found(&one, &one[..1], EVENTS);
        assert!(
            matches!(&said[..], [said] if said.contains("number 2: only the first run")),
            "{said:?}"
        );
    }
}
