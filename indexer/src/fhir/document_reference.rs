//! DocumentReference: every version of every record, where its ciphertext is and what it must hash to.
//!
//! It says nothing of the content, because nobody here knows it: the sharing class is a number that the patient chose,
//! and the size is padded.

use serde::Serialize;
use sqlx::PgConnection;

use super::{
    Rows, Selection,
    model::{CodeableConcept, Coding, Extension, Identifier, Meta, Reference, Value, clock},
    subjects::{self, Actor},
    terms::{code, extension, standard},
    write::Named,
};
use crate::sink::{Instant, SinkError};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DocumentReference {
    resource_type: &'static str,
    id: String,
    meta: Meta,
    master_identifier: Identifier,
    identifier: Vec<Identifier>,
    status: &'static str,
    category: Vec<CodeableConcept>,
    subject: Reference,
    date: String,
    author: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custodian: Option<Reference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    relates_to: Vec<Relation>,
    security_label: Vec<CodeableConcept>,
    content: Vec<Content>,
}

#[derive(Debug, Serialize)]
struct Relation {
    code: &'static str,
    target: Reference,
}

#[derive(Debug, Serialize)]
struct Content {
    attachment: Attachment,
    format: Coding,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    extension: Vec<Extension>,
    content_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<i32>,
}

impl Named for DocumentReference {
    fn id(&self) -> &str {
        &self.id
    }
}

/// A version of a record, and what became of it.
#[derive(Debug)]
pub(super) struct Row {
    patient: Vec<u8>,
    record: Vec<u8>,
    version: i64,
    seq: i64,
    at: Instant,
    class: i16,
    manifest_hash: Vec<u8>,
    content_root: Vec<u8>,
    locator: Vec<u8>,
    padded_size: i64,
    previous: Option<Vec<u8>>,
    replaced: bool,
    erased: bool,
    changed_at: Instant,
    actor_kind: String,
    wallet: Vec<u8>,
    institution: Option<Vec<u8>>,
    member: Option<Vec<u8>>,
    delegate: Option<Vec<u8>>,
}

/// The author of a record of a batch is the batch's, whoever took it out of there.
pub(super) fn rows<'a>(connection: &'a mut PgConnection, selection: &Selection) -> Rows<'a, Row> {
    sqlx::query_as!(
            Row,
            r#"SELECT * FROM (
                   SELECT v.patient AS "patient!", v.record AS "record!", v.version AS "version!", v.seq AS "seq!",
                          v.at AS "at!: Instant", r.class AS "class!", v.manifest_hash AS "manifest_hash!",
                          v.content_root AS "content_root!", v.locator AS "locator!", v.padded_size AS "padded_size!",
                          v.previous AS "previous?", n.seq IS NOT NULL AS "replaced!", x.seq IS NOT NULL AS "erased!",
                          greatest(v.at, n.at, x.at) AS "changed_at!: Instant",
                          CASE WHEN v.batch IS NULL THEN v.actor_kind::text ELSE 'member' END AS "actor_kind!",
                          v.wallet AS "wallet!",
                          coalesce(v.batch_institution, v.institution)::bytea AS "institution?",
                          m.member_id AS "member?", d.id AS "delegate?"
                   FROM record_versions v
                   JOIN records r ON r.patient = v.patient AND r.id = v.record
                   LEFT JOIN record_versions n ON n.patient = v.patient AND n.record = v.record
                        AND n.version = v.version + 1
                   LEFT JOIN erasures x ON x.patient = v.patient AND x.record = v.record
                   LEFT JOIN members m ON m.address = coalesce(v.batch_author, v.member)
                   LEFT JOIN delegates d ON d.address = v.delegate
               ) v
               WHERE ($1::bytea IS NULL OR "patient!" = $1) AND ($2::timestamptz IS NULL OR "changed_at!: Instant" >= $2)
                     AND ($3::timestamptz IS NULL OR "changed_at!: Instant" < $3)
               ORDER BY "patient!", "seq!""#,
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
    pub(super) fn into_resource(self) -> Result<DocumentReference, SinkError> {
        let patient = &self.patient;
        let author = Actor {
            kind: self.actor_kind.clone(),
            wallet: Some(self.wallet.clone()),
            institution: self.institution.clone(),
            member: self.member.clone(),
            role: None,
            delegate: self.delegate.clone(),
        };
        let replaces = (self.version > 1).then(|| Relation {
            code: "replaces",
            target: Reference::to(
                "DocumentReference",
                subjects::version(patient, &self.record, self.version - 1),
            ),
        });
        Ok(DocumentReference {
            resource_type: "DocumentReference",
            id: subjects::resource_id(patient, "record", self.seq),
            meta: Meta {
                last_updated: Some(clock(self.changed_at)?),
                profile: Vec::new(),
            },
            master_identifier: subjects::version(patient, &self.record, self.version),
            identifier: vec![subjects::record(patient, &self.record)],
            status: match (self.erased, self.replaced) {
                (true, _) => "entered-in-error",
                (false, true) => "superseded",
                (false, false) => "current",
            },
            category: vec![Coding::new(code::CLASS, self.class.to_string()).into()],
            subject: subjects::patient(patient),
            date: clock(self.at)?,
            author: vec![author.reference(patient)],
            custodian: author.organisation(),
            relates_to: replaces.into_iter().collect(),
            security_label: vec![Coding::new(standard::CONFIDENTIALITY, "R").into()],
            content: vec![Content {
                attachment: self.attachment(),
                format: Coding::new(code::FORMAT, "manifest"),
            }],
        })
    }

    fn attachment(&self) -> Attachment {
        let hex = |url, bytes: &[u8]| Extension::new(url, Value::String(hex::encode(bytes)));
        let mut extensions = vec![
            // `Attachment.hash` is SHA-1.
            hex(extension::MANIFEST, &self.manifest_hash),
            hex(extension::ROOT, &self.content_root),
            // `Attachment.size` ends at 2 GiB.
            Extension::new(extension::SIZE, Value::String(self.padded_size.to_string())),
        ];
        extensions.extend(self.previous.as_deref().map(|hash| hex(extension::PREVIOUS, hash)));
        Attachment {
            extension: extensions,
            content_type: "application/octet-stream",
            // What lies there of an erased record opens for nobody.
            url: (!self.erased).then(|| subjects::arweave(&self.locator)),
            size: i32::try_from(self.padded_size).ok(),
        }
    }
}
