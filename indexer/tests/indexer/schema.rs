//! The schema says what it means, in the words of the program.

use chartseal_indexer::{Indexer, Options, Scope};
use chartseal_program::{log::ChainKind, vocabulary::*};
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::{Database, lines},
    indexing::options,
    node::Node,
    story,
};

#[tokio::test]
async fn every_table_view_and_column_has_a_comment() {
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let mut connection = database.connect().await;
    let silent = "SELECT c.relname || coalesce('.' || a.attname, '')
                  FROM pg_class c
                  LEFT JOIN LATERAL (SELECT NULL::name AS attname, 0::smallint AS attnum
                                     UNION ALL
                                     SELECT attname, attnum FROM pg_attribute
                                     WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) a ON true
                  WHERE c.relnamespace = 'chartseal'::regnamespace AND c.relkind IN ('r', 'p', 'v')
                        AND NOT c.relispartition AND c.relname <> '_sqlx_migrations'
                        AND coalesce(pg_catalog.col_description(c.oid, a.attnum), obj_description(c.oid, 'pg_class'), '') = ''";
    assert_eq!(lines(&mut connection, silent).await, Vec::<String>::new());
    let columns = "SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                   WHERE c.relnamespace = 'chartseal'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0
                         AND NOT c.relispartition AND c.relname <> '_sqlx_migrations' AND col_description(c.oid, a.attnum) IS NULL";
    assert_eq!(lines(&mut connection, columns).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_words_are_those_of_the_program() {
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let mut connection = database.connect().await;
    macro_rules! words {
        ($($domain:literal => $kind:ident),*) => {
            vec![$(($domain, $kind::ALL.iter().map(|word| word.word()).collect::<Vec<_>>())),*]
        };
    }
    let expected = words! {
        "chain_kind" => ChainKind, "institution_kind" => InstitutionKind, "standing" => Standing,
        "member_role" => Role, "action" => Action, "purpose" => Purpose, "grantee_kind" => GranteeKind,
        "actor_kind" => ActorKind, "basis" => Basis, "reason" => Reason, "record_status" => RecordStatus,
        "request_state" => RequestState, "verdict" => Verdict, "agreement_state" => AgreementState,
        "claim_kind" => ClaimKind
    };
    for (domain, words) in expected {
        let allowed: Vec<String> = sqlx::query_scalar(
            "SELECT (regexp_matches(pg_get_constraintdef(oid), '''([^'']+)''', 'g'))[1] FROM pg_constraint
             WHERE contypid = ('chartseal.' || $1)::regtype",
        )
        .bind(domain)
        .fetch_all(&mut connection)
        .await
        .unwrap();
        assert_eq!(allowed, words, "domain {domain}");
    }
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let database = Database::new().await;
    for _ in 0..2 {
        chartseal_indexer::migrate(&database.url).await.unwrap();
    }
    let mut connection = database.connect().await;
    let applied = "SELECT version::text FROM _sqlx_migrations m ORDER BY m.version";
    let mut ours: Vec<i64> = std::fs::read_dir("../migrations")
        .unwrap()
        .map(|file| file.unwrap().file_name().to_string_lossy()[..4].parse().unwrap())
        .collect();
    ours.sort_unstable();
    let ours: Vec<String> = ours.iter().map(i64::to_string).collect();
    assert_eq!(lines(&mut connection, applied).await, ours);
}

#[tokio::test]
async fn migrating_changes_no_names_for_others() {
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let mut connection = database.connect().await;
    let settings = "SELECT array_to_string(setconfig, ' ') FROM pg_db_role_setting
                    WHERE setrole = 0 OR setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(lines(&mut connection, settings).await, Vec::<String>::new());
}

#[tokio::test]
async fn base58_is_solanas() {
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let mut connection = database.connect().await;
    for bytes in [chartseal_program::ID.to_bytes(), [0; 32], [255; 32]] {
        let text: String = sqlx::query_scalar("SELECT base58($1)")
            .bind(&bytes[..])
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(text, bs58::encode(bytes).into_string());
    }
}

#[tokio::test]
async fn a_role_that_may_write_rows_and_nothing_else_indexes_and_verifies() {
    let database = Database::new().await;
    chartseal_indexer::migrate(&database.url).await.unwrap();
    let mut connection = database.connect().await;
    for statement in [
        "CREATE ROLE writer LOGIN",
        "GRANT USAGE ON SCHEMA chartseal TO writer",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA chartseal TO writer",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    let url = database.url.replace("//chartseal@", "//writer@");
    let node = Node::start(story::tell()).await;
    let mut indexer = Indexer::new(Options {
        database: url.clone(),
        ..options(&node, &database)
    });
    indexer.catch_up(&CancellationToken::new()).await.unwrap();
    let report = chartseal_indexer::verify(&node.url, &url, Scope::Ledger).await.unwrap();
    assert!(report.whole && report.events > 0, "{report}");
}
