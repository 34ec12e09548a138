//! The tables that accounts are compared with, and what names their rows.

/// A table, or as much of it as says how things stand now.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// SQL for its rows.
    pub(super) from: &'static str,
    /// What names a row.
    pub(super) key: &'static [&'static str],
    /// Kind of the chain whose subject is the row's `subject` column.
    pub(super) chain: &'static str,
    pub(super) subject: &'static str,
    /// Whether what it says follows from many chains.
    pub(super) sums: bool,
    /// Whether accounts keep the last rows only, so that a row without an entry is no difference.
    pub(super) only_last: bool,
}

/// The last events of patients' chains, of which accounts keep an entry each.
pub(super) const RING: &str = "events";

/// How many leaves and changes a tree has.
pub(super) const LEAVES: &str = "anonymous_grants (trees)";

/// The changes of trees, by number.
pub(super) const ROOT_NUMBERS: &str = "anonymous_grants (roots)";

/// How many grants without a name a record has.
pub(super) const SETS: &str = "anonymous_grants (sets)";

macro_rules! table {
    ($name:literal, $chain:literal, $subject:literal, $($key:literal),*) => {
        table!($name from concat!("SELECT * FROM chartseal.", $name), $chain, $subject, $($key),*)
    };
    ($name:literal from $from:expr, $chain:literal, $subject:literal, $($key:literal),*) => {
        Table { name: $name, from: $from, key: &[$($key),*], chain: $chain, subject: $subject, sums: false, only_last: false }
    };
}

pub(super) const ALL: &[Table] = &[
    table!("registry", "registry", "",),
    table!("institutions", "institution", "id", "id"),
    table!("members", "institution", "institution", "institution", "member_id"),
    table!("batches", "institution", "institution", "institution", "id"),
    table!("patients", "log", "id", "id"),
    table!("delegates", "log", "patient", "patient", "id"),
    table!("safeguards", "log", "patient", "patient"),
    table!(
        "guardians" from
        "SELECT * FROM chartseal.guardians WHERE ended_at IS NULL",
        "log",
        "patient",
        "patient",
        "place"
    ),
    table!(
        "break_glass_holders" from
        "SELECT * FROM chartseal.break_glass_holders WHERE ended_at IS NULL",
        "log",
        "patient",
        "patient",
        "place"
    ),
    table!("policies", "log", "patient", "patient", "institution"),
    table!(
        "policy_classes" from
        "SELECT * FROM chartseal.policy_classes WHERE ended_at IS NULL",
        "log",
        "patient",
        "patient",
        "institution",
        "class"
    ),
    table!("emergencies", "log", "patient", "patient", "id"),
    // With the author of the first version, who may always read the record.
    table!(
        "records" from
        "SELECT r.*, coalesce(v.batch_author, v.member)::bytea AS origin
         FROM chartseal.records r
         LEFT JOIN chartseal.record_versions v ON v.patient = r.patient AND v.record = r.id AND v.version = 1",
        "log",
        "patient",
        "patient",
        "id"
    ),
    // An erased record's account has no content any more.
    table!(
        "record_versions" from
        "SELECT v.*, coalesce(v.batch_author, v.member)::bytea AS author,
                coalesce(v.batch_institution, v.institution)::bytea AS author_institution
         FROM chartseal.record_versions v
         JOIN chartseal.records r ON r.patient = v.patient AND r.id = v.record AND r.version = v.version
         WHERE r.status = 'active'",
        "log",
        "patient",
        "patient",
        "record",
        "version"
    ),
    table!("erasures", "log", "patient", "patient", "record"),
    table!("requests", "log", "patient", "patient", "id"),
    table!("grants", "log", "patient", "patient", "id"),
    table!("agreements", "institution", "consumer", "consumer", "id"),
    table!(
        "agreement_deposits" from
        "SELECT consumer, agreement, sum(received)::numeric AS received FROM chartseal.agreement_deposits
         GROUP BY consumer, agreement HAVING sum(received) > 0",
        "institution",
        "consumer",
        "consumer",
        "agreement"
    ),
    table!(
        "settlements",
        "log",
        "patient",
        "consumer",
        "agreement",
        "patient",
        "record",
        "version"
    ),
    Table {
        name: "settlements (sums)",
        from: "SELECT consumer, agreement, sum(amount)::numeric AS amount, count(*) AS settled
               FROM chartseal.settlements GROUP BY consumer, agreement",
        key: &["consumer", "agreement"],
        chain: "institution",
        subject: "consumer",
        sums: true,
        only_last: false,
    },
    table!("grant_trees", "tree", "id", "id"),
    Table {
        name: LEAVES,
        from: "SELECT t.id AS tree, count(g.tree) AS leaves, count(g.tree) + count(g.revoked_at) AS number,
                      max(g.revoked_number) AS floor
               FROM chartseal.grant_trees t LEFT JOIN chartseal.anonymous_grants g ON g.tree = t.id
               GROUP BY t.id",
        key: &["tree"],
        chain: "tree",
        subject: "tree",
        sums: true,
        only_last: false,
    },
    Table {
        name: ROOT_NUMBERS,
        from: "SELECT tree, number, root, leaf_index FROM chartseal.anonymous_grants
               UNION ALL
               SELECT tree, revoked_number, revoked_root, leaf_index FROM chartseal.anonymous_grants
               WHERE revoked_number IS NOT NULL",
        key: &["tree", "number"],
        chain: "tree",
        subject: "tree",
        sums: true,
        only_last: true,
    },
    table!(
        "anonymous_grants (sets)" from
        "SELECT tree, patient, record, count(*) AS made, count(revoked_at) AS revoked, max(revoked_number) AS floor
         FROM chartseal.anonymous_grants GROUP BY tree, patient, record",
        "log",
        "patient",
        "tree",
        "patient",
        "record"
    ),
    // Whoever paid its rent has got it back when a nullifier is gone.
    table!(
        "access_proofs" from
        "SELECT * FROM chartseal.access_proofs WHERE rent_returned_at IS NULL",
        "tree",
        "tree",
        "nullifier"
    ),
    // A row of events that was added shows by its chain.
    Table {
        name: RING,
        from: "SELECT e.chain, e.subject, e.seq, e.at, substr(e.body, 1, 2) AS discriminator
               FROM chartseal.events e JOIN chartseal.chains c ON c.chain = e.chain AND c.subject = e.subject
               WHERE e.chain IN ('log', 'refusals') AND e.seq > c.seq - 16",
        key: &["chain", "subject", "seq"],
        chain: "log",
        subject: "subject",
        sums: false,
        only_last: true,
    },
];
