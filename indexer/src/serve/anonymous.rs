//! Grants without a name, and proofs of access. Neither says who reads, and a proof does not say what.

use axum::{
    Json,
    extract::{Query, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    access::Question,
    page::{Page, Paging, Position, number, ordered},
    problem::Problem,
    values::{Base58, Hex, Id, Time},
};

/// Which grants without a name.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AnonymousGrantFilter {
    /// Of this patient.
    #[param(example = "21212121212121212121212121212121")]
    patient: Option<Id>,
    /// About this record.
    record: Option<Id>,
    /// Only those that can be used now: not revoked and not expired.
    #[serde(default)]
    #[param(example = true)]
    live: bool,
    /// Given from here on.
    from: Option<Time>,
    /// Given until just before here.
    until: Option<Time>,
}

/// A grant without a name as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnonymousGrant {
    patient: Hex,
    record: Hex,
    /// The tree that it stands in; with `leaf_index`, what names the grant.
    tree: Hex,
    /// Place of its leaf in the tree, from 0.
    leaf_index: i64,
    /// What may be proved a right to.
    rights: Vec<String>,
    /// Valid until just before here; null is without end.
    expires_at: Time,
    created_at: Time,
    revoked_at: Option<Time>,
    /// The wallet that signed it.
    issuer: Base58,
    /// X25519 public key that was drawn for this grant alone; data keys are wrapped to it.
    envelope_key: Hex,
}

/// Grants without a name, as they stand now.
#[utoipa::path(get, path = "/v1/anonymous-grants", tag = "holdings", params(AnonymousGrantFilter, Paging),
    responses((status = 200, body = Page<AnonymousGrant>), (status = "default", body = Problem)), security(("token" = [])))]
pub(crate) async fn grants(
    mut question: Question,
    filter: Result<Query<AnonymousGrantFilter>, QueryRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Json<Page<AnonymousGrant>>, Problem> {
    let (Query(filter), Query(paging)) = (filter?, paging?);
    let after: Position<24> = paging.after()?;
    let (tree, place) = after.key.split_at(16);
    let bytes = |id: Option<Id>| id.map(|id| id.0.to_vec());
    let rows = sqlx::query_as!(
        AnonymousGrant,
        r#"SELECT patient AS "patient: Hex", record AS "record: Hex", tree AS "tree: Hex", leaf_index, rights,
                  expires_at AS "expires_at: Time", created_at AS "created_at: Time", revoked_at AS "revoked_at: Time",
                  issuer AS "issuer: Base58", envelope_key AS "envelope_key: Hex"
           FROM anonymous_grants
           WHERE (created_at, tree, leaf_index) < ($1::timestamptz, $2::bytea, $3::bigint)
                 AND ($4::bytea IS NULL OR patient = $4) AND ($5::bytea IS NULL OR record = $5)
                 AND ($6::timestamptz IS NULL OR created_at >= $6) AND ($7::timestamptz IS NULL OR created_at < $7)
                 AND (NOT $8 OR revoked_at IS NULL AND expires_at > now())
           ORDER BY created_at DESC, tree DESC, leaf_index DESC LIMIT $9"#,
        after.instant() as _,
        tree,
        number(place),
        bytes(question.caller.patient(filter.patient)?),
        bytes(filter.record),
        filter.from.map(|time| time.0) as _,
        filter.until.map(|time| time.0) as _,
        filter.live,
        paging.rows()?,
    )
    .fetch_all(&mut *question.view)
    .await?;
    let page = paging.page(rows, |row| {
        Position::<24>::of(row.created_at, &[&row.tree.0, &ordered(row.leaf_index)])
    })?;
    Ok(Json(page))
}

/// Which proofs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProofFilter {
    /// With this id, which the reader chose and told the verifier.
    exchange: Option<Id>,
    /// Shown from here on.
    from: Option<Time>,
    /// Shown until just before here.
    until: Option<Time>,
}

/// A use of a grant without a name that the chain counted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccessProof {
    at: Time,
    /// The tree that it rests on, subject of the chain tree.
    tree: Hex,
    /// Place in that chain.
    seq: i64,
    /// Id that the reader chose.
    exchange: Hex,
    /// What a second use by the same reader, of the same record, in the same epoch, at the same verifier would have too.
    nullifier: Hex,
    /// Names the record to whoever knows it and the blind.
    handle: Hex,
    /// Whom the proof was made for.
    verifier: Base58,
    /// The wallet that brought it and paid: not the reader's.
    relayer: Base58,
    /// Hours since 1970.
    epoch: i64,
    /// What was proved a right to.
    rights: Vec<String>,
    /// Number of the tree's root that it rests on.
    number: i64,
    /// When the relayer got the rent back; null as long as it did not.
    rent_returned_at: Option<Time>,
}

/// Uses of grants without a name that the chain counted: of what record and by whom, nobody knows.
#[utoipa::path(get, path = "/v1/access-proofs", tag = "decisions", params(ProofFilter, Paging),
    responses((status = 200, body = Page<AccessProof>), (status = "default", body = Problem)), security(("token" = [])))]
pub(crate) async fn proofs(
    mut question: Question,
    filter: Result<Query<ProofFilter>, QueryRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Json<Page<AccessProof>>, Problem> {
    let (Query(filter), Query(paging)) = (filter?, paging?);
    question.caller.require_no_patient()?;
    let after: Position<24> = paging.after()?;
    let (tree, seq) = after.key.split_at(16);
    let rows = sqlx::query_as!(
        AccessProof,
        r#"SELECT at AS "at: Time", tree AS "tree: Hex", made_seq AS seq, exchange AS "exchange: Hex",
                  nullifier AS "nullifier: Hex", handle AS "handle: Hex", verifier AS "verifier: Base58",
                  relayer AS "relayer: Base58", epoch, rights, number, rent_returned_at AS "rent_returned_at: Time"
           FROM access_proofs
           WHERE (at, tree, made_seq) < ($1::timestamptz, $2::bytea, $3::bigint)
                 AND ($4::bytea IS NULL OR exchange = $4)
                 AND ($5::timestamptz IS NULL OR at >= $5) AND ($6::timestamptz IS NULL OR at < $6)
           ORDER BY at DESC, tree DESC, made_seq DESC LIMIT $7"#,
        after.instant() as _,
        tree,
        number(seq),
        filter.exchange.map(|id| id.0.to_vec()),
        filter.from.map(|time| time.0) as _,
        filter.until.map(|time| time.0) as _,
        paging.rows()?,
    )
    .fetch_all(&mut *question.view)
    .await?;
    let page = paging.page(rows, |row| {
        Position::<24>::of(row.at, &[&row.tree.0, &ordered(row.seq)])
    })?;
    Ok(Json(page))
}
