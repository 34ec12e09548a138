//! How things stand now: grants, records, emergencies, and an institution's members.

use axum::{
    Json,
    extract::{
        Path, Query,
        rejection::{PathRejection, QueryRejection},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    access::Question,
    page::{Page, Paging, Position},
    problem::Problem,
    values::{Base58, Hex, Id, Time},
};

fn bytes(id: Option<Id>) -> Option<Vec<u8>> {
    id.map(|id| id.0.to_vec())
}

/// Which grants.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GrantFilter {
    /// Of this patient.
    #[param(example = "21212121212121212121212121212121")]
    patient: Option<Id>,
    /// To this institution or one of its members.
    institution: Option<Id>,
    /// About this record.
    record: Option<Id>,
    /// Only those that can be used now: not revoked, not expired, with uses left.
    #[serde(default)]
    #[param(example = true)]
    live: bool,
    /// Given from here on.
    from: Option<Time>,
    /// Given until just before here.
    until: Option<Time>,
}

/// A grant as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Grant {
    patient: Hex,
    grant: Hex,
    /// Member, institution or person.
    grantee_kind: String,
    /// Address of the member's or institution's account, or the person's wallet.
    grantee: Base58,
    /// The institution, or that of the member; null where it is a person, or one whom this caller may not see.
    institution: Option<Hex>,
    /// The one record it is about; null where it is about classes.
    record: Option<Hex>,
    /// The sharing classes it is about; null where it is about one record.
    classes: Option<Vec<i32>>,
    /// What the grantee may do.
    rights: Vec<String>,
    /// What for.
    purposes: Vec<String>,
    /// Valid from here.
    not_before: Time,
    /// Valid until just before here; null is without end.
    expires_at: Time,
    /// How often it can still be used; null is without limit.
    uses_left: Option<i64>,
    created_at: Time,
    revoked_at: Option<Time>,
    /// The wallet that signed it.
    issuer: Base58,
    /// The grant that was passed on.
    parent: Option<Hex>,
    /// How many grants it descends from.
    depth: i16,
    /// The request that it answers.
    request: Option<Hex>,
}

/// Grants, as they stand now.
#[utoipa::path(get, path = "/v1/grants", tag = "holdings", params(GrantFilter, Paging),
    responses((status = 200, body = Page<Grant>), (status = "default", body = Problem)), security(("token" = [])))]
pub(crate) async fn grants(
    mut question: Question,
    filter: Result<Query<GrantFilter>, QueryRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Json<Page<Grant>>, Problem> {
    let (Query(filter), Query(paging)) = (filter?, paging?);
    let after: Position<32> = paging.after()?;
    let (patient, id) = after.key.split_at(16);
    let rows = sqlx::query_as!(
        Grant,
        r#"SELECT g.patient AS "patient: Hex", g.id AS "grant: Hex", g.grantee_kind::text AS "grantee_kind!",
                  g.grantee AS "grantee: Base58", coalesce(i.id::bytea, m.institution) AS "institution: Hex",
                  g.record AS "record: Hex", g.classes, g.rights, g.purposes, g.not_before AS "not_before: Time",
                  g.expires_at AS "expires_at: Time", g.uses_left, g.created_at AS "created_at: Time",
                  g.revoked_at AS "revoked_at: Time", g.issuer AS "issuer: Base58", g.parent AS "parent: Hex", g.depth,
                  g.request AS "request: Hex"
           FROM grants g
           LEFT JOIN members m ON g.grantee_kind = 'member' AND m.address = g.grantee
           LEFT JOIN institutions i ON g.grantee_kind = 'institution' AND i.address = g.grantee
           WHERE (g.created_at, g.patient, g.id) < ($1::timestamptz, $2::bytea, $3::bytea)
                 AND ($4::bytea IS NULL OR g.patient = $4) AND ($5::bytea IS NULL OR g.record = $5)
                 AND ($6::bytea IS NULL OR g.grantee IN (SELECT address FROM institutions WHERE id = $6
                                                         UNION ALL SELECT address FROM members WHERE institution = $6))
                 AND ($7::timestamptz IS NULL OR g.created_at >= $7) AND ($8::timestamptz IS NULL OR g.created_at < $8)
                 AND (NOT $9 OR g.revoked_at IS NULL AND g.expires_at > now() AND coalesce(g.uses_left, 1) > 0)
           ORDER BY g.created_at DESC, g.patient DESC, g.id DESC LIMIT $10"#,
        after.instant() as _,
        patient,
        id,
        bytes(question.caller.patient(filter.patient)?),
        bytes(filter.record),
        bytes(filter.institution),
        filter.from.map(|time| time.0) as _,
        filter.until.map(|time| time.0) as _,
        filter.live,
        paging.rows()?,
    )
    .fetch_all(&mut *question.view)
    .await?;
    let page = paging.page(rows, |row| {
        Position::<32>::of(row.created_at, &[&row.patient.0, &row.grant.0])
    })?;
    Ok(Json(page))
}

/// Which records.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecordFilter {
    /// Of this patient.
    #[param(example = "21212121212121212121212121212121")]
    patient: Option<Id>,
    /// Whose newest version members of this institution wrote.
    institution: Option<Id>,
    /// Of this sharing class, 0 to 31.
    #[param(example = 3)]
    class: Option<i16>,
    /// Added from here on.
    from: Option<Time>,
    /// Added until just before here.
    until: Option<Time>,
}

/// A record in its newest version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Record {
    patient: Hex,
    record: Hex,
    /// Sharing class, 0 to 31.
    class: i16,
    /// Active or erased.
    status: String,
    /// Number of the newest version.
    version: i64,
    /// Sealed bytes of that version, after padding.
    padded_size: i64,
    /// The institution of its author.
    institution: Option<Hex>,
    /// Id of the manifest's data item.
    locator: Base58,
    /// SHA-256 of the manifest.
    manifest_hash: Hex,
    created_at: Time,
    changed_at: Time,
    /// The batch of that institution that it came from.
    batch: Option<Hex>,
}

/// Records, in their newest versions.
#[utoipa::path(get, path = "/v1/records", tag = "holdings", params(RecordFilter, Paging),
    responses((status = 200, body = Page<Record>), (status = "default", body = Problem)), security(("token" = [])))]
pub(crate) async fn records(
    mut question: Question,
    filter: Result<Query<RecordFilter>, QueryRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Json<Page<Record>>, Problem> {
    let (Query(filter), Query(paging)) = (filter?, paging?);
    let after: Position<32> = paging.after()?;
    let (patient, id) = after.key.split_at(16);
    let rows = sqlx::query_as!(
        Record,
        r#"SELECT r.patient AS "patient: Hex", r.id AS "record: Hex", r.class, r.status::text AS "status!", r.version,
                  v.padded_size, coalesce(v.batch_institution::bytea, v.institution) AS "institution: Hex",
                  v.locator AS "locator: Base58", v.manifest_hash AS "manifest_hash: Hex",
                  r.created_at AS "created_at: Time", r.changed_at AS "changed_at: Time", v.batch AS "batch: Hex"
           FROM records r
           JOIN record_versions v ON (v.patient, v.record, v.version) = (r.patient, r.id, r.version)
           WHERE (r.created_at, r.patient, r.id) < ($1::timestamptz, $2::bytea, $3::bytea)
                 AND ($4::bytea IS NULL OR r.patient = $4)
                 AND ($5::bytea IS NULL OR coalesce(v.batch_institution::bytea, v.institution) = $5)
                 AND ($6::smallint IS NULL OR r.class = $6)
                 AND ($7::timestamptz IS NULL OR r.created_at >= $7) AND ($8::timestamptz IS NULL OR r.created_at < $8)
           ORDER BY r.created_at DESC, r.patient DESC, r.id DESC LIMIT $9"#,
        after.instant() as _,
        patient,
        id,
        bytes(question.caller.patient(filter.patient)?),
        bytes(filter.institution),
        filter.class,
        filter.from.map(|time| time.0) as _,
        filter.until.map(|time| time.0) as _,
        paging.rows()?,
    )
    .fetch_all(&mut *question.view)
    .await?;
    let page = paging.page(rows, |row| {
        Position::<32>::of(row.created_at, &[&row.patient.0, &row.record.0])
    })?;
    Ok(Json(page))
}

/// Which emergencies.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EmergencyFilter {
    /// About this patient.
    patient: Option<Id>,
    /// Opened by members of this institution.
    #[param(example = "11111111111111111111111111111111")]
    institution: Option<Id>,
    /// Only those that await a review, by the patient or by the institution.
    #[serde(default)]
    #[param(example = true)]
    awaiting: bool,
    /// Opened from here on.
    from: Option<Time>,
    /// Opened until just before here.
    until: Option<Time>,
}

/// A chart that was opened without asking.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Emergency {
    patient: Hex,
    emergency: Hex,
    institution: Hex,
    /// Role of the member who opened it; null where this caller may not see the member.
    role: Option<String>,
    /// The wallet that signed.
    wallet: Base58,
    opened_at: Time,
    expires_at: Time,
    /// What the patient's review found; null until then.
    patient_verdict: Option<String>,
    patient_reviewed_at: Option<Time>,
    /// What the institution's review found; null until then.
    institution_verdict: Option<String>,
    institution_reviewed_at: Option<Time>,
    /// Salted hash of the reason that the institution keeps.
    reason_hash: Hex,
}

/// Emergencies.
#[utoipa::path(get, path = "/v1/emergencies", tag = "holdings", params(EmergencyFilter, Paging),
    responses((status = 200, body = Page<Emergency>), (status = "default", body = Problem)), security(("token" = [])))]
pub(crate) async fn emergencies(
    mut question: Question,
    filter: Result<Query<EmergencyFilter>, QueryRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Json<Page<Emergency>>, Problem> {
    let (Query(filter), Query(paging)) = (filter?, paging?);
    let after: Position<32> = paging.after()?;
    let (patient, id) = after.key.split_at(16);
    let rows = sqlx::query_as!(
        Emergency,
        r#"SELECT e.patient AS "patient: Hex", e.id AS "emergency: Hex", e.institution AS "institution: Hex",
                  m.role::text AS role, e.wallet AS "wallet: Base58", e.opened_at AS "opened_at: Time",
                  e.expires_at AS "expires_at: Time", e.patient_verdict::text AS patient_verdict,
                  e.patient_reviewed_at AS "patient_reviewed_at: Time",
                  e.institution_verdict::text AS institution_verdict,
                  e.institution_reviewed_at AS "institution_reviewed_at: Time", e.reason_hash AS "reason_hash: Hex"
           FROM emergencies e
           LEFT JOIN members m ON m.address = e.member
           WHERE (e.opened_at, e.patient, e.id) < ($1::timestamptz, $2::bytea, $3::bytea)
                 AND ($4::bytea IS NULL OR e.patient = $4) AND ($5::bytea IS NULL OR e.institution = $5)
                 AND (NOT $6 OR e.patient_verdict IS NULL OR e.institution_verdict IS NULL)
                 AND ($7::timestamptz IS NULL OR e.opened_at >= $7) AND ($8::timestamptz IS NULL OR e.opened_at < $8)
           ORDER BY e.opened_at DESC, e.patient DESC, e.id DESC LIMIT $9"#,
        after.instant() as _,
        patient,
        id,
        bytes(question.caller.patient(filter.patient)?),
        bytes(filter.institution),
        filter.awaiting,
        filter.from.map(|time| time.0) as _,
        filter.until.map(|time| time.0) as _,
        paging.rows()?,
    )
    .fetch_all(&mut *question.view)
    .await?;
    let page = paging.page(rows, |row| {
        Position::<32>::of(row.opened_at, &[&row.patient.0, &row.emergency.0])
    })?;
    Ok(Json(page))
}

/// Somebody who acts for an institution.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    /// Address of the member's account; grants name the member by this.
    address: Base58,
    /// The member's id within the institution.
    member: Hex,
    wallet: Base58,
    role: String,
    /// Invited, active or suspended.
    standing: String,
    expires_at: Time,
    registered_at: Time,
    accepted_at: Option<Time>,
}

/// Members of an institution.
#[utoipa::path(get, path = "/v1/institutions/{institution}/members", tag = "holdings",
    params(("institution" = Id, Path, description = "The institution's id.", example = "11111111111111111111111111111111"), Paging),
    responses((status = 200, body = Page<Member>), (status = "default", body = Problem)), security(("token" = [])))]
pub(crate) async fn members(
    mut question: Question,
    institution: Result<Path<Id>, PathRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Json<Page<Member>>, Problem> {
    let (Path(institution), Query(paging)) = (institution?, paging?);
    question.caller.require_no_patient()?;
    let after: Position<32> = paging.after()?;
    let rows = sqlx::query_as!(
        Member,
        r#"SELECT address AS "address: Base58", member_id AS "member: Hex", wallet AS "wallet: Base58",
                  role::text AS "role!", standing::text AS "standing!", expires_at AS "expires_at: Time",
                  registered_at AS "registered_at: Time", accepted_at AS "accepted_at: Time"
           FROM members
           WHERE (registered_at, address) < ($1::timestamptz, $2::bytea) AND institution = $3::bytea
           ORDER BY registered_at DESC, address DESC LIMIT $4"#,
        after.instant() as _,
        &after.key[..],
        &institution.0[..],
        paging.rows()?,
    )
    .fetch_all(&mut *question.view)
    .await?;
    let page = paging.page(rows, |row| Position::<32>::of(row.registered_at, &[&row.address.0]))?;
    Ok(Json(page))
}
