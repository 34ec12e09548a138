//! What storing a file would come to, before anything is stored: how small it becomes, and what the stores ask for it.

use super::{OpError, Session};
use crate::{
    seal::{Input, Measured, ProgressFn, RecordIds, SealOptions, Sealer},
    store::{BlobStore, Price},
};

/// What a file would come to.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// Its sizes, and the items that each store would take.
    pub measured: Measured,
    /// What each store is called, and its price for its items; `None` where it names none.
    pub prices: Vec<(String, Option<Price>)>,
}

/// Ids that a file is sealed under which is forgotten at once.
const NOBODYS: RecordIds = RecordIds {
    patient: [0; 16],
    record: [0; 16],
    version: 0,
};

impl<S: BlobStore, K> Session<S, K> {
    /// Seals a file, stores nothing of it, and asks each store for its price. The ledger and the key store are not asked.
    ///
    /// # Errors
    /// Where the file cannot be read or sealed, or a store's price cannot be learnt.
    pub async fn estimate(
        &self,
        options: &SealOptions,
        input: Input<'_>,
        progress: ProgressFn<'_>,
    ) -> Result<Estimate, OpError> {
        let sealer = Sealer {
            ids: NOBODYS,
            options,
            storage_key: &self.identity.storage,
            stores: &self.stores,
            journal: None,
            progress,
        };
        let measured = sealer.measure(input).await?;
        let mut prices = Vec::new();
        for store in self.stores.members() {
            prices.push((store.name(), store.price(&measured.items).await?));
        }
        Ok(Estimate { measured, prices })
    }
}
