//! Which columns `reconcile` holds against accounts, table by table, and which it cannot because no account keeps what they
//! say: those follow from events alone, and are `verify`'s. The list is whole on purpose, so that nobody adds a column
//! without deciding about it.

use serde_json::Value;

use crate::altering::{
    Victim,
    Way::{self, Emptied, Filled, Other},
};

/// A table whose rows accounts speak of.
pub(crate) struct Compared {
    pub(crate) table: &'static str,
    /// What names a row.
    pub(crate) key: &'static [&'static str],
    /// Which rows say how things stand, in SQL of the row `t`.
    pub(crate) stands: &'static str,
    /// What an account says too.
    pub(crate) said: &'static [&'static str],
    /// Of which an account says only whether there is something.
    pub(crate) whether: &'static [&'static str],
    /// What no account says.
    pub(crate) apart: &'static [&'static str],
    /// What another row must have of its own; nothing where the table takes none, or it does not count by itself.
    pub(crate) own: &'static [&'static str],
}

const ALWAYS: &str = "true";

/// Of what has an end, what has not come to it.
const NOT_ENDED: &str = "t.ended_at IS NULL";

/// The newest version of a record that was not erased, and not out of a batch: its author is the member then.
const NEWEST: &str = "t.batch IS NULL AND EXISTS (SELECT FROM records r WHERE r.patient = t.patient AND r.id = t.record
                      AND r.version = t.version AND r.status = 'active')";

#[rustfmt::skip]
pub(crate) const COMPARED: &[Compared] = &[
    Compared {
        table: "registry", key: &[], stands: ALWAYS,
        said: &["admin", "proposed_admin", "paused"],
        whether: &[],
        apart: &["single", "created_at", "changed_at", "made_seq", "changed_seq"],
        own: &[],
    },
    Compared {
        table: "institutions", key: &["id"], stands: ALWAYS,
        said: &[
            "address", "kind", "standing", "authority", "proposed_authority", "encryption_key", "post_quantum_key_hash",
            "expires_at", "registered_at",
        ],
        whether: &["accepted_at"],
        apart: &["changed_at", "made_seq", "changed_seq"],
        own: &["id", "address"],
    },
    Compared {
        table: "members", key: &["institution", "member_id"], stands: ALWAYS,
        said: &[
            "address", "wallet", "role", "standing", "emergency_credential", "expires_at", "encryption_key",
            "post_quantum_key_hash", "registered_at",
        ],
        whether: &["accepted_at"],
        apart: &["changed_at", "made_seq", "changed_seq"],
        own: &["member_id", "address"],
    },
    Compared {
        table: "batches", key: &["institution", "id"], stands: ALWAYS,
        said: &["author", "root", "locator", "count", "at"],
        whether: &[],
        apart: &["wallet", "seq"],
        own: &["id", "seq"],
    },
    Compared {
        table: "patients", key: &["id"], stands: ALWAYS,
        said: &[
            "wallet", "proposed_wallet", "steward", "encryption_key", "post_quantum_key_hash", "key_epoch", "opened_at",
        ],
        whether: &[],
        apart: &["changed_at", "made_seq", "changed_seq"],
        own: &["id"],
    },
    Compared {
        table: "delegates", key: &["patient", "id"], stands: ALWAYS,
        said: &[
            "address", "wallet", "rights", "expires_at", "encryption_key", "post_quantum_key_hash", "named_at",
            "revoked_at",
        ],
        whether: &["accepted_at"],
        apart: &["revoked_by", "changed_at", "made_seq", "changed_seq"],
        own: &["id", "address"],
    },
    Compared {
        table: "safeguards", key: &["patient"], stands: ALWAYS,
        said: &["guardian_threshold", "recovery_delay", "holder_threshold", "agreed_wallet", "ready_at"],
        whether: &[],
        apart: &["changed_at", "made_seq", "changed_seq"],
        own: &["patient"],
    },
    Compared {
        table: "guardians", key: &["patient", "place"], stands: NOT_ENDED,
        said: &["wallet", "encryption_key"],
        whether: &[],
        apart: &["made_seq", "named_at", "ended_at", "changed_seq"],
        own: &["place"],
    },
    Compared {
        table: "break_glass_holders", key: &["patient", "place"], stands: NOT_ENDED,
        said: &["holder"],
        whether: &[],
        apart: &["made_seq", "named_at", "ended_at", "changed_seq"],
        own: &["place"],
    },
    Compared {
        table: "policies", key: &["patient", "institution"], stands: ALWAYS,
        said: &["classes", "purposes", "enrols", "expires_at", "created_at", "changed_at"],
        whether: &[],
        apart: &["changed_by", "made_seq", "changed_seq"],
        own: &["institution"],
    },
    Compared {
        table: "policy_classes", key: &["patient", "institution", "class"], stands: NOT_ENDED,
        said: &["since"],
        whether: &[],
        apart: &["made_seq", "ended_at", "changed_seq"],
        own: &["class"],
    },
    Compared {
        table: "emergencies", key: &["patient", "id"], stands: ALWAYS,
        said: &[
            "member", "wallet", "institution", "reason_hash", "opened_at", "expires_at", "patient_verdict",
            "patient_reviewed_at", "institution_verdict", "institution_reviewed_at",
        ],
        whether: &[],
        apart: &["patient_reviewed_by", "institution_reviewed_by", "changed_at", "made_seq", "changed_seq"],
        own: &["id"],
    },
    Compared {
        table: "records", key: &["patient", "id"], stands: ALWAYS,
        said: &["class", "status", "version", "created_at", "changed_at"],
        whether: &[],
        apart: &["made_seq", "changed_seq"],
        own: &["id"],
    },
    Compared {
        table: "record_versions", key: &["patient", "record", "version"], stands: NEWEST,
        said: &[
            "member", "institution", "manifest_hash", "content_root", "locator", "padded_size", "previous", "at",
        ],
        whether: &[],
        apart: &[
            "seq", "request", "actor_kind", "wallet", "delegate", "purpose", "basis", "grant_id", "policy", "emergency",
            // In the place of member and institution, where the record came out of a batch.
            "batch_institution", "batch", "batch_index", "batch_author",
        ],
        own: &[],
    },
    Compared {
        table: "erasures", key: &["patient", "record"], stands: ALWAYS,
        said: &["version", "at"],
        whether: &[],
        apart: &["seq", "erased_by"],
        own: &["record", "seq"],
    },
    Compared {
        table: "requests", key: &["patient", "id"], stands: ALWAYS,
        said: &[
            "record", "member", "institution", "grant_id", "until", "asked_at", "decided_at", "classes", "rights",
            "purposes", "state",
        ],
        whether: &[],
        apart: &["wallet", "decided_by", "changed_at", "made_seq", "changed_seq"],
        own: &["id"],
    },
    Compared {
        table: "grants", key: &["patient", "id"], stands: ALWAYS,
        said: &[
            "record", "parent", "depth", "grantee_kind", "grantee", "grantee_key", "issuer", "not_before", "expires_at",
            "created_at", "revoked_at", "classes", "uses_left", "rights", "purposes",
        ],
        whether: &["exhausted_at"],
        apart: &["uses", "request", "revoked_by", "changed_at", "made_seq", "changed_seq"],
        own: &["id"],
    },
    Compared {
        table: "grant_trees", key: &["id"], stands: ALWAYS,
        said: &["address"],
        whether: &[],
        apart: &["opened_by", "at", "seq"],
        own: &["id", "address"],
    },
    Compared {
        table: "access_proofs", key: &["nullifier"], stands: "t.rent_returned_at IS NULL",
        said: &["tree", "verifier", "relayer", "epoch"],
        whether: &[],
        apart: &[
            "made_seq", "at", "exchange", "handle", "named_at", "rights", "number", "rent_returned_at", "changed_seq",
        ],
        own: &["nullifier", "made_seq"],
    },
    Compared {
        table: "agreements", key: &["consumer", "id"], stands: ALWAYS,
        said: &[
            "provider", "state", "classes", "purpose", "mint", "token_program", "escrow", "refund", "payee", "price",
            "expires_at", "proposed_at",
        ],
        whether: &["accepted_at", "closed_at"],
        apart: &["closed_by", "returned", "returned_to", "changed_at", "made_seq", "changed_seq"],
        own: &["id"],
    },
    Compared {
        table: "agreement_deposits", key: &["consumer", "agreement"], stands: ALWAYS,
        said: &["received"],
        whether: &[],
        apart: &["seq", "at"],
        own: &["agreement", "seq"],
    },
    Compared {
        table: "settlements", key: &["consumer", "agreement", "patient", "record", "version"], stands: ALWAYS,
        said: &["request", "amount", "at"],
        whether: &[],
        apart: &["seq", "wallet"],
        own: &["version", "seq"],
    },
];

/// What `reconcile` compares besides, and in which columns: sums of the rows above and of grants without a name, of which no
/// account keeps any by itself, and where chains stand.
pub(crate) const BESIDES: [(&str, &[&str]); 6] = [
    ("anonymous_grants (trees)", &["floor", "leaves", "number"]),
    ("anonymous_grants (roots)", &["leaf_index", "root"]),
    ("anonymous_grants (sets)", &["floor", "made", "revoked"]),
    ("settlements (sums)", &["amount", "settled"]),
    ("events", &["at", "discriminator"]),
    ("chains", &["head", "seq"]),
];

/// What a column is called in the report.
pub(crate) fn reported(table: &str, column: &'static str) -> &'static str {
    match (table, column) {
        ("record_versions", "member") => "author",
        ("record_versions", "institution") => "author_institution",
        (_, column) => column,
    }
}

/// Columns that the report has of other tables' rows: who wrote a record's first version.
pub(crate) const DERIVED: [(&str, &str); 1] = [("records", "origin")];

/// Alterations of one cell that a table refuses in every row, as long as a constraint of it stands.
pub(crate) struct Refused {
    pub(crate) constraint: &'static str,
    pub(crate) cells: &'static [&'static str],
    pub(crate) ways: &'static [Way],
}

/// All of them. Who owns the tables drops the constraint first, and then the difference is named.
#[rustfmt::skip]
pub(crate) const REFUSED: &[Refused] = &[
    // A wallet that was agreed on takes over from a certain time on.
    Refused {
        constraint: "safeguards_check", cells: &["safeguards.agreed_wallet", "safeguards.ready_at"],
        ways: &[Emptied, Filled],
    },
    // The patient's review has verdict, time and reviewer, or there is none.
    Refused {
        constraint: "emergencies_check",
        cells: &["emergencies.patient_verdict", "emergencies.patient_reviewed_at"],
        ways: &[Emptied, Filled],
    },
    // So has the institution's.
    Refused {
        constraint: "emergencies_check1",
        cells: &["emergencies.institution_verdict", "emergencies.institution_reviewed_at"],
        ways: &[Emptied, Filled],
    },
    // What is not open was decided, by somebody and at some time.
    Refused {
        constraint: "requests_check", cells: &["requests.decided_at"],
        ways: &[Emptied, Filled],
    },
    // What was approved led to a grant, and nothing else did.
    Refused {
        constraint: "requests_check1", cells: &["requests.grant_id"],
        ways: &[Emptied, Filled],
    },
    // An open one was not decided.
    Refused {
        constraint: "requests_check", cells: &["requests.state"],
        ways: &[Other],
    },
    // Only an approved one has a grant.
    Refused {
        constraint: "requests_check1", cells: &["requests.state"],
        ways: &[Other],
    },
    // Whoever accepts says where it is paid.
    Refused {
        constraint: "agreements_check", cells: &["agreements.payee", "agreements.accepted_at"],
        ways: &[Emptied, Filled],
    },
    // With the end go who made it, how much went back, and to whom.
    Refused {
        constraint: "agreements_check1", cells: &["agreements.closed_at"],
        ways: &[Emptied, Filled],
    },
    // What is closed was closed at some time, and nothing else was.
    Refused {
        constraint: "agreements_check2", cells: &["agreements.closed_at"],
        ways: &[Emptied, Filled],
    },
];

/// A difference that has to be named: table, key, column. No key stands for any.
pub(crate) type Named = (String, Option<Value>, Option<String>);

pub(crate) fn cell_of(table: &str, key: Option<&Value>, column: &str) -> Named {
    (table.to_owned(), key.cloned(), Some(column.to_owned()))
}

pub(crate) fn row_of(table: &str, key: Option<&Value>) -> Named {
    (table.to_owned(), key.cloned(), None)
}

/// What cannot but differ too where this column of a row is altered, or the row is `gone`.
pub(crate) fn follow(table: &str, column: &str, victim: &Victim) -> Vec<Named> {
    let row = &victim.content;
    let is_active = row["status"] == "active";
    match (table, column) {
        // A record shows its newest version, as long as it is not erased.
        ("records", "patient" | "id" | "status" | "version" | "gone") if is_active => {
            vec![row_of("record_versions", None)]
        }
        // Its first version says whose it is.
        ("record_versions", "author") if row["version"] == 1 => vec![cell_of("records", None, "origin")],
        ("record_versions", "patient" | "record" | "version" | "gone")
            if row["version"] == 1 && !row["member"].is_null() =>
        {
            vec![cell_of("records", None, "origin")]
        }
        ("settlements", "amount") => vec![cell_of("settlements (sums)", None, "amount")],
        // One sum less, and another one too many.
        ("settlements", "consumer" | "agreement") => vec![row_of("settlements (sums)", None); 2],
        ("settlements", "gone") => vec![row_of("settlements (sums)", None)],
        // What stands in a tree is summed up by tree.
        ("grant_trees", "id") => vec![row_of("anonymous_grants (trees)", None); 2],
        ("grant_trees", "gone") => vec![row_of("anonymous_grants (trees)", None)],
        _ => Vec::new(),
    }
}
