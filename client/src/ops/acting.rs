//! In what capacity a wallet acts, and which grant it claims.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::As,
    seeds::{Id, address},
    state::{Grant, Patient},
    vocabulary::{Action, GranteeKind, Purpose, Standing},
};

use super::{OpError, Session};
use crate::store::{BlobStore, KeyStore};

/// What somebody is about to ask for.
pub(super) struct Wish {
    pub(super) action: Action,
    pub(super) purpose: Purpose,
    pub(super) record: Id,
    pub(super) class: u8,
    /// A grant that the caller named.
    pub(super) grant: Option<Id>,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Who this wallet is towards a patient, and the grant that fits best. The contract decides; this only chooses what
    /// to show it, so that a refusal says why the nearest grant does not do.
    pub(super) async fn acting(&self, patient: &Patient, wish: &Wish) -> Result<As, OpError> {
        let wallet = self.wallet();
        if patient.is_wallet(&wallet) {
            return Ok(As::wallet(wallet));
        }
        let membership = self.membership().await?;
        let acting = match membership {
            Some((institution, member)) => As::member(wallet, institution, member),
            None => As::wallet(wallet),
        };
        if let Some(grant) = wish.grant {
            return Ok(acting.claiming(grant));
        }
        let names_us = |grant: &Grant| match (GranteeKind::from_byte(grant.grantee_kind), membership) {
            (Some(GranteeKind::Member), Some((institution, member))) => {
                grant.grantee == address::member(&institution, &member)
            }
            (Some(GranteeKind::Institution), Some((institution, _))) => {
                grant.grantee == address::institution(&institution)
            }
            (Some(GranteeKind::Person), None) => grant.grantee == wallet,
            _ => false,
        };
        let grants = self.ledger.grants(&patient.id).await?;
        let best = grants
            .iter()
            .map(|found| &found.account)
            .filter(|grant| names_us(grant))
            .max_by_key(|grant| {
                (
                    grant.covers(&wish.record, wish.class),
                    grant.rights & wish.action.bit() != 0,
                    grant.revoked == 0,
                    grant.uses_left > 0,
                    grant.purposes & wish.purpose.bit() != 0,
                    grant.expires,
                )
            });
        Ok(best.map_or(acting, |grant| acting.claiming(grant.id)))
    }

    /// The membership that this session acts by, if the wallet has any.
    pub(super) async fn membership(&self) -> Result<Option<(Id, Id)>, OpError> {
        if self.membership.is_some() {
            return Ok(self.membership);
        }
        let all = self.ledger.memberships(&self.identity.wallet.address()).await?;
        let active: Vec<_> = all
            .iter()
            .filter(|found| found.account.standing() == Standing::Active)
            .collect();
        match (active.as_slice(), all.as_slice()) {
            ([one], _) => Ok(Some((one.account.institution, one.account.id))),
            // A suspended member acts as one too: the contract refuses it, and logs that.
            ([], [one, ..]) => Ok(Some((one.account.institution, one.account.id))),
            ([], []) => Ok(None),
            _ => Err(OpError::Usage(
                "this wallet belongs to several institutions; say as which member it acts (--as INSTITUTION:MEMBER)"
                    .into(),
            )),
        }
    }

    /// The purpose that goes without saying: a patient's and a person's own, a member's treatment.
    ///
    /// # Errors
    /// [`OpError::Ledger`].
    pub async fn usual_purpose(&self, patient: &Id) -> Result<Purpose, OpError> {
        let patient = self.ledger.patient(patient).await?;
        let professional = !patient.is_wallet(&self.wallet()) && self.membership().await?.is_some();
        Ok(if professional {
            Purpose::Treatment
        } else {
            Purpose::Personal
        })
    }

    /// Institution to pass where this wallet acts for a patient as its steward's authority.
    pub(super) fn steward_of(patient: &Patient) -> Option<Id> {
        (!patient.has_wallet()).then_some(patient.steward)
    }

    /// The account that this session's envelopes are addressed to.
    pub(super) fn own_account(patient: &Patient, acting: &As) -> Address {
        match acting.member {
            _ if patient.is_wallet(&acting.wallet) => address::patient(&patient.id),
            Some((institution, member)) => address::member(&institution, &member),
            None => acting.wallet,
        }
    }
}
