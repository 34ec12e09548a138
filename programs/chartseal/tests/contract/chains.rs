//! The log is provably whole: whoever holds the events comes to the very heads that stand on chain, and to no other
//! ones where an event is missing, added, moved or altered.

use std::collections::BTreeMap;

use anchor_lang::{prelude::Address, Discriminator};
use chartseal_program::{
    builders::{self as ix, As},
    events::{AnyEvent, Terms},
    instructions::*,
    log::{Chain as HashChain, ChainKind},
    seeds::{address, Id, NO_ID},
    state::*,
    vocabulary::*,
    ID,
};
use sha2::{Digest, Sha256};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{anonymous::Unnamed, common::*};

/// A small generator (SplitMix64), so that a session that fails can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

/// What a session has made so far.
struct Session {
    world: World,
    dice: Dice,
    bodies: Vec<Body>,
    members: Vec<Person>,
    patients: Vec<Owner>,
    /// Record and the patient whose it is.
    records: Vec<(Id, Owner)>,
    /// Grant, whose it is, and a member who may act by it.
    grants: Vec<(Id, Owner, Person)>,
    tree: Id,
    /// Grants without a name that stand.
    unnamed: Vec<(Unnamed, Owner)>,
    went_through: usize,
}

impl Session {
    fn begin(seed: u64) -> Self {
        let mut world = World::new();
        Self {
            tree: world.open_tree(),
            unnamed: Vec::new(),
            bodies: vec![world.hospital.clone(), world.insurance.clone()],
            members: vec![world.doctor.clone(), world.insurer.clone()],
            patients: vec![world.patient.clone()],
            records: Vec::new(),
            grants: Vec::new(),
            world,
            dice: Dice(seed),
            went_through: 0,
        }
    }

    /// Sends what may fail: then it leaves nothing.
    fn try_to(&mut self, instruction: solana_instruction::Instruction, signers: &[&Keypair]) -> Option<AnyEvent> {
        let done = self.world.chain.send(&[instruction], signers).ok()?;
        self.went_through += 1;
        Some(done.event)
    }

    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            match self.dice.roll(22) {
                0 => self.administer(),
                1 => self.register(),
                2 => self.open(),
                3 => self.stand(),
                4..=6 => self.grant(),
                7 => self.revoke(),
                8..=10 => self.create(),
                11 | 12 => self.amend(),
                13 => self.grant_unnamed(),
                14 => self.revoke_unnamed(),
                _ => self.access(),
            }
            let pause = self.dice.roll(300) as i64;
            self.world.wait(pause);
        }
    }

    fn administer(&mut self) {
        let admin = self.world.chain.admin.insecure_clone();
        if self.dice.roll(2) == 0 {
            self.try_to(ix::set_paused(admin.pubkey(), true), &[&admin]);
            self.access();
            self.try_to(ix::set_paused(admin.pubkey(), false), &[&admin]);
        } else {
            let next = self.world.chain.wallet();
            self.try_to(ix::propose_admin(admin.pubkey(), next.pubkey()), &[&admin]);
            if self.try_to(ix::accept_admin(next.pubkey()), &[&next]).is_some() {
                self.world.chain.admin = next;
            }
        }
    }

    fn register(&mut self) {
        let n = u64::from_le_bytes(self.world.id()[..8].try_into().unwrap());
        if self.dice.roll(3) == 0 {
            let kind = *self
                .dice
                .pick(&[InstitutionKind::Hospital, InstitutionKind::Laboratory]);
            let body = self.world.chain.institution(n, kind);
            self.bodies.push(body);
        } else {
            let body = self.dice.pick(&self.bodies).clone();
            let (wallet, authority) = (self.world.chain.wallet(), body.authority.pubkey());
            let role = *self.dice.pick(Role::ALL);
            let expires = self.world.chain.now() + DAY;
            let args = RegisterMemberArgs {
                id: id(n),
                wallet: wallet.pubkey(),
                role,
                expires,
            };
            self.try_to(
                ix::register_member(authority, authority, &body.id, args),
                &[&body.authority],
            );
            self.try_to(
                ix::accept_membership(wallet.pubkey(), &body.id, &id(n), keys(9)),
                &[&wallet],
            );
            self.members.push(Person {
                institution: body.id,
                id: id(n),
                wallet,
            });
        }
    }

    fn open(&mut self) {
        let n = u64::from_le_bytes(self.world.id()[..8].try_into().unwrap());
        if self.dice.roll(2) == 0 {
            let owner = self.world.chain.patient(n);
            self.patients.push(owner);
        } else {
            let body = self.dice.pick(&self.bodies).clone();
            let (id, authority) = (id(n), body.authority.pubkey());
            let args = OpenPatientArgs { id, keys: keys(8) };
            let open = ix::open_patient(authority, authority, Some(&body.id), args);
            if self.try_to(open, &[&body.authority]).is_some() {
                self.patients.push(Owner {
                    id,
                    wallet: Keypair::new(),
                });
            }
        }
    }

    fn stand(&mut self) {
        let standing = *self
            .dice
            .pick(&[Standing::Active, Standing::Active, Standing::Suspended]);
        if self.dice.roll(4) == 0 {
            let (admin, body) = (
                self.world.chain.admin.insecure_clone(),
                self.dice.pick(&self.bodies).clone(),
            );
            self.try_to(
                ix::set_institution_standing(admin.pubkey(), &body.id, standing),
                &[&admin],
            );
        } else {
            let member = self.dice.pick(&self.members).clone();
            let body = self
                .bodies
                .iter()
                .find(|body| body.id == member.institution)
                .unwrap()
                .clone();
            let set = ix::set_member_standing(body.authority.pubkey(), &body.id, &member.id, standing);
            self.try_to(set, &[&body.authority]);
        }
    }

    fn grant(&mut self) {
        let owner = self.dice.pick(&self.patients).clone();
        self.world.patient = owner.clone();
        let member = self.dice.pick(&self.members).clone();
        let (kind, grantee) = match self.dice.roll(5) {
            0 | 1 => (GranteeKind::Member, member.address()),
            2 | 3 => (GranteeKind::Institution, address::institution(&member.institution)),
            _ => (GranteeKind::Person, member.wallet.pubkey()),
        };
        let uses = *self.dice.pick(&[1, 2, UNLIMITED]);
        let id = self.world.grant_id();
        let args = CreateGrantArgs {
            id,
            terms: Terms {
                uses,
                ..self.world.terms(kind, grantee)
            },
        };
        let wallet = &owner.wallet;
        self.world.chain.fund(&wallet.pubkey());
        if self
            .try_to(
                ix::create_grant(&owner.deciding(), wallet.pubkey(), &owner.id, args),
                &[wallet],
            )
            .is_some()
        {
            self.grants.push((id, owner, member));
        }
    }

    fn grant_unnamed(&mut self) {
        if self.records.is_empty() {
            return;
        }
        let (record, owner) = self.dice.pick(&self.records).clone();
        let (secret, terms) = self.world.invitation();
        let (wallet, subject) = (&owner.wallet, (&owner.id, &record));
        let grant = ix::create_anonymous_grant(&owner.deciding(), wallet.pubkey(), subject, &self.tree, terms);
        if let Some(AnyEvent::AnonymousGrantCreated(event)) = self.try_to(grant, &[wallet]) {
            let unnamed = Unnamed {
                tree: event.tree,
                patient: owner.id,
                record,
                index: event.index,
                terms,
                secret,
            };
            self.unnamed.push((unnamed, owner));
        }
    }

    fn revoke_unnamed(&mut self) {
        if self.unnamed.is_empty() {
            return;
        }
        let at = self.dice.roll(self.unnamed.len());
        let (grant, owner) = self.unnamed.swap_remove(at);
        let args = self.world.revocation(&grant);
        let subject = (&grant.patient, &grant.record);
        let revoke = ix::revoke_anonymous_grant(&owner.deciding(), subject, &grant.tree, args);
        self.try_to(revoke, &[&owner.wallet]);
    }

    fn revoke(&mut self) {
        if self.grants.is_empty() {
            return;
        }
        let (grant, owner, _) = self.dice.pick(&self.grants).clone();
        self.try_to(ix::revoke_grant(&owner.deciding(), &owner.id, &grant), &[&owner.wallet]);
    }

    /// A member: mostly one with a grant of this patient, sometimes any, who claims any.
    fn actor(&mut self, owner: &Owner) -> (Keypair, As) {
        let any = self.dice.pick(&self.members).clone();
        let theirs: Vec<_> = self
            .grants
            .iter()
            .filter(|(_, of, _)| of.id == owner.id)
            .cloned()
            .collect();
        let (grant, member) = match self.dice.roll(6) {
            0 => (None, any),
            _ if theirs.is_empty() => (None, any),
            1 => (Some(self.dice.pick(&theirs).0), any),
            _ => {
                let (grant, _, member) = self.dice.pick(&theirs).clone();
                (Some(grant), member)
            }
        };
        (
            member.wallet.insecure_clone(),
            As {
                grant,
                ..member.acting()
            },
        )
    }

    fn create(&mut self) {
        let owner = self.dice.pick(&self.patients).clone();
        self.world.patient = owner.clone();
        let (wallet, acting) = self.actor(&owner);
        let args = CreateRecordArgs {
            grant: acting.claimed(),
            ..self.world.record_args(0)
        };
        let create = ix::create_record(&acting, wallet.pubkey(), None, &owner.id, args);
        if let Some(AnyEvent::RecordCreated(event)) = self.try_to(create, &[&wallet]) {
            self.records.push((event.record, owner));
        }
    }

    fn amend(&mut self) {
        if self.records.is_empty() {
            return;
        }
        let (record, owner) = self.dice.pick(&self.records).clone();
        let (wallet, acting) = self.actor(&owner);
        let version = self
            .world
            .chain
            .read::<Record>(&address::record(&owner.id, &record))
            .version;
        let args = AmendRecordArgs {
            request: self.world.id(),
            expected_version: version - self.dice.roll(4) as u32 / 3,
            purpose: Purpose::Treatment,
            grant: acting.claimed(),
            content: content(self.dice.roll(200) as u8),
        };
        self.try_to(ix::amend_record(&acting, None, &owner.id, &record, args), &[&wallet]);
    }

    fn access(&mut self) {
        if self.records.is_empty() {
            return;
        }
        let (record, owner) = self.dice.pick(&self.records).clone();
        self.world.patient = owner.clone();
        let (wallet, acting) = match self.dice.roll(6) {
            0 => (owner.wallet.insecure_clone(), owner.acting()),
            _ => self.actor(&owner),
        };
        self.world.chain.fund(&wallet.pubkey());
        let purpose = *self.dice.pick(Purpose::ALL);
        let access = self.world.access_ix(&acting, record, purpose);
        self.try_to(access, &[&wallet]);
    }
}

type Heads = BTreeMap<(ChainKind, Id), HashChain>;

/// Follows every event from each chain's beginning. `None` where one does not fit.
fn replay(events: &[Vec<u8>]) -> Option<Heads> {
    let mut heads = Heads::new();
    for bytes in events {
        let event = AnyEvent::decode(bytes).ok()?;
        let (kind, link) = (event.chain(), event.link());
        let chain = heads
            .entry((kind, link.subject))
            .or_insert_with(|| HashChain::begin(kind, &link.subject));
        *chain = chain.follow(kind, &link.subject, link.seq, bytes)?;
        assert_eq!(chain.head, *event.head());
    }
    Some(heads)
}

/// The heads that stand on chain, of every account that has one. Chains without a link are left out.
fn on_chain(chain: &Chain) -> Heads {
    let mut heads = Heads::new();
    for (address, data) in chain.state() {
        let (key, head) = if data.starts_with(Registry::DISCRIMINATOR) {
            ((ChainKind::Registry, NO_ID), chain.read::<Registry>(&address).chain)
        } else if data.starts_with(Institution::DISCRIMINATOR) {
            let institution: Institution = chain.read(&address);
            ((ChainKind::Institution, institution.id), institution.chain)
        } else if data.starts_with(AccessLog::DISCRIMINATOR) {
            let log: AccessLog = chain.read(&address);
            ((ChainKind::Log, log.patient), log.chain)
        } else if data.starts_with(RefusalLog::DISCRIMINATOR) {
            let log: RefusalLog = chain.read(&address);
            ((ChainKind::Refusals, log.patient), log.chain)
        } else if data.starts_with(GrantTree::DISCRIMINATOR) {
            let tree: GrantTree = chain.read(&address);
            ((ChainKind::Tree, tree.id), tree.chain)
        } else {
            continue;
        };
        if head.seq == 0 {
            assert_eq!(head, HashChain::begin(key.0, &key.1));
        } else {
            heads.insert(key, head);
        }
    }
    heads
}

/// What the rings must hold, from the events alone.
fn ring(events: &[AnyEvent]) -> [Option<(u64, i64, Address)>; RING] {
    let mut ring = [None; RING];
    for event in events {
        let signer = match event {
            AnyEvent::PatientOpened(_) => None,
            AnyEvent::RecordCreated(event) => Some(event.author.wallet),
            AnyEvent::RecordAmended(event) => Some(event.author.wallet),
            AnyEvent::GrantCreated(event) => Some(event.issuer),
            AnyEvent::GrantRevoked(event) => Some(event.by),
            AnyEvent::AnonymousGrantCreated(event) => Some(event.issuer),
            AnyEvent::AnonymousGrantRevoked(event) => Some(event.by),
            AnyEvent::AccessAllowed(event) => Some(event.actor.wallet),
            AnyEvent::ActionRefused(event) => Some(event.actor.wallet),
            other => panic!("{} is in no ring", other.name()),
        };
        let link = event.link();
        ring[link.seq as usize % RING] = Some((link.seq, link.at, signer.unwrap_or_default()));
    }
    ring
}

fn session(seed: u64, steps: usize) -> Session {
    println!("session of seed {seed}");
    let mut session = Session::begin(seed);
    session.run(steps);
    session
}

#[test]
fn whoever_holds_the_events_comes_to_the_heads_on_chain() {
    let session = session(1, 600);
    let chain = &session.world.chain;
    assert!(
        session.went_through > 300,
        "{} steps went through",
        session.went_through
    );
    let heads = replay(&chain.emitted).expect("every event follows the one before");
    assert_eq!(heads, on_chain(chain));
    for kind in ChainKind::ALL {
        assert!(
            heads.keys().any(|(of, _)| *of == kind),
            "the session has a {} chain",
            kind.word()
        );
    }
}

#[test]
fn rings_hold_the_last_entries_of_their_chains() {
    let session = session(2, 400);
    let chain = &session.world.chain;
    let events: Vec<_> = chain
        .emitted
        .iter()
        .map(|bytes| AnyEvent::decode(bytes).unwrap())
        .collect();
    let mut full = 0;
    for owner in &session.patients {
        let of = |kind| -> Vec<AnyEvent> {
            let theirs = events
                .iter()
                .filter(|event| event.chain() == kind && event.link().subject == owner.id);
            theirs.cloned().collect()
        };
        let log: AccessLog = chain.read(&address::access_log(&owner.id));
        let refusals: RefusalLog = chain.read(&address::refusal_log(&owner.id));
        for (kind, ring_on_chain) in [(ChainKind::Log, log.ring), (ChainKind::Refusals, refusals.ring)] {
            let events = of(kind);
            full += usize::from(events.len() > RING);
            for (expected, entry) in ring(&events).into_iter().zip(ring_on_chain.entries) {
                let Some((seq, at, signer)) = expected else {
                    assert_eq!(entry.seq, 0, "an entry that was never written");
                    continue;
                };
                assert_eq!((entry.seq, entry.at), (seq, at));
                if signer != Address::default() {
                    assert_eq!(entry.wallet, signer);
                }
            }
        }
    }
    assert!(full > 0, "at least one ring went round");
}

#[test]
fn event_that_is_left_out_doubled_or_moved_shows() {
    let session = session(3, 120);
    let (chain, events) = (&session.world.chain, &session.world.chain.emitted);
    let heads = on_chain(chain);
    let shows = |events: &[Vec<u8>]| replay(events).is_none_or(|replayed| replayed != heads);
    assert!(!shows(events));
    for place in 0..events.len() {
        let mut without = events.clone();
        without.remove(place);
        assert!(shows(&without), "event {place} was left out");
        let mut doubled = events.clone();
        doubled.insert(place, events[place].clone());
        assert!(shows(&doubled), "event {place} was doubled");
    }
    let decoded: Vec<_> = events.iter().map(|bytes| AnyEvent::decode(bytes).unwrap()).collect();
    for (one, other) in (0..events.len()).zip(1..events.len()) {
        let chain_of = |place: usize| (decoded[place].chain(), decoded[place].link().subject);
        if chain_of(one) == chain_of(other) {
            let mut moved = events.clone();
            moved.swap(one, other);
            assert!(shows(&moved), "events {one} and {other} changed places");
        }
    }
}

#[test]
fn changing_any_byte_of_an_event_breaks_the_chain() {
    let mut kinds = BTreeMap::new();
    for session in [session(4, 600), session(5, 600)] {
        let mut before = Heads::new();
        for bytes in &session.world.chain.emitted {
            let event = AnyEvent::decode(bytes).unwrap();
            let (kind, link) = (event.chain(), *event.link());
            let chain = *before
                .entry((kind, link.subject))
                .or_insert_with(|| HashChain::begin(kind, &link.subject));
            // One event of each kind is enough: they are many bytes.
            if kinds.insert(event.name(), ()).is_none() {
                for place in 0..bytes.len() {
                    for bit in [1, 0x80] {
                        let mut altered = bytes.clone();
                        altered[place] ^= bit;
                        let follows = chain.follow(kind, &link.subject, link.seq, &altered);
                        assert_eq!(follows, None, "byte {place} of {}", event.name());
                    }
                }
                for other in ChainKind::ALL.into_iter().filter(|other| *other != kind) {
                    assert_eq!(chain.follow(other, &link.subject, link.seq, bytes), None);
                }
                assert_eq!(chain.follow(kind, &[0xEE; 16], link.seq, bytes), None);
                assert_eq!(chain.follow(kind, &link.subject, link.seq + 1, bytes), None);
                assert_eq!(chain.follow(kind, &link.subject, link.seq, &bytes[..31]), None);
                assert_eq!(chain.follow(kind, &link.subject, link.seq, &[]), None);
            }
            before.insert(
                (kind, link.subject),
                chain.follow(kind, &link.subject, link.seq, bytes).unwrap(),
            );
        }
    }
    assert!(kinds.len() == 20, "the session emitted only {:?}", kinds.keys());
}

#[test]
fn head_is_the_hash_that_the_documentation_gives() {
    let mut world = World::new();
    world.patient = world.chain.patient(90);
    let patient = world.patient.id;
    let opened = world.chain.emitted.last().unwrap().clone();
    // Written out byte by byte, from `docs` alone: nothing of the program is called.
    let mut first = Sha256::new();
    first.update(b"chartseal/log/v1");
    first.update(ID.to_bytes());
    first.update(patient);
    let first = first.finalize();
    let mut second = Sha256::new();
    second.update(b"chartseal/log/v1");
    second.update(ID.to_bytes());
    second.update(patient);
    second.update([1, 0, 0, 0, 0, 0, 0, 0]);
    second.update(first);
    second.update(&opened[..opened.len() - 32]);
    let second: [u8; 32] = second.finalize().into();
    assert_eq!(world.log().chain.head, second);
    assert_eq!(opened[opened.len() - 32..], second);
    // The event itself: discriminator, link, wallet, steward, two keys.
    assert_eq!(opened[..8], Sha256::digest(b"event:PatientOpened")[..8]);
    assert_eq!(opened[8..24], patient);
    assert_eq!(opened[24..32], 1u64.to_le_bytes());
    assert_eq!(opened[32..40], GENESIS.to_le_bytes());
    assert_eq!(opened[40..72], world.patient.wallet.pubkey().to_bytes());
    assert_eq!(opened[72..88], NO_ID);
    assert_eq!(opened[88..120], [3; 32]);
    assert_eq!(opened[120..152], [0; 32]);
    assert_eq!(opened.len(), 152 + 32);
}

#[test]
fn domains_of_the_chains_are_fixed() {
    let domains = ChainKind::ALL.map(|kind| (kind.word(), kind.domain()));
    let expected: [(&str, &[u8]); 5] = [
        ("registry", b"chartseal/registry/v1"),
        ("institution", b"chartseal/institution/v1"),
        ("log", b"chartseal/log/v1"),
        ("refusals", b"chartseal/refusals/v1"),
        ("tree", b"chartseal/tree/v1"),
    ];
    assert_eq!(domains, expected);
    for kind in ChainKind::ALL {
        assert_eq!(ChainKind::from_word(kind.word()), Some(kind));
    }
    assert_eq!(ChainKind::from_word("ledger"), None);
}

#[test]
fn chain_without_room_for_a_link_is_an_error() {
    let mut world = World::new();
    let (record, doctor) = (world.record(), world.doctor.clone());
    let log = address::access_log(&world.patient.id);
    world.chain.edit(&log, |log: &mut AccessLog| log.chain.seq = u64::MAX);
    let access = world.access_ix(&doctor.acting(), record, Purpose::Treatment);
    world
        .chain
        .refuse(access, &[&doctor.wallet], chartseal_program::ChartsealError::Overflow);
    let full = HashChain {
        seq: u64::MAX,
        head: [0; 32],
    };
    assert_eq!(full.follow(ChainKind::Log, &world.patient.id, 0, &[0; 64]), None);
}
