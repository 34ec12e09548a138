//! What an object store's error means to us. The store's own texts name requests and backends; what lies at the bottom of
//! them says what happened.

use std::error::Error as _;

use object_store::Error;
use object_store::client::HttpError;

use crate::store::{ItemId, StoreError};

/// Characters of a store's message that are worth showing.
const DETAIL_LEN: usize = 160;

pub(super) fn failure(error: Error, id: ItemId) -> StoreError {
    let detail = innermost(&error);
    match error {
        Error::NotFound { .. } => StoreError::NotFound { id },
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => StoreError::Denied { detail },
        error if is_network(&error) => StoreError::Unreachable { detail },
        _ => StoreError::Failed { detail },
    }
}

/// Whether no answer came at all.
fn is_network(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(source) = cause {
        if source.is::<HttpError>() {
            return true;
        }
        cause = source.source();
    }
    false
}

fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(DETAIL_LEN).collect()
}
