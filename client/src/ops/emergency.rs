//! Emergencies: a member of a hospital opens a chart without asking, and others say afterwards whether that was right.
//! The reason stays in the hospital's books; on chain stands its salted hash, so that nobody can write another one later.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self, Reviewing},
    events::AnyEvent,
    instructions::{OpenEmergencyArgs, ReviewEmergencyArgs},
    seeds::{EMERGENCY, Id, address},
    state::{Emergency, Institution, Member, Patient},
    vocabulary::{Action, Reviewer, Role, Verdict},
};
use serde::Serialize;

use super::{OpError, Session, draw_id, put::refusal};
use crate::{
    crypto,
    ledger::{LedgerError, Receipt},
    store::{BlobStore, KeyStore},
};

const REASON_LABEL: &[u8] = b"chartseal/reason/v1";

/// Why an emergency is opened, as the institution keeps it. Whoever has this can show what the hash on chain stands for.
#[derive(Clone, Debug, Serialize)]
pub struct Reason {
    /// The emergency's id, in hex.
    pub emergency: String,
    /// The patient's id, in hex.
    pub patient: String,
    /// The Member account that opens it.
    pub member: String,
    /// What happened.
    pub reason: String,
    /// 32 random bytes, in hex, without which the hash would tell a short reason.
    pub salt: String,
    /// SHA-256 of the label `chartseal/reason/v1`, patient, emergency, salt and reason, in hex: what stands on chain.
    pub hash: String,
    #[serde(skip)]
    id: Id,
    #[serde(skip)]
    digest: [u8; 32],
    #[serde(skip)]
    credential: (Id, Id),
}

/// An emergency that is open.
#[derive(Clone, Debug)]
pub struct OpenedEmergency {
    /// Its id.
    pub emergency: Id,
    /// The transaction.
    pub signature: String,
    /// Seconds since 1970.
    pub expires: i64,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Writes a reason down, for an emergency that this member is about to open. Keep it before you open the emergency:
    /// afterwards nobody can tell what its hash stands for.
    ///
    /// # Errors
    /// [`OpError::Usage`] where this wallet is no member.
    pub async fn emergency_reason(&self, patient: &Id, reason: &str) -> Result<Reason, OpError> {
        if reason.trim().is_empty() {
            return Err(OpError::Usage("an emergency needs a reason: say what happened".into()));
        }
        let credential = self.membership().await?.ok_or_else(|| {
            OpError::Usage("only members of a hospital open emergencies, and this wallet is no member".into())
        })?;
        let id = draw_id(|id| address::fits(EMERGENCY, patient, id))?;
        let salt: [u8; 32] = crypto::random()?;
        let digest = crypto::sha256(&[REASON_LABEL, patient, &id, &salt, reason.as_bytes()]);
        let (institution, member) = credential;
        Ok(Reason {
            emergency: hex::encode(id),
            patient: hex::encode(patient),
            member: address::member(&institution, &member).to_string(),
            reason: reason.to_owned(),
            salt: hex::encode(salt),
            hash: hex::encode(digest),
            id,
            digest,
            credential,
        })
    }

    /// Opens an emergency, for so many seconds: at most twelve hours. The patient is told.
    ///
    /// # Errors
    /// [`OpError::Refused`] where this member may not, now.
    pub async fn open_emergency(
        &self,
        patient: &Id,
        reason: &Reason,
        duration: i64,
    ) -> Result<OpenedEmergency, OpError> {
        let (wallet, (institution, member)) = (self.wallet(), reason.credential);
        let args = OpenEmergencyArgs {
            id: reason.id,
            reason_hash: reason.digest,
            duration,
        };
        let instruction = builders::open_emergency(wallet, self.payer().await?, (&institution, &member), patient, args);
        let receipt = self.send(instruction).await?;
        match &receipt.event {
            AnyEvent::EmergencyOpened(opened) => Ok(OpenedEmergency {
                emergency: opened.emergency,
                signature: receipt.signature.to_string(),
                expires: opened.expires,
            }),
            event => Err(refusal(event)),
        }
    }

    /// Says whether an emergency was justified, and deletes what was released in it where it is over: for the patient, as the patient or a delegate who may share; otherwise for
    /// the institution, as its authority or an auditor of it. For whom it was said comes back.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn review_emergency(
        &self,
        patient: &Id,
        emergency: &Id,
        verdict: Verdict,
    ) -> Result<(Reviewer, Receipt), OpError> {
        let account = self.ledger.emergency(patient, emergency).await?;
        let patient = self.ledger.patient(patient).await?;
        let opener = self.opener(&account).await?;
        let (reviewer, by) = self.reviewing(&patient, &account).await?;
        let args = ReviewEmergencyArgs { reviewer, verdict };
        let credential = (&opener.institution, &opener.id);
        let instruction = builders::review_emergency(&by, credential, &patient.id, emergency, args);
        let receipt = self.send(instruction).await?;
        for found in self.ledger.records(&patient.id).await? {
            self.sweep_released(&patient.id, &found.account.id).await?;
        }
        Ok((reviewer, receipt))
    }

    /// The member that opened an emergency.
    async fn opener(&self, emergency: &Emergency) -> Result<Member, OpError> {
        let member = self.ledger.try_read(&emergency.member).await?;
        Ok(member.ok_or_else(|| LedgerError::NotFound {
            what: format!("member account {}", emergency.member),
        })?)
    }

    /// For whom this wallet reviews an emergency, and in what capacity.
    async fn reviewing(&self, patient: &Patient, emergency: &Emergency) -> Result<(Reviewer, Reviewing), OpError> {
        let wallet = self.wallet();
        let by_wallet = Reviewing::wallet(wallet);
        if patient.is_wallet(&wallet) {
            return Ok((Reviewer::Patient, by_wallet));
        }
        if self.speaks_for(&emergency.institution, &wallet).await? {
            return Ok((Reviewer::Institution, by_wallet));
        }
        let now = self.ledger.now().await?;
        let memberships = self.ledger.memberships(&wallet.to_bytes()).await?;
        let auditor = memberships.iter().map(|found| &found.account).find(|member| {
            member.institution == emergency.institution && member.role() == Some(Role::Auditor) && member.is_active(now)
        });
        if let Some(auditor) = auditor {
            let by = Reviewing {
                auditor: Some(auditor.id),
                ..by_wallet
            };
            return Ok((Reviewer::Institution, by));
        }
        let delegations = self.delegations(patient).await?;
        let sharing = delegations
            .iter()
            .find(|delegate| delegate.fault(now).is_none() && delegate.has(Action::Share));
        Ok(match sharing {
            Some(delegate) => {
                let by = Reviewing {
                    delegate: Some(delegate.id),
                    ..by_wallet
                };
                (Reviewer::Patient, by)
            }
            // The contract says what is missing.
            None => (Reviewer::Institution, by_wallet),
        })
    }

    /// Whether a wallet is an institution's authority.
    async fn speaks_for(&self, institution: &Id, wallet: &Address) -> Result<bool, OpError> {
        let institution: Institution = self.ledger.institution(institution).await?;
        Ok(institution.authority == *wallet)
    }
}
