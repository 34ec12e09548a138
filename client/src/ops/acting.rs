//! In what capacity a wallet acts, and what it claims: everything that it could rest a right on is put to the policy, and
//! the best is taken. The contract decides.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{As, By},
    policy::Claim,
    seeds::{Id, NO_ID, address},
    state::{Delegate, Emergency, Grant, Patient, Policy, UNLIMITED},
    vocabulary::{Action, Basis, GranteeKind, Purpose, Reason, Standing as MemberStanding},
};

use super::{OpError, Session};
use crate::{
    ledger::standing::{Question, Standing, ancestors},
    store::{BlobStore, KeyStore},
};

/// How somebody is going to act, and what the policy would say to it.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) acting: As,
    pub(super) verdict: Result<Basis, Reason>,
}

/// A capacity that a wallet may act in.
#[derive(Debug)]
struct Capacity {
    acting: As,
    standing: Standing,
}

/// What there is of a patient that a member could claim beside grants.
#[derive(Debug, Default)]
struct Shared {
    policy: Option<Policy>,
    emergencies: Vec<Emergency>,
}

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// Who this wallet is towards a patient, and what to claim: the grant that was named, or the claim that the policy
    /// would allow and that costs least, or else the one that comes nearest, so that a refusal says what is really missing.
    pub(super) async fn choose(
        &self,
        patient: &Patient,
        grants: &[Grant],
        question: &Question<'_>,
        named: Option<Id>,
    ) -> Result<Chosen, OpError> {
        let mut best: Option<(u16, Chosen)> = None;
        for Capacity { acting, standing } in self.capacities(patient, question.purpose).await? {
            let shared = match named {
                Some(_) => Shared::default(),
                None => self.shared(patient, &acting, question).await?,
            };
            for (acting, claim) in claims(acting, patient, grants, &shared, named) {
                let verdict = standing.decide(patient, question, claim);
                let rank = rank(&verdict, claim, question.purpose);
                if best.as_ref().is_none_or(|(before, _)| rank > *before) {
                    best = Some((rank, Chosen { acting, verdict }));
                }
            }
        }
        // A grant that was named and does not exist is claimed all the same: the refusal says so.
        let wallet = self.wallet();
        Ok(best.map_or_else(
            || Chosen {
                acting: named.map_or(As::wallet(wallet), |grant| As::wallet(wallet).claiming(grant)),
                verdict: Err(Reason::NoGrant),
            },
            |(_, chosen)| chosen,
        ))
    }

    /// The capacities that this wallet may act in: as the patient; as a member; as a delegate or a person, for its own or
    /// the patient's purposes.
    async fn capacities(&self, patient: &Patient, purpose: Purpose) -> Result<Vec<Capacity>, OpError> {
        let wallet = self.wallet();
        let of_wallet = || Capacity {
            acting: As::wallet(wallet),
            standing: Standing::of_wallet(wallet),
        };
        if patient.is_wallet(&wallet) {
            return Ok(vec![of_wallet()]);
        }
        let membership = self.membership().await?;
        let mut capacities = Vec::new();
        if let Some((institution, member)) = membership {
            let address = address::member(&institution, &member);
            capacities.push(Capacity {
                acting: As::member(wallet, institution, member),
                standing: Standing::of_member(&self.ledger, wallet, &institution, &address).await?,
            });
        }
        if membership.is_none() || purpose == Purpose::Personal {
            for delegate in self.delegations(patient).await? {
                capacities.push(Capacity {
                    acting: As::delegate(wallet, delegate.id),
                    standing: Standing::of_delegate(wallet, delegate),
                });
            }
            capacities.push(of_wallet());
        }
        Ok(capacities)
    }

    /// The delegations of this wallet by a patient. One that was not accepted is none: anybody can name anybody.
    pub(super) async fn delegations(&self, patient: &Patient) -> Result<Vec<Delegate>, OpError> {
        let wallet = self.wallet();
        let all = self.ledger.delegates(&patient.id).await?.into_iter();
        Ok(all
            .map(|found| found.account)
            .filter(|delegate| delegate.wallet == wallet && delegate.key_epoch != 0)
            .collect())
    }

    /// What a patient shares with a member's institution by itself, and the member's own emergencies.
    async fn shared(&self, patient: &Patient, acting: &As, question: &Question<'_>) -> Result<Shared, OpError> {
        let Some((institution, member)) = acting.member else {
            return Ok(Shared::default());
        };
        let mut shared = Shared {
            policy: self.ledger.policy(&patient.id, &institution).await?,
            emergencies: Vec::new(),
        };
        if question.purpose == Purpose::Emergency {
            let member = address::member(&institution, &member);
            let all = self.ledger.emergencies(&patient.id).await?.into_iter();
            shared.emergencies = all
                .map(|found| found.account)
                .filter(|emergency| emergency.member == member)
                .collect();
        }
        Ok(shared)
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

    /// The purpose that goes without saying: a patient's, a delegate's and a person's own, a member's treatment.
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

    /// As who this wallet decides for a patient: by itself, as the authority of the steward of one without a wallet, or as
    /// a delegate that may share.
    pub(super) async fn deciding(&self, patient: &Patient) -> Result<By, OpError> {
        let wallet = self.wallet();
        if patient.is_wallet(&wallet) {
            return Ok(By::wallet(wallet));
        }
        let now = self.ledger.now().await?;
        let delegations = self.delegations(patient).await?;
        let sharing = delegations
            .iter()
            .find(|delegate| delegate.fault(now).is_none() && delegate.has(Action::Share));
        Ok(match sharing {
            Some(delegate) => By::delegate(wallet, delegate.id),
            None if !patient.has_wallet() => By::steward(wallet, patient.steward),
            None => By::wallet(wallet),
        })
    }

    /// The account that this session's envelopes are addressed to.
    pub(super) fn own_account(patient: &Patient, acting: &As) -> Address {
        match (acting.member, acting.delegate) {
            _ if patient.is_wallet(&acting.wallet) => address::patient(&patient.id),
            (Some((institution, member)), _) => address::member(&institution, &member),
            (None, Some(delegate)) => address::delegate(&patient.id, &delegate),
            (None, None) => acting.wallet,
        }
    }
}

/// Everything that somebody in this capacity could claim; only the grant that was named, where one was.
fn claims<'a>(
    acting: As,
    patient: &Patient,
    grants: &'a [Grant],
    shared: &'a Shared,
    named: Option<Id>,
) -> Vec<(As, Claim<'a>)> {
    let mut claims = Vec::new();
    if named.is_none() {
        claims.push((acting, Claim::Nothing));
    }
    let ours = |grant: &&Grant| match named {
        Some(id) => grant.id == id,
        None => grant.patient == patient.id && names(grant, &acting),
    };
    for grant in grants.iter().filter(ours) {
        let lineage = ancestors(grant, grants);
        let ids: Vec<Id> = lineage.iter().flatten().map(|ancestor| ancestor.id).collect();
        claims.push((acting.claiming_passed_on(grant.id, &ids), Claim::Grant(grant, lineage)));
    }
    if let Some(policy) = &shared.policy {
        claims.push((acting.by_policy(policy.institution), Claim::Policy(policy)));
    }
    for emergency in &shared.emergencies {
        claims.push((acting.in_emergency(emergency.id), Claim::Emergency(emergency)));
    }
    claims
}

/// Whether a grant names somebody in this capacity.
fn names(grant: &Grant, acting: &As) -> bool {
    match (GranteeKind::from_byte(grant.grantee_kind), acting.member) {
        (Some(GranteeKind::Member), Some((institution, member))) => {
            grant.grantee == address::member(&institution, &member)
        }
        (Some(GranteeKind::Institution), Some((institution, _))) => grant.grantee == address::institution(&institution),
        (Some(GranteeKind::Person), None) => acting.delegate.is_none() && grant.grantee == acting.wallet,
        _ => false,
    }
}

/// The higher, the better. Allowed is best, by what costs least: uses are spared, and emergencies are for when nothing
/// else is there. Of refusals the one that was nearest to a right says what is missing: by an emergency that was claimed
/// as one, by a grant, and only then by what a policy does not share anyway.
fn rank(verdict: &Result<Basis, Reason>, claim: Claim<'_>, purpose: Purpose) -> u16 {
    const ALLOWED: u16 = 0x400;
    match (verdict, claim) {
        (Ok(_), Claim::Nothing) => ALLOWED + 4,
        (Ok(_), Claim::Policy(_)) => ALLOWED + 3,
        (Ok(_), Claim::Grant(grant, lineage)) => {
            let counted = std::iter::once(grant)
                .chain(lineage.into_iter().flatten())
                .any(|grant| grant.uses_left != UNLIMITED);
            ALLOWED + if counted { 1 } else { 2 }
        }
        (Ok(_), Claim::Emergency(_)) => ALLOWED,
        (Err(reason), claim) => {
            let nearness = match claim {
                Claim::Emergency(_) if purpose == Purpose::Emergency => 0x300,
                Claim::Grant(..) => 0x200,
                Claim::Policy(_) => 0x100,
                Claim::Nothing | Claim::Emergency(_) => 0,
            };
            nearness + u16::from(reason.byte())
        }
    }
}

/// Whether a grant, with all that it descends from, still gives something or will.
pub(super) fn stands(grant: &Grant, grants: &[Grant], now: i64) -> bool {
    let lapsed = |grant: &Grant| {
        matches!(
            grant.fault(now),
            Some(Reason::GrantRevoked | Reason::GrantExpired | Reason::GrantExhausted)
        )
    };
    let lineage = ancestors(grant, grants);
    let whole = lineage.iter().flatten().count() == usize::from(grant.depth)
        && lineage
            .iter()
            .flatten()
            .last()
            .map_or(grant.parent, |first| first.parent)
            == NO_ID;
    whole && !lapsed(grant) && !lineage.into_iter().flatten().any(lapsed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use anchor_lang::{AccountDeserialize, Discriminator};

    use super::*;

    const NOW: i64 = 1_000;

    /// An account of zeros.
    fn blank<T: AccountDeserialize + Discriminator>() -> T {
        let bytes = [T::DISCRIMINATOR, vec![0; std::mem::size_of::<T>()].as_slice()].concat();
        T::try_deserialize(&mut bytes.as_slice()).unwrap()
    }

    /// Grants of which each was passed on from the one before.
    fn line(length: u8) -> Vec<Grant> {
        let grant = |place: u8| Grant {
            id: [place + 1; 16],
            parent: [place; 16],
            depth: place,
            expires: NOW + 1,
            uses_left: UNLIMITED,
            ..blank()
        };
        (0..length).map(grant).collect()
    }

    #[test]
    fn a_grant_stands_as_long_as_all_that_it_descends_from() {
        let grants = line(4);
        assert!(grants.iter().all(|grant| stands(grant, &grants, NOW)));
        assert!(!stands(&grants[3], &grants, NOW + 1));
        for lapsed in 0..4 {
            let mut grants = line(4);
            grants[lapsed].revoked = 1;
            for (place, grant) in grants.iter().enumerate() {
                assert_eq!(stands(grant, &grants, NOW), place < lapsed, "{lapsed} revoked, {place}");
            }
            grants.remove(lapsed);
            for grant in grants.iter().skip(lapsed) {
                assert!(!stands(grant, &grants, NOW), "{lapsed} is not there");
            }
        }
    }

    #[test]
    fn of_what_is_allowed_the_cheapest_is_claimed_and_an_emergency_last() {
        let [plain, mut counted] = [line(1)[0], line(1)[0]];
        counted.uses_left = 3;
        let passed_on = line(2);
        let by_counted = Claim::Grant(&passed_on[1], [Some(&counted), None, None]);
        let (policy, emergency) = (blank::<Policy>(), blank::<Emergency>());
        let order = [
            Claim::Emergency(&emergency),
            Claim::Grant(&counted, [None; 3]),
            Claim::Grant(&plain, [None; 3]),
            Claim::Policy(&policy),
            Claim::Nothing,
        ];
        let ranks = order.map(|claim| rank(&Ok(Basis::Grant), claim, Purpose::Treatment));
        assert!(ranks.is_sorted_by(|before, after| before < after), "{ranks:?}");
        assert_eq!(
            rank(&Ok(Basis::Grant), by_counted, Purpose::Treatment),
            ranks[1],
            "a use counts against all"
        );
        for (claim, purpose) in order
            .into_iter()
            .zip([Purpose::Emergency, Purpose::Treatment].into_iter().cycle())
        {
            for reason in Reason::ALL {
                assert!(rank(&Err(*reason), claim, purpose) < ranks[0], "{reason:?}");
            }
        }
    }

    #[test]
    fn of_refusals_the_grants_says_what_is_missing() {
        let (grant, policy) = (line(1)[0], blank::<Policy>());
        let by_grant = rank(
            &Err(Reason::GrantRevoked),
            Claim::Grant(&grant, [None; 3]),
            Purpose::Treatment,
        );
        assert!(
            by_grant
                > rank(
                    &Err(Reason::PolicyOtherClass),
                    Claim::Policy(&policy),
                    Purpose::Treatment
                )
        );
        assert!(by_grant > rank(&Err(Reason::NoGrant), Claim::Nothing, Purpose::Treatment));
    }

    #[test]
    fn everything_that_could_be_claimed_is() {
        let (institution, member) = ([7; 16], [8; 16]);
        let patient = Patient { id: [1; 16], ..blank() };
        let mut grants = line(3);
        for grant in &mut grants {
            grant.patient = patient.id;
            grant.grantee_kind = GranteeKind::Institution.byte();
            grant.grantee = address::institution(&institution);
        }
        grants[0].grantee = Address::default();
        let shared = Shared {
            policy: Some(Policy { institution, ..blank() }),
            emergencies: vec![Emergency { id: [9; 16], ..blank() }],
        };
        let acting = As::member(Address::default(), institution, member);
        let all = claims(acting, &patient, &grants, &shared, None);
        assert_eq!(all.len(), 5, "nothing, two grants, the policy, the emergency");
        let deepest = all.iter().find(|(acting, _)| acting.grant == Some([3; 16])).unwrap();
        assert_eq!(deepest.0.ancestors, [Some([2; 16]), Some([1; 16]), None]);
        assert!(all.iter().any(|(acting, _)| acting.policy == Some(institution)));
        assert!(all.iter().any(|(acting, _)| acting.emergency == Some([9; 16])));
        let nothing = Shared::default();
        let named = claims(acting, &patient, &grants, &nothing, Some([1; 16]));
        assert_eq!(named.len(), 1, "only what was named, whomever it names");
    }
}
