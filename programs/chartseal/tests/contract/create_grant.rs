//! Giving rights: by the patient, or by the steward of one without a wallet.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix, By},
    events::{AnyEvent, Terms},
    instructions::CreateGrantArgs,
    seeds::{address, Id, BUMP, GRANT, NO_ID},
    state::{Grant, Patient, Record, UNLIMITED},
    vocabulary::*,
    ChartsealError, ID,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::common::*;

impl World {
    fn grant_ix(&mut self, terms: Terms) -> Instruction {
        let (id, wallet) = (self.grant_id(), self.patient.wallet.pubkey());
        ix::create_grant(
            &self.patient.deciding(),
            wallet,
            &self.patient.id,
            CreateGrantArgs { id, terms },
        )
    }

    #[track_caller]
    fn refuses(&mut self, terms: Terms, error: ChartsealError) {
        let (create, wallet) = (self.grant_ix(terms), self.patient.wallet.insecure_clone());
        self.chain.refuse(create, &[&wallet], error);
    }

    /// Terms for the insurer, to be made worse.
    fn sound(&self) -> Terms {
        self.terms(GranteeKind::Member, self.insurer.address())
    }
}

#[test]
fn grant_says_what_was_signed() {
    let mut world = World::new();
    let terms = Terms {
        classes: 0b101,
        rights: Action::Read.bit(),
        purposes: Purpose::Payment.bit(),
        not_before: GENESIS + 5,
        expires: GENESIS + 10,
        uses: 3,
        ..world.sound()
    };
    let (id, patient) = (world.grant_id(), world.patient.clone());
    let wallet = patient.wallet.pubkey();
    let create = ix::create_grant(&patient.deciding(), wallet, &patient.id, CreateGrantArgs { id, terms });
    let AnyEvent::GrantCreated(event) = world.chain.must(create, &[&patient.wallet]) else {
        panic!()
    };
    assert_eq!((event.grant, event.issuer, event.terms), (id, wallet, terms));
    let grant = world.granted(&id);
    assert_eq!(
        (grant.id, grant.patient, grant.issuer, grant.created_at),
        (id, patient.id, wallet, GENESIS)
    );
    assert_eq!(grant.terms(), Some(terms));
    assert_eq!((grant.revoked, grant.revoked_at), (0, 0));
    let log = world.log();
    assert_eq!((log.chain.seq, log.chain.head), (event.link.seq, event.head));
    assert_eq!(log.ring.entries[event.link.seq as usize % 16].id, id);
}

#[test]
fn every_right_and_purpose_that_exists_can_be_granted_and_no_other() {
    let mut world = World::new();
    let sound = world.sound();
    world.grant(Terms {
        rights: Action::MASK,
        purposes: Purpose::MASK,
        ..sound
    });
    for (rights, purposes) in [
        (0, Purpose::MASK),
        (Action::MASK, 0),
        (0, 0),
        (Action::MASK + 1, Purpose::MASK),
        (u8::MAX, Purpose::MASK),
        (Action::MASK, Purpose::MASK + 1),
        (Action::MASK, u8::MAX),
    ] {
        world.refuses(
            Terms {
                rights,
                purposes,
                ..sound
            },
            ChartsealError::BadMask,
        );
    }
}

#[test]
fn subject_is_a_record_or_classes_not_both_and_not_neither() {
    let mut world = World::new();
    let (record, sound) = (world.record(), world.sound());
    world.refuses(
        Terms {
            record: NO_ID,
            classes: 0,
            ..sound
        },
        ChartsealError::BadSubject,
    );
    world.refuses(
        Terms {
            record,
            classes: 1,
            ..sound
        },
        ChartsealError::BadSubject,
    );
    world.grant(Terms {
        record,
        classes: 0,
        ..sound
    });
    world.grant(Terms {
        record: NO_ID,
        classes: u32::MAX,
        ..sound
    });
}

#[test]
fn record_that_is_named_is_the_one_that_is_passed() {
    let mut world = World::new();
    let (record, other, sound) = (world.record(), world.record(), world.sound());
    let patient = world.patient.clone();
    let mut create = world.grant_ix(Terms {
        record,
        classes: 0,
        ..sound
    });
    substitute(
        &mut create,
        address::record(&patient.id, &record),
        address::record(&patient.id, &other),
    );
    world
        .chain
        .refuse(create, &[&patient.wallet], ChartsealError::BadSubject);
    // Left out altogether: Anchor's way of saying so is the program's own address.
    let mut create = world.grant_ix(Terms {
        record,
        classes: 0,
        ..sound
    });
    substitute(&mut create, address::record(&patient.id, &record), ID);
    world
        .chain
        .refuse(create, &[&patient.wallet], ChartsealError::BadSubject);
    // Passed where only classes are named.
    let mut create = world.grant_ix(sound);
    create.accounts[7].pubkey = address::record(&patient.id, &record);
    world
        .chain
        .refuse(create, &[&patient.wallet], ChartsealError::BadSubject);
}

#[test]
fn patient_grants_nothing_on_another_patients_record() {
    let mut world = World::new();
    let (record, theirs) = (world.record(), world.patient.clone());
    world.patient = world.chain.patient(90);
    let patient = world.patient.clone();
    let mut create = world.grant_ix(Terms {
        record,
        classes: 0,
        ..world.sound()
    });
    substitute(
        &mut create,
        address::record(&patient.id, &record),
        address::record(&theirs.id, &record),
    );
    world
        .chain
        .refuse(create, &[&patient.wallet], ChartsealError::ForeignPatient);
}

#[test]
fn erased_record_is_not_granted() {
    let mut world = World::new();
    let record = world.record();
    let address = address::record(&world.patient.id, &record);
    world.chain.edit(&address, |record: &mut Record| {
        record.status = RecordStatus::Erased.byte()
    });
    let terms = Terms {
        record,
        classes: 0,
        ..world.sound()
    };
    world.refuses(terms, ChartsealError::RecordErased);
}

#[test]
fn grant_ends_in_the_future_and_after_it_begins() {
    let mut world = World::new();
    let sound = world.sound();
    for (not_before, expires) in [
        (0, GENESIS),
        (0, GENESIS - 1),
        (0, i64::MIN),
        (GENESIS + 9, GENESIS + 9),
        (GENESIS + 9, GENESIS + 8),
        (i64::MAX, i64::MAX),
    ] {
        world.refuses(
            Terms {
                not_before,
                expires,
                ..sound
            },
            ChartsealError::BadValidity,
        );
    }
    world.grant(Terms {
        not_before: i64::MIN,
        expires: GENESIS + 1,
        ..sound
    });
    world.grant(Terms {
        not_before: GENESIS + 8,
        expires: GENESIS + 9,
        ..sound
    });
    world.grant(Terms {
        not_before: 0,
        expires: i64::MAX,
        ..sound
    });
}

#[test]
fn grant_without_uses_is_no_grant() {
    let mut world = World::new();
    let sound = world.sound();
    world.refuses(Terms { uses: 0, ..sound }, ChartsealError::NoUses);
    world.grant(Terms { uses: 1, ..sound });
    world.grant(Terms {
        uses: UNLIMITED,
        ..sound
    });
}

#[test]
fn grantee_is_of_the_kind_that_is_named() {
    let mut world = World::new();
    let record = world.record();
    let (member, institution, sound) = (world.insurer.address(), world.insurance.address(), world.sound());
    let (wallet, nowhere) = (world.chain.wallet().pubkey(), Address::new_from_array([9; 32]));
    let record = address::record(&world.patient.id, &record);
    for (grantee_kind, grantee) in [
        (GranteeKind::Member, institution),
        (GranteeKind::Member, wallet),
        (GranteeKind::Member, record),
        (GranteeKind::Member, nowhere),
        (GranteeKind::Institution, member),
        (GranteeKind::Institution, wallet),
        (GranteeKind::Institution, address::registry()),
        (GranteeKind::Person, member),
        (GranteeKind::Person, institution),
        (GranteeKind::Person, record),
        (GranteeKind::Person, Address::default()),
    ] {
        world.refuses(
            Terms {
                grantee_kind,
                grantee,
                ..sound
            },
            ChartsealError::BadGrantee,
        );
    }
    world.grant(Terms {
        grantee_kind: GranteeKind::Institution,
        grantee: institution,
        ..sound
    });
    world.grant(Terms {
        grantee_kind: GranteeKind::Person,
        grantee: wallet,
        ..sound
    });
    // A wallet that never held anything is a person's all the same.
    world.grant(Terms {
        grantee_kind: GranteeKind::Person,
        grantee: nowhere,
        ..sound
    });
}

#[test]
fn only_a_person_is_granted_with_a_key() {
    let mut world = World::new();
    let sound = world.sound();
    let grantee_key = [7; 32];
    world.refuses(Terms { grantee_key, ..sound }, ChartsealError::BadGrantee);
    let person = Terms {
        grantee_kind: GranteeKind::Person,
        grantee: Address::new_from_array([8; 32]),
        grantee_key,
        ..sound
    };
    let id = world.grant(person);
    let grant: Grant = world.chain.read(&address::grant(&world.patient.id, &id));
    assert_eq!(grant.terms(), Some(person));
}

#[test]
fn look_alike_of_a_member_is_no_grantee() {
    let mut world = World::new();
    let mut account = world.chain.svm.get_account(&world.insurer.address()).unwrap();
    account.owner = Address::new_from_array([8; 32]);
    let fake = Address::new_from_array([9; 32]);
    world.chain.svm.set_account(fake, account).unwrap();
    let terms = Terms {
        grantee: fake,
        ..world.sound()
    };
    world.refuses(terms, ChartsealError::BadGrantee);
}

#[test]
fn grantee_that_is_passed_is_the_one_in_the_terms() {
    let mut world = World::new();
    let (patient, sound) = (world.patient.clone(), world.sound());
    let mut create = world.grant_ix(sound);
    substitute(&mut create, sound.grantee, world.doctor.address());
    world
        .chain
        .refuse(create, &[&patient.wallet], ChartsealError::BadGrantee);
}

#[test]
fn nobody_grants_for_a_patient_who_has_a_wallet() {
    let mut world = World::new();
    let (terms, patient, id) = (world.sound(), world.patient.id, world.grant_id());
    let args = CreateGrantArgs { id, terms };
    let (stranger, admin) = (world.chain.wallet(), world.chain.admin.insecure_clone());
    let (insurer, hospital) = (world.insurer.wallet.insecure_clone(), world.hospital.clone());
    for by in [&stranger, &admin, &insurer, &hospital.authority] {
        for steward in [None, Some(hospital.id)] {
            let deciding = By {
                steward,
                ..By::wallet(by.pubkey())
            };
            let create = ix::create_grant(&deciding, by.pubkey(), &patient, args);
            world.chain.refuse(create, &[by], ChartsealError::NotPatient);
        }
    }
}

#[test]
fn patient_must_sign() {
    let mut world = World::new();
    let (terms, patient, payer) = (world.sound(), world.patient.clone(), world.chain.wallet());
    let (args, wallet) = (
        CreateGrantArgs {
            id: world.grant_id(),
            terms,
        },
        patient.wallet.pubkey(),
    );
    let create = unsign(
        ix::create_grant(&patient.deciding(), payer.pubkey(), &patient.id, args),
        wallet,
    );
    world
        .chain
        .refuse_at_the_door(create, &[&payer], InstructionError::MissingRequiredSignature);
}

#[test]
fn another_pays_the_rent() {
    let mut world = World::new();
    let (terms, patient, payer) = (world.sound(), world.patient.clone(), world.chain.wallet());
    let (args, wallet) = (
        CreateGrantArgs {
            id: world.grant_id(),
            terms,
        },
        patient.wallet.pubkey(),
    );
    let before = world.chain.svm.get_balance(&wallet);
    let create = ix::create_grant(&patient.deciding(), payer.pubkey(), &patient.id, args);
    world.chain.must(create, &[&payer, &patient.wallet]);
    assert_eq!(world.chain.svm.get_balance(&wallet), before);
}

/// A patient whom the hospital stewards, and a grant that its authority would give.
fn stewarded() -> (World, Body, CreateGrantArgs) {
    let mut world = World::new();
    world.steward_patient();
    let args = CreateGrantArgs {
        id: world.grant_id(),
        terms: world.sound(),
    };
    let hospital = world.hospital.clone();
    (world, hospital, args)
}

fn by_steward(world: &World, signer: &Body, steward: Option<Id>, args: CreateGrantArgs) -> Instruction {
    let wallet = signer.authority.pubkey();
    let deciding = By {
        steward,
        ..By::wallet(wallet)
    };
    ix::create_grant(&deciding, wallet, &world.patient.id, args)
}

#[test]
fn steward_grants_for_a_patient_without_a_wallet() {
    let (mut world, hospital, args) = stewarded();
    let create = by_steward(&world, &hospital, Some(hospital.id), args);
    world.chain.must(create, &[&hospital.authority]);
    assert_eq!(world.granted(&args.id).issuer, hospital.authority.pubkey());
}

#[test]
fn steward_that_is_left_out_grants_nothing() {
    let (mut world, hospital, args) = stewarded();
    let create = by_steward(&world, &hospital, None, args);
    world
        .chain
        .refuse(create, &[&hospital.authority], ChartsealError::NotPatient);
}

#[test]
fn foreign_institution_is_no_steward() {
    let (mut world, hospital, args) = stewarded();
    let insurance = world.insurance.clone();
    for steward in [insurance.id, hospital.id] {
        let create = by_steward(&world, &insurance, Some(steward), args);
        world
            .chain
            .refuse(create, &[&insurance.authority], ChartsealError::NotPatient);
    }
}

#[test]
fn member_of_the_steward_does_not_grant() {
    let (mut world, hospital, args) = stewarded();
    let doctor = world.doctor.wallet.insecure_clone();
    let create = ix::create_grant(
        &By::steward(doctor.pubkey(), hospital.id),
        doctor.pubkey(),
        &world.patient.id,
        args,
    );
    world.chain.refuse(create, &[&doctor], ChartsealError::NotPatient);
}

#[test]
fn suspended_steward_grants_nothing() {
    let (mut world, hospital, args) = stewarded();
    world.set_institution_standing(&hospital, Standing::Suspended);
    let create = by_steward(&world, &hospital, Some(hospital.id), args);
    world
        .chain
        .refuse(create, &[&hospital.authority], ChartsealError::InstitutionNotActive);
}

#[test]
fn steward_grants_nothing_once_there_is_a_wallet() {
    let (mut world, hospital, args) = stewarded();
    let (patient, wallet) = (address::patient(&world.patient.id), world.patient.wallet.pubkey());
    world
        .chain
        .edit(&patient, |patient: &mut Patient| patient.wallet = wallet);
    let create = by_steward(&world, &hospital, Some(hospital.id), args);
    world
        .chain
        .refuse(create, &[&hospital.authority], ChartsealError::NotPatient);
}

#[test]
fn grant_is_written_into_the_patients_own_log() {
    let mut world = World::new();
    let (other, patient, sound) = (world.chain.patient(90), world.patient.clone(), world.sound());
    let mut create = world.grant_ix(sound);
    substitute(
        &mut create,
        address::access_log(&patient.id),
        address::access_log(&other.id),
    );
    world
        .chain
        .refuse(create, &[&patient.wallet], ChartsealError::ForeignPatient);
}

#[test]
fn id_of_another_bump_or_taken_is_refused() {
    let mut world = World::new();
    let (terms, patient) = (world.sound(), world.patient.clone());
    let wallet = patient.wallet.pubkey();
    let create = |id| ix::create_grant(&patient.deciding(), wallet, &patient.id, CreateGrantArgs { id, terms });
    let bump = |id: &Id| Address::find_program_address(&[b"grant", &patient.id, id], &ID).1;
    let other_bump = loop {
        let id = world.id();
        if bump(&id) != BUMP {
            break id;
        }
    };
    world
        .chain
        .refuse(create(other_bump), &[&patient.wallet], ChartsealError::BumpNot255);
    let id = world.grant(terms);
    world.chain.refuse_at_the_door(create(id), &[&patient.wallet], EXISTS);
}

#[test]
fn id_of_zeros_is_refused() {
    let mut world = World::new();
    let patient = world.patient_where_zeros_fit(GRANT);
    let (wallet, args) = (
        patient.wallet.pubkey(),
        CreateGrantArgs {
            id: NO_ID,
            terms: world.sound(),
        },
    );
    let create = ix::create_grant(&patient.deciding(), wallet, &patient.id, args);
    world.chain.refuse(create, &[&patient.wallet], ChartsealError::ZeroId);
}

#[test]
fn revoked_grant_is_not_made_anew() {
    let mut world = World::new();
    let (terms, patient) = (world.sound(), world.patient.clone());
    let id = world.grant(terms);
    world.revoke(id);
    let wallet = patient.wallet.pubkey();
    let create = ix::create_grant(&patient.deciding(), wallet, &patient.id, CreateGrantArgs { id, terms });
    world.chain.refuse_at_the_door(create, &[&patient.wallet], EXISTS);
    assert_eq!(world.granted(&id).revoked, 1);
}

#[test]
fn grant_stands_under_its_own_patient() {
    let mut world = World::new();
    let (patient, other, sound) = (world.patient.clone(), world.chain.patient(90), world.sound());
    let mut create = world.grant_ix(sound);
    let own = create.accounts[9].pubkey;
    substitute(&mut create, own, address::grant(&other.id, &id(1)));
    world
        .chain
        .refuse_at_the_door(create, &[&patient.wallet], InstructionError::InvalidSeeds);
}

#[test]
fn lamports_sent_ahead_do_not_stop_it() {
    let mut world = World::new();
    let (terms, patient) = (world.sound(), world.patient.clone());
    let (id, wallet) = (world.grant_id(), patient.wallet.pubkey());
    let address = address::grant(&patient.id, &id);
    world.chain.svm.airdrop(&address, 1_000_000).unwrap();
    let create = ix::create_grant(&patient.deciding(), wallet, &patient.id, CreateGrantArgs { id, terms });
    world.chain.must(create, &[&patient.wallet]);
    assert_eq!(world.chain.read::<Grant>(&address).terms(), Some(terms));
}
