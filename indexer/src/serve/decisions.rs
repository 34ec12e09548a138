//! What was decided about records: readings, writings, grants passed on, and refusals.

use axum::{Json, extract::Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    access::Question,
    page::{Page, Paging, Position, number, ordered},
    problem::Problem,
    values::{Base58, Hex, Id, Time},
};

/// Which decisions. Name a patient, an institution or a beginning: a question about everything that ever was has no good
/// answer.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// About this patient.
    #[param(example = "21212121212121212121212121212121")]
    patient: Option<Id>,
    /// By members of this institution.
    #[param(example = "11111111111111111111111111111111")]
    institution: Option<Id>,
    /// About this record.
    #[param(example = "31313131313131313131313131313131")]
    record: Option<Id>,
    /// Allowed by this grant; of refusals, where this grant was claimed.
    #[serde(rename = "grant")]
    #[param(rename = "grant")]
    grant_id: Option<Id>,
    /// From here on.
    #[param(example = "2025-01-01T00:00:00Z")]
    from: Option<Time>,
    /// Until just before here.
    until: Option<Time>,
}

/// One decision.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Decision {
    /// When it was decided.
    at: Time,
    patient: Hex,
    /// The patient's chain that has the event: log or refusals.
    chain: String,
    /// Its place in that chain.
    seq: i64,
    /// What was wanted: read, append, amend or share.
    action: String,
    /// Allowed or refused.
    outcome: String,
    /// The basis of an allowed action, the reason of a refused one.
    why: String,
    /// What it was for.
    purpose: String,
    /// In what capacity the actor acted: patient, member, person or delegate.
    actor_kind: String,
    /// The actor's role, where it is a member whom this caller may see.
    role: Option<String>,
    /// The actor's institution.
    institution: Option<Hex>,
    /// The wallet that signed.
    wallet: Base58,
    record: Option<Hex>,
    /// The version that was read or written.
    version: Option<i64>,
    /// The grant that allowed it; of a refusal, the one that was claimed.
    grant: Option<Hex>,
    /// The institution whose policy allowed it; of a refusal, the one that was claimed.
    policy: Option<Hex>,
    /// The emergency that allowed it; of a refusal, the one that was claimed.
    emergency: Option<Hex>,
    /// The id that the actor chose for this attempt.
    request: Hex,
}

/// Which kinds of decisions a route is about.
struct Kinds {
    readings: bool,
    writings: bool,
    refusals: bool,
}

/// Readings that were allowed.
#[utoipa::path(get, path = "/v1/accesses", tag = "decisions", params(Filter, Paging),
    responses((status = 200, body = Page<Decision>), (status = "default", body = Problem)), security(("token" = [])))]
pub(crate) async fn accesses(
    question: Question,
    filter: Result<Query<Filter>, axum::extract::rejection::QueryRejection>,
    paging: Result<Query<Paging>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Page<Decision>>, Problem> {
    let kinds = Kinds {
        readings: true,
        writings: false,
        refusals: false,
    };
    list(question, &filter?.0, &paging?.0, &kinds).await
}

/// What was refused.
#[utoipa::path(get, path = "/v1/refusals", tag = "decisions", params(Filter, Paging),
    responses((status = 200, body = Page<Decision>), (status = "default", body = Problem)), security(("token" = [])))]
pub(crate) async fn refusals(
    question: Question,
    filter: Result<Query<Filter>, axum::extract::rejection::QueryRejection>,
    paging: Result<Query<Paging>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Page<Decision>>, Problem> {
    let kinds = Kinds {
        readings: false,
        writings: false,
        refusals: true,
    };
    list(question, &filter?.0, &paging?.0, &kinds).await
}

/// Everything that was decided about records, allowed or refused.
#[utoipa::path(get, path = "/v1/decisions", tag = "decisions", params(Filter, Paging),
    responses((status = 200, body = Page<Decision>), (status = "default", body = Problem)), security(("token" = [])))]
pub(crate) async fn decisions(
    question: Question,
    filter: Result<Query<Filter>, axum::extract::rejection::QueryRejection>,
    paging: Result<Query<Paging>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Page<Decision>>, Problem> {
    let kinds = Kinds {
        readings: true,
        writings: true,
        refusals: true,
    };
    list(question, &filter?.0, &paging?.0, &kinds).await
}

async fn list(
    mut question: Question,
    filter: &Filter,
    paging: &Paging,
    kinds: &Kinds,
) -> Result<Json<Page<Decision>>, Problem> {
    let patient = question.caller.patient(filter.patient)?;
    // An institution's token sees its own members' decisions and no others: said here too, it is found by an index.
    let institution = filter.institution.or(question.caller.institution);
    if patient.is_none() && institution.is_none() && filter.from.is_none() {
        return Err(Problem::bad("name at least one of patient, institution and from"));
    }
    let after: Position<25> = paging.after()?;
    let (key_patient, key_rest) = after.key.split_at(16);
    let (key_chain, key_seq) = key_rest.split_at(1);
    let bytes = |id: Option<Id>| id.map(|id| id.0.to_vec());
    let rows = sqlx::query_as!(
        Decision,
        r#"SELECT d.at AS "at!: Time", d.patient AS "patient!: Hex",
                  CASE d.chain WHEN 0 THEN 'log' ELSE 'refusals' END AS "chain!", d.seq AS "seq!",
                  d.action AS "action!", d.outcome AS "outcome!", d.why AS "why!", d.purpose AS "purpose!",
                  d.actor_kind AS "actor_kind!", m.role::text AS role, d.institution AS "institution: Hex",
                  d.wallet AS "wallet!: Base58", d.record AS "record: Hex", d.version, d.grant_id AS "grant: Hex",
                  d.policy AS "policy: Hex", d.emergency AS "emergency: Hex", d.request AS "request!: Hex"
           FROM (
               (SELECT at, patient, 0 AS chain, seq, 'read' AS action, 'allowed' AS outcome, basis::text AS why,
                       purpose::text, actor_kind::text, wallet, member, institution, record, version, grant_id, policy,
                       emergency, request
                FROM accesses
                WHERE $5 AND (at, patient, 0, seq) < ($1::timestamptz, $2::bytea, $3::integer, $4::bigint)
                      AND ($8::bytea IS NULL OR patient = $8) AND ($9::bytea IS NULL OR institution = $9)
                      AND ($10::bytea IS NULL OR record = $10) AND ($11::bytea IS NULL OR grant_id = $11)
                      AND ($12::timestamptz IS NULL OR at >= $12) AND ($13::timestamptz IS NULL OR at < $13)
                      AND at <= $1::timestamptz
                ORDER BY at DESC, patient DESC, seq DESC LIMIT $14)
               UNION ALL
               (SELECT at, patient, 0, seq, CASE version WHEN 1 THEN 'append' ELSE 'amend' END, 'allowed', basis::text,
                       purpose::text, actor_kind::text, wallet, member, institution, record, version, grant_id, policy,
                       emergency, request
                FROM record_versions
                WHERE $6 AND (at, patient, 0, seq) < ($1::timestamptz, $2::bytea, $3::integer, $4::bigint)
                      AND ($8::bytea IS NULL OR patient = $8) AND ($9::bytea IS NULL OR institution = $9)
                      AND ($10::bytea IS NULL OR record = $10) AND ($11::bytea IS NULL OR grant_id = $11)
                      AND ($12::timestamptz IS NULL OR at >= $12) AND ($13::timestamptz IS NULL OR at < $13)
                ORDER BY at DESC, patient DESC, seq DESC LIMIT $14)
               UNION ALL
               (SELECT p.at, p.patient, 0, p.seq, 'share', 'allowed', 'grant', p.purpose::text, p.actor_kind::text,
                       p.wallet, p.member, p.institution, g.record, NULL, p.parent, NULL, NULL, p.request
                FROM grants_passed_on p JOIN grants g ON g.patient = p.patient AND g.id = p.grant_id
                WHERE $6 AND (p.at, p.patient, 0, p.seq) < ($1::timestamptz, $2::bytea, $3::integer, $4::bigint)
                      AND ($8::bytea IS NULL OR p.patient = $8) AND ($9::bytea IS NULL OR p.institution = $9)
                      AND ($10::bytea IS NULL OR g.record = $10) AND ($11::bytea IS NULL OR p.parent = $11)
                      AND ($12::timestamptz IS NULL OR p.at >= $12) AND ($13::timestamptz IS NULL OR p.at < $13)
                ORDER BY p.at DESC, p.patient DESC, p.seq DESC LIMIT $14)
               UNION ALL
               (SELECT at, patient, 1, seq, action::text, 'refused', reason::text, purpose::text, actor_kind::text,
                       wallet, member, institution, record, NULL, CASE claim WHEN 'grant' THEN claimed::bytea END,
                       CASE claim WHEN 'policy' THEN claimed::bytea END,
                       CASE claim WHEN 'emergency' THEN claimed::bytea END, request
                FROM refusals
                WHERE $7 AND (at, patient, 1, seq) < ($1::timestamptz, $2::bytea, $3::integer, $4::bigint)
                      AND ($8::bytea IS NULL OR patient = $8) AND ($9::bytea IS NULL OR institution = $9)
                      AND ($10::bytea IS NULL OR record = $10)
                      AND ($11::bytea IS NULL OR claim = 'grant' AND claimed = $11)
                      AND ($12::timestamptz IS NULL OR at >= $12) AND ($13::timestamptz IS NULL OR at < $13)
                ORDER BY at DESC, patient DESC, seq DESC LIMIT $14)
           ) d
           LEFT JOIN members m ON m.address = d.member
           ORDER BY d.at DESC, d.patient DESC, d.chain DESC, d.seq DESC LIMIT $14"#,
        after.instant() as _,
        key_patient,
        i32::from(key_chain.first().copied().unwrap_or_default()),
        number(key_seq),
        kinds.readings,
        kinds.writings,
        kinds.refusals,
        bytes(patient),
        bytes(institution),
        bytes(filter.record),
        bytes(filter.grant_id),
        filter.from.map(|time| time.0) as _,
        filter.until.map(|time| time.0) as _,
        paging.rows()?,
    )
    .fetch_all(&mut *question.view)
    .await?;
    let page = paging.page(rows, |row| {
        let chain = [u8::from(row.chain == "refusals")];
        Position::<25>::of(row.at, &[&row.patient.0, &chain, &ordered(row.seq)])
    })?;
    Ok(Json(page))
}
