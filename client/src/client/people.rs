//! Becoming somebody: charts, institutions, members. Both sides of a membership sign, one after the other.

use std::time::SystemTime;

use super::{Client, Error, InstitutionId, InstitutionKind, MemberId, PatientId, Role, Wallet};

impl Client {
    /// Opens a chart of one's own: this identity becomes a patient.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub async fn open_chart(&self) -> Result<PatientId, Error> {
        let (id, _) = self.session.open_patient(None).await?;
        Ok(PatientId::new(id))
    }

    /// Opens a chart for a patient who has no wallet yet, as the authority of the institution that cares for it. The patient
    /// takes it over once it has one.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub async fn open_chart_as_steward(&self, institution: InstitutionId) -> Result<PatientId, Error> {
        let (id, _) = self.session.open_patient(Some(&institution.to_bytes())).await?;
        Ok(PatientId::new(id))
    }

    /// Approves an institution, whose authority has to accept; until `expires`, or without end. For the registry's admin.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub async fn register_institution(
        &self,
        kind: InstitutionKind,
        authority: Wallet,
        expires: Option<SystemTime>,
    ) -> Result<InstitutionId, Error> {
        let expires = until(expires)?;
        let (id, _) = self
            .session
            .register_institution(kind, authority.to_bytes(), expires)
            .await?;
        Ok(InstitutionId::new(id))
    }

    /// Accepts for an institution, and publishes this identity's public keys as the institution's.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub async fn accept_institution(&self, institution: InstitutionId) -> Result<(), Error> {
        self.session.accept_institution(&institution.to_bytes()).await?;
        Ok(())
    }

    /// Names a member, whose wallet has to accept; until `expires`, or without end. For the institution's authority.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub async fn register_member(
        &self,
        institution: InstitutionId,
        wallet: Wallet,
        role: Role,
        expires: Option<SystemTime>,
    ) -> Result<MemberId, Error> {
        let expires = until(expires)?;
        let (member, _) = self
            .session
            .register_member(&institution.to_bytes(), wallet.to_bytes(), role, expires)
            .await?;
        Ok(MemberId::new(institution, member))
    }

    /// Accepts a membership, and publishes this identity's public keys.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub async fn accept_membership(&self, member: MemberId) -> Result<(), Error> {
        let (institution, member) = member.to_bytes();
        self.session.accept_membership(&institution, &member).await?;
        Ok(())
    }
}

/// Seconds since 1970, as the chain has it: without end is its last second.
fn until(expires: Option<SystemTime>) -> Result<i64, Error> {
    let Some(expires) = expires else {
        return Ok(i64::MAX);
    };
    let since = expires.duration_since(SystemTime::UNIX_EPOCH);
    let since = since.map_err(|_| Error::Usage("nothing can last until before 1970".into()))?;
    Ok(super::time::seconds(since))
}
