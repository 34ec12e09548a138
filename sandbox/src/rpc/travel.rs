//! Travelling in time: a developer's way to see what expires or becomes due after days. The method and its parameters are
//! Surfpool's (`surfnet_timeTravel`), so that a script does not need to know which of the two it talks to.

use serde::Deserialize;
use serde_json::Value;

use super::blocks::epoch_info;
use super::error::RpcError;
use super::params::Params;
use crate::ledger::{Ledger, SLOTS_PER_EPOCH};

/// Where to.
#[derive(Debug, Clone, Copy, Deserialize)]
enum Target {
    #[serde(rename = "absoluteEpoch")]
    Epoch(u64),
    #[serde(rename = "absoluteSlot")]
    Slot(u64),
    /// Milliseconds since 1970.
    #[serde(rename = "absoluteTimestamp")]
    Timestamp(u64),
}

/// Sets the clock forward, and answers with the epoch that it is in then. What has been already changes nothing: there is no
/// way back.
pub(super) async fn time_travel(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let target: Target = params.required("config")?;
    ledger
        .run(move |chain| {
            let clock = chain.clock();
            let slot = match target {
                Target::Epoch(epoch) => epoch.saturating_mul(SLOTS_PER_EPOCH),
                Target::Slot(slot) => slot,
                Target::Timestamp(unix_ms) => clock.slot_from(unix_ms),
            };
            if !clock.is_in_time(slot) {
                return Err(RpcError::invalid_params(
                    "Invalid params: config: that is after the year 9999; timestamps are in milliseconds.",
                ));
            }
            chain.travel_to(slot)?;
            Ok(epoch_info(chain.clock().slot(), chain.history().len()))
        })
        .await?
}
