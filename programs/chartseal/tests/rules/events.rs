//! The bytes of events: what goes out comes back the same, and nothing else is an event.

use std::vec::IntoIter;

use anchor_lang::prelude::Address;
use chartseal_program::{
    events::*,
    log::{ChainKind, Link},
    membership::AnonymousTerms,
    vocabulary::*,
};
use proptest::prelude::*;

/// How many kinds of events there are.
const KINDS: usize = 53;

/// Values made of random bytes, and of zeros when these run out.
struct Source(IntoIter<u8>);

impl Source {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.0.next().unwrap_or_default())
    }

    fn address(&mut self) -> Address {
        Address::new_from_array(self.bytes())
    }

    fn word<T: Copy>(&mut self, all: &[T]) -> T {
        let [byte] = self.bytes();
        all[usize::from(byte) % all.len()]
    }

    fn number(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.bytes();
        byte
    }

    fn size(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    fn guardian(&mut self) -> GuardianNamed {
        GuardianNamed {
            wallet: self.address(),
            encryption_key: self.bytes(),
        }
    }

    fn several<T>(&mut self, one: fn(&mut Self) -> T) -> Vec<T> {
        let count = self.byte() % 6;
        (0..count).map(|_| one(self)).collect()
    }

    fn time(&mut self) -> i64 {
        i64::from_le_bytes(self.bytes())
    }

    fn link(&mut self) -> Link {
        Link {
            subject: self.bytes(),
            seq: self.size(),
            at: self.time(),
        }
    }

    fn actor(&mut self) -> Actor {
        Actor {
            kind: self.word(ActorKind::ALL),
            wallet: self.address(),
            credential: self.address(),
            institution: self.bytes(),
        }
    }

    fn content(&mut self) -> Content {
        Content {
            manifest_hash: self.bytes(),
            root: self.bytes(),
            locator: self.bytes(),
            padded_size: self.size(),
        }
    }

    fn terms(&mut self) -> Terms {
        let [rights, purposes] = self.bytes();
        Terms {
            record: self.bytes(),
            classes: self.number(),
            grantee_kind: self.word(GranteeKind::ALL),
            grantee: self.address(),
            grantee_key: self.bytes(),
            rights,
            purposes,
            not_before: self.time(),
            expires: self.time(),
            uses: self.number(),
        }
    }

    fn anonymous_terms(&mut self) -> AnonymousTerms {
        AnonymousTerms {
            rights: self.byte(),
            expires: self.time(),
            key: self.bytes(),
            commitment: self.bytes(),
        }
    }

    fn event(&mut self, kind: usize) -> AnyEvent {
        let (link, head) = (self.link(), self.bytes());
        match kind {
            0 => AnyEvent::RegistryCreated(RegistryCreated {
                link,
                admin: self.address(),
                head,
            }),
            1 => AnyEvent::AdminProposed(AdminProposed {
                link,
                proposed: self.address(),
                head,
            }),
            2 => AnyEvent::AdminAccepted(AdminAccepted {
                link,
                admin: self.address(),
                head,
            }),
            3 => AnyEvent::PauseSet(PauseSet {
                link,
                paused: self.word(&[false, true]),
                head,
            }),
            4 => AnyEvent::InstitutionRegistered(InstitutionRegistered {
                link,
                institution: self.address(),
                kind: self.word(InstitutionKind::ALL),
                authority: self.address(),
                expires: self.time(),
                head,
            }),
            5 => AnyEvent::InstitutionAccepted(InstitutionAccepted {
                link,
                encryption_key: self.bytes(),
                post_quantum_key_hash: self.bytes(),
                head,
            }),
            6 => AnyEvent::InstitutionStandingSet(InstitutionStandingSet {
                link,
                standing: self.word(Standing::ALL),
                head,
            }),
            7 => AnyEvent::InstitutionRenewed(InstitutionRenewed {
                link,
                expires: self.time(),
                head,
            }),
            8 => AnyEvent::AuthorityProposed(AuthorityProposed {
                link,
                proposed: self.address(),
                head,
            }),
            9 => AnyEvent::AuthorityAccepted(AuthorityAccepted {
                link,
                authority: self.address(),
                head,
            }),
            10 => AnyEvent::MemberRegistered(MemberRegistered {
                link,
                member: self.address(),
                member_id: self.bytes(),
                wallet: self.address(),
                role: self.word(Role::ALL),
                expires: self.time(),
                head,
            }),
            11 => AnyEvent::MembershipAccepted(MembershipAccepted {
                link,
                member: self.address(),
                encryption_key: self.bytes(),
                post_quantum_key_hash: self.bytes(),
                head,
            }),
            12 => AnyEvent::MemberStandingSet(MemberStandingSet {
                link,
                member: self.address(),
                standing: self.word(Standing::ALL),
                head,
            }),
            13 => AnyEvent::MemberRenewed(MemberRenewed {
                link,
                member: self.address(),
                expires: self.time(),
                head,
            }),
            14 => AnyEvent::EmergencyCredentialSet(EmergencyCredentialSet {
                link,
                member: self.address(),
                holds: self.word(&[false, true]),
                head,
            }),
            15 => AnyEvent::BatchAnchored(BatchAnchored {
                link,
                batch: self.bytes(),
                author: self.address(),
                wallet: self.address(),
                root: self.bytes(),
                locator: self.bytes(),
                count: self.number(),
                head,
            }),
            16 => AnyEvent::AgreementProposed(AgreementProposed {
                link,
                agreement: self.bytes(),
                provider: self.bytes(),
                classes: self.number(),
                purpose: self.word(Purpose::ALL),
                mint: self.address(),
                token_program: self.address(),
                escrow: self.address(),
                refund: self.address(),
                price: self.size(),
                expires: self.time(),
                head,
            }),
            17 => AnyEvent::AgreementAccepted(AgreementAccepted {
                link,
                agreement: self.bytes(),
                payee: self.address(),
                head,
            }),
            18 => AnyEvent::AgreementFunded(AgreementFunded {
                link,
                agreement: self.bytes(),
                received: self.size(),
                head,
            }),
            19 => AnyEvent::AgreementClosed(AgreementClosed {
                link,
                agreement: self.bytes(),
                by: self.address(),
                returned: self.size(),
                refund: self.address(),
                head,
            }),
            20 => AnyEvent::PatientOpened(PatientOpened {
                link,
                wallet: self.address(),
                steward: self.bytes(),
                encryption_key: self.bytes(),
                post_quantum_key_hash: self.bytes(),
                head,
            }),
            21 => AnyEvent::WalletProposed(WalletProposed {
                link,
                proposed: self.address(),
                by: self.address(),
                head,
            }),
            22 => AnyEvent::WalletAccepted(WalletAccepted {
                link,
                wallet: self.address(),
                encryption_key: self.bytes(),
                post_quantum_key_hash: self.bytes(),
                key_epoch: self.number(),
                head,
            }),
            23 => AnyEvent::PatientKeyRotated(PatientKeyRotated {
                link,
                encryption_key: self.bytes(),
                post_quantum_key_hash: self.bytes(),
                key_epoch: self.number(),
                head,
            }),
            24 => AnyEvent::DelegateNamed(DelegateNamed {
                link,
                delegate: self.bytes(),
                account: self.address(),
                wallet: self.address(),
                rights: self.byte(),
                expires: self.time(),
                head,
            }),
            25 => AnyEvent::DelegationAccepted(DelegationAccepted {
                link,
                delegate: self.bytes(),
                encryption_key: self.bytes(),
                post_quantum_key_hash: self.bytes(),
                head,
            }),
            26 => AnyEvent::DelegateRevoked(DelegateRevoked {
                link,
                delegate: self.bytes(),
                by: self.address(),
                head,
            }),
            27 => AnyEvent::GuardiansSet(GuardiansSet {
                link,
                guardians: self.several(Self::guardian),
                threshold: self.byte(),
                delay: self.time(),
                head,
            }),
            28 => AnyEvent::BreakGlassSet(BreakGlassSet {
                link,
                holders: self.several(Self::address),
                threshold: self.byte(),
                head,
            }),
            29 => AnyEvent::RecoveryVoted(RecoveryVoted {
                link,
                guardian: self.address(),
                wallet: self.address(),
                encryption_key: self.bytes(),
                votes: self.byte(),
                agreed: self.address(),
                ready_at: self.time(),
                head,
            }),
            30 => AnyEvent::RecoveryObjected(RecoveryObjected {
                link,
                wallet: self.address(),
                head,
            }),
            31 => AnyEvent::RecoveryFinished(RecoveryFinished {
                link,
                wallet: self.address(),
                encryption_key: self.bytes(),
                post_quantum_key_hash: self.bytes(),
                key_epoch: self.number(),
                head,
            }),
            32 => AnyEvent::RecordCreated(RecordCreated {
                link,
                request: self.bytes(),
                record: self.bytes(),
                class: self.byte(),
                author: self.actor(),
                purpose: self.word(Purpose::ALL),
                basis: self.word(Basis::ALL),
                under: self.bytes(),
                content: self.content(),
                head,
            }),
            33 => AnyEvent::RecordAmended(RecordAmended {
                link,
                request: self.bytes(),
                record: self.bytes(),
                version: self.number(),
                author: self.actor(),
                purpose: self.word(Purpose::ALL),
                basis: self.word(Basis::ALL),
                under: self.bytes(),
                content: self.content(),
                previous: self.bytes(),
                head,
            }),
            34 => AnyEvent::RecordPromoted(RecordPromoted {
                link,
                request: self.bytes(),
                record: self.bytes(),
                class: self.byte(),
                institution: self.bytes(),
                batch: self.bytes(),
                index: self.number(),
                author: self.address(),
                actor: self.actor(),
                purpose: self.word(Purpose::ALL),
                basis: self.word(Basis::ALL),
                under: self.bytes(),
                content: self.content(),
                head,
            }),
            35 => AnyEvent::RecordErased(RecordErased {
                link,
                record: self.bytes(),
                version: self.number(),
                by: self.address(),
                head,
            }),
            36 => AnyEvent::ErasureAttested(ErasureAttested {
                link,
                record: self.bytes(),
                actor: self.actor(),
                receipt: self.bytes(),
                head,
            }),
            37 => AnyEvent::GrantCreated(GrantCreated {
                link,
                grant: self.bytes(),
                issuer: self.address(),
                terms: self.terms(),
                head,
            }),
            38 => AnyEvent::GrantPassedOn(GrantPassedOn {
                link,
                request: self.bytes(),
                grant: self.bytes(),
                parent: self.bytes(),
                depth: self.byte(),
                actor: self.actor(),
                purpose: self.word(Purpose::ALL),
                terms: self.terms(),
                head,
            }),
            39 => AnyEvent::GrantRevoked(GrantRevoked {
                link,
                grant: self.bytes(),
                by: self.address(),
                head,
            }),
            40 => AnyEvent::PolicySet(PolicySet {
                link,
                institution: self.bytes(),
                classes: self.number(),
                purposes: self.byte(),
                enrols: self.word(&[false, true]),
                expires: self.time(),
                by: self.address(),
                head,
            }),
            41 => AnyEvent::AccessRequested(AccessRequested {
                link,
                request: self.bytes(),
                actor: self.actor(),
                record: self.bytes(),
                classes: self.number(),
                rights: self.byte(),
                purposes: self.byte(),
                until: self.time(),
                head,
            }),
            42 => AnyEvent::RequestDecided(RequestDecided {
                link,
                request: self.bytes(),
                approved: self.word(&[false, true]),
                by: self.address(),
                grant: self.bytes(),
                terms: self.terms(),
                head,
            }),
            43 => AnyEvent::EmergencyOpened(EmergencyOpened {
                link,
                emergency: self.bytes(),
                actor: self.actor(),
                reason_hash: self.bytes(),
                expires: self.time(),
                head,
            }),
            44 => AnyEvent::EmergencyReviewed(EmergencyReviewed {
                link,
                emergency: self.bytes(),
                reviewer: self.word(Reviewer::ALL),
                by: self.address(),
                verdict: self.word(Verdict::ALL),
                head,
            }),
            45 => AnyEvent::AccessSettled(AccessSettled {
                link,
                consumer: self.bytes(),
                agreement: self.bytes(),
                record: self.bytes(),
                version: self.number(),
                request: self.bytes(),
                wallet: self.address(),
                amount: self.size(),
                head,
            }),
            46 => AnyEvent::AccessAllowed(AccessAllowed {
                link,
                request: self.bytes(),
                record: self.bytes(),
                version: self.number(),
                actor: self.actor(),
                purpose: self.word(Purpose::ALL),
                basis: self.word(Basis::ALL),
                under: self.bytes(),
                head,
            }),
            47 => AnyEvent::AnonymousGrantCreated(AnonymousGrantCreated {
                link,
                record: self.bytes(),
                issuer: self.address(),
                tree: self.bytes(),
                index: self.number(),
                number: self.size(),
                root: self.bytes(),
                terms: self.anonymous_terms(),
                head,
            }),
            48 => AnyEvent::AnonymousGrantRevoked(AnonymousGrantRevoked {
                link,
                record: self.bytes(),
                by: self.address(),
                tree: self.bytes(),
                index: self.number(),
                number: self.size(),
                root: self.bytes(),
                head,
            }),
            49 => AnyEvent::TreeOpened(TreeOpened {
                link,
                by: self.address(),
                head,
            }),
            50 => AnyEvent::AccessProven(AccessProven {
                link,
                exchange: self.bytes(),
                nullifier: self.bytes(),
                handle: self.bytes(),
                verifier: self.address(),
                relayer: self.address(),
                epoch: self.size(),
                now: self.time(),
                rights: self.byte(),
                number: self.size(),
                head,
            }),
            51 => AnyEvent::NullifierClosed(NullifierClosed {
                link,
                nullifier: self.bytes(),
                payer: self.address(),
                head,
            }),
            _ => AnyEvent::ActionRefused(ActionRefused {
                link,
                request: self.bytes(),
                record: self.bytes(),
                action: self.word(Action::ALL),
                actor: self.actor(),
                purpose: self.word(Purpose::ALL),
                reason: self.word(Reason::ALL),
                claim: self.word(ClaimKind::ALL),
                under: self.bytes(),
                head,
            }),
        }
    }
}

fn any_event() -> impl Strategy<Value = AnyEvent> {
    (0..KINDS, proptest::collection::vec(any::<u8>(), 0..700))
        .prop_map(|(kind, bytes)| Source(bytes.into_iter()).event(kind))
}

fn one_of_each() -> Vec<AnyEvent> {
    (0..KINDS)
        .map(|kind| Source((1..=255).collect::<Vec<u8>>().into_iter()).event(kind))
        .collect()
}

proptest! {
    #[test]
    fn event_comes_back_as_it_went_out(event in any_event()) {
        let bytes = event.encode();
        prop_assert_eq!(AnyEvent::decode(&bytes), Ok(event.clone()));
        // Every link begins with its place and ends with its head.
        prop_assert_eq!(&bytes[8..24], &event.link().subject);
        prop_assert_eq!(&bytes[24..32], &event.link().seq.to_le_bytes());
        prop_assert_eq!(&bytes[32..40], &event.link().at.to_le_bytes());
        prop_assert_eq!(&bytes[bytes.len() - 32..], event.head());
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert_eq!(AnyEvent::decode(&bytes), Err(Malformed));
    }

    #[test]
    fn what_decodes_has_one_encoding(kind in 0..KINDS, body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = one_of_each()[kind].encode()[..8].to_vec();
        bytes.extend(body);
        if let Ok(event) = AnyEvent::decode(&bytes) {
            prop_assert_eq!(event.encode(), bytes);
        }
    }

    #[test]
    fn altered_event_is_another_event_or_none(event in any_event(), place in any::<prop::sample::Index>(), by in 1u8..) {
        let mut bytes = event.encode();
        let place = place.index(bytes.len());
        bytes[place] ^= by;
        if let Ok(other) = AnyEvent::decode(&bytes) {
            prop_assert_ne!(&other, &event);
            prop_assert_eq!(other.encode(), bytes);
        }
    }
}

#[test]
fn truncated_and_extended_events_are_malformed() {
    for event in one_of_each() {
        let bytes = event.encode();
        for len in 0..bytes.len() {
            assert_eq!(
                AnyEvent::decode(&bytes[..len]),
                Err(Malformed),
                "{} cut to {len}",
                event.name()
            );
        }
        for more in [&[0][..], &[0xFF; 32]] {
            let longer = [&bytes[..], more].concat();
            assert_eq!(AnyEvent::decode(&longer), Err(Malformed), "{} and more", event.name());
        }
    }
}

#[test]
fn names_and_discriminators_are_all_different() {
    let events = one_of_each();
    let mut names: Vec<_> = events.iter().map(AnyEvent::name).collect();
    let mut tags: Vec<_> = events.iter().map(|event| event.encode()[..8].to_vec()).collect();
    // The first two bytes alone tell entries of a ring apart.
    let ringed = |event: &&AnyEvent| matches!(event.chain(), ChainKind::Log | ChainKind::Refusals);
    let mut ring_tags: Vec<_> = events
        .iter()
        .filter(ringed)
        .map(|event| event.encode()[..2].to_vec())
        .collect();
    for count in [dedup(&mut names), dedup(&mut tags)] {
        assert_eq!(count, KINDS);
    }
    assert_eq!(dedup(&mut ring_tags), 30);
}

fn dedup<T: Ord>(values: &mut Vec<T>) -> usize {
    values.sort();
    values.dedup();
    values.len()
}

#[test]
fn events_of_a_chain_belong_to_it() {
    let of = |kind| one_of_each().iter().filter(|event| event.chain() == kind).count();
    assert_eq!(ChainKind::ALL.map(of), [4, 16, 29, 1, 3]);
}

#[test]
fn malformed_says_what_to_do() {
    assert!(Malformed.to_string().contains("upgrade"));
}
