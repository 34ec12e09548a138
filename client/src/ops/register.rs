//! Registering: the registry, institutions, members, patients. Both sides of a membership sign, one after the other.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders,
    instructions::{OpenPatientArgs, RegisterInstitutionArgs, RegisterMemberArgs},
    seeds::Id,
    vocabulary::{InstitutionKind, Role, Standing},
};

use super::{OpError, Session, new_id};
use crate::{
    ledger::Receipt,
    store::{BlobStore, KeyStore},
};

/// The loader of upgradeable programs, which keeps a program's bytes and the name of its upgrade authority.
const UPGRADEABLE_LOADER: Address = Address::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Makes the registry. This wallet must be the program's upgrade authority.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn initialize(&self, admin: [u8; 32]) -> Result<Receipt, OpError> {
        let program = chartseal_program::ID;
        let (data, _) = Address::find_program_address(&[program.as_ref()], &UPGRADEABLE_LOADER);
        let wallet = self.wallet();
        self.send(builders::initialize(
            wallet,
            self.payer().await?,
            data,
            Address::new_from_array(admin),
        ))
        .await
    }

    /// Pauses the program, or lets it go on. For the admin.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn set_paused(&self, paused: bool) -> Result<Receipt, OpError> {
        self.send(builders::set_paused(self.wallet(), paused)).await
    }

    /// Names a successor of the admin. For the admin.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn propose_admin(&self, proposed: [u8; 32]) -> Result<Receipt, OpError> {
        self.send(builders::propose_admin(
            self.wallet(),
            Address::new_from_array(proposed),
        ))
        .await
    }

    /// Takes over as admin. For the successor that was named.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn accept_admin(&self) -> Result<Receipt, OpError> {
        self.send(builders::accept_admin(self.wallet())).await
    }

    /// Approves an institution, whose authority has to accept, until `expires` (seconds since 1970; `i64::MAX` is without
    /// end); its id. For the admin.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn register_institution(
        &self,
        kind: InstitutionKind,
        authority: [u8; 32],
        expires: i64,
    ) -> Result<(Id, Receipt), OpError> {
        let id = new_id()?;
        let args = RegisterInstitutionArgs {
            id,
            kind,
            authority: Address::new_from_array(authority),
            expires,
        };
        let wallet = self.wallet();
        Ok((
            id,
            self.send(builders::register_institution(wallet, self.payer().await?, args))
                .await?,
        ))
    }

    /// Accepts for an institution, and publishes this identity's public keys as the institution's.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn accept_institution(&self, institution: &Id) -> Result<Receipt, OpError> {
        let keys = self.publish_keys().await?;
        self.send(builders::accept_institution(self.wallet(), institution, keys))
            .await
    }

    /// Suspends an institution, or lifts that. For the admin.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn set_institution_standing(&self, institution: &Id, standing: Standing) -> Result<Receipt, OpError> {
        self.send(builders::set_institution_standing(self.wallet(), institution, standing))
            .await
    }

    /// Names a member, whose wallet has to accept; its id. For the institution's authority.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn register_member(
        &self,
        institution: &Id,
        wallet: [u8; 32],
        role: Role,
        expires: i64,
    ) -> Result<(Id, Receipt), OpError> {
        let id = new_id()?;
        let args = RegisterMemberArgs {
            id,
            wallet: Address::new_from_array(wallet),
            role,
            expires,
        };
        let authority = self.wallet();
        Ok((
            id,
            self.send(builders::register_member(
                authority,
                self.payer().await?,
                institution,
                args,
            ))
            .await?,
        ))
    }

    /// Accepts a membership, and publishes this identity's public keys.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn accept_membership(&self, institution: &Id, member: &Id) -> Result<Receipt, OpError> {
        let keys = self.publish_keys().await?;
        self.send(builders::accept_membership(self.wallet(), institution, member, keys))
            .await
    }

    /// Suspends a member, or lifts that. For the institution's authority.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn set_member_standing(
        &self,
        institution: &Id,
        member: &Id,
        standing: Standing,
    ) -> Result<Receipt, OpError> {
        self.send(builders::set_member_standing(
            self.wallet(),
            institution,
            member,
            standing,
        ))
        .await
    }

    /// Lifts an institution's suspension: what was before stands again, be it an invitation. For the admin.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn reinstate_institution(&self, institution: &Id) -> Result<Receipt, OpError> {
        let accepted = self.ledger.institution(institution).await?.key_epoch != 0;
        self.set_institution_standing(institution, before(accepted)).await
    }

    /// Lifts a member's suspension: what was before stands again, be it an invitation. For the institution's authority.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn reinstate_member(&self, institution: &Id, member: &Id) -> Result<Receipt, OpError> {
        let accepted = self.ledger.member(institution, member).await?.key_epoch != 0;
        self.set_member_standing(institution, member, before(accepted)).await
    }

    /// Opens a patient; its id. With this wallet as the patient's, or, for a steward institution whose authority this
    /// is, for a patient who has no wallet yet: then `key` is the patient's encryption key, or this identity's.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn open_patient(&self, steward: Option<&Id>) -> Result<(Id, Receipt), OpError> {
        let id = new_id()?;
        let args = OpenPatientArgs {
            id,
            keys: self.publish_keys().await?,
        };
        let wallet = self.wallet();
        Ok((
            id,
            self.send(builders::open_patient(wallet, self.payer().await?, steward, args))
                .await?,
        ))
    }

    pub(super) async fn send(&self, instruction: solana_instruction::Instruction) -> Result<Receipt, OpError> {
        Ok(self.ledger.submit(instruction, &[&self.identity.wallet]).await?)
    }
}

/// The standing that a suspension took the place of.
fn before(accepted: bool) -> Standing {
    if accepted { Standing::Active } else { Standing::Invited }
}
