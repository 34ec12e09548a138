//! Who a wallet is: what the chain says of the capacity that it claims, asked anew for every call, so that whoever was
//! suspended or dismissed a moment ago is a stranger.

use anchor_lang::AccountDeserialize;
use chartseal::ledger::{Ledger, LedgerError};
use chartseal::store::keystore::remote::wire::{Acting, Failure};
use chartseal_program::seeds::{Id, address};
use chartseal_program::vocabulary::Role;
use solana_address::Address;

/// What a wallet is to this service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capacity {
    /// Works with patients at an institution that this service is for, or speaks for one.
    Staff,
    /// Speaks for some other institution, whose account this is; or works there, as this member.
    Elsewhere {
        institution: Address,
        member: Option<Address>,
    },
    /// Is a patient.
    Patient(Id),
    /// Acts for a patient, within these rights: a bit for each `Action`.
    Delegate { patient: Id, rights: u8 },
    /// Nobody in particular.
    Stranger,
}

/// What a wallet is, by the capacity that it claims.
pub(crate) async fn capacity(
    ledger: &Ledger,
    served: &[Id],
    wallet: [u8; 32],
    acting: Option<Acting>,
) -> Result<Capacity, Failure> {
    let Some(acting) = acting else {
        return Ok(Capacity::Stranger);
    };
    let wallet = Address::new_from_array(wallet);
    let is_not = |what: &str| Failure::NotAllowed {
        detail: format!("this wallet is not {what}, or not any more"),
    };
    let known = |error: LedgerError, what: &str| match error {
        LedgerError::NotFound { .. } => is_not(what),
        error => unavailable(error),
    };
    Ok(match acting {
        Acting::Patient { patient } => {
            let account = ledger
                .patient(&patient)
                .await
                .map_err(|error| known(error, "that patient"))?;
            if !account.is_wallet(&wallet) {
                return Err(is_not("that patient"));
            }
            Capacity::Patient(patient)
        }
        Acting::Delegate { patient, delegate } => {
            let what = "an active delegate of that patient";
            let account = ledger
                .delegate(&patient, &delegate)
                .await
                .map_err(|error| known(error, what))?;
            let now = ledger.now().await.map_err(unavailable)?;
            if account.wallet != wallet || account.fault(now).is_some() {
                return Err(is_not(what));
            }
            Capacity::Delegate {
                patient,
                rights: account.rights,
            }
        }
        Acting::Authority { institution } => {
            let what = "the authority of that institution";
            let account = ledger
                .institution(&institution)
                .await
                .map_err(|error| known(error, what))?;
            let now = ledger.now().await.map_err(unavailable)?;
            if account.authority != wallet || !account.is_active(now) {
                return Err(is_not(what));
            }
            if served.contains(&institution) {
                Capacity::Staff
            } else {
                Capacity::Elsewhere {
                    institution: address::institution(&institution),
                    member: None,
                }
            }
        }
        Acting::Member { institution, member } => {
            let what = "an active member of that institution";
            let account = ledger
                .member(&institution, &member)
                .await
                .map_err(|error| known(error, what))?;
            let employer = ledger
                .institution(&institution)
                .await
                .map_err(|error| known(error, what))?;
            let now = ledger.now().await.map_err(unavailable)?;
            if account.wallet != wallet || !account.is_active(now) || !employer.is_active(now) {
                return Err(is_not(what));
            }
            let works_with_patients = matches!(account.role(), Some(Role::Doctor | Role::Nurse | Role::Technician));
            if served.contains(&institution) && works_with_patients {
                Capacity::Staff
            } else {
                Capacity::Elsewhere {
                    institution: address::institution(&institution),
                    member: Some(address::member(&institution, &member)),
                }
            }
        }
    })
}

/// Whether the account by which a wallet acts names the X-Wing key of this hash already. Who acts by it was looked at before.
pub(crate) async fn stands_on_chain(ledger: &Ledger, acting: Option<Acting>, hash: &[u8; 32]) -> Result<bool, Failure> {
    let Some(acting) = acting else {
        return Ok(false);
    };
    let named = match acting {
        Acting::Patient { patient } => ledger.patient(&patient).await.map(|found| found.keys),
        Acting::Delegate { patient, delegate } => ledger.delegate(&patient, &delegate).await.map(|found| found.keys),
        Acting::Authority { institution } => ledger.institution(&institution).await.map(|found| found.keys),
        Acting::Member { institution, member } => ledger.member(&institution, &member).await.map(|found| found.keys),
    };
    Ok(named.map_err(unavailable)?.post_quantum_hash == *hash)
}

/// An account, if it is one of this kind.
pub(crate) async fn account<T: AccountDeserialize>(ledger: &Ledger, at: &Address) -> Result<Option<T>, Failure> {
    match ledger.try_read(at).await {
        Ok(account) => Ok(account),
        Err(LedgerError::Malformed { .. }) => Ok(None),
        Err(error) => Err(unavailable(error)),
    }
}

/// The ledger gave no answer: nothing is allowed then. What it said is for our own log.
#[allow(clippy::needless_pass_by_value, reason = "so that it fits behind map_err")]
pub(crate) fn unavailable(error: LedgerError) -> Failure {
    tracing::warn!(%error, "the ledger gave no answer");
    Failure::LedgerUnavailable
}
