//! Who asks, and what it may see.
//!
//! A token stands for a database role, under which its questions run in a read-only transaction with a time limit: what a
//! caller of an institution sees is decided by the database's row security and not by this code. Only a token's hash is
//! stored. A token of a patient asks about that patient and nothing else: its role is one that sees all, and it is this
//! code that puts the patient into each question.

use std::{net::IpAddr, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts, uri::Authority},
};
use sqlx::{PgConnection, Postgres, Transaction};

use super::{Service, problem::Problem, values::Id};

/// What a token begins with, so that people and scanners recognise one.
pub(crate) const PREFIX: &str = "chartseal_";

/// What a token has after that: 32 bytes as base64.
const LENGTH: usize = 43;

/// Whether callers show tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Each call needs one.
    Tokens,
    /// Whoever reaches the service sees what its own database role sees: for one machine only.
    Open,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The hash of the token that it showed.
    pub(crate) token: Option<Vec<u8>>,
    /// The database role that it acts as; nothing for the service's own.
    pub(crate) role: Option<String>,
    /// The institution whose rows it sees; nothing where it sees all.
    pub(crate) institution: Option<Id>,
    /// The one patient that it asks about.
    pub(crate) patient: Option<Id>,
}

impl Caller {
    /// The patient to ask about: the caller's own, where there is one.
    pub(crate) fn patient(&self, asked: Option<Id>) -> Result<Option<Id>, Problem> {
        match (self.patient, asked) {
            (Some(own), Some(asked)) if own != asked => Err(Problem::forbidden(
                "this token is for another patient: leave `patient` out",
            )),
            (own, asked) => Ok(own.or(asked)),
        }
    }

    /// Refuses a patient's token where a question is about no patient.
    pub(crate) fn require_no_patient(&self) -> Result<(), Problem> {
        match self.patient {
            None => Ok(()),
            Some(_) => Err(Problem::forbidden("a patient's token asks about that patient only")),
        }
    }
}

/// A caller with a transaction that sees what the caller may see.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) caller: Caller,
    pub(crate) view: Transaction<'static, Postgres>,
}

impl FromRequestParts<Service> for Question {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let hash = match service.access() {
            Access::Open => None,
            Access::Tokens => Some(hash(&parts.headers)?),
        };
        let mut view = service.pool().begin_with("BEGIN READ ONLY").await?;
        limit(&mut view, service.patience()).await?;
        let caller = match hash {
            None => Caller::default(),
            Some(hash) => {
                let found = find(&mut view, &hash).await.map_err(Problem::of_service)?;
                found.ok_or_else(Problem::unauthorized)?
            }
        };
        if let Some(role) = &caller.role {
            sqlx::query("SELECT set_config('role', $1, true)")
                .bind(role)
                .execute(&mut *view)
                .await
                .map_err(Problem::of_service)?;
        }
        Ok(Self { caller, view })
    }
}

/// A caller alone, for what goes on longer than a transaction may.
impl FromRequestParts<Service> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        Ok(Question::from_request_parts(parts, service).await?.caller)
    }
}

pub(super) async fn limit(view: &mut Transaction<'static, Postgres>, patience: Duration) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT set_config('statement_timeout', $1, true)")
        .bind(format!("{}ms", patience.as_millis()))
        .execute(&mut **view)
        .await?;
    Ok(())
}

/// The hash of the token that these headers show. What cannot be one costs the database nothing.
fn hash(headers: &HeaderMap) -> Result<Vec<u8>, Problem> {
    let shown = headers.get(header::AUTHORIZATION).ok_or_else(Problem::unauthorized)?;
    let shown = shown.to_str().map_err(|_| Problem::unauthorized())?;
    let (scheme, token) = shown.split_once(' ').ok_or_else(Problem::unauthorized)?;
    let token = token.trim();
    let is_one = token.strip_prefix(PREFIX).is_some_and(|rest| rest.len() == LENGTH);
    match scheme.eq_ignore_ascii_case("bearer") && is_one {
        true => Ok(hash_of(token)),
        false => Err(Problem::unauthorized()),
    }
}

/// Whether a call is for this machine by one of its own names.
pub(super) fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.and_then(|host| host.parse::<Authority>().ok())
        .is_some_and(|host| {
            let host = host.host().trim_matches(['[', ']']);
            host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        })
}

/// What is stored of a token. It is 32 random bytes, so a plain hash cannot be turned back.
pub(crate) fn hash_of(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

/// Whose token has this hash; nothing where none that counts has it. One whose role is no analyst any more counts no more,
/// and one that was written into the table by somebody else makes nobody act as another role.
pub(super) async fn find(view: &mut PgConnection, hash: &[u8]) -> Result<Option<Caller>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT t.role, t.institution, t.patient FROM chartseal.api_tokens t
         WHERE t.hash = $1 AND t.revoked_at IS NULL
               AND EXISTS (SELECT FROM chartseal.analysts a WHERE a.role = to_regrole(quote_ident(t.role)))",
        hash
    )
    .fetch_optional(view)
    .await?;
    let id = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| bytes.try_into().ok()).map(Id);
    Ok(row.map(|row| Caller {
        token: Some(hash.to_owned()),
        role: Some(row.role),
        institution: id(row.institution),
        patient: id(row.patient),
    }))
}
