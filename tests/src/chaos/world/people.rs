//! What the people of a world do: at random, as they would, with what they remember of the branch that they are on.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context as _, Result};
use chartseal_program::{
    builders::{self as ix, As, By},
    events::{Content, Terms},
    instructions::{
        AccessRecordArgs, AmendRecordArgs, CreateGrantArgs, CreateRecordArgs, DecideRequestArgs, OpenEmergencyArgs,
        OpenPatientArgs, RegisterMemberArgs, RequestAccessArgs, SetPolicyArgs,
    },
    seeds::{EMERGENCY, GRANT, NO_ID, RECORD, REQUEST, address},
    state::{LONGEST_EMERGENCY, UNLIMITED},
    vocabulary::{Action, GranteeKind, Purpose, Role},
};
use solana_address::Address;
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signer::Signer as _;
use solana_transaction::Transaction;

use super::{DAY, Member, Patient, Signed, Then, World, bytes, id, keypair, keys};
use crate::kills::Dice;

impl World {
    /// What somebody does next.
    pub(in super::super) fn act(&self, dice: &mut Dice) -> Result<Signed> {
        if self.patients.len() < 4 || dice.below(100) < 4 {
            return Ok(self.opens(dice));
        }
        let patient = self
            .patients
            .get(pick(dice, self.patients.len()))
            .context("no patient")?;
        if patient.records.is_empty() {
            return self.writes(patient, dice);
        }
        match dice.below(120) {
            100.. => self.acts_rarely(patient, dice),
            0..=1 => self.joins(pick(dice, self.bodies.len()), Role::Technician, dice),
            2..=11 => self.writes(patient, dice),
            12..=17 => self.amends(patient, 0, dice),
            // What the contract undoes: a version that is not the newest.
            18..=21 => self.amends(patient, 7, dice),
            22..=31 => self.grants(patient, dice),
            32..=36 => Ok(self.revokes(patient, dice)),
            37..=39 => self.sets_policy(patient, dice),
            40..=42 => self.opens_emergency(patient, dice),
            43..=46 => self.asks(patient, dice),
            47..=49 => Ok(self.answers(patient, dice)),
            50..=51 => self.erases(patient, dice),
            52..=69 => self.reads(patient, 1, dice),
            70..=75 => self.reads(patient, 2, dice),
            _ => self.reads_by_grant(patient, dice),
        }
    }

    pub(super) fn joins(&self, body: usize, role: Role, dice: &mut Dice) -> Result<Signed> {
        let body = self.bodies.get(body).context("no institution")?;
        let member = Member {
            institution: body.id,
            id: id(dice),
            wallet: Arc::new(keypair(dice)),
            role,
        };
        let args = RegisterMemberArgs {
            id: member.id,
            wallet: member.wallet.pubkey(),
            role,
            expires: self.far(),
        };
        let register = ix::register_member(body.authority.pubkey(), self.payer.pubkey(), &body.id, args);
        let accept = ix::accept_membership(member.wallet.pubkey(), &body.id, &member.id, keys(2));
        let mut both = vec![register, accept];
        if role == Role::Doctor {
            both.push(ix::set_emergency_credential(
                body.authority.pubkey(),
                &body.id,
                &member.id,
                true,
            ));
        }
        let signers = [&*body.authority, &*member.wallet];
        Ok(self.signed(&both, &signers, Then::Joined(member.clone()), dice))
    }

    fn opens(&self, dice: &mut Dice) -> Signed {
        let patient = Patient {
            id: id(dice),
            wallet: Arc::new(keypair(dice)),
            records: Vec::new(),
            grants: Vec::new(),
            requests: Vec::new(),
            delegates: Vec::new(),
            emergencies: Vec::new(),
        };
        let args = OpenPatientArgs {
            id: patient.id,
            keys: keys(3),
        };
        let open = ix::open_patient(patient.wallet.pubkey(), self.payer.pubkey(), None, args);
        self.signed(&[open], &[&patient.wallet], Then::Opened(patient.clone()), dice)
    }

    fn writes(&self, patient: &Patient, dice: &mut Dice) -> Result<Signed> {
        let author = self.one_who_writes(dice)?;
        let record = address::draw(RECORD, &patient.id, || id(dice));
        let args = CreateRecordArgs {
            request: id(dice),
            record,
            class: u8::try_from(dice.below(3))?,
            purpose: Purpose::Treatment,
            grant: NO_ID,
            content: content(dice),
        };
        let consent = Some(patient.wallet.pubkey());
        let create = ix::create_record(&author.acting(), self.payer.pubkey(), consent, &patient.id, args);
        let then = Then::Wrote(patient.id, record, author.clone());
        Ok(self.signed(&[create], &[&author.wallet, &patient.wallet], then, dice))
    }

    fn amends(&self, patient: &Patient, wrong_by: u32, dice: &mut Dice) -> Result<Signed> {
        let (record, version, author) = one_of(&patient.records, dice)?;
        let args = AmendRecordArgs {
            request: id(dice),
            expected_version: version + wrong_by,
            purpose: Purpose::Treatment,
            grant: NO_ID,
            content: content(dice),
        };
        let consent = Some(patient.wallet.pubkey());
        let amend = ix::amend_record(&author.acting(), consent, &patient.id, record, args);
        let then = Then::Amended(patient.id, *record);
        Ok(self.signed(&[amend], &[&author.wallet, &patient.wallet], then, dice))
    }

    fn grants(&self, patient: &Patient, dice: &mut Dice) -> Result<Signed> {
        let to = one_of(&self.members, dice)?;
        let grant = address::draw(GRANT, &patient.id, || id(dice));
        let terms = Terms {
            record: NO_ID,
            classes: 0b111,
            grantee_kind: GranteeKind::Member,
            grantee: address::member(&to.institution, &to.id),
            grantee_key: [0; 32],
            rights: Action::Read.bit(),
            purposes: Purpose::Treatment.bit() | Purpose::Payment.bit(),
            not_before: 0,
            expires: self.far(),
            uses: if dice.below(3) == 0 { 3 } else { UNLIMITED },
        };
        let args = CreateGrantArgs { id: grant, terms };
        let create = ix::create_grant(&patient.deciding(), self.payer.pubkey(), &patient.id, args);
        let then = Then::Granted(patient.id, grant, to.clone());
        Ok(self.signed(&[create], &[&patient.wallet], then, dice))
    }

    fn revokes(&self, patient: &Patient, dice: &mut Dice) -> Signed {
        let Ok((grant, _)) = one_of(&patient.grants, dice) else {
            return self.opens(dice);
        };
        let revoke = ix::revoke_grant(&patient.deciding(), &patient.id, grant);
        self.signed(&[revoke], &[&patient.wallet], Then::Revoked(patient.id, *grant), dice)
    }

    fn sets_policy(&self, patient: &Patient, dice: &mut Dice) -> Result<Signed> {
        let body = one_of(&self.bodies, dice)?;
        let classes = u32::try_from(dice.below(8))?;
        let args = SetPolicyArgs {
            classes,
            purposes: if classes == 0 { 0 } else { Purpose::Treatment.bit() },
            enrols: false,
            expires: self.far(),
        };
        let set = ix::set_policy(&patient.deciding(), self.payer.pubkey(), &patient.id, &body.id, args);
        Ok(self.signed(&[set], &[&patient.wallet], Then::Nothing, dice))
    }

    pub(super) fn opens_emergency(&self, patient: &Patient, dice: &mut Dice) -> Result<Signed> {
        let doctor = self.one_who_writes(dice)?.clone();
        let args = OpenEmergencyArgs {
            id: address::draw(EMERGENCY, &patient.id, || id(dice)),
            reason_hash: bytes(dice),
            duration: LONGEST_EMERGENCY,
        };
        let member = (&doctor.institution, &doctor.id);
        let open = ix::open_emergency(doctor.wallet.pubkey(), self.payer.pubkey(), member, &patient.id, args);
        let wallet = Arc::clone(&doctor.wallet);
        let then = Then::Endangered(patient.id, args.id, doctor);
        Ok(self.signed(&[open], &[&wallet], then, dice))
    }

    fn asks(&self, patient: &Patient, dice: &mut Dice) -> Result<Signed> {
        let who = one_of(&self.members, dice)?;
        let args = RequestAccessArgs {
            id: address::draw(REQUEST, &patient.id, || id(dice)),
            record: NO_ID,
            classes: 1,
            rights: Action::Read.bit(),
            purposes: Purpose::Treatment.bit(),
            until: self.now + 30 * DAY,
        };
        let member = (&who.institution, &who.id);
        let ask = ix::request_access(who.wallet.pubkey(), self.payer.pubkey(), member, &patient.id, args);
        Ok(self.signed(&[ask], &[&who.wallet], Then::Asked(patient.id, args.id), dice))
    }

    fn answers(&self, patient: &Patient, dice: &mut Dice) -> Signed {
        let Ok(request) = one_of(&patient.requests, dice) else {
            return self.opens(dice);
        };
        let args = DecideRequestArgs { approval: None };
        let payer = self.payer.pubkey();
        let deny = ix::decide_request(&patient.deciding(), payer, &patient.id, (request, None), args);
        self.signed(&[deny], &[&patient.wallet], Then::Answered(patient.id, *request), dice)
    }

    fn erases(&self, patient: &Patient, dice: &mut Dice) -> Result<Signed> {
        let (record, ..) = one_of(&patient.records, dice)?;
        let erase = ix::erase_record(&patient.deciding(), &patient.id, record);
        Ok(self.signed(&[erase], &[&patient.wallet], Then::Erased(patient.id, *record), dice))
    }

    /// Somebody without a grant reads: the patient, who may, or a member, who mostly may not.
    fn reads(&self, patient: &Patient, times: usize, dice: &mut Dice) -> Result<Signed> {
        let own = dice.below(2) == 0;
        let member = one_of(&self.members, dice)?;
        let (acting, wallet, purpose) = match own {
            true => (As::wallet(patient.wallet.pubkey()), &patient.wallet, Purpose::Personal),
            false => (member.acting(), &member.wallet, Purpose::Treatment),
        };
        let mut all = Vec::new();
        for _ in 0..times {
            all.push(access(patient, &acting, purpose, dice)?);
        }
        Ok(self.signed(&all, &[wallet], Then::Nothing, dice))
    }

    fn reads_by_grant(&self, patient: &Patient, dice: &mut Dice) -> Result<Signed> {
        let Ok((grant, to)) = one_of(&patient.grants, dice) else {
            return self.grants(patient, dice);
        };
        let purpose = match to.role {
            Role::Insurer => Purpose::Payment,
            _ => Purpose::Treatment,
        };
        let read = access(patient, &to.acting().claiming(*grant), purpose, dice)?;
        Ok(self.signed(&[read], &[&to.wallet], Then::Nothing, dice))
    }

    pub(super) fn one_who_writes(&self, dice: &mut Dice) -> Result<&Member> {
        let writers: Vec<_> = self
            .members
            .iter()
            .filter(|member| member.role == Role::Doctor)
            .collect();
        writers.get(pick(dice, writers.len())).copied().context("nobody writes")
    }

    /// Signed by the payer too. Its blockhash is its own, so that no two transactions are the same.
    pub(super) fn signed(
        &self,
        instructions: &[Instruction],
        signers: &[&Keypair],
        then: Then,
        dice: &mut Dice,
    ) -> Signed {
        let message = Message::new(instructions, Some(&self.payer.pubkey()));
        let mut all: HashMap<Address, &Keypair> = signers.iter().map(|&signer| (signer.pubkey(), signer)).collect();
        all.insert(self.payer.pubkey(), &self.payer);
        let all: Vec<&Keypair> = all.into_values().collect();
        let transaction = Transaction::new(&all, message, Hash::new_from_array(bytes(dice)));
        Signed { transaction, then }
    }
}

impl Patient {
    fn deciding(&self) -> By {
        By::wallet(self.wallet.pubkey())
    }
}

fn access(patient: &Patient, acting: &As, purpose: Purpose, dice: &mut Dice) -> Result<Instruction> {
    let (record, version, _) = one_of(&patient.records, dice)?;
    let args = AccessRecordArgs {
        request: id(dice),
        version: *version,
        purpose,
        grant: acting.claimed(),
    };
    Ok(ix::access_record(acting, &patient.id, record, args))
}

pub(super) fn one_of<'a, T>(all: &'a [T], dice: &mut Dice) -> Result<&'a T> {
    all.get(pick(dice, all.len())).context("there is none")
}

fn pick(dice: &mut Dice, of: usize) -> usize {
    usize::try_from(dice.below(of.max(1) as u64)).unwrap_or(0)
}

pub(super) fn content(dice: &mut Dice) -> Content {
    Content {
        manifest_hash: bytes(dice),
        root: bytes(dice),
        locator: bytes(dice),
        padded_size: 65_536 * (1 + dice.below(9)),
    }
}
