//! Grants without a name for a story: a tree, readers whom nobody knows, and what they prove.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::LazyLock;

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders as ix,
    events::{AccessProven, AnonymousGrantCreated, AnyEvent},
    instructions::*,
    membership::{self, epoch, message, scope, AnonymousTerms, Field, DEPTH, NO_LEAF, ZEROS},
    seeds::{address, Id},
    state::*,
    vocabulary::*,
};
use chartseal_zk::{
    keys::ProvingKey,
    prove,
    tree::Path,
    witness::{build, Blind, GrantSecret, Request, WitnessError},
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

/// A grant without a name, as its reader knows it.
#[derive(Clone)]
pub struct Unnamed {
    pub tree: Id,
    pub patient: Id,
    pub record: Id,
    pub index: u32,
    pub terms: AnonymousTerms,
    pub secret: GrantSecret,
}

/// What a reader proves, and to whom.
#[derive(Clone)]
pub struct Asking {
    pub exchange: Id,
    pub verifier: Address,
    pub relayer: Address,
    pub now: i64,
    pub rights: u8,
    pub blind: Blind,
}

/// The leaves of a tree as its events tell them, hashed in the plainest way there is.
pub struct Leaves(pub Vec<Field>);

impl Leaves {
    fn level(below: &[Field], height: usize) -> Vec<Field> {
        below
            .chunks(2)
            .map(|pair| membership::node(&pair[0], pair.get(1).unwrap_or(&ZEROS[height])).unwrap())
            .collect()
    }

    pub fn root(&self) -> Field {
        let top = (0..DEPTH).fold(self.0.clone(), |below, height| Self::level(&below, height));
        top.first().copied().unwrap_or(ZEROS[DEPTH])
    }

    pub fn path(&self, index: u32) -> [Field; DEPTH] {
        let (mut level, mut at) = (self.0.clone(), index as usize);
        std::array::from_fn(|height| {
            let sibling = level.get(at ^ 1).copied().unwrap_or(ZEROS[height]);
            level = Self::level(&level, height);
            at >>= 1;
            sibling
        })
    }
}

/// The key for tests: making it takes a moment, so all tests share it.
pub fn proving_key() -> &'static ProvingKey {
    static KEY: LazyLock<ProvingKey> = LazyLock::new(|| ProvingKey::test_only().unwrap());
    &KEY
}

impl World {
    /// A tree that the admin opened.
    pub fn open_tree(&mut self) -> Id {
        let admin = self.chain.admin.insecure_clone();
        let id = address::draw_tree_id(|| self.id());
        self.chain
            .must(ix::open_tree(admin.pubkey(), admin.pubkey(), id), &[&admin]);
        id
    }

    pub fn tree(&self, id: &Id) -> GrantTree {
        self.chain.read(&address::tree(id))
    }

    pub fn anonymous_set(&self, grant: &Unnamed) -> AnonymousSet {
        let record = address::record(&grant.patient, &grant.record);
        self.chain.read(&address::anonymous_set(&grant.tree, &record))
    }

    /// What a reader whom nobody knows hands to the patient: to read, for a day.
    pub fn invitation(&mut self) -> (GrantSecret, AnonymousTerms) {
        let secret = GrantSecret::random().unwrap();
        let mut key = [0xAB; 32];
        key[..16].copy_from_slice(&self.id());
        let terms = AnonymousTerms {
            rights: Action::Read.bit(),
            expires: self.chain.now() + DAY,
            key,
            commitment: secret.commitment().unwrap(),
        };
        (secret, terms)
    }

    /// The patient grants to somebody whom nobody knows, changed as the test needs it.
    pub fn grant_unnamed(&mut self, tree: Id, record: Id, change: impl FnOnce(&mut AnonymousTerms)) -> Unnamed {
        let (secret, mut terms) = self.invitation();
        change(&mut terms);
        let patient = self.patient.clone();
        let wallet = patient.wallet.pubkey();
        let grant = ix::create_anonymous_grant(&patient.deciding(), wallet, (&patient.id, &record), &tree, terms);
        let AnyEvent::AnonymousGrantCreated(AnonymousGrantCreated { index, .. }) =
            self.chain.must(grant, &[&patient.wallet])
        else {
            panic!()
        };
        Unnamed {
            tree,
            patient: patient.id,
            record,
            index,
            terms,
            secret,
        }
    }

    /// The leaves of a tree, from the events since it was opened.
    pub fn leaves(&self, tree: &Id) -> Leaves {
        let mut leaves = Vec::new();
        for bytes in &self.chain.emitted {
            match AnyEvent::decode(bytes).unwrap() {
                AnyEvent::AnonymousGrantCreated(event) if event.tree == *tree => {
                    assert_eq!(event.index as usize, leaves.len());
                    let record = membership::record(&event.link.subject, &event.record).unwrap();
                    leaves.push(event.terms.leaf(&record).unwrap());
                }
                AnyEvent::AnonymousGrantRevoked(event) if event.tree == *tree => {
                    leaves[event.index as usize] = NO_LEAF;
                }
                _ => {}
            }
        }
        Leaves(leaves)
    }

    /// How this grant is revoked, by the tree as it is.
    pub fn revocation(&self, grant: &Unnamed) -> RevokeAnonymousGrantArgs {
        RevokeAnonymousGrantArgs {
            index: grant.index,
            number: self.tree(&grant.tree).number,
            terms: grant.terms,
            path: self.leaves(&grant.tree).path(grant.index).to_vec(),
        }
    }

    /// The patient takes it back.
    pub fn revoke_unnamed(&mut self, grant: &Unnamed) -> AnyEvent {
        let args = self.revocation(grant);
        let patient = self.patient.clone();
        let subject = (&grant.patient, &grant.record);
        let revoke = ix::revoke_anonymous_grant(&patient.deciding(), subject, &grant.tree, args);
        self.chain.must(revoke, &[&patient.wallet])
    }

    /// An exchange with a verifier, now, to read.
    pub fn asking(&mut self, relayer: &Keypair) -> Asking {
        Asking {
            exchange: self.id(),
            verifier: Address::new_from_array([0x5E; 32]),
            relayer: relayer.pubkey(),
            now: self.chain.now(),
            rights: Action::Read.bit(),
            blind: Blind::random().unwrap(),
        }
    }

    /// A real proof, by the tree as it is.
    pub fn prove(&self, grant: &Unnamed, asking: &Asking) -> VerifyAccessProofArgs {
        self.try_prove(grant, asking).unwrap()
    }

    /// The same, where there may be nothing to prove.
    pub fn try_prove(&self, grant: &Unnamed, asking: &Asking) -> Result<VerifyAccessProofArgs, WitnessError> {
        let path = Path {
            index: grant.index,
            number: self.tree(&grant.tree).number,
            siblings: self.leaves(&grant.tree).path(grant.index),
        };
        let request = Request {
            scope: scope(&asking.verifier, epoch(asking.now)),
            message: message(&asking.exchange, &asking.verifier, &asking.relayer),
            now: asking.now,
            rights: asking.rights,
        };
        let record = membership::record(&grant.patient, &grant.record).unwrap();
        let (statement, witness) = build(&grant.secret, &record, &grant.terms, &path, &request, &asking.blind)?;
        let proof = prove(proving_key(), &statement, &witness).unwrap();
        Ok(VerifyAccessProofArgs {
            exchange: asking.exchange,
            verifier: asking.verifier,
            nullifier: statement.nullifier,
            handle: statement.handle,
            number: self.tree(&grant.tree).number,
            now: asking.now,
            rights: asking.rights,
            proof: proof.to_bytes(),
        })
    }

    /// A proof of this grant, shown: it has to be accepted.
    pub fn must_prove(&mut self, grant: &Unnamed, relayer: &Keypair, args: VerifyAccessProofArgs) -> AccessProven {
        let show = ix::verify_access_proof(relayer.pubkey(), &grant.tree, args);
        let AnyEvent::AccessProven(event) = self.chain.must(show, &[relayer]) else {
            panic!()
        };
        event
    }
}
