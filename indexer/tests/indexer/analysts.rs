//! Whose rows a role sees, and that it gets at no others.

use chartseal_indexer::{
    Scope,
    analysts::{self, AnalystError, PATIENCE, Sight},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{
    cluster::{Database, connect, lines, number},
    indexing::index,
    node::Node,
    program::asks,
    story,
};

/// The told story in a database, and the node that told it.
async fn told() -> (Node, Database) {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    index(&node, &database).await;
    (node, database)
}

/// A name that belongs to this database alone: roles are of the whole cluster.
pub(crate) fn role(database: &Database, name: &str) -> String {
    let database = database.url.rsplit_once('/').unwrap().1;
    format!("{name} of {}", database.split('?').next().unwrap())
}

/// An analyst's connection, as from its own login.
async fn reader(database: &Database, role: &str) -> PgConnection {
    connect(&login(database, role).await).await
}

/// Lets a role log in, and says where.
pub(crate) async fn login(database: &Database, role: &str) -> String {
    let mut owner = database.connect().await;
    let login: String = sqlx::query_scalar("SELECT format('ALTER ROLE %I LOGIN', $1::text)")
        .bind(role)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    execute(&mut owner, &login).await;
    database.url.replace("//chartseal@", &format!("//{}@", quoted(role)))
}

fn quoted(role: &str) -> String {
    role.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

pub(crate) async fn execute(connection: &mut PgConnection, statement: &str) {
    sqlx::query(AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
}

pub(crate) async fn rows(connection: &mut PgConnection, relation: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {relation}");
    sqlx::query_scalar(AssertSqlSafe(count))
        .fetch_one(connection)
        .await
        .unwrap_or_else(|error| panic!("{relation}: {error}"))
}

/// Every table and view that analysts read.
async fn relations(database: &Database) -> Vec<String> {
    let mut owner = database.connect().await;
    let relations = "SELECT relname::text FROM pg_class
                     WHERE relnamespace = 'chartseal'::regnamespace
                           AND (relkind = 'v' OR EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid
                                                                                   AND polname = 'analysts'))
                     ORDER BY 1";
    lines(&mut owner, relations).await
}

#[tokio::test]
async fn an_institutions_analyst_sees_what_it_did_and_what_was_given_to_it() {
    let (_node, database) = told().await;
    let insurer = role(&database, "insurer's");
    analysts::add(&database.url, &insurer, Sight::Institution(story::INSURER), PATIENCE)
        .await
        .unwrap();
    let mut reader = reader(&database, &insurer).await;
    let mut owner = database.connect().await;
    // What it sees, and what that is in the owner's eyes.
    for (seen, expected) in [
        ("accesses", "accesses WHERE institution = #12"),
        ("refusals", "refusals WHERE institution = #12"),
        ("requests", "requests WHERE institution = #12"),
        ("members", "members WHERE institution = #12"),
        ("policies", "policies WHERE institution = #12"),
        ("agreements", "agreements WHERE #12 IN (consumer, provider)"),
        ("grants", "grants WHERE grantee = decode(repeat('d1', 32), 'hex')"),
        ("patients", "patients WHERE id IN (#21, #23)"),
        ("records", "records WHERE patient IN (#21, #23)"),
        ("record_versions", "record_versions WHERE patient IN (#21, #23)"),
        ("institutions", "institutions"),
        (
            "events",
            "events WHERE chain = 'registry' OR chain = 'institution' AND subject = #12",
        ),
        ("emergencies", "emergencies WHERE false"),
        ("guardians", "guardians WHERE false"),
        ("delegates", "delegates WHERE false"),
        ("grant_trees", "grant_trees"),
        ("anonymous_grants", "anonymous_grants WHERE false"),
        ("access_proofs", "access_proofs WHERE false"),
        ("anonymity_sets", "anonymity_sets WHERE false"),
        (
            "decisions",
            "decisions WHERE institution_id = #12
             OR action IN ('append', 'amend') AND outcome = 'allowed' AND patient_id IN (#21, #23)",
        ),
        ("grant_list", "grant_list WHERE institution = repeat('12', 16)"),
    ] {
        let expected = ["12", "21", "23"].iter().fold(expected.to_owned(), |query, id| {
            query.replace(&format!("#{id}"), &format!("decode(repeat('{id}', 16), 'hex')"))
        });
        let expected = rows(&mut owner, &expected).await;
        assert_eq!(rows(&mut reader, seen).await, expected, "{seen}");
    }
    let of_others = "SELECT count(*) FROM accesses WHERE institution IS NULL";
    assert!(number(&mut owner, of_others).await > 0);
    assert!(rows(&mut owner, "emergencies").await > 0 && rows(&mut owner, "delegates").await > 0);
}

#[tokio::test]
async fn an_analyst_of_all_sees_what_the_owner_sees_and_writes_nothing() {
    let (_node, database) = told().await;
    let all = role(&database, "all");
    let logs_in = analysts::add(&database.url, &all, Sight::All, PATIENCE).await.unwrap();
    assert!(!logs_in);
    let mut reader = reader(&database, &all).await;
    let mut owner = database.connect().await;
    for relation in relations(&database).await {
        let (seen, there) = (rows(&mut reader, &relation).await, rows(&mut owner, &relation).await);
        assert_eq!(seen, there, "{relation}");
    }
    for statement in [
        "DELETE FROM accesses",
        "SELECT * FROM _sqlx_migrations",
        "CREATE TABLE mine ()",
    ] {
        let outcome = sqlx::query(statement).execute(&mut reader).await;
        assert!(outcome.is_err(), "{statement}");
    }
    let settings =
        "SELECT current_setting('default_transaction_read_only') || ' ' || current_setting('statement_timeout')";
    assert_eq!(lines(&mut reader, settings).await, ["on 1min"]);
}

#[tokio::test]
async fn a_role_that_is_no_analyst_sees_nothing_whatever_was_granted_to_it() {
    let (_node, database) = told().await;
    let mut owner = database.connect().await;
    let stranger = role(&database, "stranger");
    for statement in [
        format!("CREATE ROLE \"{stranger}\""),
        format!("GRANT USAGE ON SCHEMA chartseal TO \"{stranger}\""),
        format!("GRANT SELECT ON ALL TABLES IN SCHEMA chartseal TO \"{stranger}\""),
    ] {
        execute(&mut owner, &statement).await;
    }
    // What is of no use to see: who is an analyst, and which migrations there are.
    let all = "SELECT relname::text FROM pg_class
               WHERE relnamespace = 'chartseal'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
                     AND relname NOT IN ('analysts', '_sqlx_migrations') ORDER BY 1";
    let all = lines(&mut owner, all).await;
    // So that it is seen of these too.
    for statement in [
        "INSERT INTO webhooks (origin, url_file, secret_file, private, after_id, made_at)
         VALUES ('https://x', '/y', '/x', false, 0, now())",
        "INSERT INTO outbox (audience, subject, kind, signature, outer_index, inner_index, at, payload, queued_at)
         VALUES ('patient', decode(repeat('21', 16), 'hex'), 'access', decode(repeat('01', 64), 'hex'), 0, 0, now(), '{}', now())",
    ] {
        execute(&mut owner, statement).await;
    }
    for some in ["outbox", "webhooks", "accesses_2"] {
        let mut there = 0;
        for relation in all.iter().filter(|relation| relation.starts_with(some)) {
            there += rows(&mut owner, relation).await;
        }
        assert!(there > 0, "{some}");
    }
    let mut reader = reader(&database, &stranger).await;
    for relation in all {
        assert_eq!(rows(&mut reader, &relation).await, 0, "{relation}");
    }
}

#[tokio::test]
async fn a_role_that_inherits_an_analysts_rights_sees_its_rows() {
    let (_node, database) = told().await;
    let (group, person) = (role(&database, "group"), role(&database, "person"));
    analysts::add(&database.url, &group, Sight::Institution(story::HOSPITAL), PATIENCE)
        .await
        .unwrap();
    let mut owner = database.connect().await;
    execute(&mut owner, &format!("CREATE ROLE \"{person}\"")).await;
    execute(&mut owner, &format!("GRANT \"{group}\" TO \"{person}\"")).await;
    let mut reader = reader(&database, &person).await;
    let own = "SELECT count(*) FROM emergencies";
    assert_eq!(number(&mut reader, own).await, number(&mut owner, own).await);
}

#[tokio::test]
async fn a_reader_cannot_put_tables_or_operators_of_its_own_in_the_rules_place() {
    let (_node, database) = told().await;
    let insurer = role(&database, "attacker");
    analysts::add(&database.url, &insurer, Sight::Institution(story::INSURER), PATIENCE)
        .await
        .unwrap();
    let mut reader = reader(&database, &insurer).await;
    let before = rows(&mut reader, "accesses").await;
    for statement in [
        "SET default_transaction_read_only = off",
        "CREATE TEMPORARY TABLE analysts (role name, institution bytea)",
        "INSERT INTO pg_temp.analysts VALUES (current_user, NULL)",
        "CREATE TEMPORARY TABLE pg_roles AS SELECT * FROM pg_catalog.pg_roles",
        "CREATE FUNCTION pg_temp.always(name, name) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'",
        "CREATE OPERATOR pg_temp.= (FUNCTION = pg_temp.always, LEFTARG = name, RIGHTARG = name)",
        "SET search_path TO pg_temp, chartseal, pg_catalog",
    ] {
        execute(&mut reader, statement).await;
    }
    assert_eq!(rows(&mut reader, "accesses").await, before);
    // A condition that tells what it is shown is shown nothing of others.
    execute(
        &mut reader,
        "CREATE FUNCTION pg_temp.tell(bytea) RETURNS boolean LANGUAGE plpgsql COST 0.0001
         AS 'BEGIN RAISE EXCEPTION ''saw %'', $1; END'",
    )
    .await;
    let peek = "SELECT count(*) FROM accesses WHERE institution IS NULL AND pg_temp.tell(patient)";
    assert_eq!(number(&mut reader, peek).await, 0);
}

#[tokio::test]
async fn every_table_has_one_policy_or_is_not_for_analysts() {
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let mut owner = database.connect().await;
    let open = "SELECT c.relname::text FROM pg_class c
                WHERE c.relnamespace = 'chartseal'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                      AND NOT (c.relrowsecurity AND (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) = 1)
                ORDER BY 1";
    let open = lines(&mut owner, open).await;
    // These say nothing of patients, and the second is what the rules look up.
    let apart = ["_sqlx_migrations", "analysts"];
    assert!(open.iter().all(|table| apart.contains(&table.as_str())), "{open:?}");
    let silent = "SELECT p.polrelid::regclass::text FROM pg_policy p
                  WHERE obj_description(p.oid, 'pg_policy') IS NULL";
    assert_eq!(lines(&mut owner, silent).await, Vec::<String>::new());
    let views = "SELECT relname::text FROM pg_class
                 WHERE relnamespace = 'chartseal'::regnamespace AND relkind = 'v'
                       AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)";
    assert_eq!(lines(&mut owner, views).await, Vec::<String>::new());
}

#[tokio::test]
async fn verification_by_somebody_who_does_not_see_all_is_refused() {
    let (node, database) = told().await;
    let insurer = role(&database, "verifier");
    analysts::add(&database.url, &insurer, Sight::Institution(story::INSURER), PATIENCE)
        .await
        .unwrap();
    let url = login(&database, &insurer).await;
    let error = chartseal_indexer::verify(&node.url, &url, Scope::Rows)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("row security hides rows"), "{error}");
}

#[tokio::test]
async fn whoever_row_security_would_not_hold_back_becomes_no_analyst() {
    let (_node, database) = told().await;
    let mut owner = database.connect().await;
    let [writer, bypassing, becomes, makes] =
        ["writer", "bypassing", "becomes", "makes"].map(|name| role(&database, name));
    for statement in [
        format!("CREATE ROLE \"{writer}\""),
        format!("GRANT INSERT ON chartseal.events TO \"{writer}\""),
        format!("CREATE ROLE \"{bypassing}\" BYPASSRLS"),
        format!("CREATE ROLE \"{becomes}\" NOINHERIT IN ROLE \"{writer}\""),
        format!("CREATE ROLE \"{makes}\" CREATEROLE"),
    ] {
        execute(&mut owner, &statement).await;
    }
    let superuser: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    for role in [writer, bypassing, becomes, makes, superuser] {
        let refused = analysts::add(&database.url, &role, Sight::All, PATIENCE).await;
        assert!(
            matches!(refused, Err(AnalystError::Unheld { .. })),
            "{role}: {refused:?}"
        );
    }
    assert_eq!(analysts::list(&database.url).await.unwrap(), []);
}

#[tokio::test]
async fn a_role_that_is_taken_out_reads_nothing_and_stays() {
    let (_node, database) = told().await;
    let name = role(&database, "x\"; DROP TABLE chartseal.events; --");
    for sight in [Sight::Institution(story::INSURER), Sight::All] {
        analysts::add(&database.url, &name, sight, PATIENCE).await.unwrap();
    }
    let listed = analysts::list(&database.url).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(
        listed
            .iter()
            .all(|analyst| analyst.role == name && analyst.exists && !analyst.logs_in)
    );
    analysts::remove(&database.url, &name).await.unwrap();
    assert!(matches!(
        analysts::remove(&database.url, &name).await,
        Err(AnalystError::NotAnAnalyst(_))
    ));
    let mut reader = reader(&database, &name).await;
    let outcome = sqlx::query("SELECT FROM chartseal.accesses").execute(&mut reader).await;
    assert!(outcome.unwrap_err().to_string().contains("permission denied"));
    let settings = "SELECT current_setting('default_transaction_read_only')";
    assert_eq!(lines(&mut reader, settings).await, ["off"]);
    reader.close().await.unwrap();
}

#[tokio::test]
async fn a_role_that_sees_all_is_not_said_to_see_less() {
    let (_node, database) = told().await;
    let name = role(&database, "wide");
    analysts::add(&database.url, &name, Sight::All, PATIENCE).await.unwrap();
    let refused = analysts::add(&database.url, &name, Sight::Institution(story::INSURER), PATIENCE).await;
    assert!(matches!(refused, Err(AnalystError::SeesAll(_))), "{refused:?}");
    let listed = analysts::list(&database.url).await.unwrap();
    assert!(listed.len() == 1 && listed[0].sight == Sight::All, "{listed:?}");
}

#[tokio::test]
async fn a_role_with_the_name_of_an_analyst_that_is_gone_sees_nothing() {
    let (_node, database) = told().await;
    let name = role(&database, "namesake");
    analysts::add(&database.url, &name, Sight::All, PATIENCE).await.unwrap();
    let mut owner = database.connect().await;
    for statement in [
        format!("DROP OWNED BY \"{name}\""),
        format!("DROP ROLE \"{name}\""),
        format!("CREATE ROLE \"{name}\""),
        format!("GRANT USAGE ON SCHEMA chartseal TO \"{name}\""),
        format!("GRANT SELECT ON ALL TABLES IN SCHEMA chartseal TO \"{name}\""),
    ] {
        execute(&mut owner, &statement).await;
    }
    let mut reader = reader(&database, &name).await;
    assert_eq!(rows(&mut reader, "accesses").await, 0);
    let lives = sqlx::query("SELECT grant_lives('', '', now())")
        .execute(&mut reader)
        .await;
    assert!(lives.unwrap_err().to_string().contains("permission denied"));
    let listed = analysts::list(&database.url).await.unwrap();
    assert!(!listed[0].exists && listed[0].role != name, "{listed:?}");
    analysts::remove(&database.url, &listed[0].role).await.unwrap();
    assert_eq!(analysts::list(&database.url).await.unwrap(), []);
}

#[tokio::test]
async fn names_and_institutions_that_are_none_are_refused() {
    let (_node, database) = told().await;
    for name in ["", &"x".repeat(64)] {
        let refused = analysts::add(&database.url, name, Sight::All, PATIENCE).await;
        assert!(matches!(refused, Err(AnalystError::Name)), "{refused:?}");
    }
    let name = role(&database, "nobody's");
    let refused = analysts::add(&database.url, &name, Sight::Institution([9; 16]), PATIENCE).await;
    assert!(matches!(refused, Err(AnalystError::NoInstitution(_))), "{refused:?}");
    let mut owner = database.connect().await;
    let made: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(&name)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert!(!made);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_it_did_and_what_is_left_to_do() {
    let (_node, database) = told().await;
    let name = role(&database, "by command");
    let run = |arguments: &[&str]| asks(&database, &[&["analysts"], arguments].concat());
    let hospital = hex::encode(story::HOSPITAL);
    for (arguments, done, words) in [
        (&["list"][..], true, "no role reads"),
        (&["add", &name], false, "--institution"),
        (&["add", &name, "--institution", "12"], false, "32 hex digits"),
        (
            &["add", &name, "--institution", &hospital, "--all"],
            false,
            "cannot be used with",
        ),
        (&["add", &name, "--institution", &hospital], true, "cannot log in yet"),
        (&["list"], true, &hospital),
        (&["remove", &name], true, "reads nothing"),
        (&["remove", &name], false, "is no analyst"),
    ] {
        let (succeeded, said) = run(arguments);
        assert!(succeeded == done && said.contains(words), "{arguments:?}: {said}");
    }
}
