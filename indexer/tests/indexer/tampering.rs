//! Any row of any table, deleted, altered in any column, or added: verification fails, and names whose it is.

use std::collections::BTreeMap;

use chartseal_indexer::{Report, Scope, verify};
use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::{cluster::Database, indexing::index, node::Node, story};

/// How a table's rows name the event they follow from: kind of chain, subject, place.
const TABLES: &[(&str, &str, &str, &str)] = &[
    ("events", "chain", "subject", "seq"),
    ("chains", "chain", "subject", "seq"),
    (
        "registry",
        "'registry'",
        "decode(repeat('00', 16), 'hex')",
        "changed_seq",
    ),
    (
        "registry_changes",
        "'registry'",
        "decode(repeat('00', 16), 'hex')",
        "seq",
    ),
    ("institutions", "'institution'", "id", "changed_seq"),
    ("members", "'institution'", "institution", "changed_seq"),
    ("institution_standings", "'institution'", "institution", "changed_seq"),
    ("member_standings", "'institution'", "institution", "changed_seq"),
    ("batches", "'institution'", "institution", "seq"),
    ("patients", "'log'", "id", "changed_seq"),
    ("patient_wallets", "'log'", "patient", "changed_seq"),
    ("delegates", "'log'", "patient", "changed_seq"),
    ("safeguards", "'log'", "patient", "changed_seq"),
    ("guardians", "'log'", "patient", "changed_seq"),
    ("break_glass_holders", "'log'", "patient", "changed_seq"),
    ("recovery_steps", "'log'", "patient", "seq"),
    ("policies", "'log'", "patient", "changed_seq"),
    ("policy_classes", "'log'", "patient", "changed_seq"),
    ("policy_changes", "'log'", "patient", "seq"),
    ("emergencies", "'log'", "patient", "changed_seq"),
    ("records", "'log'", "patient", "changed_seq"),
    ("record_versions", "'log'", "patient", "seq"),
    ("erasures", "'log'", "patient", "seq"),
    ("erasure_attestations", "'log'", "patient", "seq"),
    ("requests", "'log'", "patient", "changed_seq"),
    ("grants", "'log'", "patient", "changed_seq"),
    ("grants_passed_on", "'log'", "patient", "seq"),
    ("accesses", "'log'", "patient", "seq"),
    ("refusals", "'refusals'", "patient", "seq"),
    ("agreements", "'institution'", "consumer", "changed_seq"),
    ("agreement_deposits", "'institution'", "consumer", "seq"),
    ("settlements", "'log'", "patient", "seq"),
];

/// Tables that are tampered with together, to save verifications: `events`, from which the others follow, is alone.
fn groups() -> [&'static [(&'static str, &'static str, &'static str, &'static str)]; 2] {
    let (events, others) = TABLES.split_at(1);
    [events, others]
}

/// Columns of `events` that say where an event stands, which no hash covers: only the ledger proves them.
const PLACE: [&str; 6] = [
    "signature",
    "outer_index",
    "inner_index",
    "slot",
    "blockhash",
    "block_time",
];

struct Scene {
    node: Node,
    database: Database,
    connection: PgConnection,
}

/// A row as it was, and how to find it again.
struct Victim {
    table: &'static str,
    ctid: String,
    chain: String,
    subject: String,
    seq: i64,
}

impl Scene {
    async fn set() -> Self {
        let node = Node::start(story::tell()).await;
        let database = Database::new().await;
        index(&node, &database).await;
        let mut connection = database.connect().await;
        // Foreign keys would refuse much of what an attacker with rights over the database can do.
        execute(&mut connection, "SET session_replication_role = replica")
            .await
            .unwrap();
        for (table, ..) in TABLES {
            execute(
                &mut connection,
                &format!("CREATE TABLE public.{table} AS TABLE chartseal.{table}"),
            )
            .await
            .unwrap();
        }
        Self {
            node,
            database,
            connection,
        }
    }

    async fn restore(&mut self, table: &str) {
        for statement in [
            format!("DELETE FROM {table}"),
            format!("INSERT INTO {table} SELECT * FROM public.{table}"),
        ] {
            execute(&mut self.connection, &statement).await.unwrap();
        }
    }

    async fn victims(&mut self, (table, chain, subject, seq): (&'static str, &str, &str, &str)) -> Vec<Victim> {
        let query = format!(
            "SELECT ctid::text, ({chain})::text, encode({subject}, 'hex'), {seq} FROM {table} ORDER BY {seq}, ctid"
        );
        let rows = sqlx::query(AssertSqlSafe(query))
            .fetch_all(&mut self.connection)
            .await
            .unwrap();
        rows.iter()
            .map(|row| Victim {
                table,
                ctid: row.get(0),
                chain: row.get(1),
                subject: row.get(2),
                seq: row.get(3),
            })
            .collect()
    }

    /// Columns with what another valid value of theirs is, in SQL.
    async fn columns(&mut self, table: &str) -> Vec<(String, String)> {
        let rows = sqlx::query(
            "SELECT column_name::text, coalesce(domain_name::text, udt_name::text) FROM information_schema.columns
             WHERE table_schema = 'chartseal' AND table_name = $1 ORDER BY ordinal_position",
        )
        .bind(table)
        .fetch_all(&mut self.connection)
        .await
        .unwrap();
        rows.iter()
            .map(|row| (row.get(0), another(row.get(0), row.get(1))))
            .collect()
    }

    async fn verify(&self, scope: Scope) -> Report {
        verify(&self.node.url, &self.database.url, scope).await.unwrap()
    }

    /// Verification names each of these rows: those of `events` by their chains, others by their tables too.
    async fn expect_named(&self, scope: Scope, victims: &[Victim], what: &str) {
        let report = self.verify(scope).await;
        assert!(!report.whole, "{what}: not noticed ({scope:?})");
        for victim in victims {
            let named = report.findings.iter().any(|finding| {
                finding.table == victim.table
                    && finding.chain.as_ref() == Some(&victim.chain)
                    && finding.subject.as_ref() == Some(&victim.subject)
                    && finding.seq == Some(victim.seq as u64)
            });
            assert!(
                named,
                "{what}: {} {} {} {} is not named ({scope:?})\n{report}",
                victim.table, victim.chain, victim.subject, victim.seq
            );
        }
    }

    /// Constraints keep an owner of the tables from nothing: it can drop them first.
    async fn drop_checks(&mut self) {
        let drops: Vec<String> = sqlx::query_scalar(
            "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint
             WHERE contype = 'c' AND conrelid <> 0 AND connamespace = 'chartseal'::regnamespace",
        )
        .fetch_all(&mut self.connection)
        .await
        .unwrap();
        for drop in drops {
            execute(&mut self.connection, &drop).await.unwrap();
        }
    }
}

async fn execute(connection: &mut PgConnection, statement: &str) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query(AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await?
        .rows_affected())
}

/// Another value that the column's type and checks allow.
fn another(column: &str, kind: &str) -> String {
    let words = BTreeMap::from([
        ("chain_kind", ("log", "refusals")),
        ("institution_kind", ("hospital", "laboratory")),
        ("standing", ("active", "suspended")),
        ("member_role", ("doctor", "nurse")),
        ("action", ("read", "amend")),
        ("purpose", ("payment", "research")),
        ("grantee_kind", ("member", "person")),
        ("actor_kind", ("member", "person")),
        ("basis", ("grant", "consent")),
        ("reason", ("no-grant", "grant-expired")),
        ("record_status", ("active", "erased")),
        ("request_state", ("open", "denied")),
        ("verdict", ("justified", "unjustified")),
        ("agreement_state", ("active", "closed")),
        ("claim_kind", ("grant", "policy")),
    ]);
    let bytes = |length: usize| {
        format!("coalesce(set_byte({column}, 0, 255 - get_byte({column}, 0)), decode(repeat('ab', {length}), 'hex'))")
    };
    match kind {
        "int2" => format!("(coalesce({column}, 5) + 7) % 32"),
        "amount" => format!("coalesce({column}, 5) + 1"),
        "int4" | "int8" => format!("coalesce({column}, 5) + 1000000"),
        "timestamptz" => format!("CASE WHEN isfinite({column}) THEN {column} + interval '1 second' ELSE now() END"),
        "bool" => format!("NOT {column}"),
        "_text" => format!("CASE {column} WHEN '{{}}' THEN '{{read}}'::text[] ELSE '{{}}' END"),
        "_int4" => format!("CASE WHEN {column} IS NULL THEN '{{1}}' ELSE NULL END::integer[]"),
        "id" => bytes(16),
        "signature" => bytes(64),
        "address" | "hash" | "bytea" => bytes(32),
        "text" if column == "change" => "CASE change WHEN 'paused' THEN 'resumed' ELSE 'paused' END".to_owned(),
        "text" => format!("{column} || '!'"),
        word => {
            let (one, other) = words[word];
            format!("CASE {column} WHEN '{one}' THEN '{other}' ELSE '{one}' END")
        }
    }
}

/// Of each chain's rows, the one of this number.
fn of_round(round: usize, victims: Vec<Victim>) -> Vec<Victim> {
    let mut rows: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut is_due = |victim: &Victim| {
        let row = rows.entry((victim.chain.clone(), victim.subject.clone())).or_default();
        *row += 1;
        *row == round + 1
    };
    victims.into_iter().filter(|victim| is_due(victim)).collect()
}

#[tokio::test]
async fn a_deleted_row_of_any_table_is_named() {
    let mut scene = Scene::set().await;
    for group in groups() {
        let mut round = 0;
        loop {
            // Each row goes once; those of different chains go together, because each is found by itself.
            let mut deleted = Vec::new();
            for table in group {
                deleted.extend(of_round(round, scene.victims(*table).await));
            }
            if deleted.is_empty() {
                break;
            }
            for victim in &deleted {
                let delete = format!("DELETE FROM {} WHERE ctid = '{}'", victim.table, victim.ctid);
                assert_eq!(execute(&mut scene.connection, &delete).await.unwrap(), 1);
            }
            for scope in [Scope::Ledger, Scope::Rows] {
                scene.expect_named(scope, &deleted, "deleted").await;
            }
            for victim in &deleted {
                scene.restore(victim.table).await;
            }
            round += 1;
        }
        assert!(round > 0);
    }
    assert!(scene.verify(Scope::Ledger).await.whole);
}

#[tokio::test]
async fn an_altered_column_of_any_table_is_named() {
    let mut scene = Scene::set().await;
    scene.drop_checks().await;
    for group in groups() {
        let mut columns = Vec::new();
        for table in group {
            columns.push((table, scene.columns(table.0).await));
        }
        let most = columns.iter().map(|(_, columns)| columns.len()).max().unwrap();
        for index in 0..most {
            // The last row against the ledger and the first against the rows: they differ in what is null and in
            // what came later. Where an event stands, only the ledger knows.
            for is_last in [false, true] {
                let mut altered = Vec::new();
                let mut placed = false;
                for (table, columns) in &columns {
                    let Some((column, value)) = columns.get(index) else {
                        continue;
                    };
                    let mut victims = scene.victims(**table).await;
                    let victim = if is_last {
                        victims.pop()
                    } else {
                        victims.into_iter().next()
                    }
                    .unwrap();
                    let update = format!(
                        "UPDATE {} SET {column} = {value} WHERE ctid = '{}'",
                        table.0, victim.ctid
                    );
                    match execute(&mut scene.connection, &update).await {
                        Ok(rows) => assert_eq!(rows, 1),
                        // There is one row of this kind, or the other value is taken: the table itself refuses.
                        Err(error) if column == "single" || error.to_string().contains("duplicate key") => continue,
                        Err(error) => panic!("{update}: {error}"),
                    }
                    placed |= table.0 == "events" && PLACE.contains(&column.as_str());
                    altered.push(victim);
                }
                if altered.is_empty() {
                    continue;
                }
                let scope = if is_last || placed { Scope::Ledger } else { Scope::Rows };
                scene
                    .expect_named(scope, &altered, &format!("altered column {index}"))
                    .await;
                for victim in &altered {
                    scene.restore(victim.table).await;
                }
            }
        }
    }
    assert!(scene.verify(Scope::Ledger).await.whole);
}

#[tokio::test]
async fn an_added_row_of_any_table_is_named() {
    let mut scene = Scene::set().await;
    // The last row again, under another key: everything else about it is plausible.
    let keys = BTreeMap::from([
        ("events", vec!["signature", "seq"]),
        ("chains", vec!["subject"]),
        ("registry_changes", vec!["seq"]),
        ("institutions", vec!["id", "address"]),
        ("members", vec!["address", "member_id"]),
        ("institution_standings", vec!["made_seq"]),
        ("member_standings", vec!["made_seq"]),
        ("patients", vec!["id"]),
        ("patient_wallets", vec!["made_seq"]),
        ("batches", vec!["id", "seq"]),
        ("delegates", vec!["id", "address"]),
        ("safeguards", vec!["patient"]),
        ("guardians", vec!["place"]),
        ("break_glass_holders", vec!["place"]),
        ("recovery_steps", vec!["seq"]),
        ("policies", vec!["institution"]),
        ("policy_classes", vec!["class"]),
        ("policy_changes", vec!["seq"]),
        ("emergencies", vec!["id"]),
        ("records", vec!["id"]),
        ("record_versions", vec!["version", "seq"]),
        ("erasures", vec!["record", "seq"]),
        ("erasure_attestations", vec!["seq"]),
        ("requests", vec!["id"]),
        ("grants", vec!["id"]),
        ("grants_passed_on", vec!["seq"]),
        ("accesses", vec!["seq"]),
        ("refusals", vec!["seq"]),
        ("agreements", vec!["id"]),
        ("agreement_deposits", vec!["seq"]),
        ("settlements", vec!["version", "seq"]),
    ]);
    let unkeyed: Vec<&str> = TABLES
        .iter()
        .map(|table| table.0)
        .filter(|table| !keys.contains_key(table))
        .collect();
    assert_eq!(unkeyed, ["registry"]);
    for table in TABLES.iter().copied() {
        // The registry is one row, and its table admits no second.
        let Some(keys) = keys.get(table.0) else { continue };
        let mut before: Vec<(String, i64)> = scene
            .victims(table)
            .await
            .into_iter()
            .map(|victim| (victim.subject, victim.seq))
            .collect();
        let columns = scene.columns(table.0).await;
        let values: Vec<&str> = columns
            .iter()
            .map(|(column, another)| {
                if keys.contains(&column.as_str()) {
                    another
                } else {
                    column
                }
                .as_str()
            })
            .collect();
        let insert = format!(
            "INSERT INTO {0} SELECT {1} FROM {0} ORDER BY {2} DESC LIMIT 1",
            table.0,
            values.join(", "),
            table.3
        );
        assert_eq!(execute(&mut scene.connection, &insert).await.unwrap(), 1);
        let mut added = scene.victims(table).await;
        added.retain(|victim| {
            let old = before
                .iter()
                .position(|(subject, seq)| (subject, seq) == (&victim.subject, &victim.seq));
            old.map(|place| before.swap_remove(place)).is_none()
        });
        assert_eq!(added.len(), 1, "{insert}");
        for scope in [Scope::Ledger, Scope::Rows] {
            scene.expect_named(scope, &added, &insert).await;
        }
        scene.restore(table.0).await;
    }
}

#[tokio::test]
async fn a_checkpoint_that_was_moved_or_removed_is_found() {
    let mut scene = Scene::set().await;
    execute(
        &mut scene.connection,
        "CREATE TABLE public.checkpoint AS TABLE chartseal.checkpoint",
    )
    .await
    .unwrap();
    for tampering in [
        "DELETE FROM checkpoint",
        "UPDATE checkpoint SET signature = set_byte(signature, 0, 255 - get_byte(signature, 0))",
        "UPDATE checkpoint SET slot = slot - 1",
        // To a transaction that is there, but not the last: what came after it is there too early.
        "UPDATE checkpoint SET (signature, slot) = (SELECT signature, slot FROM events WHERE name = 'PatientOpened' LIMIT 1)",
    ] {
        assert_eq!(execute(&mut scene.connection, tampering).await.unwrap(), 1);
        for scope in [Scope::Ledger, Scope::Rows] {
            let report = scene.verify(scope).await;
            let about = report.findings.iter().any(|finding| finding.table == "checkpoint");
            assert!(
                !report.whole && (about || scope == Scope::Ledger),
                "{tampering}: {report}"
            );
        }
        scene.restore("checkpoint").await;
    }
}

#[tokio::test]
async fn a_table_that_nobody_knows_is_refused() {
    let mut scene = Scene::set().await;
    execute(&mut scene.connection, "CREATE TABLE chartseal.more ()")
        .await
        .unwrap();
    let error = verify(&scene.node.url, &scene.database.url, Scope::Ledger)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("chartseal.more"), "{error}");
}

#[tokio::test]
async fn what_hides_or_changes_rows_without_touching_them_is_found() {
    let mut scene = Scene::set().await;
    for scope in [Scope::Ledger, Scope::Rows] {
        assert!(scene.verify(scope).await.whole);
    }
    let definition: String = sqlx::query_scalar("SELECT pg_get_viewdef('chartseal.decisions'::regclass)")
        .fetch_one(&mut scene.connection)
        .await
        .unwrap();
    let definition = definition.trim_end_matches(';');
    let emptied = format!("CREATE OR REPLACE VIEW decisions AS {definition} WHERE false");
    for (tampering, said) in [
        (emptied.as_str(), "altered in table decisions"),
        ("DROP VIEW record_list", "missing in table record_list"),
        ("CREATE VIEW more AS SELECT 1 AS one", "added in table more"),
        (
            "CREATE OR REPLACE FUNCTION base58(bytes bytea) RETURNS text
             LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT 'x' $$",
            "altered in table base58(bytes bytea)",
        ),
        (
            "ALTER VIEW grant_list SET (security_invoker = false)",
            "altered in table grant_list",
        ),
        (
            "CREATE OR REPLACE FUNCTION sees_all() RETURNS boolean
             LANGUAGE sql STABLE PARALLEL SAFE SET search_path TO pg_catalog, pg_temp AS $$ SELECT true $$",
            "altered in table sees_all()",
        ),
        (
            "ALTER TABLE accesses DISABLE ROW LEVEL SECURITY",
            "missing in table row security of accesses",
        ),
        (
            "ALTER TABLE accesses_before_2020 DISABLE ROW LEVEL SECURITY",
            "altered in table accesses_before_2020",
        ),
        (
            "ALTER TABLE outbox DISABLE ROW LEVEL SECURITY",
            "missing in table row security of outbox",
        ),
        (
            "ALTER TABLE refusals FORCE ROW LEVEL SECURITY",
            "altered in table row security of refusals",
        ),
        (
            "CREATE POLICY nothing ON accesses USING (false)",
            "added in table policy nothing of accesses",
        ),
        (
            "CREATE POLICY nothing ON checkpoint AS RESTRICTIVE USING (false)",
            "added in table policy nothing of checkpoint",
        ),
        (
            "ALTER POLICY analysts ON records USING (true)",
            "altered in table policy analysts of records",
        ),
        (
            "DROP POLICY analysts ON members",
            "missing in table policy analysts of members",
        ),
        (
            "CREATE RULE nothing AS ON INSERT TO accesses DO INSTEAD NOTHING",
            "rule nothing",
        ),
        (
            "CREATE TRIGGER nothing BEFORE INSERT ON accesses EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "trigger nothing",
        ),
    ] {
        execute(&mut scene.connection, tampering).await.unwrap();
        for scope in [Scope::Ledger, Scope::Rows] {
            let report = scene.verify(scope).await;
            let named = report.to_string().contains(said);
            assert!(!report.whole && named, "{tampering}: {report}");
        }
    }
}
