//! A grant that was passed on lives as long as every grant that it descends from, and each use counts against all.

use chartseal_program::{
    builders::{self as ix, As, By},
    events::{AnyEvent, Terms},
    instructions::CreateGrantArgs,
    seeds::{address, Id},
    state::{Grant, Member, UNLIMITED},
    vocabulary::*,
};
use solana_signer::Signer;

use crate::{common::*, people::*};

/// A record of the patient's own, and a grant that was passed on three times.
struct Descent {
    world: World,
    chain: PassedOn,
    record: Id,
}

impl Descent {
    fn new() -> Self {
        Self::of(|_| {})
    }

    fn of(change: impl FnOnce(&mut Terms)) -> Self {
        let mut world = World::new();
        // Written by the patient, so that no holder is its author.
        let patient = world.patient.clone();
        let (record, _) = world.write(&patient.wallet, &patient.acting(), 0, Purpose::Personal);
        let chain = world.passed_on(change);
        Self { world, chain, record }
    }

    fn read(&mut self, depth: usize) -> Result<Basis, Reason> {
        self.read_as(depth, self.chain.acting(depth))
    }

    fn read_as(&mut self, depth: usize, acting: As) -> Result<Basis, Reason> {
        let (wallet, record) = (self.chain.wallet(depth).insecure_clone(), self.record);
        self.world.verdict(&wallet, acting, record, Purpose::Treatment)
    }

    fn edit(&mut self, depth: usize, change: impl FnOnce(&mut Grant)) {
        let at = address::grant(&self.world.patient.id, &self.chain.grants[depth]);
        self.world.chain.edit(&at, change);
    }

    fn left(&self) -> [u32; 4] {
        self.chain.grants.map(|grant| self.world.granted(&grant).uses_left)
    }

    /// Kills the grant at one depth, and checks that it and all below it are dead and all above live.
    #[track_caller]
    fn dies_at(&mut self, dead: usize, own: Reason, change: impl Fn(&mut Grant)) {
        let before = self.world.clone();
        self.edit(dead, &change);
        for depth in 0..4 {
            let expected = match depth {
                _ if depth < dead => Ok(Basis::Grant),
                _ if depth == dead => Err(own),
                _ => Err(Reason::AncestorLapsed),
            };
            assert_eq!(self.read(depth), expected, "depth {depth}, dead at {dead}");
        }
        self.world = before;
    }
}

#[test]
fn every_holder_reads_by_its_own_grant() {
    let mut case = Descent::new();
    for depth in 0..4 {
        let (wallet, acting, record) = (
            case.chain.wallet(depth).insecure_clone(),
            case.chain.acting(depth),
            case.record,
        );
        let done = case.world.access(&wallet, acting, record, Purpose::Treatment).unwrap();
        let AnyEvent::AccessAllowed(event) = done.event else {
            panic!()
        };
        assert_eq!((event.basis, event.under), (Basis::Grant, case.chain.grants[depth]));
    }
}

#[test]
fn ancestor_that_is_revoked_expired_not_yet_valid_or_exhausted_takes_all_below_with_it() {
    let mut case = Descent::new();
    for dead in 0..4 {
        case.dies_at(dead, Reason::GrantRevoked, |grant| grant.revoked = 1);
        case.dies_at(dead, Reason::GrantExpired, |grant| grant.expires = GENESIS);
        case.dies_at(dead, Reason::GrantNotYetValid, |grant| grant.not_before = GENESIS + 1);
        case.dies_at(dead, Reason::GrantExhausted, |grant| grant.uses_left = 0);
    }
}

#[test]
fn revoking_the_patients_own_is_one_write_and_ends_all() {
    let mut case = Descent::new();
    let root = case.chain.grants[0];
    case.world.revoke(root);
    assert_eq!(case.read(0), Err(Reason::GrantRevoked));
    for depth in 1..4 {
        assert_eq!(case.read(depth), Err(Reason::AncestorLapsed));
        let grant = case.world.granted(&case.chain.grants[depth]);
        assert_eq!(grant.revoked, 0);
    }
}

#[test]
fn holder_in_the_middle_who_revokes_ends_what_is_below_only() {
    let mut case = Descent::new();
    let (wallet, child) = (case.chain.wallet(1).insecure_clone(), case.chain.grants[2]);
    let revoke = ix::revoke_grant(&By::wallet(wallet.pubkey()), &case.world.patient.id, &child);
    case.world.chain.must(revoke, &[&wallet]);
    let verdicts: Vec<_> = (0..4).map(|depth| case.read(depth)).collect();
    assert_eq!(
        verdicts,
        [
            Ok(Basis::Grant),
            Ok(Basis::Grant),
            Err(Reason::GrantRevoked),
            Err(Reason::AncestorLapsed)
        ]
    );
}

#[test]
fn ancestor_lapses_at_the_very_second() {
    let mut case = Descent::new();
    case.edit(1, |grant| grant.expires = GENESIS + 10);
    case.edit(0, |grant| grant.not_before = GENESIS + 5);
    for (at, verdict) in [
        (4, Err(Reason::AncestorLapsed)),
        (5, Ok(Basis::Grant)),
        (9, Ok(Basis::Grant)),
        (10, Err(Reason::AncestorLapsed)),
        (11, Err(Reason::AncestorLapsed)),
    ] {
        case.world.chain.set_time(GENESIS + at);
        assert_eq!(case.read(3), verdict, "after {at} s");
        assert_eq!(case.read(2), verdict, "after {at} s");
    }
}

#[test]
fn ancestor_left_out_is_missed() {
    let mut case = Descent::new();
    let [root, first, second, _] = case.chain.grants.map(Some);
    for depth in 1..4 {
        let acting = case.chain.acting(depth);
        let whole = acting.ancestors;
        for missing in 0..depth {
            let mut ancestors = whole;
            ancestors[missing] = None;
            let verdict = case.read_as(depth, As { ancestors, ..acting });
            assert_eq!(verdict, Err(Reason::AncestorMissing), "depth {depth} without {missing}");
        }
    }
    // Nor do they stand in another order.
    let acting = case.chain.acting(3);
    for ancestors in [
        [first, second, root],
        [second, root, first],
        [root, first, second],
        [second, root, None],
    ] {
        let verdict = case.read_as(3, As { ancestors, ..acting });
        assert_eq!(verdict, Err(Reason::AncestorMissing));
    }
    assert_eq!(case.read(3), Ok(Basis::Grant));
}

/// A revoked ancestor is not hidden behind one that lives.
#[test]
fn another_grant_in_an_ancestors_place_is_refused() {
    let mut case = Descent::new();
    let terms = case.world.terms(GranteeKind::Member, case.chain.holders[0].address());
    let living = case.world.grant(terms);
    let root = case.chain.grants[0];
    case.world.revoke(root);
    for depth in 1..4 {
        let mut acting = case.chain.acting(depth);
        acting.ancestors[depth - 1] = Some(living);
        assert_eq!(case.read_as(depth, acting), Err(Reason::AncestorMissing));
    }
    assert_eq!(case.world.granted(&living).uses_left, UNLIMITED);
}

/// Ids are chosen by clients: another patient can have a grant of the very same id.
#[test]
fn another_patients_grant_of_the_same_id_is_no_ancestor() {
    let mut case = Descent::new();
    let (own, root) = (case.world.patient.clone(), case.chain.grants[0]);
    let other = (90..)
        .find(|n| address::fits_grant(&id(*n), &root))
        .map(|n| case.world.chain.patient(n))
        .unwrap();
    let terms = case.world.terms(GranteeKind::Member, case.chain.holders[0].address());
    let args = CreateGrantArgs { id: root, terms };
    let create = ix::create_grant(&other.deciding(), other.wallet.pubkey(), &other.id, args);
    case.world.chain.must(create, &[&other.wallet]);
    case.world.revoke(root);
    let (acting, wallet) = (case.chain.acting(1), case.chain.wallet(1).insecure_clone());
    let mut access = case.world.access_ix(&acting, case.record, Purpose::Treatment);
    substitute(
        &mut access,
        address::grant(&own.id, &root),
        address::grant(&other.id, &root),
    );
    let event = case.world.chain.must(access, &[&wallet]);
    assert_eq!(judged(&event), Err(Reason::AncestorMissing));
}

#[test]
fn each_use_counts_against_all_above_and_none_below() {
    let mut case = Descent::of(|terms| terms.uses = 10);
    // Passing on took one of each above.
    assert_eq!(case.left(), [7, 8, 9, 10]);
    assert_eq!(case.read(3), Ok(Basis::Grant));
    assert_eq!(case.left(), [6, 7, 8, 9]);
    assert_eq!(case.read(1), Ok(Basis::Grant));
    assert_eq!(case.left(), [5, 6, 8, 9]);
    assert_eq!(case.read(0), Ok(Basis::Grant));
    assert_eq!(case.left(), [4, 6, 8, 9]);
}

#[test]
fn grant_used_more_often_by_passing_it_on_is_exhausted_all_the_same() {
    let mut case = Descent::of(|terms| terms.uses = 5);
    assert_eq!(case.left(), [2, 3, 4, 5]);
    assert_eq!(case.read(3), Ok(Basis::Grant));
    assert_eq!(case.read(2), Ok(Basis::Grant));
    assert_eq!(case.left()[0], 0);
    assert_eq!(case.read(0), Err(Reason::GrantExhausted));
    for depth in 1..4 {
        assert_eq!(case.read(depth), Err(Reason::AncestorLapsed));
    }
    assert_eq!(case.left(), [0, 1, 2, 4]);
}

#[test]
fn refusal_takes_no_use() {
    let mut case = Descent::of(|terms| {
        terms.uses = 10;
        terms.rights = Action::Read.bit() | Action::Share.bit();
    });
    let before = case.left();
    let (acting, wallet) = (case.chain.acting(3), case.chain.wallet(3).insecure_clone());
    let record = case.record;
    let verdict = case.world.amend(&wallet, &acting, record, Purpose::Treatment);
    assert_eq!(verdict, Err(Reason::RightNotGranted));
    let verdict = case.world.verdict(&wallet, acting, record, Purpose::Payment);
    assert_eq!(verdict, Err(Reason::RoleForbidsPurpose));
    assert_eq!(case.left(), before);
}

#[test]
fn unlimited_ancestors_stay_unlimited() {
    let mut case = Descent::new();
    case.edit(3, |grant| grant.uses_left = 1);
    assert_eq!(case.read(3), Ok(Basis::Grant));
    assert_eq!(case.left(), [UNLIMITED, UNLIMITED, UNLIMITED, 0]);
    assert_eq!(case.read(3), Err(Reason::GrantExhausted));
    assert_eq!(case.read(2), Ok(Basis::Grant));
}

#[test]
fn grant_that_is_no_ancestor_loses_no_use() {
    let mut case = Descent::new();
    let bystander = case.world.insure(|terms| terms.uses = 1);
    for depth in 0..3 {
        let mut acting = case.chain.acting(depth);
        acting.ancestors[depth] = Some(bystander);
        assert_eq!(case.read_as(depth, acting), Ok(Basis::Grant));
    }
    assert_eq!(case.world.granted(&bystander).uses_left, 1);
}

/// No instruction leads to a depth without a parent; were there such a grant, it would still drain nobody's.
#[test]
fn depth_without_a_parent_drains_nothing() {
    let mut case = Descent::new();
    let bystander = case.world.insure(|terms| terms.uses = 1);
    case.edit(0, |grant| grant.depth = 3);
    let mut acting = case.chain.acting(0);
    acting.ancestors[0] = Some(bystander);
    assert_eq!(case.read_as(0, acting), Ok(Basis::Grant));
    assert_eq!(case.world.granted(&bystander).uses_left, 1);
}

/// Nor to a descent of more than three; were there one, it would give nothing.
#[test]
fn descent_deeper_than_three_gives_nothing() {
    let mut case = Descent::new();
    let somewhere = case.world.insure(|_| {});
    case.edit(0, |grant| grant.parent = somewhere);
    for depth in 0..4 {
        assert_eq!(case.read(depth), Err(Reason::AncestorMissing));
    }
}

#[test]
fn child_gives_no_more_than_its_own_terms() {
    let mut case = Descent::new();
    case.edit(3, |grant| {
        grant.rights = Action::Read.bit();
        grant.purposes = Purpose::Research.bit();
    });
    assert_eq!(case.read(3), Err(Reason::PurposeNotGranted));
    let (acting, wallet) = (case.chain.acting(3), case.chain.wallet(3).insecure_clone());
    let record = case.record;
    let verdict = case.world.verdict(&wallet, acting, record, Purpose::Research);
    assert_eq!(verdict, Ok(Basis::Grant));
    let (_, written) = case.world.write(&wallet, &acting, 0, Purpose::Research);
    assert_eq!(written, Err(Reason::RightNotGranted));
    case.edit(3, |grant| grant.classes = 0b10);
    assert_eq!(case.read(3), Err(Reason::GrantOtherSubject));
}

#[test]
fn holder_writes_and_amends_by_what_was_passed_on() {
    let mut case = Descent::of(|terms| terms.uses = 10);
    let (acting, wallet) = (case.chain.acting(3), case.chain.wallet(3).insecure_clone());
    let (record, written) = case.world.write(&wallet, &acting, 0, Purpose::Treatment);
    assert_eq!(written, Ok(Basis::Grant));
    let amended = case.world.amend(&wallet, &acting, record, Purpose::Treatment);
    assert_eq!(amended, Ok(Basis::Grant));
    assert_eq!(case.left(), [5, 6, 7, 8]);
}

#[test]
fn ancestors_holder_does_not_use_the_childs_grant() {
    let mut case = Descent::new();
    for (holder, depth) in [(0, 1), (1, 2), (3, 2), (2, 3)] {
        let acting = As {
            wallet: case.chain.acting(holder).wallet,
            member: case.chain.acting(holder).member,
            ..case.chain.acting(depth)
        };
        assert_eq!(case.read_as(holder, acting), Err(Reason::GrantNotYours));
    }
}

#[test]
fn suspended_holder_in_the_middle_uses_nothing_itself() {
    let mut case = Descent::new();
    let middle = case.chain.holders[1].address();
    case.world.chain.edit(&middle, |member: &mut Member| {
        member.standing = Standing::Suspended.byte()
    });
    assert_eq!(case.read(1), Err(Reason::MemberSuspended));
    // What it passed on before is the patient's to end, by the grant above.
    assert_eq!(case.read(2), Ok(Basis::Grant));
    let root = case.chain.grants[0];
    case.world.revoke(root);
    assert_eq!(case.read(2), Err(Reason::AncestorLapsed));
}

#[test]
fn ancestor_named_twice_is_refused_at_the_door() {
    let mut case = Descent::new();
    let [root, first, second, third] = case.chain.grants;
    let acting = case.chain.acting(3);
    for ancestors in [
        [Some(second), Some(second), Some(root)],
        [Some(third), Some(first), Some(root)],
    ] {
        let access = case
            .world
            .access_ix(&As { ancestors, ..acting }, case.record, Purpose::Treatment);
        let wallet = case.chain.wallet(3).insecure_clone();
        case.world.chain.refuse_at_the_door(access, &[&wallet], DUPLICATE);
    }
}
