//! What kind of failure an error is: for the exit code, and for programs that read errors.

use crate::ops::OpError;

use super::{audit::BrokenAudit, patients::BrokenLog, stores::Unhealthy};

/// Why a command was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Something is wrong or missing.
    Error,
    /// The policy refused, and the refusal is logged.
    Refused,
    /// What is stored or told does not match its hash, or too little of it is left.
    Tampered,
}

impl Failure {
    pub(super) fn of(error: &anyhow::Error) -> Self {
        match error.downcast_ref::<OpError>() {
            Some(error) if error.is_refusal() => Self::Refused,
            Some(error) if error.is_tampered() => Self::Tampered,
            Some(OpError::Open(error)) if error.is_lost() => Self::Tampered,
            _ if error.is::<BrokenLog>() || error.is::<BrokenAudit>() => Self::Tampered,
            _ if matches!(error.downcast_ref(), Some(Unhealthy::Lost { .. })) => Self::Tampered,
            _ => Self::Error,
        }
    }

    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Error => 1,
            Self::Refused => 2,
            Self::Tampered => 3,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Refused => "refused",
            Self::Tampered => "tampered",
        }
    }
}
