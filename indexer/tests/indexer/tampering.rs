//! Any row of any table, deleted, altered in any column, or added: verification fails, and names whose it is.

mod scene;

use std::collections::BTreeMap;

use chartseal_indexer::{Scope, verify};

use scene::{PLACE, Scene, TABLES, execute, groups, of_round};

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
        ("grant_trees", vec!["id", "address"]),
        ("anonymous_grants", vec!["leaf_index"]),
        ("access_proofs", vec!["made_seq"]),
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
