//! Sums by time, from the roll-ups that are kept with every row: they cost the same however many accesses there are.

use axum::{
    Json,
    extract::{Query, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    access::Question,
    problem::Problem,
    values::{Hex, Id, Time},
};

/// Rows of an answer, at most.
const MOST: usize = 5_000;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Over how long to sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    Hour,
    #[default]
    Day,
    Month,
}

impl Step {
    fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// What to sum.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Sums {
    /// By members of this institution.
    #[param(example = "11111111111111111111111111111111")]
    institution: Option<Id>,
    /// From the hour of this on.
    #[param(example = "2025-01-01T00:00:00Z")]
    from: Option<Time>,
    /// Until just before the hour of this.
    until: Option<Time>,
    /// How long each sum is: hour, day or month, in UTC [default: day].
    #[serde(default)]
    #[param(inline)]
    step: Step,
    /// What to tell apart, with commas between: of accesses institution, role, purpose, basis; of refusals institution, role,
    /// purpose, action, reason.
    #[serde(default)]
    #[param(example = "institution,purpose")]
    by: String,
}

impl Sums {
    /// Whether the sums by the day, of which there are fewer, add up to what is asked.
    fn are_of_days(&self) -> bool {
        let begins_a_day = |time: &Option<Time>| time.as_ref().is_none_or(|time| time.0.0.rem_euclid(DAY) < HOUR);
        self.step != Step::Hour && begins_a_day(&self.from) && begins_a_day(&self.until)
    }

    /// Which of these words are in `by`.
    fn by<const N: usize>(&self, words: [&str; N]) -> Result<[bool; N], Problem> {
        let asked: Vec<&str> = self
            .by
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .collect();
        match asked.iter().find(|word| !words.contains(word)) {
            Some(word) => Err(Problem::bad(format!("by: {word} is none of {}", words.join(", ")))),
            None => Ok(words.map(|word| asked.contains(&word))),
        }
    }
}

/// Readings that were allowed within one step.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccessSum {
    /// Beginning of the step, UTC.
    from: Time,
    /// The readers' institution, where it is told apart.
    institution: Option<Hex>,
    /// The readers' role, where it is told apart.
    role: Option<String>,
    /// Where it is told apart.
    purpose: Option<String>,
    /// Why they were allowed, where it is told apart.
    basis: Option<String>,
    accesses: i64,
}

/// Actions that were refused within one step.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusalSum {
    /// Beginning of the step, UTC.
    from: Time,
    /// The actors' institution, where it is told apart.
    institution: Option<Hex>,
    /// The actors' role, where it is told apart.
    role: Option<String>,
    /// Where it is told apart.
    purpose: Option<String>,
    /// What was wanted, where it is told apart.
    action: Option<String>,
    /// Why they were refused, where it is told apart.
    reason: Option<String>,
    refusals: i64,
}

/// All sums, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Summed<T> {
    items: Vec<T>,
}

impl<T> Summed<T> {
    fn of(items: Vec<T>) -> Result<Json<Self>, Problem> {
        match items.len() > MOST {
            true => Err(Problem::bad(format!(
                "these are more than {MOST} sums: take longer steps, a shorter time, or tell less apart"
            ))),
            false => Ok(Json(Self { items })),
        }
    }
}

/// One more than an answer may have.
fn rows() -> i64 {
    i64::try_from(MOST).unwrap_or(i64::MAX).saturating_add(1)
}

/// How many readings were allowed.
#[utoipa::path(get, path = "/v1/aggregates/accesses", tag = "aggregates", params(Sums),
    responses((status = 200, body = Summed<AccessSum>), (status = "default", body = Problem)), security(("token" = [])))]
pub(crate) async fn accesses(
    mut question: Question,
    sums: Result<Query<Sums>, QueryRejection>,
) -> Result<Json<Summed<AccessSum>>, Problem> {
    let Query(sums) = sums?;
    question.caller.require_no_patient()?;
    let [institution, role, purpose, basis] = sums.by(["institution", "role", "purpose", "basis"])?;
    let items = sqlx::query_as!(
        AccessSum,
        r#"SELECT date_trunc($1::text, at, 'UTC') AS "from!: Time",
                  CASE WHEN $2::boolean THEN institution::bytea END AS "institution: Hex",
                  CASE WHEN $3::boolean THEN role::text END AS role,
                  CASE WHEN $4::boolean THEN purpose::text END AS purpose,
                  CASE WHEN $5::boolean THEN basis::text END AS basis, sum(accesses)::bigint AS "accesses!"
           FROM (SELECT hour AS at, institution, role, purpose, basis, accesses FROM access_hours WHERE NOT $10::boolean
                 UNION ALL
                 SELECT day, institution, role, purpose, basis, accesses FROM access_days WHERE $10) sums
           WHERE ($6::bytea IS NULL OR institution = $6)
                 AND ($7::timestamptz IS NULL OR at >= date_trunc('hour', $7::timestamptz))
                 AND ($8::timestamptz IS NULL OR at < date_trunc('hour', $8::timestamptz))
           GROUP BY 1, 2, 3, 4, 5 ORDER BY 1 DESC, 2, 3, 4, 5 LIMIT $9"#,
        sums.step.word(),
        institution,
        role,
        purpose,
        basis,
        sums.institution.map(|id| id.0.to_vec()),
        sums.from.map(|time| time.0) as _,
        sums.until.map(|time| time.0) as _,
        rows(),
        sums.are_of_days(),
    )
    .fetch_all(&mut *question.view)
    .await?;
    Summed::of(items)
}

/// How many actions were refused.
#[utoipa::path(get, path = "/v1/aggregates/refusals", tag = "aggregates", params(Sums),
    responses((status = 200, body = Summed<RefusalSum>), (status = "default", body = Problem)), security(("token" = [])))]
pub(crate) async fn refusals(
    mut question: Question,
    sums: Result<Query<Sums>, QueryRejection>,
) -> Result<Json<Summed<RefusalSum>>, Problem> {
    let Query(sums) = sums?;
    question.caller.require_no_patient()?;
    let [institution, role, purpose, action, reason] =
        sums.by(["institution", "role", "purpose", "action", "reason"])?;
    let items = sqlx::query_as!(
        RefusalSum,
        r#"SELECT date_trunc($1::text, at, 'UTC') AS "from!: Time",
                  CASE WHEN $2::boolean THEN institution::bytea END AS "institution: Hex",
                  CASE WHEN $3::boolean THEN role::text END AS role,
                  CASE WHEN $4::boolean THEN purpose::text END AS purpose,
                  CASE WHEN $5::boolean THEN action::text END AS action,
                  CASE WHEN $6::boolean THEN reason::text END AS reason, sum(refusals)::bigint AS "refusals!"
           FROM (SELECT hour AS at, institution, role, purpose, action, reason, refusals FROM refusal_hours WHERE NOT $11::boolean
                 UNION ALL
                 SELECT day, institution, role, purpose, action, reason, refusals FROM refusal_days WHERE $11) sums
           WHERE ($7::bytea IS NULL OR institution = $7)
                 AND ($8::timestamptz IS NULL OR at >= date_trunc('hour', $8::timestamptz))
                 AND ($9::timestamptz IS NULL OR at < date_trunc('hour', $9::timestamptz))
           GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1 DESC, 2, 3, 4, 5, 6 LIMIT $10"#,
        sums.step.word(),
        institution,
        role,
        purpose,
        action,
        reason,
        sums.institution.map(|id| id.0.to_vec()),
        sums.from.map(|time| time.0) as _,
        sums.until.map(|time| time.0) as _,
        rows(),
        sums.are_of_days(),
    )
    .fetch_all(&mut *question.view)
    .await?;
    Summed::of(items)
}
