//! In what capacity a wallet acts, and which grant it claims.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::As,
    seeds::{Id, address},
    state::{Grant, Patient},
    vocabulary::{Basis, GranteeKind, Purpose, Reason, Standing as MemberStanding},
};

use super::{OpError, Session};
use crate::{
    ledger::standing::{Question, Standing},
    store::{BlobStore, KeyStore},
};

/// How somebody is going to act, and what the policy would say to it.
pub(super) struct Chosen {
    pub(super) acting: As,
    pub(super) verdict: Result<Basis, Reason>,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Who this wallet is towards a patient, and the grant to claim: the named one, or the first that the policy would
    /// allow, or else the one that comes nearest, so that a refusal says what is really missing. The contract decides.
    pub(super) async fn choose(
        &self,
        patient: &Patient,
        grants: &[Grant],
        question: &Question<'_>,
        named: Option<Id>,
    ) -> Result<Chosen, OpError> {
        let wallet = self.wallet();
        let mut best: Option<Chosen> = None;
        for (acting, standing) in self.capacities(patient, question.purpose).await? {
            let ours = |grant: &&Grant| match named {
                Some(id) => grant.id == id,
                None => names(grant, &acting),
            };
            let without = named.is_none().then_some(None);
            for grant in without.into_iter().chain(grants.iter().filter(ours).map(Some)) {
                let verdict = standing.decide(patient, question, grant);
                let acting = grant.map_or(acting, |grant| acting.claiming(grant.id));
                let better = best.as_ref().is_none_or(|best| rank(&verdict) > rank(&best.verdict));
                if better {
                    best = Some(Chosen { acting, verdict });
                }
            }
        }
        // A grant that was named and does not exist is claimed all the same: the refusal says so.
        Ok(best.unwrap_or_else(|| Chosen {
            acting: named.map_or(As::wallet(wallet), |grant| As::wallet(wallet).claiming(grant)),
            verdict: Err(Reason::NoGrant),
        }))
    }

    /// The capacities that this wallet may act in: as the patient; as a person, for its own purposes; as a member.
    async fn capacities(&self, patient: &Patient, purpose: Purpose) -> Result<Vec<(As, Standing)>, OpError> {
        let wallet = self.wallet();
        if patient.is_wallet(&wallet) {
            return Ok(vec![(As::wallet(wallet), Standing::of_wallet(wallet))]);
        }
        let membership = self.membership().await?;
        let mut capacities = Vec::new();
        if let Some((institution, member)) = membership {
            let address = address::member(&institution, &member);
            let standing = Standing::of_member(&self.ledger, wallet, &institution, &address).await?;
            capacities.push((As::member(wallet, institution, member), standing));
        }
        if membership.is_none() || purpose == Purpose::Personal {
            capacities.push((As::wallet(wallet), Standing::of_wallet(wallet)));
        }
        Ok(capacities)
    }

    /// The membership that this session acts by, if the wallet has any. An invitation that was not accepted is none:
    /// anybody can send one.
    pub(super) async fn membership(&self) -> Result<Option<(Id, Id)>, OpError> {
        if self.membership.is_some() {
            return Ok(self.membership);
        }
        let all = self.ledger.memberships(&self.identity.wallet.address()).await?;
        let in_standing = |standing: MemberStanding| {
            let found = all.iter().filter(move |found| found.account.standing() == standing);
            found
                .map(|found| (found.account.institution, found.account.id))
                .collect::<Vec<_>>()
        };
        // A suspended member acts as one too: the contract refuses it, and logs that.
        match (
            in_standing(MemberStanding::Active).as_slice(),
            in_standing(MemberStanding::Suspended).as_slice(),
        ) {
            ([one], _) | ([], [one]) => Ok(Some(*one)),
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

/// Whether a grant names somebody in this capacity.
fn names(grant: &Grant, acting: &As) -> bool {
    match (GranteeKind::from_byte(grant.grantee_kind), acting.member) {
        (Some(GranteeKind::Member), Some((institution, member))) => {
            grant.grantee == address::member(&institution, &member)
        }
        (Some(GranteeKind::Institution), Some((institution, _))) => grant.grantee == address::institution(&institution),
        (Some(GranteeKind::Person), None) => grant.grantee == acting.wallet,
        _ => false,
    }
}

/// Allowed is best; otherwise the later a rule stood in the way, the nearer it was.
fn rank(verdict: &Result<Basis, Reason>) -> u8 {
    match verdict {
        Ok(_) => u8::MAX,
        Err(reason) => reason.byte(),
    }
}
