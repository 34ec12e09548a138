//! Proofs of access on chain: an honest one is counted once, and whatever differs from what was proved is refused.

use anchor_lang::prelude::Address;
use ark_bn254::{Fq, Fr, G1Affine};
use ark_ff::{BigInteger, PrimeField};
use chartseal_program::{
    builders as ix,
    instructions::VerifyAccessProofArgs,
    log::ChainKind,
    membership::{epoch, EPOCH, SKEW},
    seeds::{address, Id, NO_ID},
    state::{Nullifier, FLOOR_DELAY, ROOTS},
    vocabulary::*,
    ChartsealError,
};
use chartseal_zk::witness::{Blind, WitnessError};
use solana_instruction::{error::InstructionError, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{
    anonymous::{Asking, Unnamed},
    common::*,
};

/// A reader with a grant among others, and what it asks.
struct Scene {
    world: World,
    tree: Id,
    grant: Unnamed,
    relayer: Keypair,
    asking: Asking,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new();
        let (tree, record, other) = (world.open_tree(), world.record(), world.record());
        world.grant_unnamed(tree, record, |_| {});
        let grant = world.grant_unnamed(tree, record, |_| {});
        world.grant_unnamed(tree, other, |_| {});
        let relayer = world.chain.wallet();
        let asking = world.asking(&relayer);
        Self {
            world,
            tree,
            grant,
            relayer,
            asking,
        }
    }

    fn prove(&self) -> VerifyAccessProofArgs {
        self.world.prove(&self.grant, &self.asking)
    }

    fn show(&self, args: VerifyAccessProofArgs) -> Instruction {
        ix::verify_access_proof(self.relayer.pubkey(), &self.tree, args)
    }

    #[track_caller]
    fn refuse(&mut self, args: VerifyAccessProofArgs, error: ChartsealError) {
        let show = self.show(args);
        self.world.chain.refuse(show, &[&self.relayer], error);
    }

    #[track_caller]
    fn accept(&mut self, args: VerifyAccessProofArgs) {
        let (grant, relayer) = (self.grant.clone(), self.relayer.insecure_clone());
        self.world.must_prove(&grant, &relayer, args);
    }
}

#[test]
fn honest_proof_is_counted_and_names_nobody() {
    let mut scene = Scene::new();
    let args = scene.prove();
    let (grant, relayer) = (scene.grant.clone(), scene.relayer.insecure_clone());
    let event = scene.world.must_prove(&grant, &relayer, args);
    assert_eq!((event.nullifier, event.handle), (args.nullifier, args.handle));
    assert_eq!(
        (event.exchange, event.verifier),
        (scene.asking.exchange, scene.asking.verifier)
    );
    assert_eq!((event.relayer, event.rights), (relayer.pubkey(), Action::Read.bit()));
    assert_eq!((event.now, event.epoch), (args.now, epoch(args.now)));
    assert_eq!(event.number, 3);

    let tree = scene.world.tree(&scene.tree);
    assert_eq!((tree.chain.seq, tree.chain.head), (event.link.seq, event.head));
    assert_eq!((event.link.subject, event.link.at), (scene.tree, args.now));
    let spent: Nullifier = scene.world.chain.read(&address::nullifier(&args.nullifier));
    assert_eq!((spent.nullifier, spent.tree), (args.nullifier, scene.tree));
    assert_eq!((spent.verifier, spent.payer), (scene.asking.verifier, relayer.pubkey()));
    assert_eq!(spent.epoch, epoch(args.now));

    // Neither the record nor the patient nor the leaf stands anywhere in what was sent or written.
    let shown = scene.show(args);
    let (patient, record) = (scene.grant.patient, scene.grant.record);
    let told = [
        &shown.data[..],
        scene.world.chain.emitted.last().unwrap(),
        bytemuck::bytes_of(&spent),
    ]
    .concat();
    for hidden in [
        &patient[..],
        &record,
        &scene.grant.terms.key,
        &scene.grant.terms.commitment,
    ] {
        assert!(!told.windows(hidden.len()).any(|window| window == hidden));
    }
    let named = [
        address::patient(&patient),
        address::record(&patient, &record),
        address::access_log(&patient),
    ];
    assert!(shown.accounts.iter().all(|meta| !named.contains(&meta.pubkey)));
}

#[test]
fn two_uses_in_two_epochs_or_of_two_verifiers_cannot_be_linked() {
    let mut scene = Scene::new();
    let first = scene.prove();
    scene.accept(first);
    scene.asking.verifier = Address::new_from_array([0x5F; 32]);
    let elsewhere = scene.prove();
    scene.accept(elsewhere);
    scene.world.wait(EPOCH as i64);
    scene.asking.now += EPOCH as i64;
    let later = scene.prove();
    scene.accept(later);
    let nullifiers = [first, elsewhere, later].map(|args| args.nullifier);
    assert!(nullifiers[0] != nullifiers[1] && nullifiers[1] != nullifiers[2] && nullifiers[0] != nullifiers[2]);
}

#[test]
fn wrong_record_fails() {
    let mut scene = Scene::new();
    let other = scene.world.record();
    // Nothing can be proved of a record that the leaf is not about: the path leads to no root of the tree.
    let lying = Unnamed {
        record: other,
        ..scene.grant.clone()
    };
    let args = scene.world.prove(&lying, &scene.asking);
    scene.refuse(args, ChartsealError::BadProof);
    // And a proof of one record does not name another.
    let (mut args, theirs) = (scene.prove(), scene.world.prove(&lying, &scene.asking));
    args.handle = theirs.handle;
    scene.refuse(args, ChartsealError::BadProof);
}

#[test]
fn wrong_right_fails() {
    let mut scene = Scene::new();
    let args = scene.prove();
    for rights in (0..=u8::MAX).filter(|rights| *rights != args.rights) {
        scene.refuse(VerifyAccessProofArgs { rights, ..args }, ChartsealError::BadProof);
    }
    scene.accept(args);
}

#[test]
fn wrong_root_fails() {
    let mut scene = Scene::new();
    let args = scene.prove();
    for number in 0..3 {
        scene.refuse(VerifyAccessProofArgs { number, ..args }, ChartsealError::BadProof);
    }
    for number in [4, u64::MAX] {
        scene.refuse(VerifyAccessProofArgs { number, ..args }, ChartsealError::StaleRoot);
    }
    // The root of another tree, which has as many leaves.
    let other = scene.world.open_tree();
    let record = scene.world.record();
    for _ in 0..3 {
        scene.world.grant_unnamed(other, record, |_| {});
    }
    let show = ix::verify_access_proof(scene.relayer.pubkey(), &other, args);
    let relayer = scene.relayer.insecure_clone();
    scene.world.chain.refuse(show, &[&relayer], ChartsealError::BadProof);
    scene.accept(args);
}

#[test]
fn root_is_remembered_while_others_change_the_tree() {
    let mut scene = Scene::new();
    let args = scene.prove();
    let record = scene.world.record();
    for _ in 1..ROOTS {
        scene.world.grant_unnamed(scene.tree, record, |_| {});
    }
    let mut late = scene.world.clone();
    scene.accept(args);
    late.grant_unnamed(scene.tree, record, |_| {});
    let (show, relayer) = (scene.show(args), scene.relayer.insecure_clone());
    late.chain.refuse(show, &[&relayer], ChartsealError::StaleRoot);
}

#[test]
fn expired_grant_proves_nothing() {
    let mut scene = Scene::new();
    let ends = scene.grant.terms.expires;
    let args = scene.prove();
    scene.world.chain.set_time(ends);
    // Not by the proof that was made in time, ...
    scene.refuse(args, ChartsealError::ClockSkew);
    scene.refuse(VerifyAccessProofArgs { now: ends, ..args }, ChartsealError::BadProof);
    // ... nor by a new one, which cannot be made ...
    scene.asking.now = ends;
    let none = scene.world.try_prove(&scene.grant, &scene.asking);
    assert!(matches!(none, Err(WitnessError::Expired { .. })));
    // ... but for the last second that it was valid, as far as clocks may differ.
    scene.asking.now = ends - 1;
    let last = scene.prove();
    scene.accept(last);
}

#[test]
fn revoked_grant_proves_nothing_once_the_floor_has_risen() {
    let mut scene = Scene::new();
    let grant = scene.grant.clone();
    scene.asking.now += FLOOR_DELAY;
    let early = scene.prove();
    scene.world.revoke_unnamed(&grant);
    scene.world.wait(FLOOR_DELAY - 1);
    // Until then the chain takes it; whoever keeps the keys does not: the record's own floor is above.
    let mut before = scene.world.clone();
    let event = before.must_prove(&grant, &scene.relayer, early);
    assert!(event.number < before.anonymous_set(&grant).floor);
    scene.world.wait(1);
    scene.refuse(early, ChartsealError::StaleRoot);
    // By a root after it there is no path any more.
    let late = scene.prove();
    scene.refuse(late, ChartsealError::BadProof);
}

#[test]
fn revocation_leaves_the_others_their_proofs() {
    let mut scene = Scene::new();
    let (record, args) = (scene.grant.record, scene.prove());
    let other = scene.world.grant_unnamed(scene.tree, record, |_| {});
    scene.world.revoke_unnamed(&other);
    scene.accept(args);
    scene.world.wait(FLOOR_DELAY);
    scene.asking.now += FLOOR_DELAY;
    scene.asking.verifier = Address::new_from_array([1; 32]);
    let anew = scene.prove();
    scene.accept(anew);
}

#[test]
fn nullifier_is_used_once() {
    let mut scene = Scene::new();
    let args = scene.prove();
    scene.accept(args);
    // The same, another proof of the same, and another exchange by the same reader in the same epoch.
    let again = scene.prove();
    scene.asking.exchange = scene.world.id();
    scene.asking.blind = Blind::random().unwrap();
    let exchange = scene.prove();
    assert_ne!(again.proof, args.proof);
    assert_eq!(exchange.nullifier, args.nullifier);
    for used in [args, again, exchange] {
        let show = scene.show(used);
        let relayer = scene.relayer.insecure_clone();
        scene.world.chain.refuse_at_the_door(show, &[&relayer], EXISTS);
    }
}

#[test]
fn nullifier_plus_the_order_of_the_field_is_no_other_one() {
    let mut scene = Scene::new();
    let args = scene.prove();
    let mut aliased = Fr::from_be_bytes_mod_order(&args.nullifier).into_bigint();
    assert!(!aliased.add_with_carry(&Fr::MODULUS));
    let nullifier: [u8; 32] = aliased.to_bytes_be().try_into().unwrap();
    scene.refuse(VerifyAccessProofArgs { nullifier, ..args }, ChartsealError::BadProof);
    scene.accept(args);
    scene.refuse(VerifyAccessProofArgs { nullifier, ..args }, ChartsealError::BadProof);
}

#[test]
fn every_other_value_plus_the_order_is_refused_too() {
    let mut scene = Scene::new();
    let args = scene.prove();
    let mut aliased = Fr::from_be_bytes_mod_order(&args.handle).into_bigint();
    assert!(!aliased.add_with_carry(&Fr::MODULUS));
    let handle: [u8; 32] = aliased.to_bytes_be().try_into().unwrap();
    scene.refuse(VerifyAccessProofArgs { handle, ..args }, ChartsealError::BadProof);
}

fn coordinates(point: &[u8]) -> G1Affine {
    let (x, y) = point.split_at(32);
    G1Affine::new_unchecked(Fq::from_be_bytes_mod_order(x), Fq::from_be_bytes_mod_order(y))
}

fn bytes(point: G1Affine) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&point.x.into_bigint().to_bytes_be());
    bytes[32..].copy_from_slice(&point.y.into_bigint().to_bytes_be());
    bytes
}

#[test]
fn malleated_proof_fails() {
    let mut scene = Scene::new();
    let args = scene.prove();
    // Any bit of any coordinate.
    for at in 0..args.proof.len() {
        let mut flipped = args;
        flipped.proof[at] ^= 1 << (at % 8);
        scene.refuse(flipped, ChartsealError::BadProof);
    }
    // One of the points with its sign changed.
    for place in [0..64, 192..256] {
        let mut negated = args;
        let point = -coordinates(&args.proof[place.clone()]);
        negated.proof[place].copy_from_slice(&bytes(point));
        scene.refuse(negated, ChartsealError::BadProof);
    }
    // The same point in another encoding: a coordinate plus the order of its field.
    for place in [0, 32, 64, 96, 128, 160, 192, 224] {
        let mut aliased = args;
        let mut coordinate = Fq::from_be_bytes_mod_order(&args.proof[place..place + 32]).into_bigint();
        if !coordinate.add_with_carry(&Fq::MODULUS) {
            aliased.proof[place..place + 32].copy_from_slice(&coordinate.to_bytes_be());
            scene.refuse(aliased, ChartsealError::BadProof);
        }
    }
    // Points at infinity.
    let mut nothing = args;
    nothing.proof = [0; 256];
    scene.refuse(nothing, ChartsealError::BadProof);
    scene.accept(args);
}

#[test]
fn proof_that_somebody_altered_into_another_valid_one_is_not_counted_again() {
    let mut scene = Scene::new();
    let args = scene.prove();
    scene.accept(args);
    // (A, B, C) and (-A, -B, C) prove the same. Whoever has seen one can make the other; the use stays one.
    let mut other = args;
    let a = -coordinates(&args.proof[..64]);
    other.proof[..64].copy_from_slice(&bytes(a));
    for half in [128, 160] {
        let y = -Fq::from_be_bytes_mod_order(&args.proof[half..half + 32]);
        other.proof[half..half + 32].copy_from_slice(&y.into_bigint().to_bytes_be());
    }
    let (show, relayer) = (scene.show(other), scene.relayer.insecure_clone());
    scene.world.chain.refuse_at_the_door(show, &[&relayer], EXISTS);
}

#[test]
fn another_exchanges_message_fails() {
    let mut scene = Scene::new();
    let args = scene.prove();
    let exchange = scene.world.id();
    scene.refuse(VerifyAccessProofArgs { exchange, ..args }, ChartsealError::BadProof);
    let exchange = NO_ID;
    scene.refuse(VerifyAccessProofArgs { exchange, ..args }, ChartsealError::ZeroId);
}

#[test]
fn nobody_brings_a_proof_that_was_made_for_another_relayer() {
    let mut scene = Scene::new();
    let (args, thief) = (scene.prove(), scene.world.chain.wallet());
    let show = ix::verify_access_proof(thief.pubkey(), &scene.tree, args);
    scene.world.chain.refuse(show, &[&thief], ChartsealError::BadProof);
    let unsigned = unsign(scene.show(args), scene.relayer.pubkey());
    scene
        .world
        .chain
        .refuse_at_the_door(unsigned, &[&thief], InstructionError::MissingRequiredSignature);
}

#[test]
fn another_verifiers_scope_fails() {
    let mut scene = Scene::new();
    let args = scene.prove();
    let verifier = Address::new_from_array([0x5F; 32]);
    scene.refuse(VerifyAccessProofArgs { verifier, ..args }, ChartsealError::BadProof);
}

#[test]
fn another_epochs_scope_fails() {
    let mut scene = Scene::new();
    // The last second of an epoch.
    let end = (epoch(scene.world.chain.now()) as i64 + 1) * EPOCH as i64;
    scene.world.chain.set_time(end - 1);
    scene.asking.now = end - 1;
    let args = scene.prove();
    scene.world.chain.set_time(end);
    scene.refuse(VerifyAccessProofArgs { now: end, ..args }, ChartsealError::BadProof);
    scene.accept(args);
}

#[test]
fn time_that_is_off_by_more_than_a_minute_fails() {
    for (off, fits) in [(-SKEW - 1, false), (-SKEW, true), (SKEW, true), (SKEW + 1, false)] {
        let mut scene = Scene::new();
        scene.asking.now += off;
        let args = scene.prove();
        if fits {
            scene.accept(args);
        } else {
            scene.refuse(args, ChartsealError::ClockSkew);
        }
    }
    let mut scene = Scene::new();
    let args = scene.prove();
    for now in [i64::MIN, -1, 0, i64::MAX] {
        scene.refuse(VerifyAccessProofArgs { now, ..args }, ChartsealError::ClockSkew);
    }
}

#[test]
fn nothing_is_proved_while_paused() {
    let mut scene = Scene::new();
    let args = scene.prove();
    scene.world.set_paused(true);
    scene.refuse(args, ChartsealError::Paused);
    scene.world.set_paused(false);
    scene.accept(args);
}

#[test]
fn another_account_stands_for_no_nullifier_and_no_tree() {
    let mut scene = Scene::new();
    let args = scene.prove();
    let relayer = scene.relayer.insecure_clone();
    let mut elsewhere = scene.show(args);
    let other = address::nullifier(&[7; 32]);
    substitute(&mut elsewhere, address::nullifier(&args.nullifier), other);
    scene
        .world
        .chain
        .refuse_at_the_door(elsewhere, &[&relayer], InstructionError::InvalidSeeds);
    let mut no_tree = scene.show(args);
    let record = address::record(&scene.grant.patient, &scene.grant.record);
    substitute(&mut no_tree, address::tree(&scene.tree), record);
    scene.world.chain.fail(&[no_tree], &[&relayer]);
}

#[test]
fn what_a_grant_does_not_give_cannot_be_proved() {
    let mut scene = Scene::new();
    let asking = Asking {
        rights: Action::Aggregate.bit(),
        ..scene.asking.clone()
    };
    let error = scene.world.try_prove(&scene.grant, &asking).unwrap_err();
    assert!(matches!(error, WitnessError::NotGranted { .. }), "{error}");
    let record = scene.grant.record;
    let wider = scene.world.grant_unnamed(scene.tree, record, |terms| {
        terms.rights = Action::Read.bit() | Action::Aggregate.bit()
    });
    let args = scene.world.prove(&wider, &asking);
    scene.accept(args);
}

#[test]
fn chain_of_a_tree_has_every_proof() {
    let mut scene = Scene::new();
    for n in 1..4 {
        scene.asking.verifier = Address::new_from_array([n; 32]);
        let args = scene.prove();
        scene.accept(args);
    }
    let tree = scene.world.tree(&scene.tree);
    let mut chain = chartseal_program::log::Chain::begin(ChainKind::Tree, &scene.tree);
    for bytes in &scene.world.chain.emitted {
        let event = chartseal_program::events::AnyEvent::decode(bytes).unwrap();
        if event.chain() == ChainKind::Tree {
            chain = chain
                .follow(ChainKind::Tree, &scene.tree, event.link().seq, bytes)
                .unwrap();
        }
    }
    assert_eq!((chain.seq, chain), (4, tree.chain));
}
