//! What happens more rarely: batches and what is promoted from them, delegates, guardians, reviews, and institutions that
//! suspend whom they have. What hangs on an institution's chain here and on a patient's too, a fork may take away on one side.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use chartseal_program::{
    builders::{self as ix, Reviewing},
    events::{Content, GuardianNamed},
    instructions::{AnchorBatchArgs, NameDelegateArgs, PromoteBatchedArgs, ReviewEmergencyArgs, SetGuardiansArgs},
    merkle::{Leaf, Tree},
    seeds::{BATCH, DELEGATE, Id, NO_ID, RECORD, address},
    vocabulary::{Action, Purpose, Reviewer, Standing, Verdict},
};
use solana_keypair::Keypair;
use solana_signer::Signer as _;

use super::{
    DAY, Member, Patient, Signed, Then, World, bytes, id, keypair, keys,
    people::{content, one_of},
};
use crate::kills::Dice;

/// Records of one patient in a batch.
const RECORDS: u32 = 3;

/// A batch, as its author keeps it.
#[derive(Clone)]
pub(super) struct Batch {
    id: Id,
    patient: Id,
    author: Member,
    records: Vec<(Id, Content)>,
    tree: Tree,
}

/// Whose standing it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standee {
    Body(Id),
    Member(Id),
}

impl World {
    pub(super) fn acts_rarely(&self, patient: &Patient, dice: &mut Dice) -> Result<Signed> {
        match dice.below(20) {
            0..=2 => self.anchors(patient, dice),
            3..=7 => self.promotes(dice),
            8..=10 => self.names_delegate(patient, dice),
            11..=12 => self.revokes_delegate(patient, dice),
            13 => self.names_guardians(patient, dice),
            14..=15 => self.sets_standing(dice),
            16..=17 => self.reviews(dice),
            18 => self.sets_credential(dice),
            _ => Ok(self.rotates_key(patient, dice)),
        }
    }

    fn anchors(&self, patient: &Patient, dice: &mut Dice) -> Result<Signed> {
        let author = self.one_who_writes(dice)?.clone();
        let batch = address::draw(BATCH, &author.institution, || id(dice));
        let mut records = Vec::new();
        let mut leaves = Vec::new();
        for index in 0..RECORDS {
            let record = address::draw(RECORD, &patient.id, || id(dice));
            let content = content(dice);
            let leaf = Leaf {
                institution: &author.institution,
                batch: &batch,
                index,
                patient: &patient.id,
                record: &record,
                class: 1,
                content: &content,
            };
            leaves.push(leaf.hash());
            records.push((record, content));
        }
        let tree = Tree::new(leaves).context("a batch without leaves")?;
        let args = AnchorBatchArgs {
            id: batch,
            root: tree.root(),
            locator: bytes(dice),
            count: tree.count(),
        };
        let anchor = ix::anchor_batch(
            author.wallet.pubkey(),
            self.payer.pubkey(),
            &author.institution,
            &author.id,
            args,
        );
        let wallet = Arc::clone(&author.wallet);
        let then = Then::Anchored(Batch {
            id: batch,
            patient: patient.id,
            author,
            records,
            tree,
        });
        Ok(self.signed(&[anchor], &[&wallet], then, dice))
    }

    /// Now and then one that was promoted before, which the contract undoes.
    fn promotes(&self, dice: &mut Dice) -> Result<Signed> {
        // A batch may have come to this branch without the patient whom it is about.
        let patient_of = |batch: &Batch| self.patients.iter().find(|patient| patient.id == batch.patient);
        let all = self.batches.iter();
        let all: Vec<_> = all.filter_map(|batch| Some((batch, patient_of(batch)?))).collect();
        let Ok((batch, patient)) = one_of(&all, dice) else {
            return self.anchors(one_of(&self.patients, dice)?, dice);
        };
        let index = u32::try_from(dice.below(u64::from(RECORDS)))?;
        let (record, content) = *batch.records.get(usize::try_from(index)?).context("no such record")?;
        let args = PromoteBatchedArgs {
            request: id(dice),
            record,
            class: 1,
            purpose: Purpose::Treatment,
            grant: NO_ID,
            content,
            index,
            proof: batch.tree.path(index).context("no path to the root")?,
        };
        let author = &batch.author;
        let promote = ix::promote_batched(
            &author.acting(),
            self.payer.pubkey(),
            Some(patient.wallet.pubkey()),
            &patient.id,
            &author.institution,
            &batch.id,
            args,
        );
        let then = Then::Wrote(patient.id, record, author.clone());
        Ok(self.signed(&[promote], &[&author.wallet, &patient.wallet], then, dice))
    }

    fn names_delegate(&self, patient: &Patient, dice: &mut Dice) -> Result<Signed> {
        let (wallet, delegate) = (keypair(dice), address::draw(DELEGATE, &patient.id, || id(dice)));
        let args = NameDelegateArgs {
            id: delegate,
            wallet: wallet.pubkey(),
            rights: Action::Read.bit(),
            expires: self.far(),
        };
        let mut both = vec![ix::name_delegate(
            patient.wallet.pubkey(),
            self.payer.pubkey(),
            &patient.id,
            args,
        )];
        // Some never accept.
        if dice.below(3) > 0 {
            both.push(ix::accept_delegation(wallet.pubkey(), &patient.id, &delegate, keys(4)));
        }
        let signers = [&*patient.wallet, &wallet];
        let signers = signers.get(..both.len()).context("too many instructions")?;
        Ok(self.signed(&both, signers, Then::Delegated(patient.id, delegate), dice))
    }

    fn revokes_delegate(&self, patient: &Patient, dice: &mut Dice) -> Result<Signed> {
        let Ok(delegate) = one_of(&patient.delegates, dice) else {
            return self.names_delegate(patient, dice);
        };
        let revoke = ix::revoke_delegate(patient.wallet.pubkey(), &patient.id, delegate);
        Ok(self.signed(&[revoke], &[&patient.wallet], Then::Nothing, dice))
    }

    fn names_guardians(&self, patient: &Patient, dice: &mut Dice) -> Result<Signed> {
        let guardians = 1 + dice.below(3);
        let args = SetGuardiansArgs {
            threshold: u8::try_from(guardians)?,
            guardians: (0..guardians)
                .map(|_| GuardianNamed {
                    wallet: keypair(dice).pubkey(),
                    encryption_key: bytes(dice),
                })
                .collect(),
            delay: 2 * DAY,
        };
        let set = ix::set_guardians(patient.wallet.pubkey(), self.payer.pubkey(), &patient.id, args);
        Ok(self.signed(&[set], &[&patient.wallet], Then::Nothing, dice))
    }

    /// Suspends a member or, rarely, the insurer, or gives back what was before.
    fn sets_standing(&self, dice: &mut Dice) -> Result<Signed> {
        if dice.below(2) == 0
            && let Ok(suspended) = one_of(&self.suspended, dice)
        {
            return self.sets(suspended, Standing::Active, dice);
        }
        let insurer = self.bodies.last().context("no institution")?;
        let who = match dice.below(5) {
            0 => Standee::Body(insurer.id),
            _ => Standee::Member(one_of(&self.members, dice)?.id),
        };
        self.sets(&who, Standing::Suspended, dice)
    }

    fn sets(&self, who: &Standee, standing: Standing, dice: &mut Dice) -> Result<Signed> {
        let then = Then::Stands(*who, standing);
        Ok(match who {
            Standee::Body(institution) => {
                let set = ix::set_institution_standing(self.admin.pubkey(), institution, standing);
                self.signed(&[set], &[&self.admin], then, dice)
            }
            Standee::Member(id) => {
                let member = self.members.iter().find(|member| member.id == *id);
                let (member, authority) = self.with_authority(member.context("nobody of that id")?)?;
                let set = ix::set_member_standing(authority.pubkey(), &member.institution, id, standing);
                self.signed(&[set], &[authority], then, dice)
            }
        })
    }

    fn sets_credential(&self, dice: &mut Dice) -> Result<Signed> {
        let (member, authority) = self.with_authority(self.one_who_writes(dice)?)?;
        let holds = dice.below(3) > 0;
        let set = ix::set_emergency_credential(authority.pubkey(), &member.institution, &member.id, holds);
        Ok(self.signed(&[set], &[authority], Then::Nothing, dice))
    }

    fn with_authority<'a>(&'a self, member: &'a Member) -> Result<(&'a Member, &'a Keypair)> {
        let body = self.bodies.iter().find(|body| body.id == member.institution);
        Ok((member, &body.context("a member of nothing")?.authority))
    }

    fn reviews(&self, dice: &mut Dice) -> Result<Signed> {
        let endangered = self.patients.iter().filter(|patient| !patient.emergencies.is_empty());
        let endangered: Vec<&Patient> = endangered.collect();
        let Ok(patient) = one_of(&endangered, dice) else {
            return self.opens_emergency(one_of(&self.patients, dice)?, dice);
        };
        let (emergency, opener) = one_of(&patient.emergencies, dice)?;
        let args = ReviewEmergencyArgs {
            reviewer: Reviewer::Patient,
            verdict: match dice.below(2) {
                0 => Verdict::Justified,
                _ => Verdict::Unjustified,
            },
        };
        let by = Reviewing::wallet(patient.wallet.pubkey());
        let member = (&opener.institution, &opener.id);
        let review = ix::review_emergency(&by, member, &patient.id, emergency, args);
        Ok(self.signed(&[review], &[&patient.wallet], Then::Nothing, dice))
    }

    fn rotates_key(&self, patient: &Patient, dice: &mut Dice) -> Signed {
        let key = 5 + dice.below(200).to_le_bytes()[0];
        let rotate = ix::rotate_patient_key(patient.wallet.pubkey(), &patient.id, keys(key));
        self.signed(&[rotate], &[&patient.wallet], Then::Nothing, dice)
    }
}
