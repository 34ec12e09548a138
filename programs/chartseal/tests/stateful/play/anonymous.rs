//! Grants without a name, and proofs: real ones where the model says there is something to prove, and others.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders as ix,
    instructions::*,
    membership::{self, epoch, message, scope, AnonymousTerms, Field},
    proof::PROOF,
    seeds::{address, Id},
    vocabulary::*,
};
use chartseal_zk::{
    prove,
    tree::Path,
    witness::{build, Blind, GrantSecret, Request},
};

use crate::{
    anonymous::proving_key,
    common::{id, DAY},
    step::{Dice, Kind},
    trees::{path, Leaf},
    universe::{Came, Universe},
};

/// A reader's secret, which is known by the one-time key of its grant.
fn secret(key: &[u8; 32]) -> GrantSecret {
    let mut bytes = [0; 64];
    bytes[16..32].copy_from_slice(&key[..16]);
    bytes[63] = 1;
    GrantSecret::from_bytes(&bytes).unwrap()
}

impl Universe {
    pub(super) fn play_unnamed(&mut self, kind: Kind, dice: &mut Dice) -> Option<Result<Came, String>> {
        if kind == Kind::OpenTree {
            let admin = self.right_or_wrong(self.model.admin, dice);
            let tree = address::draw_tree_id(|| self.fresh_id());
            return self.one(ix::open_tree(admin, admin, tree), dice);
        }
        let tree = Self::any(&self.model.trees, dice)?;
        match kind {
            Kind::CreateAnonymousGrant => self.grant_unnamed(tree, dice),
            Kind::RevokeAnonymousGrant => self.revoke_unnamed(tree, dice),
            Kind::VerifyAccessProof => self.prove(tree, dice),
            _ => {
                let nullifier = Self::any(&self.model.nullifiers, dice)?;
                let found = self.model.nullifiers[&nullifier];
                let payer = self.right_or_wrong(found.payer, dice);
                self.one(ix::close_nullifier(&found.tree, &nullifier, payer), dice)
            }
        }
    }

    fn grant_unnamed(&mut self, tree: Id, dice: &mut Dice) -> Option<Result<Came, String>> {
        let (patient, _) = self.patient(dice)?;
        let (of, record) = self.subject(&patient, dice)?;
        let mut key = [0xAB; 32];
        key[..16].copy_from_slice(&self.fresh_id());
        let terms = AnonymousTerms {
            rights: if dice.usually(80) {
                Action::Read.bit()
            } else {
                dice.mask(5)
            },
            expires: self.model.now + [90 * DAY, DAY, 60, 0][dice.below(4)],
            key,
            commitment: secret(&key).commitment().unwrap(),
        };
        let by = self.by(&patient, dice);
        let mut grant = ix::create_anonymous_grant(&by, by.wallet, (&patient, &record), &tree, terms);
        if of != patient {
            // Another patient's record, at its true address.
            let (wrong, right) = (address::record(&patient, &record), address::record(&of, &record));
            let set = address::anonymous_set(&tree, &wrong);
            for meta in &mut grant.accounts {
                if meta.pubkey == wrong {
                    meta.pubkey = right;
                } else if meta.pubkey == set {
                    meta.pubkey = address::anonymous_set(&tree, &right);
                }
            }
        }
        self.one(grant, dice)
    }

    /// A record: mostly this patient's.
    fn subject(&self, patient: &Id, dice: &mut Dice) -> Option<(Id, Id)> {
        let own = dice.usually(92);
        let records: Vec<(Id, Id)> = self
            .model
            .records
            .keys()
            .filter(|(of, _)| (of == patient) == own)
            .copied()
            .collect();
        dice.pick(&records).copied()
    }

    /// A leaf of a tree: mostly one that stands.
    fn leaf(&self, tree: &Id, dice: &mut Dice) -> Option<(u32, Leaf)> {
        let standing = dice.usually(90);
        let leaves: Vec<(u32, &Leaf)> = (0..)
            .zip(&self.model.trees[tree].leaves)
            .filter(|(_, leaf)| leaf.revoked != standing)
            .collect();
        dice.pick(&leaves).map(|(index, leaf)| (*index, (*leaf).clone()))
    }

    /// A number at which this leaf stood in the tree: mostly the newest.
    fn read_at(&self, tree: &Id, index: u32, dice: &mut Dice) -> Option<u64> {
        let tree = &self.model.trees[tree];
        let age = if dice.usually(60) { 0 } else { dice.below(14) as u64 };
        let number = tree.number().saturating_sub(age);
        let stood = |number: &u64| {
            let leaves = &tree.history[*number as usize];
            leaves
                .get(index as usize)
                .is_some_and(|leaf| *leaf != membership::NO_LEAF)
        };
        // Before that, where it was revoked since; otherwise after, where it was made since.
        let later = (number..=tree.number()).find(stood);
        later.or_else(|| (0..number).rev().find(stood))
    }

    fn revoke_unnamed(&mut self, tree: Id, dice: &mut Dice) -> Option<Result<Came, String>> {
        let (index, leaf) = self.leaf(&tree, dice)?;
        let number = self.read_at(&tree, index, dice)?;
        let siblings = path(&self.model.trees[&tree].history[number as usize], index);
        let mut args = RevokeAnonymousGrantArgs {
            index,
            number,
            terms: leaf.terms,
            path: siblings.to_vec(),
        };
        match dice.below(20) {
            0 => args.index ^= 1,
            1 => args.number += 1,
            2 => args.terms.rights ^= 1,
            3 => args.path[0][31] ^= 1,
            _ => {}
        }
        let by = self.by(&leaf.patient, dice);
        let subject = (&leaf.patient, &leaf.record);
        self.one(ix::revoke_anonymous_grant(&by, subject, &tree, args), dice)
    }

    fn prove(&mut self, tree: Id, dice: &mut Dice) -> Option<Result<Came, String>> {
        let (index, leaf) = self.leaf(&tree, dice)?;
        let number = self.read_at(&tree, index, dice)?;
        let model = &self.model.trees[&tree];
        let counts = model.counts(number, self.model.now);
        let siblings = path(&model.history[number as usize], index);
        let now = self.model.now + [0, -60, 60, 61, -61][dice.below(8) % 5];
        let relayer = self.any_wallet(dice);
        let (exchange, verifier) = (id(7), Address::new_from_array([3 + dice.below(2) as u8; 32]));
        let rights = if dice.usually(85) {
            leaf.terms.rights
        } else {
            dice.mask(5)
        };
        let request = Request {
            scope: scope(&verifier, epoch(now)),
            message: message(&exchange, &verifier, &relayer),
            now,
            rights,
        };
        let record = membership::record(&leaf.patient, &leaf.record).unwrap();
        let at = Path {
            index,
            number,
            siblings,
        };
        let blind = Blind::from_bytes(&membership::small(9)).unwrap();
        let mut args = VerifyAccessProofArgs {
            exchange,
            verifier,
            nullifier: number_of(dice),
            handle: membership::small(1),
            number,
            now,
            rights,
            proof: [0; PROOF],
        };
        // What the prover makes no proof of is shown with one of nothing.
        let made = build(&secret(&leaf.terms.key), &record, &leaf.terms, &at, &request, &blind);
        let mut sound = false;
        if let Ok((statement, witness)) = made {
            let proof = prove(proving_key(), &statement, &witness).unwrap();
            (args.nullifier, args.handle, args.proof) = (statement.nullifier, statement.handle, proof.to_bytes());
            sound = now < leaf.terms.expires && rights & !leaf.terms.rights == 0;
        }
        match dice.below(16) {
            0 => args.exchange[0] ^= 1,
            1 => args.nullifier[31] ^= 1,
            2 => args.number ^= 1,
            3 => args.rights ^= 1,
            4 => args.proof[40] ^= 1,
            _ => {}
        }
        let untouched = (args.exchange, args.number, args.rights) == (exchange, number, rights);
        // A tampered nullifier or proof is no proof; whether one was is told by what the statement was.
        let expected = sound && untouched && counts && now.abs_diff(self.model.now) <= 60;
        Some(self.send(
            vec![ix::verify_access_proof(relayer, &tree, args)],
            Some(expected),
            dice,
        ))
    }
}

fn number_of(dice: &mut Dice) -> Field {
    membership::small(dice.next() as u64)
}
