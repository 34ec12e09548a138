//! What is written: the events of a health service that grows, as they come decoded from a ledger, with real hash chains.
//! The same seed makes the same events on every machine. Most of it is reading, as in any hospital; some of that refused.

use std::time::{SystemTime, UNIX_EPOCH};

use anchor_lang::{Event as _, prelude::Address};
use anyhow::{Context as _, Result, anyhow};
use chartseal_indexer::decode::{Located, Place};
use chartseal_program::{
    events::{
        AccessAllowed, ActionRefused, Actor, AnyEvent, Content, GrantCreated, InstitutionAccepted,
        InstitutionRegistered, MemberRegistered, MembershipAccepted, PatientOpened, RecordCreated, RegistryCreated,
        Terms,
    },
    log::{Chain, ChainKind, Chained, Link},
    seeds::{Id, NO_ID},
    state::UNLIMITED,
    vocabulary::{Action, ActorKind, Basis, ClaimKind, GranteeKind, InstitutionKind, Purpose, Reason, Role},
};

use crate::kills::Dice;

/// Institutions, and members of each.
const INSTITUTIONS: usize = 20;
const MEMBERS: usize = 25;
/// Events for each patient: one that opens it, its records and grants, and what is read and refused.
const RECORDS: usize = 2;
const EVENTS_PER_PATIENT: usize = 100;
/// Of a hundred attempts to read, how many are refused.
const REFUSED: u64 = 8;
/// Of a hundred grants, how many count their uses.
const COUNTED: u64 = 10;
const DAY: i64 = 86_400;
const NONE: Address = Address::new_from_array([0; 32]);

/// When it happens, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    begin: i64,
    span: i64,
}

impl Times {
    /// Two months that are long over.
    pub(super) const LONG_AGO: Self = Self {
        begin: 1_750_000_000,
        span: 60 * DAY,
    };

    /// The last five days, of which people are still notified.
    pub(super) fn recent() -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let span = 5 * DAY;
        Ok(Self {
            begin: i64::try_from(now)? - span,
            span,
        })
    }

    /// The end of so many times as long.
    fn after(self, spans: i64) -> i64 {
        self.begin + spans * self.span
    }
}

/// Transactions in the order of the ledger, with the events of each.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) transactions: Vec<Vec<Located>>,
}

impl Load {
    /// About so many events.
    pub(super) fn new(events: usize, times: Times) -> Result<Self> {
        let mut maker = Maker {
            times,
            dice: Dice::new(0x6368_6172_7473_6561),
            chains: std::collections::HashMap::new(),
            transactions: Vec::with_capacity(events),
            events: 0,
            wanted: events,
        };
        let members = maker.institutions()?;
        maker.patients(&members, events)?;
        Ok(Self {
            transactions: maker.transactions,
        })
    }
}

struct Member {
    actor: Actor,
    institution: Address,
}

struct Patient {
    id: Id,
    actor: Actor,
    records: Vec<Id>,
    /// A grant to an institution, and one to a member, which may count.
    grants: Vec<(Id, usize)>,
}

struct Maker {
    times: Times,
    dice: Dice,
    chains: std::collections::HashMap<(ChainKind, Id), Chain>,
    transactions: Vec<Vec<Located>>,
    events: usize,
    wanted: usize,
}

impl Maker {
    fn institutions(&mut self) -> Result<Vec<Member>> {
        let head = [0; 32];
        let expires = self.times.after(10);
        let admin = self.address();
        self.emit(&NO_ID, |link| RegistryCreated { link, admin, head })?;
        let kinds = [
            InstitutionKind::Hospital,
            InstitutionKind::Laboratory,
            InstitutionKind::Insurer,
        ];
        let roles = [Role::Doctor, Role::Nurse, Role::Technician];
        let mut members = Vec::new();
        for index in 0..INSTITUTIONS {
            let (id, account, authority) = (self.id(), self.address(), self.address());
            let kind = *kinds.get(index % 5).unwrap_or(&InstitutionKind::Hospital);
            self.emit(&id, |link| InstitutionRegistered {
                link,
                institution: account,
                kind,
                authority,
                expires,
                head,
            })?;
            let encryption_key = self.hash();
            self.emit(&id, |link| InstitutionAccepted {
                link,
                encryption_key,
                post_quantum_key_hash: head,
                head,
            })?;
            for number in 0..MEMBERS {
                let (member, member_id, wallet, key) = (self.address(), self.id(), self.address(), self.hash());
                let role = match kind {
                    InstitutionKind::Insurer => Role::Insurer,
                    _ => roles.get(number % roles.len()).copied().unwrap_or(Role::Doctor),
                };
                self.emit(&id, |link| MemberRegistered {
                    link,
                    member,
                    member_id,
                    wallet,
                    role,
                    expires,
                    head,
                })?;
                self.emit(&id, |link| MembershipAccepted {
                    link,
                    member,
                    encryption_key: key,
                    post_quantum_key_hash: head,
                    head,
                })?;
                members.push(Member {
                    actor: Actor {
                        kind: ActorKind::Member,
                        wallet,
                        credential: member,
                        institution: id,
                    },
                    institution: account,
                });
            }
        }
        Ok(members)
    }

    /// Opens patients one by one; between them those that are there are read about.
    fn patients(&mut self, members: &[Member], events: usize) -> Result<()> {
        let mut patients: Vec<Patient> = Vec::new();
        while self.events < events {
            let until = self.events + EVENTS_PER_PATIENT;
            let patient = self.open(members)?;
            patients.push(patient);
            while self.events < until.min(events) {
                let patient = patients.swap_remove(self.below(patients.len()));
                self.read(&patient, members)?;
                patients.push(patient);
            }
        }
        Ok(())
    }

    fn open(&mut self, members: &[Member]) -> Result<Patient> {
        let head = [0; 32];
        let (id, wallet, key) = (self.id(), self.address(), self.hash());
        self.emit(&id, |link| PatientOpened {
            link,
            wallet,
            steward: NO_ID,
            encryption_key: key,
            post_quantum_key_hash: head,
            head,
        })?;
        let mut patient = Patient {
            id,
            actor: Actor {
                kind: ActorKind::Patient,
                wallet,
                credential: NONE,
                institution: NO_ID,
            },
            records: Vec::new(),
            grants: Vec::new(),
        };
        for _ in 0..RECORDS {
            let (record, request) = (self.id(), self.id());
            let author = self.one_of(members)?.1.actor;
            let content = Content {
                manifest_hash: self.hash(),
                root: self.hash(),
                locator: self.hash(),
                padded_size: 65_536 * (1 + self.dice.below(500)),
            };
            let class = u8::try_from(self.dice.below(8)).unwrap_or(0);
            self.emit(&id, |link| RecordCreated {
                link,
                request,
                record,
                class,
                author,
                purpose: Purpose::Treatment,
                basis: Basis::Consent,
                under: NO_ID,
                content,
                head,
            })?;
            patient.records.push(record);
        }
        for kind in [GranteeKind::Institution, GranteeKind::Member] {
            let (grant, (index, member)) = (self.id(), self.one_of(members)?);
            let counted = self.dice.below(100) < COUNTED;
            let terms = Terms {
                record: NO_ID,
                classes: 0xff,
                grantee_kind: kind,
                grantee: match kind {
                    GranteeKind::Institution => member.institution,
                    _ => member.actor.credential,
                },
                grantee_key: head,
                rights: Action::Read.bit(),
                purposes: Purpose::Treatment.bit() | Purpose::Payment.bit(),
                not_before: 0,
                expires: self.times.after(2),
                uses: if counted { 1_000 } else { UNLIMITED },
            };
            self.emit(&id, |link| GrantCreated {
                link,
                grant,
                issuer: wallet,
                terms,
                head,
            })?;
            patient.grants.push((grant, index));
        }
        Ok(patient)
    }

    fn read(&mut self, patient: &Patient, members: &[Member]) -> Result<()> {
        let head = [0; 32];
        let request = self.id();
        let record = *patient
            .records
            .get(self.below(RECORDS))
            .context("a patient has too few records")?;
        if self.dice.below(100) < REFUSED {
            let actor = self.one_of(members)?.1.actor;
            let reasons = [Reason::NoGrant, Reason::RoleForbidsPurpose, Reason::PurposeNotGranted];
            let reason = *reasons.get(self.below(reasons.len())).unwrap_or(&Reason::NoGrant);
            return self.emit(&patient.id, |link| ActionRefused {
                link,
                request,
                record,
                action: Action::Read,
                actor,
                purpose: Purpose::Payment,
                reason,
                claim: ClaimKind::Nothing,
                under: NO_ID,
                head,
            });
        }
        let (actor, purpose, basis, under) = match self.dice.below(10) {
            0 => (patient.actor, Purpose::Personal, Basis::Patient, NO_ID),
            1..=3 => (self.one_of(members)?.1.actor, Purpose::Treatment, Basis::Author, NO_ID),
            _ => {
                let (grant, to) = *patient
                    .grants
                    .get(self.below(2))
                    .context("a patient has too few grants")?;
                let member = members.get(to).context("a grant to nobody")?;
                (member.actor, Purpose::Treatment, Basis::Grant, grant)
            }
        };
        self.emit(&patient.id, |link| AccessAllowed {
            link,
            request,
            record,
            version: 1,
            actor,
            purpose,
            basis,
            under,
            head,
        })
    }

    /// A transaction of one event, the next link of its chain.
    fn emit<E: Chained>(&mut self, subject: &Id, event: impl FnOnce(Link) -> E) -> Result<()> {
        let wanted = i64::try_from(self.wanted.max(1))?;
        let index = i64::try_from(self.events)?;
        let Times { begin, span } = self.times;
        let at = begin + span * index / wanted;
        let chain = self
            .chains
            .entry((E::CHAIN, *subject))
            .or_insert_with(|| Chain::begin(E::CHAIN, subject));
        let encoded = chain
            .extend(subject, at, event)
            .map_err(|_| anyhow!("a chain is full"))?;
        let bytes = encoded.data();
        let event = AnyEvent::decode(&bytes).map_err(|error| anyhow!("{error}"))?;
        let slot = u64::try_from((at - begin) * 5 / 2)?;
        let mut blockhash = [9; 32];
        blockhash[..8].copy_from_slice(&slot.to_le_bytes());
        let mut signature = [0; 64];
        for part in signature.chunks_mut(4) {
            part.copy_from_slice(&u32::try_from(self.dice.below(1 << 31))?.to_le_bytes());
        }
        let place = Place {
            signature,
            outer: 0,
            inner: 0,
            slot,
            blockhash,
            block_time: Some(at),
        };
        self.transactions.push(vec![Located { place, bytes, event }]);
        self.events += 1;
        Ok(())
    }

    fn one_of<'a>(&mut self, members: &'a [Member]) -> Result<(usize, &'a Member)> {
        let index = self.below(members.len());
        Ok((index, members.get(index).context("no member")?))
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.dice.below(most.max(1) as u64)).unwrap_or(0)
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for part in bytes.chunks_mut(4) {
            let word = self.dice.below(1 << 31).to_le_bytes();
            let length = part.len();
            part.copy_from_slice(&word[..length]);
        }
        bytes
    }

    fn id(&mut self) -> Id {
        self.bytes()
    }

    fn hash(&mut self) -> [u8; 32] {
        self.bytes()
    }

    fn address(&mut self) -> Address {
        Address::new_from_array(self.bytes())
    }
}
