//! Accounts of consent and of agreements: requests, emergencies, agreements, and accounts of other programs.

use anchor_lang::Discriminator;
use chartseal_program::{
    seeds::{Id, address},
    state::{Agreement, Emergency, Institution, Request, Settlement},
};
use solana_address::Address;

use super::{Ledger, LedgerError, Listed, read::offset};

impl Ledger {
    /// A request to a patient.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`].
    pub async fn request(&self, patient: &Id, id: &Id) -> Result<Request, LedgerError> {
        let what = || format!("request {} to patient {}", hex::encode(id), hex::encode(patient));
        self.read(&address::request(patient, id), what).await
    }

    /// All requests that were ever made to a patient.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn requests(&self, patient: &Id) -> Result<Listed<Request>, LedgerError> {
        self.list(offset!(Request, patient), patient).await
    }

    /// All requests that a member ever made. `member` is the address of its account.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn requests_of(&self, member: &Address) -> Result<Listed<Request>, LedgerError> {
        self.list(offset!(Request, member), member.as_ref()).await
    }

    /// An emergency.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`].
    pub async fn emergency(&self, patient: &Id, id: &Id) -> Result<Emergency, LedgerError> {
        let what = || format!("emergency {} of patient {}", hex::encode(id), hex::encode(patient));
        self.read(&address::emergency(patient, id), what).await
    }

    /// An agreement that an institution proposed as consumer.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`].
    pub async fn agreement(&self, consumer: &Id, id: &Id) -> Result<Agreement, LedgerError> {
        let what = || format!("agreement {} of institution {}", hex::encode(id), hex::encode(consumer));
        self.read(&address::agreement(consumer, id), what).await
    }

    /// All agreements of an institution, those that it pays by first.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn agreements(&self, institution: &Id) -> Result<Listed<Agreement>, LedgerError> {
        let mut all = self.list(offset!(Agreement, consumer), institution).await?;
        all.extend(self.list(offset!(Agreement, provider), institution).await?);
        Ok(all)
    }

    /// What was paid for a version of a record by an agreement; `None` where nothing was.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn settlement(
        &self,
        agreement: &Address,
        record: &Address,
        version: u32,
    ) -> Result<Option<Settlement>, LedgerError> {
        self.try_read(&address::settlement(agreement, record, version)).await
    }

    /// The institutions that a wallet speaks for.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn institutions_of(&self, authority: &Address) -> Result<Listed<Institution>, LedgerError> {
        self.list(offset!(Institution, authority), authority.as_ref()).await
    }

    /// Any account: the program that it belongs to, and its data. `None` where there is none.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn data(&self, account: &Address) -> Result<Option<(Address, Vec<u8>)>, LedgerError> {
        let answer = self
            .call(self.rpc.get_account_with_commitment(account, self.rpc.commitment()))
            .await?;
        Ok(answer.value.map(|account| (account.owner, account.data)))
    }
}
