//! What every instruction about a record shares: who acts, by which credential, and where it is written down.

use anchor_lang::{accounts::UncheckedAccount, prelude::*};

use crate::{
    events::{ActionRefused, Actor},
    log::Encoded,
    policy::{decide, Capacity, Credential, Query, Subject},
    seeds::{Id, GRANT, NO_ID},
    state::{slot, AccessLog, Entry, Grant, Institution, Member, Patient, RefusalLog, Registry},
    vocabulary::{Action, ActorKind, Basis, Purpose},
    ChartsealError,
};

/// The accounts of an actor, of the patient, and of the patient's two logs.
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
    /// The actor's membership, unless it is the patient or a person. Writable, because its refusals are counted.
    #[account(mut)]
    pub member: Option<Account<Member>>,
    /// The member's institution.
    pub institution: Option<Account<Institution>>,
    /// CHECK: the grant that is claimed, or the empty address of one; `state::slot` tells.
    #[account(mut)]
    pub grant: Option<UncheckedAccount>,
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
    Allowed {
        actor: Actor,
        basis: Basis,
        /// Id of the grant that is the basis, or zeros where something else is.
        grant: Id,
    },
    /// Decided and written down; the event remains to be emitted.
    Refused(Encoded),
}

impl Acting {
    /// Checks that the accounts fit together, asks the policy, and writes a refusal down.
    ///
    /// # Errors
    /// Where the program is paused, an account belongs to somebody else, or the actor is a stranger: then nothing is
    /// logged, so that nobody floods a patient's log for a fee.
    pub fn decide(&mut self, intent: &Intent<'_>) -> Result<Outcome> {
        require!(!self.registry.is_paused(), ChartsealError::Paused);
        require!(self.log.patient == self.patient.id, ChartsealError::ForeignPatient);
        require!(self.refusals.patient == self.patient.id, ChartsealError::ForeignPatient);

        let mut grant = self.claimed(intent.grant)?;
        let actor = self.identify(grant.as_deref())?;
        let patient_address = *self.patient.address();
        let capacity = match (actor.kind, &self.member, &self.institution) {
            (ActorKind::Patient, ..) => Capacity::Patient {
                address: &patient_address,
            },
            (ActorKind::Member, Some(member), Some(institution)) => Capacity::Member(Credential {
                address: member.address(),
                member,
                institution_address: institution.address(),
                institution,
            }),
            _ => Capacity::Person { wallet: &actor.wallet },
        };
        let decision = decide(&Query {
            patient: &self.patient,
            capacity,
            subject: intent.subject,
            action: intent.action,
            purpose: intent.purpose,
            grant: grant.as_deref(),
            consent: intent.consent,
            now: intent.now,
        });

        match decision {
            Ok(basis) => {
                let mut used = NO_ID;
                if let (Basis::Grant, Some(grant)) = (basis, &mut grant) {
                    grant.take_use();
                    used = grant.id;
                }
                Ok(Outcome::Allowed {
                    actor,
                    basis,
                    grant: used,
                })
            }
            Err(reason) => {
                let counted = match &mut self.member {
                    Some(member) if actor.kind == ActorKind::Member => member.count_refusal(intent.now),
                    _ => self.refusals.count_person_refusal(intent.now),
                };
                require!(counted, ChartsealError::RefusalCap);
                let event = self
                    .refusals
                    .chain
                    .extend(&self.patient.id, intent.now, |link| ActionRefused {
                        link,
                        request: *intent.request,
                        record: *intent.record,
                        action: intent.action,
                        actor,
                        purpose: intent.purpose,
                        reason,
                        grant: *intent.grant,
                        head: [0; 32],
                    })?;
                let entry = Entry::new(
                    ActionRefused::DISCRIMINATOR,
                    intent.now,
                    intent.request,
                    &actor.wallet,
                    reason.byte(),
                );
                let refusals = &mut *self.refusals;
                refusals.ring.keep(&refusals.chain, entry);
                Ok(Outcome::Refused(event))
            }
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

    /// Who acts: the patient, the member whose account was passed, or the person that the grant names.
    fn identify(&self, grant: Option<&Grant>) -> Result<Actor> {
        let wallet = *self.actor.address();
        let mut actor = Actor {
            kind: ActorKind::Patient,
            wallet,
            member: Address::default(),
            institution: NO_ID,
        };
        if self.patient.is_wallet(&wallet) {
            return Ok(actor);
        }
        match (&self.member, &self.institution) {
            (Some(member), Some(institution)) => {
                require!(member.wallet == wallet, ChartsealError::Stranger);
                require!(member.institution == institution.id, ChartsealError::ForeignMember);
                actor.kind = ActorKind::Member;
                actor.member = *member.address();
                actor.institution = institution.id;
                Ok(actor)
            }
            (None, None) => {
                let named = grant.is_some_and(|grant| {
                    grant.patient == self.patient.id
                        && grant.grantee_kind == crate::vocabulary::GranteeKind::Person.byte()
                        && grant.grantee == wallet
                });
                require!(named, ChartsealError::Stranger);
                actor.kind = ActorKind::Person;
                Ok(actor)
            }
            _ => Err(ChartsealError::InstitutionMissing.into()),
        }
    }
}

/// Whether this signer decides for the patient: by its wallet or, while it has none, as the steward's authority. A
/// suspended steward can take rights away but gives none: whoever asks for that checks it.
pub fn speaks_for(signer: &Address, patient: &Patient, steward: Option<&Institution>) -> Result<()> {
    let as_steward =
        steward.is_some_and(|institution| patient.is_steward(&institution.id) && institution.authority == *signer);
    require!(patient.is_wallet(signer) || as_steward, ChartsealError::NotPatient);
    Ok(())
}
