//! Every table that follows from events, and how its rows name the events that they follow from.
//!
//! Verification compares each table of this list, and refuses a database that has others. What is taken back of dropped
//! transactions goes from each of them by the same words.

/// A table that follows from events.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// How its rows name their event; nothing where they sum up the rows of other tables.
    pub(crate) origin: Option<Origin>,
    /// SQL for what names the row: its primary key.
    pub(crate) key: &'static str,
}

/// How a table's rows name the event that they follow from.
pub(crate) struct Origin {
    /// SQL for the kind of the chain.
    pub(crate) chain: &'static str,
    /// SQL for the chain's subject.
    pub(crate) subject: &'static str,
    /// SQL for the place of the event that made or last changed the row.
    pub(crate) seq: &'static str,
}

/// SQL for the subject of the registry's chain.
const ZEROS: &str = r"'\x00000000000000000000000000000000'::bytea";

/// Those that others refer to come first.
pub(crate) const TABLES: &[Table] = &[
    table(
        "events",
        "chain",
        "subject",
        "seq",
        "signature, outer_index, inner_index",
    ),
    table("chains", "chain", "subject", "seq", "chain, subject"),
    table("registry", "'registry'", ZEROS, "changed_seq", "single"),
    table("registry_changes", "'registry'", ZEROS, "seq", "seq"),
    table("grant_trees", "'tree'", "id", "seq", "id"),
    table("institutions", "'institution'", "id", "changed_seq", "id"),
    table("members", "'institution'", "institution", "changed_seq", "address"),
    table(
        "institution_standings",
        "'institution'",
        "institution",
        "changed_seq",
        "institution, made_seq",
    ),
    table(
        "member_standings",
        "'institution'",
        "institution",
        "changed_seq",
        "member, made_seq",
    ),
    table("batches", "'institution'", "institution", "seq", "institution, id"),
    table("patients", "'log'", "id", "changed_seq", "id"),
    table(
        "patient_wallets",
        "'log'",
        "patient",
        "changed_seq",
        "patient, made_seq",
    ),
    table("delegates", "'log'", "patient", "changed_seq", "patient, id"),
    table("safeguards", "'log'", "patient", "changed_seq", "patient"),
    table(
        "guardians",
        "'log'",
        "patient",
        "changed_seq",
        "patient, made_seq, place",
    ),
    table(
        "break_glass_holders",
        "'log'",
        "patient",
        "changed_seq",
        "patient, made_seq, place",
    ),
    table("recovery_steps", "'log'", "patient", "seq", "patient, seq"),
    table("policies", "'log'", "patient", "changed_seq", "patient, institution"),
    table(
        "policy_classes",
        "'log'",
        "patient",
        "changed_seq",
        "patient, institution, class, made_seq",
    ),
    table("policy_changes", "'log'", "patient", "seq", "patient, seq"),
    table("emergencies", "'log'", "patient", "changed_seq", "patient, id"),
    table("records", "'log'", "patient", "changed_seq", "patient, id"),
    table("record_versions", "'log'", "patient", "seq", "patient, record, version"),
    table("erasures", "'log'", "patient", "seq", "patient, record"),
    table("erasure_attestations", "'log'", "patient", "seq", "patient, seq"),
    table("requests", "'log'", "patient", "changed_seq", "patient, id"),
    table("grants", "'log'", "patient", "changed_seq", "patient, id"),
    table("grants_passed_on", "'log'", "patient", "seq", "patient, seq"),
    table(
        "anonymous_grants",
        "'log'",
        "patient",
        "changed_seq",
        "tree, leaf_index",
    ),
    table("accesses", "'log'", "patient", "seq", "patient, seq"),
    table("access_proofs", "'tree'", "tree", "changed_seq", "tree, made_seq"),
    table("refusals", "'refusals'", "patient", "seq", "patient, seq"),
    table("agreements", "'institution'", "consumer", "changed_seq", "consumer, id"),
    table(
        "agreement_deposits",
        "'institution'",
        "consumer",
        "seq",
        "consumer, seq",
    ),
    table("settlements", "'log'", "patient", "seq", "patient, seq"),
    sums("access_hours", "hour, institution, role, actor_kind, purpose, basis"),
    sums("access_days", "day, institution, role, actor_kind, purpose, basis"),
    sums("refusal_hours", "hour, institution, role, action, purpose, reason"),
    sums("refusal_days", "day, institution, role, action, purpose, reason"),
    sums("record_sizes", "institution, class, status, step"),
];

const fn table(
    name: &'static str,
    chain: &'static str,
    subject: &'static str,
    seq: &'static str,
    key: &'static str,
) -> Table {
    Table {
        name,
        origin: Some(Origin { chain, subject, seq }),
        key,
    }
}

const fn sums(name: &'static str, key: &'static str) -> Table {
    Table {
        name,
        origin: None,
        key,
    }
}
