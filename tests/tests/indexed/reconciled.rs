//! What the contract's accounts keep and what the rows say are the same, until something is altered: then `reconcile` names
//! table, row and column, what the account says and what the row says, and nothing else.

use std::collections::BTreeSet;

use chartseal_tests::stack::Stack;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::{
    Scene,
    altering::{Alteration, Column, Owner, Tried, Way},
    compared::{BESIDES, COMPARED, Compared, DERIVED, Named, REFUSED, cell_of, follow, reported, row_of},
};

pub(crate) async fn agrees_until_something_is_altered(scene: &Scene) {
    let mut trial = Trial {
        stack: &scene.clinic.stack,
        owner: Owner::of(&scene.clinic.stack).await,
        refused: BTreeSet::new(),
    };
    let report = trial.agrees();
    assert!(report["accounts"].as_u64() > Some(40), "{report:#}");
    trial.everything_is_decided_about(&report).await;
    for compared in COMPARED {
        trial.owner.keeps(compared.table).await;
        trial.cells(compared).await;
        trial.keys(compared).await;
        trial.rows(compared).await;
    }
    assert_eq!(trial.refused, refused());
    trial.second_rows().await;
    trial.chains(&scene.clinic.patient_id, &scene.clinic.id).await;
    trial.agrees();
}

/// What is known to be refused: cell and way, and the constraint.
fn refused() -> BTreeSet<(String, String)> {
    let each = REFUSED.iter().flat_map(|refused| {
        let cells = refused.cells.iter();
        let whats = cells.flat_map(|cell| refused.ways.iter().map(move |way| format!("{cell}, {way:?}")));
        whats.map(|what| (what, refused.constraint.to_owned()))
    });
    each.collect()
}

struct Trial<'a> {
    stack: &'a Stack,
    owner: Owner,
    /// Cells that could not be altered with all constraints in place, and the constraints.
    refused: BTreeSet<(String, String)>,
}

impl Trial<'_> {
    fn agrees(&self) -> Value {
        let (code, report) = self.stack.asks_indexer(&["reconcile"]).unwrap();
        assert_eq!((code, &report["agrees"]), (0, &Value::Bool(true)), "{report:#}");
        report
    }

    /// `reconcile` names these differences and no others: what it says of the first.
    fn names(&self, what: &str, expected: &[Named]) -> Value {
        let (code, report) = self.stack.asks_indexer(&["reconcile"]).unwrap();
        assert_eq!(
            (code, &report["agrees"]),
            (3, &Value::Bool(false)),
            "{what}: {report:#}"
        );
        let mut found = report["differences"].as_array().unwrap().clone();
        let mut first = Value::Null;
        for (place, (table, key, column)) in expected.iter().enumerate() {
            let is_it = |difference: &Value| {
                difference["table"] == table.as_str()
                    && key.as_ref().is_none_or(|key| difference["key"] == *key)
                    && difference["column"].as_str() == column.as_deref()
            };
            let at = found.iter().position(is_it);
            let at = at.unwrap_or_else(|| panic!("{what}: {table} {key:?} {column:?} is not named\n{report:#}"));
            let difference = found.remove(at);
            if place == 0 {
                first = difference;
            }
        }
        assert!(found.is_empty(), "{what}: more is named: {found:#?}");
        first
    }

    /// The list has every table and column that is compared, and every other column of those tables.
    async fn everything_is_decided_about(&mut self, report: &Value) {
        let mut decided: Vec<(String, Vec<String>)> = Vec::new();
        for compared in COMPARED {
            let Compared {
                table,
                key,
                said,
                whether,
                apart,
                ..
            } = compared;
            let listed: BTreeSet<&str> = [*key, *said, *whether, *apart].concat().into_iter().collect();
            let there = self.owner.columns(table).await;
            let there: BTreeSet<&str> = there.iter().map(|column| column.name.as_str()).collect();
            assert_eq!(listed, there, "columns of {table}");
            let said = [*said, *whether]
                .concat()
                .into_iter()
                .map(|column| reported(table, column));
            let derived = DERIVED.iter().filter(|(of, _)| of == table).map(|(_, column)| *column);
            let columns = said.chain(derived).map(str::to_owned).collect();
            decided.push(((*table).to_owned(), columns));
        }
        for (table, columns) in BESIDES {
            decided.push((
                table.to_owned(),
                columns.iter().map(|&column| column.to_owned()).collect(),
            ));
        }
        decided.iter_mut().for_each(|(_, columns)| columns.sort());
        decided.sort();
        let mut said: Vec<(String, Vec<String>)> = Vec::new();
        for table in report["tables"].as_array().unwrap() {
            assert!(table["rows"].as_u64() > Some(0), "nothing is compared: {table}");
            said.push((
                table["table"].as_str().unwrap().to_owned(),
                serde_json::from_value(table["columns"].clone()).unwrap(),
            ));
        }
        said.sort();
        assert_eq!(said, decided);
    }

    async fn columns(&mut self, compared: &Compared, names: &[&str]) -> Vec<Column> {
        let all = self.owner.columns(compared.table).await;
        let named = |name: &&str| all.iter().find(|column| column.name == *name).unwrap().clone();
        names.iter().map(named).collect()
    }

    /// Alters each column in each way, one after the other.
    async fn cells(&mut self, compared: &Compared) {
        let key = self.columns(compared, compared.key).await;
        for name in [compared.said, compared.whether].concat() {
            let only_whether = compared.whether.contains(&name);
            let column = self.columns(compared, &[name]).await.remove(0);
            let ways = [Way::Other, Way::Emptied, Way::Filled];
            let mut times = 0;
            for way in ways.into_iter().filter(|way| !only_whether || *way != Way::Other) {
                times += u32::from(self.cell(compared, &key, &column, name, way).await);
            }
            assert!(
                times > 0,
                "no row of {} has a {name} that could be altered",
                compared.table
            );
        }
    }

    /// Alters a cell in one way: whether there was one.
    async fn cell(
        &mut self,
        compared: &Compared,
        key: &[Column],
        column: &Column,
        name: &'static str,
        way: Way,
    ) -> bool {
        let (table, stands) = (compared.table, compared.stands);
        let what = format!("{table}.{name}, {way:?}");
        let mut back = Vec::new();
        let mut tried = self.owner.alters(table, key, column, way, stands).await;
        while let Tried::Refused(by) = tried {
            let by_each = by.iter().map(|constraint| (what.clone(), constraint.clone()));
            self.refused.extend(by_each);
            back.extend(self.owner.drops(table, &by).await);
            tried = self.owner.alters(table, key, column, way, stands).await;
        }
        let Tried::Altered(alteration) = tried else {
            return false;
        };
        let Alteration { victim, cell, .. } = *alteration;
        let said = reported(table, name);
        let expected = [
            vec![cell_of(table, Some(&victim.key), said)],
            follow(table, said, &victim),
        ]
        .concat();
        let difference = self.names(&what, &expected);
        let on_chain = match (compared.whether.contains(&name), way) {
            (false, _) => victim.cell.clone(),
            (true, Way::Filled) => json!("not set"),
            (true, _) => json!("set"),
        };
        assert_eq!(
            (&difference["on_chain"], &difference["in_database"]),
            (&on_chain, &cell),
            "{what}"
        );
        assert!(difference["account"].is_string(), "{difference}");
        self.owner.puts_back(table).await;
        for constraint in back {
            self.owner.does(&constraint).await;
        }
        true
    }

    /// Alters each part of what names a row: the row is missing then, and another is one too many.
    async fn keys(&mut self, compared: &Compared) {
        let key = self.columns(compared, compared.key).await;
        for column in &key {
            let table = compared.table;
            let what = format!("{table}.{} of the key", column.name);
            let tried = self
                .owner
                .alters(table, &key, column, Way::Other, compared.stands)
                .await;
            let Tried::Altered(alteration) = tried else {
                panic!("{what} could not be altered");
            };
            let Alteration { victim, key: now, .. } = *alteration;
            let mut expected = vec![row_of(table, Some(&victim.key))];
            // A version is shown by its record.
            if table != "record_versions" {
                expected.push(row_of(table, Some(&now)));
            }
            expected.extend(follow(table, &column.name, &victim));
            self.names(&what, &expected);
            self.owner.puts_back(table).await;
        }
    }

    /// Removes a row, and adds one.
    async fn rows(&mut self, compared: &Compared) {
        let (table, stands) = (compared.table, compared.stands);
        let key = self.columns(compared, compared.key).await;
        let any = self.owner.columns(table).await.remove(0);
        let victim = self.owner.rows(table, &key, &any, stands).await.pop().unwrap();
        let delete = format!("DELETE FROM {table} WHERE ctid = '{}'", victim.ctid);
        assert_eq!(self.owner.does(&delete).await, 1);
        let expected = [vec![row_of(table, Some(&victim.key))], follow(table, "gone", &victim)].concat();
        self.names(&format!("a row of {table} less"), &expected);
        self.owner.puts_back(table).await;

        if compared.own.is_empty() {
            return;
        }
        let key = self.adds(compared, compared.own, &key).await;
        let mut expected = vec![row_of(table, Some(&key))];
        if table == "settlements" {
            expected.extend(["amount", "settled"].map(|column| cell_of("settlements (sums)", None, column)));
        }
        if table == "grant_trees" {
            expected.push(row_of("anonymous_grants (trees)", None));
        }
        self.names(&format!("a row of {table} more"), &expected);
        self.owner.puts_back(table).await;
    }

    /// Adds the last row again, which has this of its own: its key.
    async fn adds(&mut self, compared: &Compared, own: &[&str], key: &[Column]) -> Value {
        let (table, stands) = (compared.table, compared.stands);
        let columns = self.owner.columns(table).await;
        let before = self.owner.rows(table, key, &columns[0], stands).await;
        let values: Vec<String> = columns
            .iter()
            .map(|column| match own.contains(&column.name.as_str()) {
                true => column.of_its_own(),
                false => column.name.clone(),
            })
            .collect();
        let last = &before.last().unwrap().ctid;
        let insert = format!(
            "INSERT INTO {table} SELECT {} FROM {table} t WHERE ctid = '{last}'",
            values.join(", ")
        );
        assert_eq!(self.owner.does(&insert).await, 1);
        let mut now = self.owner.rows(table, key, &columns[0], stands).await;
        now.retain(|row| before.iter().all(|old| old.ctid != row.ctid));
        assert_eq!(now.len(), 1, "{insert}");
        now.remove(0).key
    }

    /// Two rows that say how the same thing stands: where histories are kept, a table takes them.
    async fn second_rows(&mut self) {
        for table in ["guardians", "break_glass_holders", "policy_classes"] {
            let compared = COMPARED.iter().find(|compared| compared.table == table).unwrap();
            let key = self.columns(compared, compared.key).await;
            let twice = self.adds(compared, &["made_seq"], &key).await;
            let difference = self.names(&format!("{table} twice"), &[row_of(table, Some(&twice))]);
            assert_eq!(difference["in_database"], "a second row");
            self.owner.puts_back(table).await;
        }
    }

    /// The chains' last events, the table of where they stand, and the entries that logs' accounts keep.
    async fn chains(&mut self, patient: &str, institution: &str) {
        self.owner.keeps("chains").await;
        self.owner.keeps("events").await;
        let (log, staff) = (json!(["log", patient]), json!(["institution", institution]));
        let of = |chain: &Value| {
            let (kind, subject) = (chain[0].as_str().unwrap(), chain[1].as_str().unwrap());
            format!("chain = '{kind}' AND subject = decode('{subject}', 'hex')")
        };
        let (of_log, of_staff) = (of(&log), of(&staff));
        let seq = self.owner.asks(&format!("SELECT seq FROM chains WHERE {of_log}")).await;
        let last: i64 = seq[0].get(0);
        let entry = |seq: i64| json!(["log", patient, seq]);
        let unknown = json!(["institution", "ab".repeat(16)]);
        for (table, statement, expected) in [
            (
                "chains",
                format!("UPDATE chains SET head = set_byte(head, 0, get_byte(head, 0) # 1) WHERE {of_staff}"),
                vec![cell_of("chains", Some(&staff), "head")],
            ),
            (
                "chains",
                format!("UPDATE chains SET seq = seq + 1 WHERE {of_staff}"),
                vec![cell_of("chains", Some(&staff), "seq")],
            ),
            (
                "chains",
                format!("DELETE FROM chains WHERE {of_staff}"),
                vec![cell_of("chains", Some(&staff), "seq"), cell_of("chains", Some(&staff), "head")],
            ),
            (
                "chains",
                format!(
                    "INSERT INTO chains SELECT chain, decode(repeat('ab', 16), 'hex'), seq, head, at FROM chains
                     WHERE {of_staff}"
                ),
                vec![row_of("chains", Some(&unknown)), ],
            ),
            (
                "events",
                format!(
                    "UPDATE events SET head = set_byte(head, 0, get_byte(head, 0) # 1)
                     WHERE {of_staff} AND seq = (SELECT max(seq) FROM events WHERE {of_staff})"
                ),
                vec![cell_of("events", Some(&staff), "head")],
            ),
            (
                "events",
                format!("UPDATE events SET at = at + interval '1 microsecond' WHERE {of_log} AND seq = {last}"),
                vec![cell_of("events", Some(&entry(last)), "at")],
            ),
            (
                "events",
                format!("UPDATE events SET body = set_byte(body, 0, get_byte(body, 0) # 1) WHERE {of_log} AND seq = {last}"),
                vec![cell_of("events", Some(&entry(last)), "discriminator")],
            ),
            (
                "events",
                format!("DELETE FROM events WHERE {of_log} AND seq = {}", last - 1),
                vec![row_of("events", Some(&entry(last - 1)))],
            ),
            (
                "events",
                format!("DELETE FROM events WHERE {of_log} AND seq = {last}"),
                vec![cell_of("chains", Some(&log), "seq")],
            ),
            (
                "events",
                format!(
                    "INSERT INTO events
                     SELECT set_byte(signature, 0, get_byte(signature, 0) # 1), outer_index, inner_index, slot, blockhash,
                            block_time, chain, subject, seq + 1, at, name, body, head
                     FROM events WHERE {of_log} AND seq = {last}"
                ),
                vec![cell_of("chains", Some(&log), "seq"), cell_of("events", Some(&log), "seq")],
            ),
        ] {
            assert_eq!(self.owner.does(&statement).await, 1, "{statement}");
            self.names(&statement, &expected);
            self.owner.puts_back(table).await;
        }
    }
}
