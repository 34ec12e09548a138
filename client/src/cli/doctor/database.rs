//! What the doctor asks the analysts' database: whether it is there, and whether it has every migration of this release
//! and no other. The connection may only read.

use std::str::FromStr as _;

use sqlx::{Connection as _, PgConnection, migrate::Migrator, postgres::PgConnectOptions};

use super::finding::Finding;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// A migration as a database lists it: its number and its hash.
type Applied = (i64, Vec<u8>);

/// The database and its migrations, where one is named.
pub(super) async fn look(address: Option<&str>) -> [Finding; 2] {
    let Some(address) = address else {
        let named_by = "none is named (CHARTSEAL_DATABASE_URL, `database` of the profile)";
        return [
            Finding::none("database", named_by),
            Finding::none("migrations", "there is no database"),
        ];
    };
    let connected = async {
        let options = PgConnectOptions::from_str(address)?
            .application_name("chartseal-doctor")
            .options([("default_transaction_read_only", "on")]);
        PgConnection::connect_with(&options).await
    };
    match connected.await {
        Ok(mut connection) => {
            let migrations = migrations(&mut connection).await;
            // It ends either way.
            let _ = connection.close().await;
            [Finding::ok("database", "answers"), migrations]
        }
        Err(error) => unreachable(&format!("cannot be reached ({error})")),
    }
}

/// What is found where no database answers.
pub(super) fn unreachable(why: &str) -> [Finding; 2] {
    let mend = "check its address (CHARTSEAL_DATABASE_URL, `database` of the profile), that it runs, and that ~/.pgpass or \
                PGPASSFILE has the password";
    [
        Finding::broken("database", why, mend),
        Finding::unknown("migrations", "the database cannot be asked"),
    ]
}

async fn migrations(connection: &mut PgConnection) -> Finding {
    let listed = async {
        let listed: bool = sqlx::query_scalar("SELECT to_regclass('chartseal._sqlx_migrations') IS NOT NULL")
            .fetch_one(&mut *connection)
            .await?;
        if !listed {
            return Ok(Vec::new());
        }
        sqlx::query_as("SELECT version, checksum FROM chartseal._sqlx_migrations WHERE success ORDER BY version")
            .fetch_all(connection)
            .await
    };
    match listed.await {
        Ok(applied) => compared(&applied),
        Err(error) => {
            let error: sqlx::Error = error;
            Finding::broken(
                "migrations",
                format!("their list cannot be read ({error})"),
                "let this role read it: GRANT USAGE ON SCHEMA chartseal, GRANT SELECT ON chartseal._sqlx_migrations",
            )
        }
    }
}

fn compared(applied: &[Applied]) -> Finding {
    let ours = MIGRATIONS
        .iter()
        .map(|migration| (migration.version, &*migration.checksum));
    let missing: Vec<_> = ours
        .clone()
        .filter(|(version, _)| !applied.iter().any(|(there, _)| there == version))
        .map(|(version, _)| version.to_string())
        .collect();
    let unknown = applied.iter().any(|(version, checksum)| {
        !ours
            .clone()
            .any(|(known, expected)| known == *version && expected == checksum.as_slice())
    });
    if unknown {
        Finding::broken(
            "migrations",
            "the schema has some that this release does not know",
            "install the release that made it: an older one would misread it",
        )
    } else if applied.is_empty() {
        Finding::broken(
            "migrations",
            "the database has no Chartseal schema",
            "make it with `chartseal-indexer migrate`",
        )
    } else if missing.is_empty() {
        Finding::ok("migrations", format!("all {}", applied.len()))
    } else {
        Finding::broken(
            "migrations",
            format!("the schema is behind: it lacks {}", missing.join(", ")),
            "bring it up to date with `chartseal-indexer migrate`",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::State, *};

    fn all() -> Vec<Applied> {
        MIGRATIONS
            .iter()
            .map(|migration| (migration.version, migration.checksum.to_vec()))
            .collect()
    }

    #[test]
    fn a_schema_is_up_to_date_with_every_migration_and_no_other() {
        assert_eq!(compared(&all()).state, State::Ok);
        let mut behind = all();
        behind.pop();
        assert!(compared(&behind).what.contains("behind"));
        assert!(compared(&[]).what.contains("no Chartseal schema"));
        let mut newer = all();
        newer.push((9_999, vec![1]));
        assert!(compared(&newer).what.contains("does not know"));
        let mut altered = all();
        altered[0].1[0] ^= 1;
        assert!(compared(&altered).what.contains("does not know"));
    }
}
