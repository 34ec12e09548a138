//! What follows from an event, by the model.

use anchor_lang::prelude::Address;
use chartseal_program::{
    events::{Actor, AnyEvent, Terms},
    log::Chain,
    seeds::{address, Id, NO_ID},
    state::UNLIMITED,
    vocabulary::*,
};

use crate::model::*;

impl Model {
    /// Lets an event have happened.
    pub(crate) fn apply(&mut self, event: &AnyEvent) {
        self.extend_chain(event);
        let subject = event.link().subject;
        match event {
            AnyEvent::RegistryCreated(event) => self.admin = event.admin,
            AnyEvent::AdminProposed(event) => self.proposed_admin = event.proposed,
            AnyEvent::AdminAccepted(event) => {
                self.admin = event.admin;
                self.proposed_admin = Address::default();
            }
            AnyEvent::PauseSet(event) => self.paused = event.paused,
            AnyEvent::InstitutionRegistered(event) => {
                let body = Institution {
                    kind: event.kind,
                    authority: event.authority,
                    proposed: Address::default(),
                    standing: Standing::Invited,
                    accepted: false,
                    expires: event.expires,
                    unreviewed: 0,
                };
                self.institutions.insert(subject, body);
            }
            AnyEvent::InstitutionAccepted(_) => {
                let body = self.institution(&subject);
                (body.standing, body.accepted) = (Standing::Active, true);
            }
            AnyEvent::InstitutionStandingSet(event) => self.institution(&subject).standing = event.standing,
            AnyEvent::InstitutionRenewed(event) => self.institution(&subject).expires = event.expires,
            AnyEvent::AuthorityProposed(event) => self.institution(&subject).proposed = event.proposed,
            AnyEvent::AuthorityAccepted(event) => {
                let body = self.institution(&subject);
                (body.authority, body.proposed) = (event.authority, Address::default());
            }
            AnyEvent::MemberRegistered(event) => {
                let member = Member {
                    institution: subject,
                    id: event.member_id,
                    wallet: event.wallet,
                    role: event.role,
                    standing: Standing::Invited,
                    accepted: false,
                    expires: event.expires,
                    emergencies: false,
                    unreviewed: 0,
                };
                self.members.insert(event.member, member);
            }
            AnyEvent::MembershipAccepted(event) => {
                let member = self.member(&event.member);
                (member.standing, member.accepted) = (Standing::Active, true);
            }
            AnyEvent::MemberStandingSet(event) => self.member(&event.member).standing = event.standing,
            AnyEvent::MemberRenewed(event) => self.member(&event.member).expires = event.expires,
            AnyEvent::EmergencyCredentialSet(event) => self.member(&event.member).emergencies = event.holds,
            AnyEvent::BatchAnchored(event) => {
                let batch = Batch {
                    author: event.author,
                    count: event.count,
                };
                self.batches.insert((subject, event.batch), batch);
            }
            AnyEvent::AgreementProposed(event) => {
                let agreement = Agreement {
                    provider: event.provider,
                    classes: event.classes,
                    purpose: event.purpose,
                    price: event.price,
                    expires: event.expires,
                    state: AgreementState::Proposed,
                    deposited: 0,
                    paid: 0,
                };
                self.agreements.insert((subject, event.agreement), agreement);
            }
            AnyEvent::AgreementAccepted(event) => {
                self.agreement(&subject, &event.agreement).state = AgreementState::Active;
            }
            AnyEvent::AgreementFunded(event) => {
                self.agreement(&subject, &event.agreement).deposited += event.received;
            }
            AnyEvent::AgreementClosed(event) => {
                self.agreement(&subject, &event.agreement).state = AgreementState::Closed;
            }
            AnyEvent::AccessSettled(event) => {
                self.agreement(&event.consumer, &event.agreement).paid += event.amount;
                let key = (event.consumer, event.agreement, subject, event.record, event.version);
                self.settlements.insert(key, event.amount);
            }
            AnyEvent::PatientOpened(event) => {
                let patient = Patient {
                    wallet: (event.wallet != Address::default()).then_some(event.wallet),
                    proposed: Address::default(),
                    steward: event.steward,
                    key_epoch: 1,
                };
                self.patients.insert(subject, patient);
            }
            AnyEvent::WalletProposed(event) => self.patient(&subject).proposed = event.proposed,
            AnyEvent::WalletAccepted(event) => self.take_over(&subject, event.wallet),
            AnyEvent::PatientKeyRotated(_) => self.patient(&subject).key_epoch += 1,
            AnyEvent::DelegateNamed(event) => {
                let delegate = Delegate {
                    wallet: event.wallet,
                    rights: event.rights,
                    expires: event.expires,
                    accepted: false,
                    revoked: false,
                };
                self.delegates.insert((subject, event.delegate), delegate);
            }
            AnyEvent::DelegationAccepted(event) => {
                self.delegates
                    .entry((subject, event.delegate))
                    .and_modify(|found| found.accepted = true);
            }
            AnyEvent::DelegateRevoked(event) => {
                self.delegates
                    .entry((subject, event.delegate))
                    .and_modify(|found| found.revoked = true);
            }
            AnyEvent::GuardiansSet(event) => {
                let safeguards = Safeguards {
                    guardians: event.guardians.iter().map(|guardian| guardian.wallet).collect(),
                    threshold: event.threshold,
                    delay: event.delay,
                    ..Safeguards::default()
                };
                self.safeguards.insert(subject, safeguards);
            }
            AnyEvent::BreakGlassSet(_) => {
                self.safeguards.entry(subject).or_default();
            }
            AnyEvent::RecoveryVoted(event) => self.vote(&subject, event.guardian, event.wallet),
            AnyEvent::RecoveryObjected(_) => self.forget_recovery(&subject),
            AnyEvent::RecoveryFinished(event) => {
                self.forget_recovery(&subject);
                self.take_over(&subject, event.wallet);
            }
            AnyEvent::RecordCreated(event) => {
                let author = self.author(&subject, &event.author);
                self.begin_record(&subject, &event.record, event.class, author, event.author.institution);
                self.count_use(&subject, event.basis, &event.under);
            }
            AnyEvent::RecordPromoted(event) => {
                self.begin_record(&subject, &event.record, event.class, event.author, event.institution);
                self.count_use(&subject, event.basis, &event.under);
            }
            AnyEvent::RecordAmended(event) => {
                let author = self.author(&subject, &event.author);
                let record = self.record(&subject, &event.record);
                (record.version, record.author, record.institution) = (event.version, author, event.author.institution);
                self.count_use(&subject, event.basis, &event.under);
            }
            AnyEvent::RecordErased(event) => self.record(&subject, &event.record).erased = true,
            AnyEvent::GrantCreated(event) => {
                self.give(&subject, &event.grant, &event.terms, event.issuer, NO_ID, 0);
            }
            AnyEvent::GrantPassedOn(event) => {
                self.count_use(&subject, Basis::Grant, &event.parent);
                let issuer = event.actor.wallet;
                self.give(&subject, &event.grant, &event.terms, issuer, event.parent, event.depth);
            }
            AnyEvent::GrantRevoked(event) => {
                self.grants
                    .entry((subject, event.grant))
                    .and_modify(|grant| grant.revoked = true);
            }
            AnyEvent::PolicySet(event) => {
                let before = self
                    .policies
                    .get(&(subject, event.institution))
                    .filter(|before| event.link.at < before.expires);
                let since = (0..32u8)
                    .filter(|class| event.classes >> class & 1 == 1)
                    .map(|class| {
                        let kept = before.and_then(|policy| policy.since.get(&class).copied());
                        (class, kept.unwrap_or(event.link.at))
                    })
                    .collect();
                let policy = Policy {
                    classes: event.classes,
                    since,
                    purposes: event.purposes,
                    enrols: event.enrols,
                    expires: event.expires,
                };
                self.policies.insert((subject, event.institution), policy);
            }
            AnyEvent::AccessRequested(event) => {
                let request = Request {
                    member: event.actor.credential,
                    record: event.record,
                    classes: event.classes,
                    rights: event.rights,
                    purposes: event.purposes,
                    until: event.until,
                    state: RequestState::Open,
                    grant: NO_ID,
                };
                self.requests.insert((subject, event.request), request);
            }
            AnyEvent::RequestDecided(event) => {
                let state = if event.approved {
                    RequestState::Approved
                } else {
                    RequestState::Denied
                };
                self.requests.entry((subject, event.request)).and_modify(|request| {
                    (request.state, request.grant) = (state, event.grant);
                });
                if event.approved {
                    self.give(&subject, &event.grant, &event.terms, event.by, NO_ID, 0);
                }
            }
            AnyEvent::EmergencyOpened(event) => {
                let emergency = Emergency {
                    member: event.actor.credential,
                    wallet: event.actor.wallet,
                    institution: event.actor.institution,
                    expires: event.expires,
                    reviewed: [None; 2],
                };
                self.emergencies.insert((subject, event.emergency), emergency);
                self.member(&event.actor.credential).unreviewed += 1;
                self.institution(&event.actor.institution).unreviewed += 1;
            }
            AnyEvent::EmergencyReviewed(event) => {
                let Some(emergency) = self.emergencies.get_mut(&(subject, event.emergency)) else {
                    return;
                };
                let side = &mut emergency.reviewed[usize::from(event.reviewer.byte())];
                let first = side.replace(event.verdict).is_none();
                if event.verdict == Verdict::Unjustified {
                    emergency.expires = emergency.expires.min(event.link.at);
                }
                let (member, institution) = (emergency.member, emergency.institution);
                if first && event.reviewer == Reviewer::Institution {
                    self.member(&member).unreviewed -= 1;
                    self.institution(&institution).unreviewed -= 1;
                }
            }
            AnyEvent::AccessAllowed(event) => self.count_use(&subject, event.basis, &event.under),
            AnyEvent::TreeOpened(_)
            | AnyEvent::AnonymousGrantCreated(_)
            | AnyEvent::AnonymousGrantRevoked(_)
            | AnyEvent::AccessProven(_)
            | AnyEvent::NullifierClosed(_) => self.apply_unnamed(event),
            AnyEvent::ActionRefused(_) | AnyEvent::ErasureAttested(_) => {}
        }
    }

    fn extend_chain(&mut self, event: &AnyEvent) {
        let (kind, subject) = (event.chain(), event.link().subject);
        let chain = self
            .chains
            .entry((kind, subject))
            .or_insert_with(|| Chain::begin(kind, &subject));
        *chain = chain
            .follow(kind, &subject, event.link().seq, &event.encode())
            .unwrap_or_else(|| panic!("an event does not follow in its chain: {event:?}"));
    }

    fn institution(&mut self, id: &Id) -> &mut Institution {
        self.institutions.get_mut(id).unwrap()
    }

    fn member(&mut self, address: &Address) -> &mut Member {
        self.members.get_mut(address).unwrap()
    }

    fn patient(&mut self, id: &Id) -> &mut Patient {
        self.patients.get_mut(id).unwrap()
    }

    fn record(&mut self, patient: &Id, id: &Id) -> &mut Record {
        self.records.get_mut(&(*patient, *id)).unwrap()
    }

    fn agreement(&mut self, consumer: &Id, id: &Id) -> &mut Agreement {
        self.agreements.get_mut(&(*consumer, *id)).unwrap()
    }

    fn take_over(&mut self, patient: &Id, wallet: Address) {
        let patient = self.patient(patient);
        (patient.wallet, patient.proposed) = (Some(wallet), Address::default());
        patient.key_epoch += 1;
    }

    fn author(&self, patient: &Id, actor: &Actor) -> Address {
        match actor.kind {
            ActorKind::Member => actor.credential,
            _ => address::patient(patient),
        }
    }

    fn begin_record(&mut self, patient: &Id, id: &Id, class: u8, author: Address, institution: Id) {
        let record = Record {
            class,
            author,
            origin: author,
            institution,
            version: 1,
            created_at: self.now,
            erased: false,
        };
        assert!(
            self.records.insert((*patient, *id), record).is_none(),
            "a record was made twice"
        );
    }

    fn give(&mut self, patient: &Id, id: &Id, terms: &Terms, issuer: Address, parent: Id, depth: u8) {
        let grant = Grant {
            terms: *terms,
            parent,
            depth,
            issuer,
            revoked: false,
            uses_left: terms.uses,
        };
        assert!(
            self.grants.insert((*patient, *id), grant).is_none(),
            "a grant was made twice"
        );
    }

    /// A use counts against the grant and against all that it descends from.
    fn count_use(&mut self, patient: &Id, basis: Basis, under: &Id) {
        if basis != Basis::Grant {
            return;
        }
        for id in std::iter::once(*under).chain(self.ancestors(patient, under)) {
            let grant = self.grants.get_mut(&(*patient, id)).unwrap();
            assert!(grant.uses_left > 0, "a grant was used that was used up");
            if grant.uses_left != UNLIMITED {
                grant.uses_left -= 1;
            }
        }
    }

    fn vote(&mut self, patient: &Id, guardian: Address, wallet: Address) {
        let now = self.now;
        let safeguards = self.safeguards.get_mut(patient).unwrap();
        safeguards.votes.remove(&guardian);
        if wallet != Address::default() {
            safeguards.votes.insert(guardian, wallet);
            let day = safeguards.days.entry(guardian).or_default();
            if now - *day >= 86_400 {
                *day = now;
            }
        }
        let fresh = |guardian: &Address| now - safeguards.days[guardian] < 60 * 86_400;
        let votes = |of: &Address| {
            safeguards
                .votes
                .iter()
                .filter(|(voter, voted)| *voted == of && fresh(voter))
                .count()
        };
        let enough = usize::from(safeguards.threshold);
        let mut agreed = safeguards.pending.filter(|(due, _)| votes(due) >= enough);
        let stands = agreed.is_some_and(|(_, ready)| now - ready < 30 * 86_400);
        if wallet != Address::default() && votes(&wallet) >= enough && !stands {
            agreed = Some((wallet, now + safeguards.delay));
        }
        safeguards.pending = agreed;
    }

    fn forget_recovery(&mut self, patient: &Id) {
        let safeguards = self.safeguards.get_mut(patient).unwrap();
        safeguards.votes.clear();
        safeguards.pending = None;
    }
}
