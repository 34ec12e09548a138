//! What changes about institutions and members while they last: their end, who speaks for them, and who may open
//! emergencies.

use anchor_lang::prelude::Address;
use chartseal_program::{builders, seeds::Id};

use super::{OpError, Session};
use crate::{
    ledger::Receipt,
    store::{BlobStore, KeyStore},
};

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Sets another end to an institution's approval, in seconds since 1970; `i64::MAX` is without end. For the admin.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn renew_institution(&self, institution: &Id, expires: i64) -> Result<Receipt, OpError> {
        self.send(builders::renew_institution(self.wallet(), institution, expires))
            .await
    }

    /// Names who speaks for an institution next and has to accept; `None` withdraws that. For its authority or,
    /// while it is suspended, the admin.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn propose_authority(&self, institution: &Id, proposed: Option<[u8; 32]>) -> Result<Receipt, OpError> {
        let proposed = Address::new_from_array(proposed.unwrap_or_default());
        self.send(builders::propose_authority(self.wallet(), institution, proposed))
            .await
    }

    /// Takes over as an institution's authority. The institution keeps its encryption key.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn accept_authority(&self, institution: &Id) -> Result<Receipt, OpError> {
        self.send(builders::accept_authority(self.wallet(), institution)).await
    }

    /// Sets another end to a membership, in seconds since 1970. For the institution's authority.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn renew_member(&self, institution: &Id, member: &Id, expires: i64) -> Result<Receipt, OpError> {
        self.send(builders::renew_member(self.wallet(), institution, member, expires))
            .await
    }

    /// Lets a member open emergencies, or takes that back. For the authority of a hospital.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn set_emergency_credential(
        &self,
        institution: &Id,
        member: &Id,
        holds: bool,
    ) -> Result<Receipt, OpError> {
        let authority = self.wallet();
        self.send(builders::set_emergency_credential(
            authority,
            institution,
            member,
            holds,
        ))
        .await
    }
}
