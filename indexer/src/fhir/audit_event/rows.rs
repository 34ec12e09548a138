//! The rows that give AuditEvents: one query over all tables that tell of an event of a patient's chains.

use sqlx::PgConnection;

use crate::{
    fhir::{Rows, Selection},
    sink::Instant,
};

/// An event of a patient's chains, as the tables have it.
#[derive(Debug)]
pub(in crate::fhir) struct Row {
    pub(super) patient: Vec<u8>,
    pub(super) chain: String,
    pub(super) seq: i64,
    /// Which of several that follow from the same row.
    pub(super) part: String,
    pub(super) at: Instant,
    pub(super) what: String,
    /// Basis, reason or verdict.
    pub(super) why: Option<String>,
    pub(super) request: Option<Vec<u8>>,
    pub(super) record: Option<Vec<u8>>,
    pub(super) version: Option<i64>,
    /// Id of the grant, policy or emergency that it is about.
    pub(super) subject: Option<Vec<u8>>,
    pub(super) actor_kind: String,
    pub(super) wallet: Option<Vec<u8>>,
    pub(super) institution: Option<Vec<u8>>,
    pub(super) member: Option<Vec<u8>>,
    pub(super) role: Option<String>,
    pub(super) delegate: Option<Vec<u8>>,
    pub(super) purpose: Option<String>,
    pub(super) grant_id: Option<Vec<u8>>,
    pub(super) policy: Option<Vec<u8>>,
    pub(super) emergency: Option<Vec<u8>>,
    pub(super) is_patients: bool,
    pub(super) handed_over: bool,
    pub(super) steward: Option<Vec<u8>>,
    pub(super) event: Option<String>,
    pub(super) place: Option<i64>,
    pub(super) signature: Option<Vec<u8>>,
    pub(super) slot: Option<i64>,
    pub(super) head: Option<Vec<u8>>,
}

/// Every row that gives an AuditEvent, in the order of patients, their chains and the places there.
///
/// Where the tables keep a wallet only, it is the patient's, a delegate's or, before the chart was handed over, that of
/// the steward's authority; or of a grant that was passed on and revoked, that of whoever passed it on. Of an emergency's
/// reviews the tables do not keep the place: it is looked for among the events of that moment, and left out where there
/// are two.
pub(in crate::fhir) fn rows<'a>(connection: &'a mut PgConnection, selection: &Selection) -> Rows<'a, Row> {
    sqlx::query_as!(
            Row,
            r#"SELECT a.patient AS "patient!", a.chain AS "chain!", a.seq AS "seq!", a.part AS "part!",
                      a.at AS "at!: Instant", a.what AS "what!", a.why, a.request, a.record, a.version, a.subject,
                      a.actor_kind AS "actor_kind!", a.wallet, a.institution, m.member_id AS "member?",
                      m.role::text AS "role?", coalesce(d.id, w.id)::bytea AS "delegate?", a.purpose, a.grant_id, a.policy, a.emergency,
                      o.is_patients AS "is_patients!", o.handed_over AS "handed_over!", p.steward AS "steward?",
                      e.name AS "event?", a.place, e.signature AS "signature?", e.slot AS "slot?", e.head AS "head?"
               FROM (
                   SELECT patient, 'log' AS chain, seq, '' AS part, at, 'read' AS what, basis::text AS why, request,
                          record, version, NULL::bytea AS subject, actor_kind::text AS actor_kind, wallet, member,
                          delegate, institution, purpose::text AS purpose, grant_id, policy, emergency, seq AS place
                   FROM accesses
                   UNION ALL
                   SELECT patient, 'refusals', seq, '', at, 'refused-' || action, reason::text, request,
                          record, NULL, NULL, actor_kind::text, wallet, member,
                          delegate, institution, purpose::text, NULL, NULL, NULL, seq
                   FROM refusals
                   UNION ALL
                   SELECT patient, 'log', seq, '', at, CASE version WHEN 1 THEN 'create' ELSE 'amend' END, basis::text,
                          request, record, version, NULL, actor_kind::text, wallet, member,
                          delegate, institution, purpose::text, grant_id, policy, emergency, seq
                   FROM record_versions
                   UNION ALL
                   SELECT g.patient, 'log', g.made_seq, '', g.created_at, 'grant', NULL, NULL,
                          NULL, NULL, g.id, 'decider', g.issuer, NULL, NULL, NULL, NULL, NULL, NULL, NULL, g.made_seq
                   FROM grants g
                   WHERE g.parent IS NULL
                   UNION ALL
                   SELECT patient, 'log', seq, '', at, 'grant', 'grant', request,
                          NULL, NULL, grant_id, actor_kind::text, wallet, member,
                          delegate, institution, purpose::text, parent, NULL, NULL, seq
                   FROM grants_passed_on
                   UNION ALL
                   SELECT g.patient, 'log', g.changed_seq, '', g.revoked_at, 'revoke', NULL, NULL,
                          NULL, NULL, g.id,
                          CASE WHEN g.parent IS NULL OR g.revoked_by <> g.issuer THEN 'decider'
                               ELSE coalesce(x.actor_kind::text, 'member') END,
                          g.revoked_by, x.member, x.delegate, x.institution, NULL, NULL, NULL, NULL, g.changed_seq
                   FROM grants g
                   LEFT JOIN grants_passed_on x
                       ON x.patient = g.patient AND x.seq = g.made_seq AND x.wallet = g.revoked_by
                   WHERE g.revoked_at IS NOT NULL
                   UNION ALL
                   SELECT patient, 'log', made_seq, '', created_at, 'grant-unnamed', NULL, NULL,
                          record, NULL, NULL, 'decider', issuer, NULL, NULL, NULL, NULL, NULL, NULL, NULL, made_seq
                   FROM anonymous_grants
                   UNION ALL
                   SELECT patient, 'log', changed_seq, '', revoked_at, 'revoke-unnamed', NULL, NULL,
                          record, NULL, NULL, 'decider', revoked_by, NULL, NULL, NULL, NULL, NULL, NULL, NULL, changed_seq
                   FROM anonymous_grants
                   WHERE revoked_at IS NOT NULL
                   UNION ALL
                   SELECT patient, 'log', seq, '', at, CASE WHEN lag(seq) OVER chosen IS NULL THEN 'policy' ELSE 'policy-again' END,
                          NULL, NULL, NULL, NULL, institution, 'decider', changed_by, NULL, NULL, NULL, NULL, NULL, NULL, NULL, seq
                   FROM policy_changes
                   WINDOW chosen AS (PARTITION BY patient, institution ORDER BY seq)
                   UNION ALL
                   SELECT patient, 'log', made_seq, '', opened_at, 'emergency', NULL, NULL,
                          NULL, NULL, id, 'member', wallet, member,
                          NULL, institution, 'emergency', NULL, NULL, id, made_seq
                   FROM emergencies
                   UNION ALL
                   SELECT m.patient, 'log', m.made_seq, r.part, r.at, 'review', r.verdict, NULL,
                          NULL, NULL, m.id, CASE r.part WHEN 'pr' THEN 'decider' ELSE 'institution' END, r.by, NULL,
                          NULL, CASE r.part WHEN 'ir' THEN m.institution END, NULL, NULL, NULL, NULL,
                          (SELECT min(e.seq) FROM events e
                           WHERE e.chain = 'log' AND e.subject = m.patient AND e.seq > m.made_seq
                                 AND e.name = 'EmergencyReviewed' AND e.at = r.at
                           HAVING count(*) = 1)
                   FROM emergencies m
                   CROSS JOIN LATERAL (VALUES
                       ('pr', m.patient_reviewed_at, m.patient_verdict::text, m.patient_reviewed_by),
                       ('ir', m.institution_reviewed_at, m.institution_verdict::text, m.institution_reviewed_by))
                       AS r (part, at, verdict, by)
                   WHERE r.at IS NOT NULL
                   UNION ALL
                   SELECT patient, 'log', seq, '', at, 'erase', NULL, NULL,
                          record, NULL, NULL, 'decider', erased_by, NULL, NULL, NULL, NULL, NULL, NULL, NULL, seq
                   FROM erasures
               ) a
               LEFT JOIN members m ON m.address = a.member
               LEFT JOIN patients p ON p.id = a.patient
               LEFT JOIN delegates d ON d.address = a.delegate
               LEFT JOIN LATERAL (
                   SELECT id FROM delegates
                   WHERE a.actor_kind = 'decider' AND delegates.patient = a.patient AND delegates.wallet = a.wallet
                         AND coalesce(delegates.made_seq < a.place, true)
                   ORDER BY made_seq DESC LIMIT 1) w ON true
               CROSS JOIN LATERAL (
                   SELECT count(*) > 0 AS handed_over,
                          coalesce(bool_or(wallet = a.wallet AND (ended_at IS NULL
                                           OR coalesce(changed_seq > a.place, ended_at >= a.at))), false) AS is_patients
                   FROM patient_wallets
                   WHERE a.actor_kind = 'decider' AND patient = a.patient AND coalesce(made_seq < a.place, since <= a.at)) o
               LEFT JOIN events e ON e.chain = a.chain AND e.subject = a.patient AND e.seq = a.place
               WHERE ($1::bytea IS NULL OR a.patient = $1) AND ($2::timestamptz IS NULL OR a.at >= $2)
                     AND ($3::timestamptz IS NULL OR a.at < $3)
               ORDER BY a.patient, a.chain, a.seq, a.part"#,
            selection.patient.map(|id| id.to_vec()) as _,
            selection.since as _,
            selection.until as _,
        )
        .fetch(connection)
}
