//! Proofs under the contract's own key, verified by the contract's own code.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicUsize, Ordering},
};

use anchor_lang::prelude::Address;
use chartseal_program::{
    membership,
    proof::{PROOF, verify},
};
use chartseal_zk::{
    AnonymousTerms, DEPTH, Field, ProveError, Statement,
    keys::{ProvingKey, VerifyingKey},
    prove,
    tree::Path,
    witness::{Blind, GrantSecret, Request, Witness, WitnessError, build},
};
use tracing::{Event, Metadata, Subscriber, span, subscriber};

static KEY: LazyLock<ProvingKey> = LazyLock::new(|| ProvingKey::test_only().unwrap());

const NOW: i64 = 1_795_000_000;

struct Reader {
    secret: GrantSecret,
    record: Field,
    terms: AnonymousTerms,
    path: Path,
    request: Request,
    blind: Blind,
}

impl Reader {
    fn new() -> Self {
        let secret = GrantSecret::random().unwrap();
        let commitment = secret.commitment().unwrap();
        let siblings = std::array::from_fn(|level| membership::small(1_000 + level as u64));
        let (verifier, relayer) = (Address::new_from_array([3; 32]), Address::new_from_array([4; 32]));
        let request = Request {
            scope: membership::scope(&verifier, membership::epoch(NOW)),
            message: membership::message(&[5; 16], &verifier, &relayer),
            now: NOW,
            rights: 0b100,
        };
        Self {
            secret,
            record: membership::record(&[1; 16], &[0xff; 16]).unwrap(),
            terms: AnonymousTerms {
                rights: 0b101,
                expires: NOW + 1,
                key: [0xab; 32],
                commitment,
            },
            path: Path {
                index: 0b1011,
                number: 12,
                siblings,
            },
            request,
            blind: Blind::random().unwrap(),
        }
    }

    fn build(&self) -> Result<(Statement, Witness), WitnessError> {
        build(
            &self.secret,
            &self.record,
            &self.terms,
            &self.path,
            &self.request,
            &self.blind,
        )
    }

    fn prove(&self) -> (Statement, [u8; PROOF]) {
        let (statement, witness) = self.build().unwrap();
        let proof = prove(&KEY, &statement, &witness).unwrap();
        (statement, proof.to_bytes())
    }
}

#[test]
fn the_contract_carries_the_key_that_the_seed_gives() {
    let carried = VerifyingKey::of_contract().unwrap();
    assert!(
        carried == *KEY.verifying_key(),
        "run the example `test_key` and build the contract anew"
    );
}

#[test]
fn the_contract_takes_an_honest_proof() {
    let (statement, proof) = Reader::new().prove();
    verify(&statement, &proof).unwrap();
}

#[test]
fn two_proofs_of_one_statement_differ() {
    let reader = Reader::new();
    assert_ne!(reader.prove().1, reader.prove().1);
}

#[test]
fn the_statement_is_what_the_program_computes() {
    let reader = Reader::new();
    let (statement, _) = reader.build().unwrap();
    let mut node = reader.terms.leaf(&reader.record).unwrap();
    for (level, sibling) in reader.path.siblings.iter().enumerate() {
        let is_right = reader.path.index >> level & 1 == 1;
        node = if is_right {
            membership::node(sibling, &node)
        } else {
            membership::node(&node, sibling)
        }
        .unwrap();
    }
    assert_eq!(statement.root, node);
    let secret: [u8; 32] = reader.secret.to_bytes()[..32].try_into().unwrap();
    let nullifier = membership::poseidon(&[&secret, &reader.request.scope, &reader.record]).unwrap();
    assert_eq!(statement.nullifier, nullifier);
    assert_eq!(
        statement.handle,
        membership::poseidon(&[&reader.record, &reader.blind.to_bytes()]).unwrap()
    );
}

#[test]
fn no_part_of_the_statement_can_be_exchanged() {
    let (statement, proof) = Reader::new().prove();
    let exchanged: [fn(&mut Statement); 7] = [
        |s| s.root = membership::small(7),
        |s| s.nullifier = membership::small(7),
        |s| s.scope = membership::small(7),
        |s| s.now -= 1,
        |s| s.handle = membership::small(7),
        |s| s.message = membership::small(7),
        |s| s.rights = 0b001,
    ];
    for (at, exchange) in exchanged.into_iter().enumerate() {
        let mut statement = statement;
        exchange(&mut statement);
        assert!(verify(&statement, &proof).is_err(), "input {at}");
    }
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_proof_is_refused() {
    let (statement, proof) = Reader::new().prove();
    for at in 0..PROOF {
        let mut proof = proof;
        proof[at] ^= 1 << (at % 8);
        assert!(verify(&statement, &proof).is_err(), "byte {at}");
    }
}

#[test]
fn what_the_grant_does_not_cover_is_refused_before_proving() {
    let refused = |change: fn(&mut Reader)| {
        let mut reader = Reader::new();
        change(&mut reader);
        reader.build().unwrap_err()
    };
    assert!(matches!(
        refused(|r| r.request.rights = 0b110),
        WitnessError::NotGranted {
            asked: 0b110,
            granted: 0b101
        }
    ));
    assert!(matches!(refused(|r| r.request.rights = 0), WitnessError::NothingAsked));
    assert!(matches!(refused(|r| r.request.now += 1), WitnessError::Expired { .. }));
    assert!(matches!(refused(|r| r.request.now = -1), WitnessError::NegativeTime));
    assert!(matches!(
        refused(|r| r.secret = GrantSecret::random().unwrap()),
        WitnessError::OtherSecret
    ));
    assert!(matches!(
        refused(|r| r.path.index = 1 << DEPTH),
        WitnessError::NoSuchLeaf(_)
    ));
    assert!(matches!(
        refused(|r| r.path.siblings[3] = [255; 32]),
        WitnessError::NotCanonical(_)
    ));
    assert!(matches!(
        refused(|r| r.request.message = [255; 32]),
        WitnessError::NotCanonical(_)
    ));
}

#[test]
fn a_statement_and_another_ones_witness_make_no_proof() {
    let (statement, _) = Reader::new().build().unwrap();
    let (_, witness) = Reader::new().build().unwrap();
    assert!(matches!(
        prove(&KEY, &statement, &witness),
        Err(ProveError::OtherStatement)
    ));
}

#[test]
fn secrets_survive_their_bytes_and_do_not_show() {
    let reader = Reader::new();
    let secret = GrantSecret::from_bytes(&reader.secret.to_bytes()).unwrap();
    assert_eq!(secret.commitment().unwrap(), reader.terms.commitment);
    assert!(GrantSecret::from_bytes(&[255; 64]).is_err());
    let blind = Blind::from_bytes(&reader.blind.to_bytes()).unwrap();
    assert_eq!(blind.to_bytes(), reader.blind.to_bytes());
    let (_, witness) = reader.build().unwrap();
    let shown = format!("{secret:?} {blind:?} {witness:?}");
    assert_eq!(shown, "GrantSecret { .. } Blind(..) Witness(Values { .. })");
}

/// Counts what anybody would log who logs everything.
struct Counting(Arc<AtomicUsize>);

impl Subscriber for Counting {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        self.0.fetch_add(1, Ordering::Relaxed);
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// arkworks traces each operation of a circuit with its operands, which are secrets.
#[test]
fn nothing_of_a_witness_is_traced() {
    let heard = Arc::new(AtomicUsize::new(0));
    subscriber::with_default(Counting(Arc::clone(&heard)), || {
        tracing::info!("the subscriber listens");
        Reader::new().prove();
    });
    assert_eq!(heard.load(Ordering::Relaxed), 1);
}
