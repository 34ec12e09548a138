//! That an honest witness meets the statement, and that whatever breaks one clause of it, and nothing else, does not.

use std::sync::LazyLock;

use ark_bn254::Fr;
use ark_ff::{UniformRand as _, Zero as _};
use ark_r1cs_std::{GR1CSVar as _, alloc::AllocVar as _, fields::fp::FpVar};
use ark_relations::gr1cs::ConstraintSystem;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};

use super::{Membership, PUBLIC_INPUTS, Values, poseidon};
use crate::{DEPTH, Relation, field, relation::assign};

const CASES: u64 = 32;

static RELATION: LazyLock<Relation> = LazyLock::new(|| Relation::of(Membership::shape()).unwrap());

fn satisfies(values: &Values) -> bool {
    RELATION.is_satisfied(&assign(Membership::of(values)).unwrap())
}

/// A witness that meets the statement.
fn honest(rng: &mut ChaCha20Rng) -> Values {
    let mut values = Values::blank();
    for element in [
        &mut values.scope,
        &mut values.message,
        &mut values.secret,
        &mut values.salt,
        &mut values.record,
    ] {
        *element = Fr::rand(rng);
    }
    values.key_high = Fr::from(u128::rand(rng));
    values.key_low = Fr::from(u128::rand(rng));
    values.blind = Fr::rand(rng);
    values.siblings = std::array::from_fn(|_| Fr::rand(rng));
    values.index = std::array::from_fn(|_| bool::rand(rng));
    let granted = u8::rand(rng) | 1 << (rng.next_u32() % 8);
    values.granted = Fr::from(granted);
    values.asked = Fr::from(some_of(granted, rng));
    let now = rng.next_u64() >> 2;
    values.now = Fr::from(now);
    values.expires = Fr::from(now + 1 + (rng.next_u64() >> 2));
    values.complete().unwrap();
    values
}

/// Some of the bits, and at least one.
fn some_of(granted: u8, rng: &mut ChaCha20Rng) -> u8 {
    loop {
        let some = granted & u8::rand(rng);
        if some != 0 {
            return some;
        }
    }
}

/// Breaks many honest witnesses in one way and asserts that none satisfies.
#[track_caller]
fn never(clause: &str, mut breaking: impl FnMut(&mut Values, &mut ChaCha20Rng)) {
    for case in 0..CASES {
        let mut rng = ChaCha20Rng::seed_from_u64(case);
        let mut values = honest(&mut rng);
        breaking(&mut values, &mut rng);
        assert!(!satisfies(&values), "{clause}: case {case}");
    }
}

/// Computes everything that is computed anew, but leaves the root as it is.
fn complete_under(root: Fr, values: &mut Values) {
    values.complete().unwrap();
    values.root = root;
}

#[test]
fn an_honest_witness_satisfies() {
    for case in 0..CASES {
        assert!(
            satisfies(&honest(&mut ChaCha20Rng::seed_from_u64(1_000 + case))),
            "case {case}"
        );
    }
}

#[test]
fn the_gadget_hashes_as_the_program_does() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for arity in 1..=12 {
        let inputs: Vec<Fr> = (0..arity).map(|_| Fr::rand(&mut rng)).collect();
        let system = ConstraintSystem::new_ref();
        let variables: Vec<_> = inputs
            .iter()
            .map(|input| FpVar::new_witness(system.clone(), || Ok(*input)).unwrap())
            .collect();
        let hashed = field::write(&poseidon::hash(&variables).unwrap().value().unwrap());
        let bytes: Vec<_> = inputs.iter().map(field::write).collect();
        let references: Vec<_> = bytes.iter().collect();
        assert_eq!(
            hashed,
            chartseal_program::membership::poseidon(&references).unwrap(),
            "arity {arity}"
        );
        assert!(system.is_satisfied().unwrap());
    }
}

#[test]
fn the_shape_does_not_depend_on_values() {
    let values = honest(&mut ChaCha20Rng::seed_from_u64(2));
    assert_eq!(Relation::of(Membership::of(&values)).unwrap().hash(), RELATION.hash());
    assert_eq!(RELATION.public_inputs(), PUBLIC_INPUTS);
}

#[test]
fn another_field_of_the_leaf_is_not_under_the_root() {
    type Other = (&'static str, fn(&mut Values, &mut ChaCha20Rng));
    let others: [Other; 7] = [
        ("record", |v, rng| v.record = Fr::rand(rng)),
        ("secret", |v, rng| v.secret = Fr::rand(rng)),
        ("salt", |v, rng| v.salt = Fr::rand(rng)),
        ("key_high", |v, rng| v.key_high += Fr::rand(rng)),
        ("key_low", |v, rng| v.key_low += Fr::rand(rng)),
        ("expires", |v, _| v.expires += Fr::from(1)),
        ("granted", |v, _| {
            // More rights than the leaf has, or, where it has all, only those asked for.
            let more = Fr::from(255);
            v.granted = if v.granted == more { v.asked } else { more };
            if v.granted == v.asked {
                v.granted = Fr::from(257);
            }
        }),
    ];
    for (name, other) in others {
        never(name, |values, rng| {
            let root = values.root;
            other(values, rng);
            complete_under(root, values);
        });
    }
}

#[test]
fn another_sibling_leads_to_another_root() {
    let mut levels = (0..DEPTH).cycle();
    never("sibling", |values, rng| {
        values.siblings[levels.next().unwrap()] = Fr::rand(rng);
    });
}

#[test]
fn another_index_leads_to_another_root() {
    let mut levels = (0..DEPTH).cycle();
    never("index bit", |values, _| values.index[levels.next().unwrap()] ^= true);
}

#[test]
fn another_root_is_not_that_of_the_path() {
    never("root", |values, rng| values.root = Fr::rand(rng));
}

#[test]
fn an_empty_or_revoked_leaf_proves_nothing() {
    never("no leaf", |values, _| values.root = values.climb(Fr::zero()).unwrap());
}

#[test]
fn a_right_that_is_not_granted_cannot_be_asked_for() {
    for bit in 0..8 {
        never(&format!("right {bit}"), |values, rng| {
            let granted = u8::rand(rng) & !(1 << bit);
            values.granted = Fr::from(granted);
            values.asked = Fr::from(granted & u8::rand(rng) | 1 << bit);
            values.complete().unwrap();
        });
    }
}

#[test]
fn no_right_at_all_cannot_be_asked_for() {
    never("nothing asked", |values, _| values.asked = Fr::zero());
    never("nothing granted, nothing asked", |values, _| {
        (values.granted, values.asked) = (Fr::zero(), Fr::zero());
        values.complete().unwrap();
    });
}

#[test]
fn rights_are_eight_bits() {
    never("a ninth bit asked", |values, _| values.asked += Fr::from(256));
    never("a ninth bit granted", |values, _| {
        values.granted += Fr::from(256);
        values.complete().unwrap();
    });
    never("the same huge masks", |values, rng| {
        values.granted = Fr::rand(rng);
        values.asked = values.granted;
        values.complete().unwrap();
    });
    never("a negative mask asked", |values, rng| {
        values.asked = -Fr::from(1 + rng.next_u32() % 255);
    });
}

#[test]
fn an_expired_grant_proves_nothing() {
    never("expires now", |values, _| {
        values.expires = values.now;
        values.complete().unwrap();
    });
    never("expired a second ago", |values, _| {
        values.expires = values.now - Fr::from(1);
        values.complete().unwrap();
    });
    never("expired some time ago", |values, rng| {
        values.expires = values.now - Fr::from(rng.next_u64());
        values.complete().unwrap();
    });
    never("expires before 1970", |values, rng| {
        values.expires = -Fr::from(1 + (rng.next_u64() >> 1));
        values.complete().unwrap();
    });
    never("another now, later than the end", |values, rng| {
        values.now = values.expires + Fr::from(rng.next_u32());
    });
}

#[test]
fn what_is_left_of_a_grant_is_sixty_four_bits() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let mut values = honest(&mut rng);
    for (left, allowed) in [(1, true), (1 << 64, true), ((1 << 64) + 1, false), (u128::MAX, false)] {
        values.expires = values.now + Fr::from(left);
        values.complete().unwrap();
        assert_eq!(satisfies(&values), allowed, "{left} seconds");
    }
    never("a huge end", |values, rng| {
        values.expires = Fr::rand(rng);
        values.complete().unwrap();
    });
    never("more than 2^64 seconds", |values, rng| {
        values.expires = values.now + Fr::from((1 << 64) + 1 + u128::from(rng.next_u64()));
        values.complete().unwrap();
    });
}

#[test]
fn the_nullifier_is_of_this_secret_scope_and_record() {
    let nullifier = |values: &Values| field::poseidon(&[values.secret, values.scope, values.record]).unwrap();
    never("any nullifier", |values, rng| values.nullifier = Fr::rand(rng));
    never("nullifier of another secret", |values, rng| {
        let mut other = values.clone();
        other.secret = Fr::rand(rng);
        values.nullifier = nullifier(&other);
    });
    never("nullifier of another scope", |values, rng| {
        let mut other = values.clone();
        other.scope = Fr::rand(rng);
        values.nullifier = nullifier(&other);
    });
    never("nullifier of another record", |values, rng| {
        let mut other = values.clone();
        other.record = Fr::rand(rng);
        values.nullifier = nullifier(&other);
    });
    never("another scope", |values, rng| values.scope = Fr::rand(rng));
}

#[test]
fn the_handle_is_of_this_record_and_blind() {
    never("any handle", |values, rng| values.handle = Fr::rand(rng));
    never("handle of another record", |values, rng| {
        values.handle = field::poseidon(&[Fr::rand(rng), values.blind]).unwrap();
    });
    never("handle with another blind", |values, rng| {
        values.handle = field::poseidon(&[values.record, Fr::rand(rng)]).unwrap();
    });
    never("another blind", |values, rng| values.blind = Fr::rand(rng));
}

#[test]
fn every_public_input_takes_part_in_a_constraint() {
    for input in 1..=PUBLIC_INPUTS {
        let rows = RELATION.matrices().iter().flatten();
        assert!(rows.flatten().any(|(_, at)| *at == input), "public input {input}");
    }
}

/// Nothing that a prover fills in is left to it: whatever single value it changes, some constraint fails.
#[test]
fn no_value_of_the_assignment_is_free() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let mut assignment = assign(Membership::of(&honest(&mut rng))).unwrap();
    let [a, b, c] = RELATION.matrices();
    let mut rows_of = vec![Vec::new(); assignment.len()];
    for row in 0..RELATION.constraints() {
        for (_, at) in a[row].iter().chain(&b[row]).chain(&c[row]) {
            rows_of[*at].push(row);
        }
    }
    for at in 1..assignment.len() {
        let before = std::mem::replace(&mut assignment[at], Fr::rand(&mut rng));
        let holds = |row: &usize| {
            let at = |row: &[(Fr, usize)]| row.iter().map(|(by, at)| assignment[*at] * by).sum::<Fr>();
            at(&a[*row]) * at(&b[*row]) == at(&c[*row])
        };
        assert!(!rows_of[at].iter().all(holds), "value {at} of {}", assignment.len());
        assignment[at] = before;
    }
}
