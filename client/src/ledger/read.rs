//! Accounts of the contract, by id and by what they say.

use anchor_lang::{AccountDeserialize, Discriminator};
use chartseal_program::{
    ID,
    seeds::{Id, address},
    state::{
        AccessLog, Delegate, Emergency, Grant, GrantTree, Institution, Member, Patient, Policy, Record, RefusalLog,
        Registry, Safeguards,
    },
};
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_address::Address;
use solana_rpc_client_api::{
    config::{RpcAccountInfoConfig, RpcProgramAccountsConfig},
    filter::{Memcmp, RpcFilterType},
};

use super::{Ledger, LedgerError};

/// An account and its address.
#[derive(Clone, Copy, Debug)]
pub struct Found<T> {
    /// The account's address.
    pub address: Address,
    /// What it says.
    pub account: T,
}

/// Accounts of one kind.
pub type Listed<T> = Vec<Found<T>>;

/// Where a field stands in an account's data.
macro_rules! offset {
    ($account:ty, $field:ident) => {
        <$account as Discriminator>::DISCRIMINATOR.len() + std::mem::offset_of!($account, $field)
    };
}

pub(super) use offset;

impl Ledger {
    /// The registry.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`] before the program was initialised.
    pub async fn registry(&self) -> Result<Registry, LedgerError> {
        self.read(&address::registry(), || {
            "registry (initialise the program first)".into()
        })
        .await
    }

    /// An institution.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`].
    pub async fn institution(&self, id: &Id) -> Result<Institution, LedgerError> {
        self.read(&address::institution(id), || format!("institution {}", hex::encode(id)))
            .await
    }

    /// A member of an institution.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`].
    pub async fn member(&self, institution: &Id, id: &Id) -> Result<Member, LedgerError> {
        let what = || format!("member {} of institution {}", hex::encode(id), hex::encode(institution));
        self.read(&address::member(institution, id), what).await
    }

    /// A patient.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`].
    pub async fn patient(&self, id: &Id) -> Result<Patient, LedgerError> {
        self.read(&address::patient(id), || format!("patient {}", hex::encode(id)))
            .await
    }

    /// A record, in its newest version.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`].
    pub async fn record(&self, patient: &Id, id: &Id) -> Result<Record, LedgerError> {
        let what = || format!("record {} of patient {}", hex::encode(id), hex::encode(patient));
        self.read(&address::record(patient, id), what).await
    }

    /// A grant.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`].
    pub async fn grant(&self, patient: &Id, id: &Id) -> Result<Grant, LedgerError> {
        let what = || format!("grant {} of patient {}", hex::encode(id), hex::encode(patient));
        self.read(&address::grant(patient, id), what).await
    }

    /// A patient's access log.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`].
    pub async fn access_log(&self, patient: &Id) -> Result<AccessLog, LedgerError> {
        self.read(&address::access_log(patient), || {
            format!("log of patient {}", hex::encode(patient))
        })
        .await
    }

    /// A patient's refusal log.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`].
    pub async fn refusal_log(&self, patient: &Id) -> Result<RefusalLog, LedgerError> {
        self.read(&address::refusal_log(patient), || {
            format!("refusal log of patient {}", hex::encode(patient))
        })
        .await
    }

    /// A tree for grants without a name.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`].
    pub async fn grant_tree(&self, id: &Id) -> Result<GrantTree, LedgerError> {
        self.read(&address::tree(id), || format!("tree {}", hex::encode(id)))
            .await
    }

    /// What keeps a patient from losing the chart; `None` where it set up nothing.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn safeguards(&self, patient: &Id) -> Result<Option<Safeguards>, LedgerError> {
        self.try_read(&address::safeguards(patient)).await
    }

    /// What a patient shares with an institution by itself; `None` where it never did.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn policy(&self, patient: &Id, institution: &Id) -> Result<Option<Policy>, LedgerError> {
        self.try_read(&address::policy(patient, institution)).await
    }

    /// A delegation.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`].
    pub async fn delegate(&self, patient: &Id, id: &Id) -> Result<Delegate, LedgerError> {
        let what = || format!("delegation {} of patient {}", hex::encode(id), hex::encode(patient));
        self.read(&address::delegate(patient, id), what).await
    }

    /// A member or an institution by its address; `None` where there is no such account.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] where the account is of another kind.
    pub async fn try_read<T: AccountDeserialize>(&self, at: &Address) -> Result<Option<T>, LedgerError> {
        let answer = self
            .ask_again(|| self.rpc.get_account_with_commitment(at, self.rpc.commitment()))
            .await?;
        let Some(account) = answer.value.filter(|account| account.owner == ID) else {
            return Ok(None);
        };
        let parsed = T::try_deserialize(&mut &account.data[..]);
        parsed.map(Some).map_err(|_| LedgerError::Malformed {
            what: format!("account {at}"),
        })
    }

    pub(super) async fn read<T: AccountDeserialize>(
        &self,
        at: &Address,
        what: impl Fn() -> String,
    ) -> Result<T, LedgerError> {
        self.try_read(at)
            .await?
            .ok_or_else(|| LedgerError::NotFound { what: what() })
    }

    /// All grants that a patient ever gave.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn grants(&self, patient: &Id) -> Result<Listed<Grant>, LedgerError> {
        self.list(offset!(Grant, patient), patient).await
    }

    /// All records of a patient.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn records(&self, patient: &Id) -> Result<Listed<Record>, LedgerError> {
        self.list(offset!(Record, patient), patient).await
    }

    /// The memberships of a wallet.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn memberships(&self, wallet: &[u8; 32]) -> Result<Listed<Member>, LedgerError> {
        self.list(offset!(Member, wallet), wallet).await
    }

    /// All members of an institution.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn members(&self, institution: &Id) -> Result<Listed<Member>, LedgerError> {
        self.list(offset!(Member, institution), institution).await
    }

    /// Everybody whom a patient ever named its delegate.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn delegates(&self, patient: &Id) -> Result<Listed<Delegate>, LedgerError> {
        self.list(offset!(Delegate, patient), patient).await
    }

    /// The policies that a patient ever set.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn policies(&self, patient: &Id) -> Result<Listed<Policy>, LedgerError> {
        self.list(offset!(Policy, patient), patient).await
    }

    /// The emergencies that were ever opened about a patient.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn emergencies(&self, patient: &Id) -> Result<Listed<Emergency>, LedgerError> {
        self.list(offset!(Emergency, patient), patient).await
    }

    pub(super) async fn list<T: AccountDeserialize + Discriminator>(
        &self,
        offset: usize,
        bytes: &[u8],
    ) -> Result<Listed<T>, LedgerError> {
        let filters = vec![
            RpcFilterType::Memcmp(Memcmp::new_raw_bytes(0, T::DISCRIMINATOR.to_vec())),
            RpcFilterType::Memcmp(Memcmp::new_raw_bytes(offset, bytes.to_vec())),
        ];
        let config = RpcProgramAccountsConfig {
            filters: Some(filters),
            account_config: RpcAccountInfoConfig {
                encoding: Some(UiAccountEncoding::Base64),
                commitment: Some(self.rpc.commitment()),
                ..Default::default()
            },
            ..Default::default()
        };
        let answer = self
            .ask_again(|| self.rpc.get_program_ui_accounts_with_config(&ID, config.clone()))
            .await?;
        let mut found = Vec::with_capacity(answer.len());
        for (address, account) in answer {
            let malformed = || LedgerError::Malformed {
                what: format!("account {address}"),
            };
            let data = account.data.decode().ok_or_else(malformed)?;
            found.push(Found {
                address,
                account: T::try_deserialize(&mut &data[..]).map_err(|_| malformed())?,
            });
        }
        found.sort_by_key(|found| found.address);
        Ok(found)
    }
}
