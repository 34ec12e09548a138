//! A database that whoever owns it tampers with, row by row.

use std::collections::BTreeMap;

use chartseal_indexer::{Report, Scope, verify};
use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::{cluster::Database, indexing::index, node::Node, story};

/// How a table's rows name the event they follow from: kind of chain, subject, place.
pub(super) const TABLES: &[(&str, &str, &str, &str)] = &[
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
    ("grant_trees", "'tree'", "id", "seq"),
    ("anonymous_grants", "'log'", "patient", "changed_seq"),
    ("access_proofs", "'tree'", "tree", "changed_seq"),
    ("agreements", "'institution'", "consumer", "changed_seq"),
    ("agreement_deposits", "'institution'", "consumer", "seq"),
    ("settlements", "'log'", "patient", "seq"),
];

/// Tables that are tampered with together, to save verifications: `events`, from which the others follow, is alone.
pub(super) fn groups() -> [&'static [(&'static str, &'static str, &'static str, &'static str)]; 2] {
    let (events, others) = TABLES.split_at(1);
    [events, others]
}

/// Columns of `events` that say where an event stands, which no hash covers: only the ledger proves them.
pub(super) const PLACE: [&str; 6] = [
    "signature",
    "outer_index",
    "inner_index",
    "slot",
    "blockhash",
    "block_time",
];

pub(super) struct Scene {
    pub(super) node: Node,
    pub(super) database: Database,
    pub(super) connection: PgConnection,
}

/// A row as it was, and how to find it again.
pub(super) struct Victim {
    pub(super) table: &'static str,
    pub(super) ctid: String,
    chain: String,
    pub(super) subject: String,
    pub(super) seq: i64,
}

impl Scene {
    pub(super) async fn set() -> Self {
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

    pub(super) async fn restore(&mut self, table: &str) {
        for statement in [
            format!("DELETE FROM {table}"),
            format!("INSERT INTO {table} SELECT * FROM public.{table}"),
        ] {
            execute(&mut self.connection, &statement).await.unwrap();
        }
    }

    pub(super) async fn victims(
        &mut self,
        (table, chain, subject, seq): (&'static str, &str, &str, &str),
    ) -> Vec<Victim> {
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
    pub(super) async fn columns(&mut self, table: &str) -> Vec<(String, String)> {
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

    pub(super) async fn verify(&self, scope: Scope) -> Report {
        verify(&self.node.url, &self.database.url, scope).await.unwrap()
    }

    /// Verification names each of these rows: those of `events` by their chains, others by their tables too.
    pub(super) async fn expect_named(&self, scope: Scope, victims: &[Victim], what: &str) {
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
    pub(super) async fn drop_checks(&mut self) {
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

pub(super) async fn execute(connection: &mut PgConnection, statement: &str) -> Result<u64, sqlx::Error> {
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
        // The end of a grant without one is the greatest number that there is.
        "int4" | "int8" => {
            format!("coalesce({column}, 5) + CASE WHEN {column} > 1000000 THEN -1000000 ELSE 1000000 END")
        }
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
pub(super) fn of_round(round: usize, victims: Vec<Victim>) -> Vec<Victim> {
    let mut rows: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut is_due = |victim: &Victim| {
        let row = rows.entry((victim.chain.clone(), victim.subject.clone())).or_default();
        *row += 1;
        *row == round + 1
    };
    victims.into_iter().filter(|victim| is_due(victim)).collect()
}
