//! What storing and opening have in common.

use super::{Chart, Error, Progress, Purpose};
use crate::ops;

/// Hears how far a file is.
pub(super) type Listener<'a> = Box<dyn Fn(Progress) + Send + Sync + 'a>;

pub(super) fn tell(listener: Option<&(dyn Fn(Progress) + Send + Sync)>, progress: Progress) {
    if let Some(listener) = listener {
        listener(progress);
    }
}

/// The purpose that was given, or else the one that goes without saying.
pub(super) async fn purpose(chart: &Chart<'_>, given: Option<Purpose>) -> Result<Purpose, Error> {
    match given {
        Some(purpose) => Ok(purpose),
        None => chart.session.usual_purpose(&chart.patient.to_bytes()).await,
    }
}

/// Does what blocks.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    ops::off_thread(work).await?
}
