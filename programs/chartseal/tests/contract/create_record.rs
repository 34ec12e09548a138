//! Adding a record to a patient's chart.

use chartseal_program::{
    builders::{self as ix, As},
    events::{AnyEvent, Content},
    instructions::CreateRecordArgs,
    seeds::{address, BUMP, NO_ID, RECORD},
    state::{Patient, Record},
    vocabulary::*,
    ChartsealError, ID,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::common::*;

impl World {
    /// A record that the doctor would add by itself.
    fn create_ix(&mut self, args: CreateRecordArgs, grant: Option<[u8; 16]>) -> Instruction {
        let acting = As {
            grant,
            ..self.doctor.acting()
        };
        let args = CreateRecordArgs {
            grant: acting.claimed(),
            ..args
        };
        ix::create_record(&acting, self.doctor.wallet.pubkey(), None, &self.patient.id, args)
    }

    /// The doctor's attempt: the basis, or the reason against it. A refusal makes no account.
    fn attempt(&mut self, class: u8, purpose: Purpose, grant: Option<[u8; 16]>) -> Result<Basis, Reason> {
        let args = CreateRecordArgs {
            purpose,
            ..self.record_args(class)
        };
        let (create, doctor) = (self.create_ix(args, grant), self.doctor.clone());
        let event = self.chain.must(create, &[&doctor.wallet]);
        let exists = self
            .chain
            .svm
            .get_account(&address::record(&self.patient.id, &args.record))
            .is_some();
        match event {
            AnyEvent::RecordCreated(event) => {
                assert!(exists);
                Ok(event.basis)
            }
            AnyEvent::ActionRefused(event) => {
                assert!(!exists, "a refused record has no account");
                assert_eq!(
                    (event.action, event.record, event.purpose),
                    (Action::Append, args.record, purpose)
                );
                Err(event.reason)
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn created_record_says_what_was_sent() {
    let mut world = World::new();
    let grant = world.enrol();
    let args = world.record_args(0);
    let (create, doctor, patient) = (
        world.create_ix(args, Some(grant)),
        world.doctor.clone(),
        world.patient.id,
    );
    let AnyEvent::RecordCreated(event) = world.chain.must(create, &[&doctor.wallet]) else {
        panic!()
    };
    let record: Record = world.chain.read(&address::record(&patient, &args.record));
    assert_eq!((record.id, record.patient, record.class), (args.record, patient, 0));
    assert_eq!(
        (record.author, record.institution),
        (doctor.address(), world.hospital.id)
    );
    assert_eq!(
        (record.version, record.previous, record.content()),
        (1, [0; 32], args.content)
    );
    assert_eq!(
        (record.created_at, record.updated_at, record.is_erased()),
        (GENESIS, GENESIS, false)
    );
    assert_eq!(
        (event.request, event.record, event.class),
        (args.request, args.record, 0)
    );
    assert_eq!(
        (event.basis, event.under, event.content),
        (Basis::Grant, grant, args.content)
    );
    assert_eq!(
        (event.author.kind, event.author.wallet),
        (ActorKind::Member, doctor.wallet.pubkey())
    );
    let log = world.log();
    assert_eq!((log.chain.seq, log.chain.head), (event.link.seq, event.head));
    let entry = log.ring.entries[event.link.seq as usize % 16];
    assert_eq!(
        (entry.seq, entry.id, entry.outcome),
        (event.link.seq, args.record, Basis::Grant.byte())
    );
}

#[test]
fn patient_consents_by_signing_too() {
    let mut world = World::new();
    let record = world.record();
    let account: Record = world.chain.read(&address::record(&world.patient.id, &record));
    assert_eq!(account.author, world.doctor.address());
    assert_eq!(world.log().ring.entries[2].outcome, Basis::Consent.byte());
}

#[test]
fn consent_of_somebody_else_is_none() {
    let mut world = World::new();
    let (doctor, other) = (world.doctor.clone(), world.chain.patient(90));
    let args = world.record_args(0);
    for by in [&other.wallet, &doctor.wallet] {
        let wallet = Some(by.pubkey());
        let create = ix::create_record(
            &doctor.acting(),
            doctor.wallet.pubkey(),
            wallet,
            &world.patient.id,
            args,
        );
        let signers = if by.pubkey() == doctor.wallet.pubkey() {
            vec![by]
        } else {
            vec![&doctor.wallet, by]
        };
        world.chain.refuse(create, &signers, ChartsealError::NotPatient);
    }
}

#[test]
fn consent_must_be_signed() {
    let mut world = World::new();
    let (doctor, wallet) = (world.doctor.clone(), world.patient.wallet.pubkey());
    let args = world.record_args(0);
    let create = ix::create_record(
        &doctor.acting(),
        doctor.wallet.pubkey(),
        Some(wallet),
        &world.patient.id,
        args,
    );
    let create = unsign(create, wallet);
    world
        .chain
        .refuse_at_the_door(create, &[&doctor.wallet], InstructionError::MissingRequiredSignature);
}

#[test]
fn patient_adds_its_own() {
    let mut world = World::new();
    let (patient, args) = (world.patient.clone(), world.record_args(31));
    let create = ix::create_record(&patient.acting(), patient.wallet.pubkey(), None, &patient.id, args);
    let AnyEvent::RecordCreated(event) = world.chain.must(create, &[&patient.wallet]) else {
        panic!()
    };
    let record: Record = world.chain.read(&address::record(&patient.id, &args.record));
    assert_eq!((event.basis, event.author.kind), (Basis::Patient, ActorKind::Patient));
    assert_eq!(
        (record.author, record.institution),
        (address::patient(&patient.id), NO_ID)
    );
}

#[test]
fn grant_to_the_institution_or_to_the_member_lets_it_write() {
    let mut world = World::new();
    let institution = world.enrol();
    let member = world.grant(world.terms(GranteeKind::Member, world.doctor.address()));
    assert_eq!(
        world.attempt(0, Purpose::Treatment, Some(institution)),
        Ok(Basis::Grant)
    );
    assert_eq!(world.attempt(0, Purpose::Treatment, Some(member)), Ok(Basis::Grant));
}

#[test]
fn without_a_right_the_attempt_is_logged_and_no_record_is_made() {
    let mut world = World::new();
    let grant = world.enrol();
    assert_eq!(world.attempt(0, Purpose::Treatment, None), Err(Reason::NoGrant));
    assert_eq!(
        world.attempt(1, Purpose::Treatment, Some(grant)),
        Err(Reason::GrantOtherSubject)
    );
    assert_eq!(
        world.attempt(0, Purpose::Payment, Some(grant)),
        Err(Reason::RoleForbidsPurpose)
    );
    let reading = chartseal_program::events::Terms {
        rights: Action::Read.bit(),
        ..world.terms(GranteeKind::Member, world.doctor.address())
    };
    let reading = world.grant(reading);
    assert_eq!(
        world.attempt(0, Purpose::Treatment, Some(reading)),
        Err(Reason::RightNotGranted)
    );
    assert_eq!(world.refusals().chain.seq, 4);
}

#[test]
fn grant_on_one_record_adds_no_other() {
    let mut world = World::new();
    let record = world.record();
    let terms = world.terms(GranteeKind::Member, world.doctor.address());
    let grant = world.grant(chartseal_program::events::Terms {
        record,
        classes: 0,
        ..terms
    });
    assert_eq!(
        world.attempt(0, Purpose::Treatment, Some(grant)),
        Err(Reason::GrantOtherSubject)
    );
}

#[test]
fn steward_writes_for_a_patient_without_a_wallet() {
    let mut world = World::new();
    world.steward_patient();
    assert_eq!(world.attempt(7, Purpose::Treatment, None), Ok(Basis::Steward));
}

#[test]
fn steward_writes_no_more_once_there_is_a_wallet() {
    let mut world = World::new();
    let id = world.steward_patient();
    let wallet = world.patient.wallet.pubkey();
    world
        .chain
        .edit(&address::patient(&id), |patient: &mut Patient| patient.wallet = wallet);
    assert_eq!(world.attempt(7, Purpose::Treatment, None), Err(Reason::NoGrant));
}

#[test]
fn stewards_authority_is_no_author() {
    let mut world = World::new();
    world.steward_patient();
    let (authority, args) = (world.hospital.authority.insecure_clone(), world.record_args(0));
    let acting = As::wallet(authority.pubkey());
    let create = ix::create_record(&acting, authority.pubkey(), None, &world.patient.id, args);
    world.chain.refuse(create, &[&authority], ChartsealError::Stranger);
}

#[test]
fn record_is_not_planted_on_a_strangers_patient() {
    let mut world = World::new();
    let (stranger, args) = (world.chain.wallet(), world.record_args(0));
    let acting = As::wallet(stranger.pubkey());
    let create = ix::create_record(&acting, stranger.pubkey(), None, &world.patient.id, args);
    world.chain.refuse(create, &[&stranger], ChartsealError::Stranger);
}

#[test]
fn asking_with_empty_content_is_refused_by_policy_or_fails() {
    let mut world = World::new();
    let grant = world.enrol();
    let empty = Content {
        manifest_hash: [0; 32],
        ..content(1)
    };
    let doctor = world.doctor.clone();
    let mut ask = |grant, purpose| {
        let args = CreateRecordArgs {
            content: empty,
            purpose,
            ..world.record_args(0)
        };
        (world.create_ix(args, grant), args)
    };
    let (allowed, _) = ask(Some(grant), Purpose::Treatment);
    let (refused, _) = ask(None, Purpose::Treatment);
    world
        .chain
        .refuse(allowed, &[&doctor.wallet], ChartsealError::NoContent);
    let event = world.chain.must(refused, &[&doctor.wallet]);
    assert!(matches!(event, AnyEvent::ActionRefused(event) if event.reason == Reason::NoGrant));
}

#[test]
fn class_is_in_range() {
    let mut world = World::new();
    let (patient, highest) = (world.patient.clone(), world.record_args(CLASSES - 1));
    let create = |args| ix::create_record(&patient.acting(), patient.wallet.pubkey(), None, &patient.id, args);
    world.chain.must(create(highest), &[&patient.wallet]);
    for class in [CLASSES, u8::MAX] {
        let args = world.record_args(class);
        world
            .chain
            .refuse(create(args), &[&patient.wallet], ChartsealError::BadClass);
    }
}

#[test]
fn ids_of_zeros_are_refused() {
    let mut world = World::new();
    let patient = world.patient_where_zeros_fit(RECORD);
    let args = world.record_args(0);
    for args in [
        CreateRecordArgs { request: NO_ID, ..args },
        CreateRecordArgs { record: NO_ID, ..args },
    ] {
        let create = ix::create_record(&patient.acting(), patient.wallet.pubkey(), None, &patient.id, args);
        world.chain.refuse(create, &[&patient.wallet], ChartsealError::ZeroId);
    }
}

#[test]
fn id_whose_address_has_another_bump_is_refused() {
    let mut world = World::new();
    let patient = world.patient.clone();
    let record = loop {
        let id = world.id();
        let seeds: [&[u8]; 3] = [b"record", &patient.id, &id];
        if anchor_lang::prelude::Address::find_program_address(&seeds, &ID).1 != BUMP {
            break id;
        }
    };
    let args = CreateRecordArgs {
        record,
        ..world.record_args(0)
    };
    let create = ix::create_record(&patient.acting(), patient.wallet.pubkey(), None, &patient.id, args);
    world
        .chain
        .refuse(create, &[&patient.wallet], ChartsealError::BumpNot255);
}

#[test]
fn id_is_taken_once() {
    let mut world = World::new();
    let (patient, args) = (world.patient.clone(), world.record_args(0));
    let create = ix::create_record(&patient.acting(), patient.wallet.pubkey(), None, &patient.id, args);
    world.chain.must(create.clone(), &[&patient.wallet]);
    world.chain.refuse_at_the_door(create, &[&patient.wallet], EXISTS);
}

#[test]
fn another_pays_the_rent() {
    let mut world = World::new();
    let (grant, doctor, relayer) = (world.enrol(), world.doctor.clone(), world.chain.wallet());
    let args = CreateRecordArgs {
        grant,
        ..world.record_args(0)
    };
    let acting = doctor.acting().claiming(grant);
    let create = ix::create_record(&acting, relayer.pubkey(), None, &world.patient.id, args);
    let before = world.chain.svm.get_balance(&doctor.wallet.pubkey());
    world.chain.must(create, &[&relayer, &doctor.wallet]);
    assert_eq!(world.chain.svm.get_balance(&doctor.wallet.pubkey()), before);
}

#[test]
fn payer_must_sign() {
    let mut world = World::new();
    let (patient, victim, args) = (
        world.patient.clone(),
        world.chain.wallet().pubkey(),
        world.record_args(0),
    );
    let create = ix::create_record(&patient.acting(), victim, None, &patient.id, args);
    let create = unsign(create, victim);
    world
        .chain
        .refuse_at_the_door(create, &[&patient.wallet], InstructionError::MissingRequiredSignature);
}

#[test]
fn author_must_sign() {
    let mut world = World::new();
    let (grant, doctor, framer) = (world.enrol(), world.doctor.clone(), world.chain.wallet());
    let args = CreateRecordArgs {
        grant,
        ..world.record_args(0)
    };
    let acting = doctor.acting().claiming(grant);
    let create = ix::create_record(&acting, framer.pubkey(), None, &world.patient.id, args);
    let create = unsign(create, doctor.wallet.pubkey());
    world
        .chain
        .refuse_at_the_door(create, &[&framer], InstructionError::MissingRequiredSignature);
}

#[test]
fn record_stands_at_its_own_address() {
    let mut world = World::new();
    let (patient, args) = (world.patient.clone(), world.record_args(0));
    let mut create = ix::create_record(&patient.acting(), patient.wallet.pubkey(), None, &patient.id, args);
    let other = world.record_id();
    substitute(
        &mut create,
        address::record(&patient.id, &args.record),
        address::record(&patient.id, &other),
    );
    world
        .chain
        .refuse_at_the_door(create, &[&patient.wallet], InstructionError::InvalidSeeds);
}

#[test]
fn lamports_sent_ahead_do_not_stop_it() {
    let mut world = World::new();
    let (patient, args) = (world.patient.clone(), world.record_args(0));
    let address = address::record(&patient.id, &args.record);
    world.chain.svm.airdrop(&address, 1_000_000).unwrap();
    let create = ix::create_record(&patient.acting(), patient.wallet.pubkey(), None, &patient.id, args);
    world.chain.must(create, &[&patient.wallet]);
    let account = world.chain.svm.get_account(&address).unwrap();
    assert_eq!(
        account.lamports,
        world.chain.svm.minimum_balance_for_rent_exemption(account.data.len())
    );
}

#[test]
fn use_is_taken_by_a_record_and_not_by_a_refusal() {
    let mut world = World::new();
    let terms = world.terms(GranteeKind::Member, world.doctor.address());
    let grant = world.grant(chartseal_program::events::Terms { uses: 1, ..terms });
    assert_eq!(
        world.attempt(9, Purpose::Treatment, Some(grant)),
        Err(Reason::GrantOtherSubject)
    );
    assert_eq!(world.granted(&grant).uses_left, 1);
    assert_eq!(world.attempt(0, Purpose::Treatment, Some(grant)), Ok(Basis::Grant));
    assert_eq!(world.granted(&grant).uses_left, 0);
    assert_eq!(
        world.attempt(0, Purpose::Treatment, Some(grant)),
        Err(Reason::GrantExhausted)
    );
}
