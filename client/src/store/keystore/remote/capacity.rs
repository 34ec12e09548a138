//! In which capacity a wallet calls a key service. It has to name the account that says so, because the service does not
//! search the chain for it; so the caller does, once, and leaves it to the service to believe that account.

use std::collections::HashMap;
use std::sync::Arc;

use chartseal_program::vocabulary::Standing;
use solana_address::Address;
use tokio::sync::Mutex;

use super::wire::{Acting, Call};
use crate::ledger::{Ledger, LedgerError};

/// How a caller says who it is.
#[derive(Clone)]
pub(super) enum Capacity {
    /// In this way, or by its wallet alone.
    Named(Option<Acting>),
    /// As the ledger says.
    Known(Arc<Known>),
}

/// What the ledger says of a wallet.
pub(super) struct Known {
    ledger: Arc<Ledger>,
    wallet: [u8; 32],
    /// The membership that it acts by, where it has several.
    member: Option<([u8; 16], [u8; 16])>,
    /// By patients; `None` where it is about nobody in particular.
    found: Mutex<HashMap<Option<[u8; 16]>, Vec<Acting>>>,
}

impl Capacity {
    pub(super) fn known(ledger: Arc<Ledger>, wallet: [u8; 32], member: Option<([u8; 16], [u8; 16])>) -> Self {
        Self::Known(Arc::new(Known {
            ledger,
            wallet,
            member,
            found: Mutex::default(),
        }))
    }

    /// The capacities in which a call may be made, to be tried in this order; never empty.
    pub(super) async fn for_call(&self, call: &Call) -> Result<Vec<Option<Acting>>, LedgerError> {
        let known = match self {
            Self::Named(acting) => return Ok(vec![*acting]),
            Self::Known(_) if !call.depends_on_capacity() => return Ok(vec![None]),
            Self::Known(known) => known,
        };
        let found = known.towards(call.patient()).await?;
        Ok(match found.is_empty() {
            true => vec![None],
            false => found.into_iter().map(Some).collect(),
        })
    }

    /// None of them was believed: the next call looks again.
    pub(super) async fn forget(&self, call: &Call) {
        if let Self::Known(known) = self {
            known.found.lock().await.remove(&call.patient());
        }
    }
}

impl Known {
    async fn towards(&self, patient: Option<[u8; 16]>) -> Result<Vec<Acting>, LedgerError> {
        let mut found = self.found.lock().await;
        if let Some(found) = found.get(&patient) {
            return Ok(found.clone());
        }
        let looked = self.look(patient).await?;
        found.insert(patient, looked.clone());
        Ok(looked)
    }

    async fn look(&self, patient: Option<[u8; 16]>) -> Result<Vec<Acting>, LedgerError> {
        let wallet = Address::new_from_array(self.wallet);
        let mut found = Vec::new();
        if let Some(patient) = patient {
            match self.ledger.patient(&patient).await {
                // There is nothing that somebody else may do and the patient may not.
                Ok(account) if account.is_wallet(&wallet) => return Ok(vec![Acting::Patient { patient }]),
                Ok(_) | Err(LedgerError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        match self.member {
            Some((institution, member)) => found.push(Acting::Member { institution, member }),
            None => {
                let members = self.ledger.memberships(&self.wallet).await?.into_iter();
                let active = members.filter(|found| found.account.standing() == Standing::Active);
                found.extend(active.map(|found| Acting::Member {
                    institution: found.account.institution,
                    member: found.account.id,
                }));
            }
        }
        if let Some(patient) = patient {
            let delegates = self.ledger.delegates(&patient).await?.into_iter();
            // One that was not accepted is none: anybody can name anybody.
            let ours = delegates.filter(|found| found.account.wallet == wallet && found.account.key_epoch != 0);
            found.extend(ours.map(|found| Acting::Delegate {
                patient,
                delegate: found.account.id,
            }));
        }
        let institutions = self.ledger.institutions_of(&wallet).await?.into_iter();
        found.extend(institutions.map(|found| Acting::Authority {
            institution: found.account.id,
        }));
        Ok(found)
    }
}
