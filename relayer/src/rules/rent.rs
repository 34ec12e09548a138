//! What an instruction may make at the payer's cost, whatever a trial of it shows. A trial may end in a logged refusal, which
//! makes nothing, and the same transaction may be allowed a moment later, when it is sent: whoever asks has a say in that.
//! So what it could cost at most is what is counted.

use std::ops::Add;

use chartseal_program::state::{
    AccessLog, Agreement, AnonymousSet, Batch, Delegate, Emergency, Grant, GrantTree, Institution, Member, Nullifier,
    Patient, Policy, Record, RefusalLog, Registry, Request, Safeguards, Settlement,
};

/// What an account costs beside its data, in bytes.
const OVERHEAD: u64 = 128;

/// Accounts that may be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Made {
    accounts: u64,
    bytes: u64,
}

impl Made {
    /// An account without data, or what costs as much.
    const NOTHING: Self = Self { accounts: 1, bytes: 0 };

    /// An account of this kind, with the eight bytes that say which.
    pub(super) fn of<T>() -> Self {
        let bytes = u64::try_from(size_of::<T>()).unwrap_or(u64::MAX).saturating_add(8);
        Self { accounts: 1, bytes }
    }

    /// Its rent, where an account without data costs this much.
    pub(crate) fn rent(self, of_nothing: u64) -> u64 {
        let bytes = self.accounts.saturating_mul(OVERHEAD).saturating_add(self.bytes);
        bytes.saturating_mul(of_nothing.div_ceil(OVERHEAD))
    }
}

impl Add for Made {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            accounts: self.accounts.saturating_add(other.accounts),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// What an instruction makes at most, by its name. `None` where that is not known.
pub(super) fn made_by(name: &str) -> Option<Made> {
    Some(match name {
        "initialize" => Made::of::<Registry>(),
        "register_institution" => Made::of::<Institution>(),
        "register_member" => Made::of::<Member>(),
        "open_patient" => Made::of::<Patient>() + Made::of::<AccessLog>() + Made::of::<RefusalLog>(),
        "name_delegate" => Made::of::<Delegate>(),
        "set_guardians" | "set_break_glass" => Made::of::<Safeguards>(),
        "create_grant" | "pass_on_grant" | "decide_request" => Made::of::<Grant>(),
        "request_access" => Made::of::<Request>(),
        "set_policy" => Made::of::<Policy>(),
        "open_emergency" => Made::of::<Emergency>(),
        "create_record" | "promote_batched" => Made::of::<Record>(),
        "anchor_batch" => Made::of::<Batch>(),
        "propose_agreement" => Made::of::<Agreement>(),
        "settle_access" => Made::of::<Settlement>(),
        "open_tree" => Made::of::<GrantTree>(),
        // What a leaf costs stays in the tree.
        "create_anonymous_grant" => Made::of::<AnonymousSet>() + Made::NOTHING,
        "verify_access_proof" => Made::of::<Nullifier>(),
        // It gives back what one of these cost.
        "close_nullifier" => Made::default(),
        _ => return None,
    })
}
