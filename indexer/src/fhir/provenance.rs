//! Provenance: where every version of every record comes from, and where the ledger proves it.

use serde::Serialize;
use sqlx::PgConnection;

use super::{
    Rows, Selection,
    model::{CodeableConcept, Coding, Extension, Identifier, Reference, clock},
    subjects::{self, Actor},
    terms::{self, standard, system},
    write::Named,
};
use crate::sink::{Instant, SinkError};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provenance {
    resource_type: &'static str,
    id: String,
    extension: Vec<Extension>,
    target: Vec<Reference>,
    occurred_date_time: String,
    recorded: String,
    policy: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reason: Vec<CodeableConcept>,
    activity: CodeableConcept,
    agent: Vec<Agent>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entity: Vec<Entity>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Agent {
    #[serde(rename = "type")]
    kind: CodeableConcept,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    role: Vec<CodeableConcept>,
    who: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<Reference>,
}

#[derive(Debug, Serialize)]
struct Entity {
    role: &'static str,
    what: Reference,
}

impl Named for Provenance {
    fn id(&self) -> &str {
        &self.id
    }
}

/// A version of a record, who wrote it, and who took it out of a batch.
#[derive(Debug)]
pub(super) struct Row {
    patient: Vec<u8>,
    record: Vec<u8>,
    version: i64,
    seq: i64,
    at: Instant,
    purpose: String,
    actor_kind: String,
    wallet: Vec<u8>,
    institution: Option<Vec<u8>>,
    member: Option<Vec<u8>>,
    role: Option<String>,
    delegate: Option<Vec<u8>>,
    batch_institution: Option<Vec<u8>>,
    batch: Option<Vec<u8>>,
    batch_member: Option<Vec<u8>>,
    batch_role: Option<String>,
    signature: Option<Vec<u8>>,
    head: Option<Vec<u8>>,
}

pub(super) fn rows<'a>(connection: &'a mut PgConnection, selection: &Selection) -> Rows<'a, Row> {
    sqlx::query_as!(
        Row,
        r#"SELECT v.patient AS "patient!", v.record AS "record!", v.version AS "version!", v.seq AS "seq!",
                      v.at AS "at!: Instant", v.purpose::text AS "purpose!", v.actor_kind::text AS "actor_kind!",
                      v.wallet AS "wallet!", v.institution AS "institution?", m.member_id AS "member?",
                      m.role::text AS "role?", d.id AS "delegate?", v.batch_institution AS "batch_institution?",
                      v.batch AS "batch?", b.member_id AS "batch_member?", b.role::text AS "batch_role?",
                      e.signature AS "signature?", e.head AS "head?"
               FROM record_versions v
               LEFT JOIN members m ON m.address = v.member
               LEFT JOIN members b ON b.address = v.batch_author
               LEFT JOIN delegates d ON d.address = v.delegate
               LEFT JOIN events e ON e.chain = 'log' AND e.subject = v.patient AND e.seq = v.seq
               WHERE ($1::bytea IS NULL OR v.patient = $1) AND ($2::timestamptz IS NULL OR v.at >= $2)
                     AND ($3::timestamptz IS NULL OR v.at < $3)
               ORDER BY v.patient, v.seq"#,
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
    pub(super) fn into_resource(self) -> Result<Provenance, SinkError> {
        let patient = &self.patient;
        let document = |version| {
            let identifier = subjects::version(patient, &self.record, version);
            Reference::to("DocumentReference", identifier)
        };
        let source = |kind, identifier| Entity {
            role: "source",
            what: Reference::to(kind, identifier),
        };
        let before = (self.version > 1).then(|| Entity {
            role: "revision",
            what: document(self.version - 1),
        });
        let batch = self.batch_institution.as_deref().zip(self.batch.as_deref());
        let batch = batch.map(|(institution, batch)| {
            let identifier = Identifier::new(system::BATCH, subjects::within(institution, batch));
            source("Basic", identifier)
        });
        let transaction = self.signature.as_deref();
        let transaction = transaction.map(|signature| source("Basic", subjects::transaction(signature)));
        Ok(Provenance {
            resource_type: "Provenance",
            id: subjects::resource_id(patient, "record", self.seq),
            extension: vec![subjects::chain("log", self.seq, self.head.as_deref())],
            target: vec![document(self.version)],
            occurred_date_time: clock(self.at)?,
            recorded: clock(self.at)?,
            policy: vec![subjects::program_uri()],
            reason: terms::purpose(&self.purpose)
                .into_iter()
                .map(CodeableConcept::from)
                .collect(),
            activity: Coding::new(standard::OPERATION, if self.version == 1 { "CREATE" } else { "UPDATE" }).into(),
            agent: self.agents(),
            entity: [before, batch, transaction].into_iter().flatten().collect(),
        })
    }

    /// The author and, where it came out of a batch, whoever took it out.
    fn agents(&self) -> Vec<Agent> {
        let agent = |kind, actor: &Actor| Agent {
            kind: Coding::new(standard::PARTICIPANT, kind).into(),
            role: actor.role(),
            who: actor.reference(&self.patient),
            on_behalf_of: actor.organisation().filter(|_| actor.kind == "member"),
        };
        let actor = Actor {
            kind: self.actor_kind.clone(),
            wallet: Some(self.wallet.clone()),
            institution: self.institution.clone(),
            member: self.member.clone(),
            role: self.role.clone(),
            delegate: self.delegate.clone(),
        };
        if self.batch.is_none() {
            return vec![agent("author", &actor)];
        }
        let author = Actor {
            kind: "member".to_owned(),
            institution: self.batch_institution.clone(),
            member: self.batch_member.clone(),
            role: self.batch_role.clone(),
            ..Actor::default()
        };
        vec![agent("author", &author), agent("assembler", &actor)]
    }
}
