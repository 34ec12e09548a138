//! Records and batches.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix},
    instructions::*,
    merkle::{Leaf, Tree},
    seeds::{self, Id, NO_ID},
    vocabulary::*,
};

use crate::{
    common::content,
    model::Ask,
    step::{Dice, Kind},
    universe::{Anchored, Came, Universe},
};

impl Universe {
    pub(super) fn play_record(&mut self, kind: Kind, dice: &mut Dice) -> Option<Result<Came, String>> {
        let (patient, _) = self.patient(dice)?;
        let records: Vec<(Id, Id)> = self
            .model
            .records
            .keys()
            .filter(|(of, _)| *of == patient)
            .copied()
            .collect();
        let record = dice.pick(&records).map(|(_, id)| *id);
        match kind {
            Kind::EraseRecord => {
                let by = self.by(&patient, dice);
                return self.one(ix::erase_record(&by, &patient, &record?), dice);
            }
            Kind::AttestErasure => {
                let args = AttestErasureArgs { receipt: [7; 32] };
                let body = self.model.records[&(patient, record?)].institution;
                let staff: Vec<Address> = self
                    .model
                    .members
                    .iter()
                    .filter(|(_, member)| member.institution == body)
                    .map(|(address, _)| *address)
                    .collect();
                let member = dice.pick(&staff).map(|address| self.model.members[address].clone());
                let attest = match member {
                    Some(member) if dice.usually(70) => {
                        let wallet = self.right_or_wrong(member.wallet, dice);
                        ix::attest_erasure(wallet, Some(&body), Some(&member.id), &patient, &record?, args)
                    }
                    _ => {
                        let wallet = self.model.patients[&patient].wallet?;
                        ix::attest_erasure(wallet, None, None, &patient, &record?, args)
                    }
                };
                return self.one(attest, dice);
            }
            _ => {}
        }
        let actor = self.actor(&patient, dice)?;
        let purpose = self.purpose(&actor, dice);
        let consents = matches!(kind, Kind::CreateRecord | Kind::AmendRecord) && !dice.usually(70);
        let consent = if consents {
            self.model.patients[&patient].wallet
        } else {
            None
        };
        let content = self.content(dice);
        let request = self.fresh_id();
        let grant = actor.acting.claimed();
        let class = dice.below(4) as u8;
        let mut older = false;
        let (action, record, class, instruction) = match kind {
            Kind::CreateRecord => {
                let record = self.draw(seeds::RECORD, &patient);
                let args = CreateRecordArgs {
                    request,
                    record,
                    class,
                    purpose,
                    grant,
                    content,
                };
                let create = ix::create_record(&actor.acting, actor.acting.wallet, consent, &patient, args);
                (Action::Append, record, class, create)
            }
            Kind::AmendRecord => {
                let record = record?;
                let found = &self.model.records[&(patient, record)];
                let args = AmendRecordArgs {
                    request,
                    expected_version: found.version - u32::from(!dice.usually(95)),
                    purpose,
                    grant,
                    content,
                };
                let class = found.class;
                let amend = ix::amend_record(&actor.acting, consent, &patient, &record, args);
                (Action::Amend, record, class, amend)
            }
            _ => {
                let record = record?;
                let newest = self.model.records[&(patient, record)].version;
                older = newest > 1 && !dice.usually(85);
                let version = if older { newest - 1 } else { newest };
                let args = AccessRecordArgs {
                    request,
                    version,
                    purpose,
                    grant,
                };
                let class = self.model.records[&(patient, record)].class;
                let access = ix::access_record(&actor.acting, &patient, &record, args);
                (Action::Read, record, class, access)
            }
        };
        let expected = self.model.entitled(&Ask {
            patient,
            who: actor.who,
            claimed: actor.claimed,
            action,
            purpose,
            record,
            class,
            older,
            consent: consent.is_some(),
        });
        Some(self.send(vec![instruction], Some(expected), dice))
    }

    pub(super) fn play_batch(&mut self, kind: Kind, dice: &mut Dice) -> Option<Result<Came, String>> {
        if kind == Kind::AnchorBatch {
            return self.anchor(dice);
        }
        let batch = dice.pick(&self.batches)?.clone();
        let index = dice.below(batch.leaves.len());
        let (patient, record) = batch.leaves[index];
        let actor = self.actor(&patient, dice)?;
        let purpose = self.purpose(&actor, dice);
        let mut proof = batch.tree.path(index as u32)?;
        let altered = !dice.usually(92);
        if altered {
            proof.push([9; 32]);
        }
        let consent = if dice.usually(60) {
            None
        } else {
            self.model.patients[&patient].wallet
        };
        let args = PromoteBatchedArgs {
            request: self.fresh_id(),
            record,
            class: 0,
            purpose,
            grant: actor.acting.claimed(),
            content: content(1),
            index: index as u32,
            proof,
        };
        let payer = actor.acting.wallet;
        let (institution, id) = (batch.institution, batch.id);
        let promote = ix::promote_batched(&actor.acting, payer, consent, &patient, &institution, &id, args);
        let expected = self.model.entitled(&Ask {
            patient,
            who: actor.who,
            claimed: actor.claimed,
            action: Action::Append,
            purpose,
            record: NO_ID,
            class: 0,
            older: false,
            consent: consent.is_some(),
        });
        let came = self.send(vec![promote], Some(expected), dice);
        if altered && came == Ok(Came::Done) {
            return Some(Err("a record was promoted by a proof that is none".into()));
        }
        Some(came)
    }

    pub(super) fn anchor(&mut self, dice: &mut Dice) -> Option<Result<Came, String>> {
        let address = Self::any(&self.model.members, dice)?;
        let member = self.model.members[&address].clone();
        let wallet = self.right_or_wrong(member.wallet, dice);
        let id = self.draw(seeds::BATCH, &member.institution);
        let mut leaves = Vec::new();
        for _ in 0..1 + dice.below(6) {
            let patient = Self::any(&self.model.patients, dice)?;
            leaves.push((patient, self.draw(seeds::RECORD, &patient)));
        }
        let hashes = leaves.iter().enumerate().map(|(index, (patient, record))| {
            let leaf = Leaf {
                institution: &member.institution,
                batch: &id,
                index: index as u32,
                patient,
                record,
                class: 0,
                content: &content(1),
            };
            leaf.hash()
        });
        let tree = Tree::new(hashes.collect())?;
        let args = AnchorBatchArgs {
            id,
            root: tree.root(),
            locator: [3; 32],
            count: leaves.len() as u32,
        };
        let anchor = ix::anchor_batch(wallet, wallet, &member.institution, &member.id, args);
        let came = self.send(vec![anchor], None, dice);
        if came == Ok(Came::Done) {
            self.batches.push(Anchored {
                institution: member.institution,
                id,
                leaves,
                tree,
            });
        }
        Some(came)
    }
}
