//! What every instruction about a record shares: who acts, by which credential, and where it is written down.

use anchor_lang::{accounts::UncheckedAccount, prelude::*};

use crate::{
    events::{ActionRefused, Actor},
    log::Encoded,
    policy::{decide, Capacity, Claim, Credential, Query, Subject},
    seeds::{Id, GRANT, NO_ID},
    state::{slot, AccessLog, Delegate, Emergency, Grant, Institution, Member, Patient, Policy, RefusalLog, Registry},
    vocabulary::{Action, ActorKind, Basis, ClaimKind, GranteeKind, Purpose, Reason},
    ChartsealError,
};

/// The accounts of an actor, of the patient, and of the patient's two logs.
///
/// An actor passes at most one capacity (`member` with `institution`, or `delegate`) and at most one claim (`grant`,
/// `policy` or `emergency`), so that what is written down is what was decided by.
// Anchor's account types have no `Debug`.
#[allow(missing_debug_implementations)]
#[derive(Accounts)]
pub struct Acting {
    /// Acts. Another may pay.
    pub actor: Signer,
    pub registry: Account<Registry>,
    pub patient: Account<Patient>,
    #[account(mut)]
    pub log: Account<AccessLog>,
    #[account(mut)]
    pub refusals: Account<RefusalLog>,
    /// The actor's membership. Writable, because its refusals are counted.
    #[account(mut)]
    pub member: Option<Account<Member>>,
    /// The member's institution.
    pub institution: Option<Account<Institution>>,
    /// The actor's delegation.
    pub delegate: Option<Account<Delegate>>,
    /// CHECK: the grant that is claimed, or the empty address of one; `state::slot` tells.
    #[account(mut)]
    pub grant: Option<UncheckedAccount>,
    /// The grant that the claimed one descends from. Writable, because a use counts against all.
    #[account(mut)]
    pub parent: Option<Account<Grant>>,
    /// The one before.
    #[account(mut)]
    pub grandparent: Option<Account<Grant>>,
    /// The first, which the patient gave.
    #[account(mut)]
    pub great_grandparent: Option<Account<Grant>>,
    /// The policy that is claimed.
    pub policy: Option<Account<Policy>>,
    /// The emergency that is claimed.
    pub emergency: Option<Account<Emergency>>,
}

/// What somebody wants.
#[derive(Debug)]
pub struct Intent<'a> {
    pub request: &'a Id,
    pub record: &'a Id,
    pub subject: Subject<'a>,
    pub action: Action,
    pub purpose: Purpose,
    /// Id of the grant that is claimed, or zeros.
    pub grant: &'a Id,
    /// Whether the patient's wallet signed too.
    pub consent: bool,
    pub now: i64,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    Allowed(Allowed),
    /// Decided and written down; the event remains to be emitted.
    Refused(Encoded),
}

/// Who may, and why.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    pub actor: Actor,
    pub basis: Basis,
    /// Id of what the basis rests on, or zeros where it rests on nothing else (see `Basis`).
    pub under: Id,
}

impl Acting {
    /// Checks that the accounts fit together, asks the policy, and writes a refusal down.
    ///
    /// # Errors
    /// Where the program is paused, an account belongs to somebody else, or the actor is a stranger: then nothing is
    /// logged, so that nobody floods a patient's log for a fee.
    pub fn decide(&mut self, intent: &Intent<'_>) -> Result<Outcome> {
        self.decide_also(intent, |_, _| Ok(()))
    }

    /// The same, where the policy is not all that has to agree: `also` is asked last, with the basis and the grant that
    /// was claimed. The grant is what the action rests on only where the basis says so.
    pub fn decide_also(
        &mut self,
        intent: &Intent<'_>,
        also: impl FnOnce(Basis, Option<&Grant>) -> core::result::Result<(), Reason>,
    ) -> Result<Outcome> {
        self.validate()?;
        let mut grant = self.claimed(intent.grant)?;
        let actor = self.identify(grant.as_deref())?;
        let decision = self
            .ask(intent, &actor, grant.as_deref())
            .and_then(|basis| also(basis, grant.as_deref()).map(|()| basis));
        match decision {
            Ok(basis) => {
                if let (Basis::Grant, Some(grant)) = (basis, &mut grant) {
                    grant.take_use();
                    self.take_uses_of_ancestors(grant);
                }
                let under = self.rests_on(basis, grant.as_deref());
                Ok(Outcome::Allowed(Allowed { actor, basis, under }))
            }
            Err(reason) => self.refuse(intent, actor, reason).map(Outcome::Refused),
        }
    }

    /// Writes a refusal down.
    ///
    /// # Errors
    /// [`ChartsealError::RefusalCap`] where as many were logged within the hour as are.
    pub fn refuse(&mut self, intent: &Intent<'_>, actor: Actor, reason: Reason) -> Result<Encoded> {
        let counted = match &mut self.member {
            Some(member) if actor.kind == ActorKind::Member => member.count_refusal(intent.now),
            _ => self.refusals.count_refusal(actor.kind, intent.now),
        };
        require!(counted, ChartsealError::RefusalCap);
        let (claim, under) = self.claims(intent.grant, actor.kind);
        self.refusals.write(intent.now, |link| ActionRefused {
            link,
            request: *intent.request,
            record: *intent.record,
            action: intent.action,
            actor,
            purpose: intent.purpose,
            reason,
            claim,
            under,
            head: [0; 32],
        })
    }

    /// The account that stands as author of what an actor writes: a member's own; otherwise the patient's, for whom a
    /// delegate writes.
    pub fn author(&self, actor: &Actor) -> Address {
        match actor.kind {
            ActorKind::Member => actor.credential,
            ActorKind::Patient | ActorKind::Delegate | ActorKind::Person => *self.patient.address(),
        }
    }

    /// What has to hold whoever acts.
    fn validate(&self) -> Result<()> {
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(self.refusals.patient == self.patient.id, ChartsealError::ForeignPatient);
        let claims =
            u8::from(self.grant.is_some()) + u8::from(self.policy.is_some()) + u8::from(self.emergency.is_some());
        require!(claims <= 1, ChartsealError::OneClaim);
        Ok(())
    }

    fn ask(&self, intent: &Intent<'_>, actor: &Actor, grant: Option<&Grant>) -> core::result::Result<Basis, Reason> {
        let patient_address = self.patient.address();
        let capacity = match (actor.kind, &self.member, &self.institution, &self.delegate) {
            (ActorKind::Patient, ..) => Capacity::Patient {
                address: patient_address,
            },
            (ActorKind::Member, Some(member), Some(institution), _) => Capacity::Member(Credential {
                address: member.address(),
                member,
                institution_address: institution.address(),
                institution,
            }),
            (ActorKind::Delegate, _, _, Some(delegate)) => Capacity::Delegate {
                delegate,
                patient_address,
            },
            _ => Capacity::Person { wallet: &actor.wallet },
        };
        let claim = match (grant, &self.policy, &self.emergency) {
            (Some(grant), ..) => Claim::Grant(
                grant,
                [
                    self.parent.as_deref(),
                    self.grandparent.as_deref(),
                    self.great_grandparent.as_deref(),
                ],
            ),
            (None, Some(policy), _) => Claim::Policy(policy),
            (None, None, Some(emergency)) => Claim::Emergency(emergency),
            (None, None, None) => Claim::Nothing,
        };
        decide(&Query {
            patient: &self.patient,
            capacity,
            subject: intent.subject,
            action: intent.action,
            purpose: intent.purpose,
            claim,
            consent: intent.consent,
            now: intent.now,
        })
    }

    /// The policy has seen that each of them is the one before's parent, and that it has a use left. It looked no
    /// further than to the first, which descends from none: what is passed beyond it is somebody else's.
    fn take_uses_of_ancestors(&mut self, grant: &Grant) {
        let mut parent = grant.parent;
        let ancestors = [&mut self.parent, &mut self.grandparent, &mut self.great_grandparent];
        for ancestor in ancestors.into_iter().flatten() {
            if parent == NO_ID {
                return;
            }
            parent = ancestor.parent;
            ancestor.take_use();
        }
    }

    fn rests_on(&self, basis: Basis, grant: Option<&Grant>) -> Id {
        match basis {
            Basis::Grant => grant.map(|grant| grant.id),
            Basis::Delegate => self.delegate.as_ref().map(|delegate| delegate.id),
            Basis::Policy => self.policy.as_ref().map(|policy| policy.institution),
            Basis::Emergency => self.emergency.as_ref().map(|emergency| emergency.id),
            Basis::Patient | Basis::Consent | Basis::Author | Basis::Steward => None,
        }
        .unwrap_or(NO_ID)
    }

    /// What the actor claimed, whether it holds or not.
    fn claims(&self, grant: &Id, kind: ActorKind) -> (ClaimKind, Id) {
        match (&self.policy, &self.emergency, &self.delegate) {
            _ if *grant != NO_ID => (ClaimKind::Grant, *grant),
            (Some(policy), ..) => (ClaimKind::Policy, policy.institution),
            (_, Some(emergency), _) => (ClaimKind::Emergency, emergency.id),
            (.., Some(delegate)) if kind == ActorKind::Delegate => (ClaimKind::Delegation, delegate.id),
            _ => (ClaimKind::Nothing, NO_ID),
        }
    }

    /// The grant that is claimed, if there is one of that id.
    ///
    /// What is logged as claimed is what was looked at: the account is there exactly where an id is named, and it is
    /// that id's. Otherwise an actor could use one grant and have another one written down.
    fn claimed(&self, id: &Id) -> Result<Option<Account<Grant>>> {
        let Some(account) = &self.grant else {
            require!(*id == NO_ID, ChartsealError::GrantMismatch);
            return Ok(None);
        };
        let grant = slot::load::<Grant>(account, &[GRANT, &self.patient.id, id])?;
        if let Some(grant) = &grant {
            require!(grant.id == *id, ChartsealError::GrantMismatch);
        }
        Ok(grant)
    }

    /// Who acts: the patient, the member or delegate whose account was passed, or the person that the grant names.
    fn identify(&self, grant: Option<&Grant>) -> Result<Actor> {
        let wallet = *self.actor.address();
        let mut actor = Actor {
            kind: ActorKind::Patient,
            wallet,
            credential: Address::default(),
            institution: NO_ID,
        };
        if self.patient.is_wallet(&wallet) {
            return Ok(actor);
        }
        match (&self.member, &self.institution, &self.delegate) {
            (Some(member), Some(institution), None) => {
                require!(member.wallet == wallet, ChartsealError::Stranger);
                require!(member.institution == institution.id, ChartsealError::ForeignMember);
                actor.kind = ActorKind::Member;
                actor.credential = *member.address();
                actor.institution = institution.id;
                Ok(actor)
            }
            (None, None, Some(delegate)) => {
                require!(delegate.wallet == wallet, ChartsealError::Stranger);
                require!(delegate.patient == self.patient.id, ChartsealError::ForeignPatient);
                actor.kind = ActorKind::Delegate;
                actor.credential = *delegate.address();
                Ok(actor)
            }
            (None, None, None) => {
                let named = grant.is_some_and(|grant| {
                    grant.patient == self.patient.id
                        && grant.grantee_kind == GranteeKind::Person.byte()
                        && grant.grantee == wallet
                });
                require!(named, ChartsealError::Stranger);
                actor.kind = ActorKind::Person;
                Ok(actor)
            }
            (Some(_), Some(_), Some(_)) => Err(ChartsealError::OneCapacity.into()),
            _ => Err(ChartsealError::InstitutionMissing.into()),
        }
    }
}
