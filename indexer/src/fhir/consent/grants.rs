//! Consents of grants: as they stand, with what their ancestors leave of them.

use sqlx::PgConnection;

use super::{Consent, Data, Provision, action, categories, changed, class, period, recipients, rules, scope};
use crate::{
    fhir::{
        Rows, Selection,
        model::{Extension, Reference, Value, clock},
        subjects::{self, Actor},
        terms::{self, extension},
    },
    sink::{Instant, SinkError},
};

/// A grant, with what its ancestors leave of it.
#[derive(Debug)]
pub(in crate::fhir) struct Row {
    patient: Vec<u8>,
    id: Vec<u8>,
    record: Option<Vec<u8>>,
    classes: Option<Vec<i32>>,
    grantee_kind: String,
    grantee: Vec<u8>,
    grantee_institution: Option<Vec<u8>>,
    grantee_member: Option<Vec<u8>>,
    rights: Vec<String>,
    purposes: Vec<String>,
    starts_at: Instant,
    ends_at: Instant,
    ended: bool,
    uses: Option<i64>,
    uses_left: Option<i64>,
    created_at: Instant,
    changed_at: Instant,
    made_seq: i64,
    parent: Option<Vec<u8>>,
    request: Option<Vec<u8>>,
    actor_kind: String,
    wallet: Vec<u8>,
    institution: Option<Vec<u8>>,
    member: Option<Vec<u8>>,
    delegate: Option<Vec<u8>>,
    is_patients: bool,
    handed_over: bool,
    steward: Option<Vec<u8>>,
}

pub(in crate::fhir) fn rows<'a>(connection: &'a mut PgConnection, selection: &Selection) -> Rows<'a, Row> {
    sqlx::query_as!(
            Row,
            r#"SELECT * FROM (
                   SELECT g.patient AS "patient!", g.id AS "id!", g.record AS "record?", g.classes AS "classes?",
                          g.grantee_kind::text AS "grantee_kind!", g.grantee AS "grantee!",
                          coalesce(gi.id, gm.institution)::bytea AS "grantee_institution?",
                          gm.member_id AS "grantee_member?", g.rights AS "rights!", g.purposes AS "purposes!",
                          greatest(g.not_before, g.created_at, a.not_before, b.not_before, c.not_before)
                              AS "starts_at!: Instant",
                          least(g.expires_at, a.expires_at, b.expires_at, c.expires_at, over.at) AS "ends_at!: Instant",
                          over.at IS NOT NULL AS "ended!", g.uses, g.uses_left, g.created_at AS "created_at!: Instant",
                          greatest(g.changed_at, a.changed_at, b.changed_at, c.changed_at) AS "changed_at!: Instant",
                          g.made_seq AS "made_seq!", g.parent AS "parent?", g.request AS "request?",
                          coalesce(x.actor_kind::text, CASE WHEN g.parent IS NULL THEN 'decider' ELSE 'member' END)
                              AS "actor_kind!",
                          coalesce(x.wallet, g.issuer)::bytea AS "wallet!", x.institution AS "institution?",
                          xm.member_id AS "member?", coalesce(d.id, w.id)::bytea AS "delegate?",
                          o.is_patients AS "is_patients!", o.handed_over AS "handed_over!", p.steward AS "steward?"
                   FROM grants g
                   LEFT JOIN grants a ON a.patient = g.patient AND a.id = g.parent
                   LEFT JOIN grants b ON b.patient = g.patient AND b.id = a.parent
                   LEFT JOIN grants c ON c.patient = g.patient AND c.id = b.parent
                   CROSS JOIN LATERAL (
                       SELECT least(min(o.revoked_at), min(o.changed_at) FILTER (WHERE o.uses_left = 0)) AS at
                       FROM (VALUES (g.revoked_at, g.changed_at, g.uses_left), (a.revoked_at, a.changed_at, a.uses_left),
                                    (b.revoked_at, b.changed_at, b.uses_left), (c.revoked_at, c.changed_at, c.uses_left))
                            AS o (revoked_at, changed_at, uses_left)) over
                   LEFT JOIN institutions gi ON g.grantee_kind = 'institution' AND gi.address = g.grantee
                   LEFT JOIN members gm ON g.grantee_kind = 'member' AND gm.address = g.grantee
                   LEFT JOIN grants_passed_on x ON x.patient = g.patient AND x.seq = g.made_seq
                   LEFT JOIN members xm ON xm.address = x.member
                   LEFT JOIN patients p ON p.id = g.patient
                   LEFT JOIN delegates d ON d.address = x.delegate
                   LEFT JOIN LATERAL (
                       SELECT id FROM delegates
                       WHERE g.parent IS NULL AND delegates.patient = g.patient AND delegates.wallet = g.issuer
                             AND delegates.made_seq < g.made_seq
                       ORDER BY made_seq DESC LIMIT 1) w ON true
                   CROSS JOIN LATERAL (
                       SELECT count(*) > 0 AS handed_over,
                              coalesce(bool_or(wallet = g.issuer AND (ended_at IS NULL OR changed_seq > g.made_seq)), false)
                                  AS is_patients
                       FROM patient_wallets
                       WHERE patient = g.patient AND made_seq < g.made_seq) o
               ) g
               WHERE ($1::bytea IS NULL OR "patient!" = $1) AND ($2::timestamptz IS NULL OR "changed_at!: Instant" >= $2)
                     AND ($3::timestamptz IS NULL OR "changed_at!: Instant" < $3)
               ORDER BY "patient!", "made_seq!""#,
            selection.patient.map(|id| id.to_vec()) as _,
            selection.since as _,
            selection.until as _,
        )
        .fetch(connection)
}

impl Row {
    /// The resource.
    ///
    /// # Errors
    /// [`SinkError::Damaged`] where a column holds what the indexer never writes.
    pub(in crate::fhir) fn into_resource(self) -> Result<Consent, SinkError> {
        let patient = &self.patient;
        let given = match self.actor_kind.as_str() {
            "decider" => Actor::decider(
                self.is_patients,
                self.handed_over,
                self.delegate.clone(),
                self.steward.clone(),
            ),
            _ => Actor {
                kind: self.actor_kind.clone(),
                wallet: Some(self.wallet.clone()),
                institution: self.institution.clone(),
                member: self.member.clone(),
                role: None,
                delegate: self.delegate.clone(),
            },
        };
        let data = self.record.as_deref().map(|record| Data {
            meaning: "instance",
            reference: Reference::to("DocumentReference", subjects::record(patient, record)),
        });
        let count = |url, count: Option<i64>| count.map(|count| Extension::new(url, Value::String(count.to_string())));
        let request = self.request.as_deref().map(|request| {
            let identifier = subjects::request(patient, request);
            Extension::new(extension::REQUEST, Value::Identifier(identifier))
        });
        Ok(Consent {
            resource_type: "Consent",
            id: subjects::resource_id(patient, "grant", self.made_seq),
            meta: changed(self.changed_at)?,
            extension: [
                count(extension::USES, self.uses),
                count(extension::USES_LEFT, self.uses_left),
                request,
            ]
            .into_iter()
            .flatten()
            .collect(),
            identifier: vec![subjects::grant(patient, &self.id)],
            status: if self.ended { "inactive" } else { "active" },
            scope: scope(),
            category: categories("INFA"),
            patient: subjects::patient(patient),
            date_time: clock(self.created_at)?,
            performer: vec![given.reference(patient)],
            source_reference: self
                .parent
                .as_deref()
                .map(|parent| Reference::to("Consent", subjects::grant(patient, parent))),
            policy: rules(),
            provision: Provision {
                kind: "permit",
                period: period(self.starts_at, self.ends_at),
                actor: recipients(self.grantee()?),
                action: self.rights.iter().map(|right| action(right)).collect(),
                purpose: self.purposes.iter().filter_map(|word| terms::purpose(word)).collect(),
                class: self.classes.iter().flatten().map(class).collect(),
                data_period: None,
                data: data.into_iter().collect(),
            },
        })
    }

    fn grantee(&self) -> Result<Reference, SinkError> {
        let institution = self.grantee_institution.as_deref();
        Ok(match (self.grantee_kind.as_str(), institution, &self.grantee_member) {
            ("person", _, _) => subjects::person(&self.patient, &self.grantee),
            ("institution", Some(institution), _) => subjects::institution(institution),
            ("member", Some(institution), Some(member)) => {
                Reference::to("PractitionerRole", subjects::member(institution, member))
            }
            // Accounts that the reader of the database may not see, or that were never registered.
            ("institution", None, _) => Reference::unnamed("Organization", "an institution that is not listed"),
            ("member", _, _) => Reference::unnamed("PractitionerRole", "a member of another institution"),
            _ => return Err(SinkError::Damaged("grants.grantee_kind")),
        })
    }
}
