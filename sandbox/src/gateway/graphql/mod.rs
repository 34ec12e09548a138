//! `/graphql`: looking items up by what is known of them, in the schema of Arweave's gateways (those of arweave.net, ar.io
//! and Goldsky, as far as they agree). Queries come as JSON by `POST` or in the address by `GET`; answers and refusals have
//! GraphQL's shape. What a query may cost is bounded before it is run.

mod bounds;
mod schema;

use std::sync::Arc;

use async_graphql::{EmptyMutation, EmptySubscription, Request, Response as Answer, ServerError, Value, Variables};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query as UrlQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Deserialize;

use self::schema::{Query, Schema};
use super::Gateway;

/// The longest body, in bytes: a hundred ids and as many tags fit many times over.
const BODY: usize = 128 << 10;

/// How many fields may stand within each other. Tools that ask for the schema itself go to 13.
const DEPTH: usize = 16;

/// What a query may cost, where a field costs 1, and a list as often as it is long: four full pages with all fields.
const COMPLEXITY: usize = 20_000;

/// The route.
pub(super) fn routes() -> Router<Arc<Gateway>> {
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription)
        .limit_depth(DEPTH)
        .limit_complexity(COMPLEXITY)
        .finish();
    let route = get(by_address).post(by_body).layer(DefaultBodyLimit::max(BODY));
    Router::new().route("/graphql", route).layer(Extension(schema))
}

async fn by_body(
    State(gateway): State<Arc<Gateway>>,
    Extension(schema): Extension<Schema>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return refuse(rejection.status(), rejection.body_text()),
    };
    match serde_json::from_slice::<Request>(&body) {
        Ok(request) => answer(gateway, &schema, request).await,
        Err(error) => {
            let message = format!(r#"the body is not {{"query": "...", "variables": {{...}}}}: {error}"#);
            refuse(StatusCode::BAD_REQUEST, message)
        }
    }
}

/// A query in the address.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    query: String,
    operation_name: Option<String>,
    /// JSON.
    variables: Option<String>,
}

async fn by_address(
    State(gateway): State<Arc<Gateway>>,
    Extension(schema): Extension<Schema>,
    asked: Result<UrlQuery<Asked>, QueryRejection>,
) -> Response {
    let asked = match asked {
        Ok(UrlQuery(asked)) => asked,
        Err(rejection) => {
            let message = format!("{}; ask /graphql?query=..., or post JSON", rejection.body_text());
            return refuse(StatusCode::BAD_REQUEST, message);
        }
    };
    let mut request = Request::new(asked.query);
    request.operation_name = asked.operation_name;
    match asked.variables.as_deref().map(serde_json::from_str::<Variables>) {
        None => {}
        Some(Ok(variables)) => request.variables = variables,
        Some(Err(error)) => return refuse(StatusCode::BAD_REQUEST, format!("the variables are no JSON: {error}")),
    }
    answer(gateway, &schema, request).await
}

async fn answer(gateway: Arc<Gateway>, schema: &Schema, mut request: Request) -> Response {
    let answer = match bounds::check(&mut request) {
        Ok(()) => schema.execute(request.data(gateway)).await,
        Err(error) => Answer::from_errors(vec![error]),
    };
    // A query that was never run is the client's mistake. One that was has its errors in their places.
    let was_run = answer.data != Value::Null || answer.errors.iter().any(|error| !error.path.is_empty());
    let status = if was_run {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    (status, Json(answer)).into_response()
}

fn refuse(status: StatusCode, message: String) -> Response {
    let answer = Answer::from_errors(vec![ServerError::new(message, None)]);
    (status, Json(answer)).into_response()
}
