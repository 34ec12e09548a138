//! What is compared of each column, table by table. The list is whole on purpose: a table or a column that is not in it
//! stops the comparison, until somebody has decided what of it two runs have in common.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

/// What is left of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// All of it.
    Same,
    /// Random bytes, of which the name is left that they got when they first appeared in the log: an id, an address, a
    /// hash or a transaction. So it is compared where else the same bytes stand.
    Name(&'static str),
    /// Whether there is something: slots, blocks' hashes, and when it happened.
    Presence,
    /// A time that somebody chose: how many hours after that column of the row it is.
    HoursAfter(&'static str),
    /// An event's bytes, field by field (see [`super::event`]).
    Event,
}

use Left::{Event, HoursAfter, Name, Presence, Same};

const ID: Left = Name("id");
const ADDRESS: Left = Name("address");
const HASH: Left = Name("hash");
const TRANSACTION: Left = Name("transaction");

/// The columns of a table, in the order in which a difference shows them.
type Columns = &'static [(&'static str, Left)];

/// Where the order of the rows is that of the ledger, and names are given.
pub(super) const EVENTS: &str = "events";

/// Where each read has a row that says what its event says.
pub(super) const ACCESSES: &str = "accesses";

/// Every table of the schema. `_sqlx_migrations` says which migrations the schema came from: it is no matter of the
/// ledger's, but cannot differ either.
#[rustfmt::skip]
pub(super) const TABLES: &[(&str, Columns)] = &[
    (EVENTS, &[
        ("name", Same), ("chain", Same), ("subject", ID), ("seq", Same), ("signature", TRANSACTION),
        ("outer_index", Same), ("inner_index", Same), ("body", Event), ("head", HASH), ("slot", Presence),
        ("blockhash", Presence), ("block_time", Presence), ("at", Presence),
    ]),
    ("_sqlx_migrations", &[
        ("version", Same), ("description", Same), ("success", Same), ("checksum", Same), ("installed_on", Presence),
        ("execution_time", Presence),
    ]),
    ("analysts", &[("role", Same), ("institution", ID)]),
    ("checkpoint", &[
        ("single", Same), ("program", Same), ("signature", TRANSACTION), ("slot", Presence),
        ("settled_signature", Presence), ("settled_slot", Presence),
    ]),
    // What the HTTP service and webhooks keep is no matter of the ledger's. Nobody set any up in a story.
    ("api_tokens", &[
        ("id", Presence), ("hash", Presence), ("label", Presence), ("role", Presence), ("institution", Presence),
        ("patient", Presence), ("made_at", Presence), ("revoked_at", Presence),
    ]),
    ("outbox", &[
        ("audience", Same), ("subject", ID), ("kind", Same), ("signature", TRANSACTION), ("outer_index", Same),
        ("inner_index", Same), ("id", Presence), ("at", Presence), ("payload", Presence), ("queued_at", Presence),
    ]),
    ("webhooks", &[
        ("id", Presence), ("origin", Presence), ("audience", Presence), ("subject", Presence), ("url_file", Presence),
        ("secret_file", Presence), ("private", Presence), ("after_id", Presence), ("made_at", Presence),
    ]),
    ("deliveries", &[
        ("webhook", Presence), ("notification", Presence), ("state", Presence), ("attempts", Presence),
        ("next_try", Presence), ("problem", Presence),
    ]),
    ("chains", &[
        ("chain", Same), ("subject", ID), ("seq", Same), ("head", HASH), ("at", Presence),
    ]),
    ("registry", &[
        ("single", Same), ("admin", ADDRESS), ("proposed_admin", ADDRESS), ("paused", Same),
        ("created_at", Presence), ("changed_at", Presence), ("made_seq", Same), ("changed_seq", Same),
    ]),
    ("registry_changes", &[
        ("seq", Same), ("at", Presence), ("change", Same), ("admin", ADDRESS),
    ]),
    ("institutions", &[
        ("id", ID), ("address", ADDRESS), ("kind", Same), ("standing", Same), ("authority", ADDRESS),
        ("proposed_authority", ADDRESS), ("encryption_key", HASH), ("post_quantum_key_hash", HASH),
        ("expires_at", HoursAfter("registered_at")), ("registered_at", Presence), ("accepted_at", Presence),
        ("changed_at", Presence), ("made_seq", Same), ("changed_seq", Same),
    ]),
    ("members", &[
        ("address", ADDRESS), ("institution", ID), ("member_id", ID), ("wallet", ADDRESS), ("role", Same),
        ("standing", Same), ("emergency_credential", Same), ("expires_at", HoursAfter("registered_at")),
        ("encryption_key", HASH), ("post_quantum_key_hash", HASH), ("registered_at", Presence),
        ("accepted_at", Presence), ("changed_at", Presence), ("made_seq", Same), ("changed_seq", Same),
    ]),
    ("institution_standings", &[
        ("institution", ID), ("made_seq", Same), ("standing", Same), ("expires_at", HoursAfter("since")),
        ("since", Presence), ("ended_at", Presence), ("changed_seq", Same),
    ]),
    ("member_standings", &[
        ("member", ADDRESS), ("institution", ID), ("made_seq", Same), ("standing", Same),
        ("expires_at", HoursAfter("since")), ("emergency_credential", Same), ("since", Presence),
        ("ended_at", Presence), ("changed_seq", Same),
    ]),
    ("batches", &[
        ("institution", ID), ("id", ID), ("author", ADDRESS), ("wallet", ADDRESS), ("root", HASH),
        ("locator", HASH), ("count", Same), ("at", Presence), ("seq", Same),
    ]),
    ("patients", &[
        ("id", ID), ("wallet", ADDRESS), ("proposed_wallet", ADDRESS), ("steward", ID), ("encryption_key", HASH),
        ("post_quantum_key_hash", HASH), ("key_epoch", Same), ("opened_at", Presence), ("changed_at", Presence),
        ("made_seq", Same), ("changed_seq", Same),
    ]),
    ("patient_wallets", &[
        ("patient", ID), ("made_seq", Same), ("wallet", ADDRESS), ("since", Presence), ("ended_at", Presence),
        ("changed_seq", Same),
    ]),
    ("delegates", &[
        ("patient", ID), ("id", ID), ("address", ADDRESS), ("wallet", ADDRESS), ("rights", Same),
        ("expires_at", HoursAfter("named_at")), ("encryption_key", HASH), ("post_quantum_key_hash", HASH),
        ("named_at", Presence), ("accepted_at", Presence), ("revoked_at", Presence), ("revoked_by", ADDRESS),
        ("changed_at", Presence), ("made_seq", Same), ("changed_seq", Same),
    ]),
    ("safeguards", &[
        ("patient", ID), ("guardian_threshold", Same), ("recovery_delay", Same), ("holder_threshold", Same),
        ("agreed_wallet", ADDRESS), ("ready_at", HoursAfter("changed_at")), ("changed_at", Presence),
        ("made_seq", Same), ("changed_seq", Same),
    ]),
    ("guardians", &[
        ("patient", ID), ("made_seq", Same), ("place", Same), ("wallet", ADDRESS), ("encryption_key", HASH),
        ("named_at", Presence), ("ended_at", Presence), ("changed_seq", Same),
    ]),
    ("break_glass_holders", &[
        ("patient", ID), ("made_seq", Same), ("place", Same), ("holder", ADDRESS), ("named_at", Presence),
        ("ended_at", Presence), ("changed_seq", Same),
    ]),
    ("recovery_steps", &[
        ("patient", ID), ("seq", Same), ("at", Presence), ("step", Same), ("guardian", ADDRESS),
        ("wallet", ADDRESS), ("encryption_key", HASH), ("votes", Same), ("agreed_wallet", ADDRESS),
        ("ready_at", HoursAfter("at")),
    ]),
    ("policies", &[
        ("patient", ID), ("institution", ID), ("classes", Same), ("purposes", Same), ("enrols", Same),
        ("expires_at", HoursAfter("changed_at")), ("created_at", Presence), ("changed_at", Presence),
        ("changed_by", ADDRESS), ("made_seq", Same), ("changed_seq", Same),
    ]),
    ("policy_classes", &[
        ("patient", ID), ("institution", ID), ("class", Same), ("made_seq", Same), ("since", Presence),
        ("ended_at", Presence), ("changed_seq", Same),
    ]),
    ("policy_changes", &[
        ("patient", ID), ("seq", Same), ("at", Presence), ("institution", ID), ("classes", Same),
        ("purposes", Same), ("enrols", Same), ("expires_at", HoursAfter("at")), ("changed_by", ADDRESS),
    ]),
    ("emergencies", &[
        ("patient", ID), ("id", ID), ("member", ADDRESS), ("wallet", ADDRESS), ("institution", ID),
        ("reason_hash", HASH), ("opened_at", Presence), ("expires_at", HoursAfter("opened_at")),
        ("patient_verdict", Same), ("patient_reviewed_at", Presence), ("patient_reviewed_by", ADDRESS),
        ("institution_verdict", Same), ("institution_reviewed_at", Presence), ("institution_reviewed_by", ADDRESS),
        ("changed_at", Presence), ("made_seq", Same), ("changed_seq", Same),
    ]),
    ("records", &[
        ("patient", ID), ("id", ID), ("class", Same), ("status", Same), ("version", Same), ("created_at", Presence),
        ("changed_at", Presence), ("made_seq", Same), ("changed_seq", Same),
    ]),
    ("record_versions", &[
        ("patient", ID), ("record", ID), ("version", Same), ("seq", Same), ("at", Presence), ("request", ID),
        ("actor_kind", Same), ("wallet", ADDRESS), ("member", ADDRESS), ("delegate", ADDRESS), ("institution", ID),
        ("purpose", Same), ("basis", Same), ("grant_id", ID), ("policy", ID), ("emergency", ID),
        ("manifest_hash", HASH), ("content_root", HASH), ("locator", HASH), ("padded_size", Same),
        ("previous", HASH), ("batch_institution", ID), ("batch", ID), ("batch_index", Same),
        ("batch_author", ADDRESS),
    ]),
    ("erasures", &[
        ("patient", ID), ("record", ID), ("version", Same), ("seq", Same), ("at", Presence), ("erased_by", ADDRESS),
    ]),
    ("erasure_attestations", &[
        ("patient", ID), ("seq", Same), ("at", Presence), ("record", ID), ("actor_kind", Same), ("wallet", ADDRESS),
        ("member", ADDRESS), ("delegate", ADDRESS), ("institution", ID), ("receipt", HASH),
    ]),
    ("requests", &[
        ("patient", ID), ("id", ID), ("member", ADDRESS), ("wallet", ADDRESS), ("institution", ID), ("record", ID),
        ("classes", Same), ("rights", Same), ("purposes", Same), ("until", HoursAfter("asked_at")), ("state", Same),
        ("asked_at", Presence), ("decided_at", Presence), ("decided_by", ADDRESS), ("grant_id", ID),
        ("changed_at", Presence), ("made_seq", Same), ("changed_seq", Same),
    ]),
    ("grants", &[
        ("patient", ID), ("id", ID), ("issuer", ADDRESS), ("record", ID), ("classes", Same), ("grantee_kind", Same),
        ("grantee", ADDRESS), ("grantee_key", HASH), ("rights", Same), ("purposes", Same),
        ("not_before", HoursAfter("created_at")), ("expires_at", HoursAfter("created_at")), ("uses", Same),
        ("uses_left", Same), ("exhausted_at", Presence), ("parent", ID), ("depth", Same), ("request", ID), ("created_at", Presence),
        ("revoked_at", Presence), ("revoked_by", ADDRESS), ("changed_at", Presence), ("made_seq", Same),
        ("changed_seq", Same),
    ]),
    ("grants_passed_on", &[
        ("patient", ID), ("seq", Same), ("at", Presence), ("request", ID), ("grant_id", ID), ("parent", ID),
        ("actor_kind", Same), ("wallet", ADDRESS), ("member", ADDRESS), ("delegate", ADDRESS), ("institution", ID),
        ("purpose", Same),
    ]),
    ("grant_trees", &[
        ("id", ID), ("address", ADDRESS), ("opened_by", ADDRESS), ("at", Presence), ("seq", Same),
    ]),
    ("anonymous_grants", &[
        ("tree", ID), ("leaf_index", Same), ("patient", ID), ("record", ID), ("issuer", ADDRESS), ("rights", Same),
        ("expires_at", HoursAfter("created_at")), ("expires", Presence), ("envelope_key", HASH), ("commitment", HASH),
        ("number", Same), ("root", HASH), ("created_at", Presence), ("revoked_at", Presence), ("revoked_by", ADDRESS),
        ("revoked_number", Same), ("revoked_root", HASH), ("changed_at", Presence), ("made_seq", Same),
        ("changed_seq", Same),
    ]),
    ("access_proofs", &[
        ("tree", ID), ("made_seq", Same), ("at", Presence), ("exchange", ID), ("nullifier", HASH), ("handle", HASH),
        ("verifier", ADDRESS), ("relayer", ADDRESS), ("epoch", Presence), ("named_at", Presence), ("rights", Same),
        ("number", Same), ("rent_returned_at", Presence), ("changed_seq", Same),
    ]),
    (ACCESSES, &[
        ("patient", ID), ("seq", Same), ("at", Presence), ("request", ID), ("record", ID), ("version", Same),
        ("actor_kind", Same), ("wallet", ADDRESS), ("member", ADDRESS), ("delegate", ADDRESS), ("institution", ID),
        ("purpose", Same), ("basis", Same), ("grant_id", ID), ("policy", ID), ("emergency", ID),
    ]),
    ("refusals", &[
        ("patient", ID), ("seq", Same), ("at", Presence), ("request", ID), ("record", ID), ("action", Same),
        ("actor_kind", Same), ("wallet", ADDRESS), ("member", ADDRESS), ("delegate", ADDRESS), ("institution", ID),
        ("purpose", Same), ("reason", Same), ("claim", Same), ("claimed", ID),
    ]),
    ("agreements", &[
        ("consumer", ID), ("id", ID), ("provider", ID), ("state", Same), ("classes", Same), ("purpose", Same),
        ("mint", ADDRESS), ("token_program", Same), ("escrow", ADDRESS), ("refund", ADDRESS), ("payee", ADDRESS),
        ("price", Same), ("expires_at", HoursAfter("proposed_at")), ("proposed_at", Presence),
        ("accepted_at", Presence), ("closed_at", Presence), ("closed_by", ADDRESS), ("returned", Same),
        ("returned_to", ADDRESS), ("changed_at", Presence), ("made_seq", Same), ("changed_seq", Same),
    ]),
    ("agreement_deposits", &[
        ("consumer", ID), ("seq", Same), ("at", Presence), ("agreement", ID), ("received", Same),
    ]),
    ("settlements", &[
        ("patient", ID), ("seq", Same), ("at", Presence), ("consumer", ID), ("agreement", ID), ("record", ID),
        ("version", Same), ("request", ID), ("wallet", ADDRESS), ("amount", Same),
    ]),
    ("access_hours", &[
        ("hour", Presence), ("institution", ID), ("role", Same), ("actor_kind", Same), ("purpose", Same),
        ("basis", Same), ("accesses", Same),
    ]),
    ("access_days", &[
        ("day", Presence), ("institution", ID), ("role", Same), ("actor_kind", Same), ("purpose", Same),
        ("basis", Same), ("accesses", Same),
    ]),
    ("refusal_hours", &[
        ("hour", Presence), ("institution", ID), ("role", Same), ("action", Same), ("purpose", Same),
        ("reason", Same), ("refusals", Same),
    ]),
    ("refusal_days", &[
        ("day", Presence), ("institution", ID), ("role", Same), ("action", Same), ("purpose", Same),
        ("reason", Same), ("refusals", Same),
    ]),
    ("record_sizes", &[
        ("institution", ID), ("class", Same), ("status", Same), ("step", Same), ("versions", Same), ("bytes", Same),
    ]),
];

/// The query that reads a table, each cell as text.
pub(super) fn query(table: &str, columns: Columns) -> String {
    let cells: Vec<String> = columns
        .iter()
        .map(|(column, left)| match left {
            HoursAfter(base) => format!(
                "CASE WHEN isfinite({column}) AND {column} > '1970-01-01 00:00:00+00'
                 THEN round(extract(epoch FROM {column} - {base}) / 3600)::text || ' h' ELSE {column}::text END"
            ),
            _ => format!("{column}::text"),
        })
        .collect();
    format!("SELECT {} FROM chartseal.{table} ORDER BY 1", cells.join(", "))
}

/// Table and column of everything in the list.
fn listed() -> BTreeSet<(String, String)> {
    let pairs = TABLES.iter().flat_map(|(table, columns)| {
        let columns = columns.iter();
        columns.map(|(column, _)| ((*table).to_owned(), (*column).to_owned()))
    });
    pairs.collect()
}

/// Makes sure that a database has the tables and columns of the list, and no others.
pub(super) fn cover(there: &BTreeSet<(String, String)>) -> Result<()> {
    let listed = listed();
    let names = |missing: Vec<&(String, String)>| {
        let names: Vec<_> = missing
            .iter()
            .map(|(table, column)| format!("{table}.{column}"))
            .collect();
        names.join(", ")
    };
    let new = names(there.difference(&listed).collect());
    ensure!(
        new.is_empty(),
        "it is not decided how these columns are compared: {new}. Add them to tests/src/rows/columns.rs"
    );
    let gone = names(listed.difference(there).collect());
    ensure!(
        gone.is_empty(),
        "these columns are not there any more: {gone}. Take them out of tests/src/rows/columns.rs"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_column_that_nobody_has_decided_about_is_named() {
        cover(&listed()).unwrap();
        let mut more = listed();
        more.insert(("grants".to_owned(), "colour".to_owned()));
        assert!(cover(&more).unwrap_err().to_string().contains("grants.colour"));
        let mut less = listed();
        less.remove(&("refusals".to_owned(), "reason".to_owned()));
        assert!(cover(&less).unwrap_err().to_string().contains("refusals.reason"));
    }

    #[test]
    fn what_a_time_is_counted_from_is_a_column_of_the_same_row() {
        for (table, columns) in TABLES {
            for (_, left) in *columns {
                if let HoursAfter(base) = left {
                    assert!(columns.iter().any(|(column, _)| column == base), "{table}.{base}");
                }
            }
        }
    }
}
