//! What an institution shares by itself: chosen by whoever decides for the patient, replaced as a whole.

use chartseal_program::{
    builders::{self as ix, By},
    events::{AnyEvent, PolicySet},
    instructions::SetPolicyArgs,
    seeds::address,
    state::{Policy, NO_OUTCOME},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_signer::Signer;

use crate::{common::*, people::*};

const NOTHING: SetPolicyArgs = SetPolicyArgs {
    classes: 0,
    purposes: 0,
    enrols: false,
    expires: 0,
};

impl World {
    fn policy_ix(&self, args: SetPolicyArgs) -> Instruction {
        let by = self.patient.deciding();
        ix::set_policy(&by, by.wallet, &self.patient.id, &self.hospital.id, args)
    }

    #[track_caller]
    fn refuses_policy(&mut self, args: SetPolicyArgs, error: ChartsealError) {
        let (set, wallet) = (self.policy_ix(args), self.patient.wallet.insecure_clone());
        self.chain.refuse(set, &[&wallet], error);
    }

    #[track_caller]
    fn sets_policy(&mut self, args: SetPolicyArgs) {
        let hospital = self.hospital.clone();
        self.set_policy(&hospital, |policy| *policy = args);
    }

    fn hospitals_policy(&self) -> Policy {
        self.policy(&self.hospital)
    }
}

#[test]
fn policy_says_what_was_chosen() {
    let mut world = World::new();
    let (hospital, patient) = (world.hospital.clone(), world.patient.clone());
    world.wait(3);
    let args = SetPolicyArgs {
        classes: 1 | 1 << 31,
        purposes: Purpose::Treatment.bit() | Purpose::Research.bit(),
        enrols: true,
        expires: GENESIS + 99,
    };
    let event = world.set_policy(&hospital, |policy| *policy = args);
    let expected = PolicySet {
        link: *event.link(),
        institution: hospital.id,
        classes: args.classes,
        purposes: args.purposes,
        enrols: true,
        expires: GENESIS + 99,
        by: patient.wallet.pubkey(),
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::PolicySet(expected));
    world.assert_logged(&event, &hospital.id, &patient.wallet.pubkey(), NO_OUTCOME);
    let policy = world.hospitals_policy();
    assert_eq!((policy.patient, policy.institution), (patient.id, hospital.id));
    assert_eq!(
        (policy.classes, policy.purposes, policy.enrols, policy.expires),
        (args.classes, args.purposes, 1, GENESIS + 99)
    );
    assert_eq!((policy.created_at, policy.changed_at), (GENESIS + 3, GENESIS + 3));
    let mut since = [0; 32];
    since[0] = GENESIS + 3;
    since[31] = GENESIS + 3;
    assert_eq!(policy.since, since);
}

#[test]
fn class_that_stays_keeps_its_time_and_one_that_returns_begins_anew() {
    let mut world = World::new();
    let sound = world.policy_args();
    let of = |classes| SetPolicyArgs { classes, ..sound };
    world.sets_policy(of(0b011));
    world.wait(10);
    world.sets_policy(of(0b110));
    let policy = world.hospitals_policy();
    assert_eq!(policy.since[..3], [0, GENESIS, GENESIS + 10]);
    assert_eq!((policy.created_at, policy.changed_at), (GENESIS, GENESIS + 10));
    world.wait(10);
    world.sets_policy(of(0b011));
    assert_eq!(world.hospitals_policy().since[..3], [GENESIS + 20, GENESIS, 0]);
}

#[test]
fn choosing_nothing_withdraws_it_and_the_account_stays() {
    let mut world = World::new();
    let sound = world.policy_args();
    world.sets_policy(SetPolicyArgs { enrols: true, ..sound });
    world.wait(5);
    world.sets_policy(NOTHING);
    let policy = world.hospitals_policy();
    assert_eq!(
        (policy.classes, policy.purposes, policy.enrols, policy.expires),
        (0, 0, 0, 0)
    );
    assert_eq!((policy.since, policy.created_at), ([0; 32], GENESIS));
    // And twice.
    world.sets_policy(NOTHING);
    // Chosen again, it begins again.
    world.sets_policy(sound);
    assert_eq!(world.hospitals_policy().since[0], GENESIS + 5);
}

#[test]
fn policy_of_nothing_names_nothing_and_one_of_something_a_purpose() {
    let mut world = World::new();
    let sound = world.policy_args();
    let none = SetPolicyArgs {
        expires: GENESIS + 1,
        ..NOTHING
    };
    for args in [
        SetPolicyArgs { purposes: 1, ..none },
        SetPolicyArgs { enrols: true, ..none },
        SetPolicyArgs { purposes: 0, ..sound },
        SetPolicyArgs {
            purposes: Purpose::MASK + 1,
            ..sound
        },
        SetPolicyArgs {
            purposes: u8::MAX,
            ..sound
        },
    ] {
        world.refuses_policy(args, ChartsealError::BadPolicy);
    }
    world.sets_policy(SetPolicyArgs {
        classes: u32::MAX,
        purposes: Purpose::MASK,
        ..sound
    });
}

#[test]
fn policy_ends_in_the_future() {
    let mut world = World::new();
    let sound = world.policy_args();
    for expires in [GENESIS, GENESIS - 1, i64::MIN + 1, 0] {
        world.refuses_policy(SetPolicyArgs { expires, ..sound }, ChartsealError::BadValidity);
    }
    world.sets_policy(SetPolicyArgs {
        expires: GENESIS + 1,
        ..sound
    });
}

#[test]
fn only_an_active_institution_is_given_anything() {
    let mut world = World::new();
    let (sound, hospital) = (world.policy_args(), world.hospital.clone());
    world.sets_policy(sound);
    world.set_institution_standing(&hospital, Standing::Suspended);
    for args in [
        SetPolicyArgs { classes: 0b11, ..sound },
        SetPolicyArgs {
            purposes: Purpose::MASK,
            ..sound
        },
        SetPolicyArgs { enrols: true, ..sound },
        SetPolicyArgs {
            expires: sound.expires + 1,
            ..sound
        },
    ] {
        world.refuses_policy(args, ChartsealError::InstitutionNotActive);
    }
    world.sets_policy(SetPolicyArgs {
        expires: sound.expires - 1,
        ..sound
    });
    world.sets_policy(NOTHING);
}

#[test]
fn only_what_gives_is_paused() {
    let mut world = World::new();
    let sound = SetPolicyArgs {
        classes: 0b111,
        purposes: 0b11,
        enrols: true,
        ..world.policy_args()
    };
    world.sets_policy(sound);
    world.set_paused(true);
    for args in [
        SetPolicyArgs {
            classes: 0b1111,
            ..sound
        },
        // More of one and less of all the rest.
        SetPolicyArgs {
            classes: 0b1000,
            purposes: 1,
            enrols: false,
            expires: GENESIS + 1,
        },
        SetPolicyArgs {
            purposes: 0b111,
            ..sound
        },
        SetPolicyArgs {
            purposes: 0b100,
            classes: 1,
            ..sound
        },
        SetPolicyArgs {
            expires: sound.expires + 1,
            ..sound
        },
        SetPolicyArgs {
            expires: sound.expires + 1,
            classes: 1,
            ..sound
        },
    ] {
        world.refuses_policy(args, ChartsealError::Paused);
    }
    for args in [
        sound,
        SetPolicyArgs { classes: 0b11, ..sound },
        SetPolicyArgs {
            classes: 0b11,
            purposes: 1,
            ..sound
        },
        SetPolicyArgs {
            classes: 0b11,
            purposes: 1,
            enrols: false,
            ..sound
        },
        SetPolicyArgs {
            classes: 0b11,
            purposes: 1,
            enrols: false,
            expires: GENESIS + 1,
        },
        // Into the past, which ends it.
        SetPolicyArgs {
            classes: 0b11,
            purposes: 1,
            enrols: false,
            expires: GENESIS - 1,
        },
    ] {
        world.sets_policy(args);
    }
    let enrols = SetPolicyArgs {
        classes: 0b11,
        purposes: 1,
        enrols: true,
        expires: GENESIS - 1,
    };
    world.refuses_policy(enrols, ChartsealError::Paused);
    world.sets_policy(NOTHING);
    world.refuses_policy(sound, ChartsealError::Paused);
}

/// A policy of nothing keeps whatever end it was set to; that end gives nothing later.
#[test]
fn end_of_a_withdrawn_policy_opens_no_way_around_the_pause() {
    let mut world = World::new();
    let sound = world.policy_args();
    world.set_paused(true);
    world.sets_policy(SetPolicyArgs {
        expires: i64::MAX,
        ..NOTHING
    });
    world.refuses_policy(sound, ChartsealError::Paused);
}

#[test]
fn only_who_decides_for_the_patient_sets_it() {
    let mut world = World::new();
    let (hospital, doctor, sound) = (world.hospital.clone(), world.doctor.clone(), world.policy_args());
    let reader = world.delegate(Action::MASK & !Action::Share.bit());
    let (stranger, admin) = (world.chain.wallet(), world.chain.admin.insecure_clone());
    for by in [&stranger, &admin, &doctor.wallet, &hospital.authority, &reader.wallet] {
        for deciding in [
            By::wallet(by.pubkey()),
            By::steward(by.pubkey(), hospital.id),
            By::delegate(by.pubkey(), reader.id),
        ] {
            for args in [sound, NOTHING] {
                let set = ix::set_policy(&deciding, by.pubkey(), &world.patient.id, &hospital.id, args);
                world.chain.refuse(set, &[by], ChartsealError::NotPatient);
            }
        }
    }
}

#[test]
fn delegate_that_may_share_sets_it() {
    let mut world = World::new();
    let carer = world.delegate(Action::Read.bit() | Action::Share.bit());
    let sound = world.policy_args();
    let set = ix::set_policy(
        &carer.deciding(),
        carer.wallet.pubkey(),
        &world.patient.id,
        &world.hospital.id,
        sound,
    );
    let event = world.chain.must(set, &[&carer.wallet]);
    let hospital = world.hospital.id;
    world.assert_logged(&event, &hospital, &carer.wallet.pubkey(), NO_OUTCOME);
    let AnyEvent::PolicySet(event) = event else { panic!() };
    assert_eq!(event.by, carer.wallet.pubkey());
}

#[test]
fn delegate_sharing_what_it_does_not_have_or_for_longer_is_refused() {
    let mut world = World::new();
    let (patient, hospital, sound) = (world.patient.id, world.hospital.id, world.policy_args());
    let sharer = world.delegate(Action::Share.bit());
    let reader = world.delegate(Action::Share.bit() | Action::Read.bit());
    let writer = world.delegate(Action::Share.bit() | Action::Append.bit());
    let set = |carer: &Carer, args| ix::set_policy(&carer.deciding(), carer.wallet.pubkey(), &patient, &hospital, args);
    let enrols = SetPolicyArgs { enrols: true, ..sound };
    let longer = SetPolicyArgs {
        expires: sound.expires + 1,
        ..sound
    };
    for (carer, args) in [
        (&sharer, sound),
        (&writer, sound),
        (&writer, enrols),
        (&reader, enrols),
        (&reader, longer),
    ] {
        world
            .chain
            .refuse(set(carer, args), &[&carer.wallet], ChartsealError::BeyondDelegation);
    }
    world.chain.must(set(&reader, sound), &[&reader.wallet]);
    // To take it away it needs no more than to share.
    world.chain.must(set(&sharer, NOTHING), &[&sharer.wallet]);
}

#[test]
fn steward_sets_it_while_there_is_no_wallet_and_a_suspended_one_only_takes() {
    let mut world = World::new();
    let (patient, hospital, insurance) = (world.steward_patient(), world.hospital.clone(), world.insurance.clone());
    let sound = world.policy_args();
    let (by, authority) = (hospital.stewards(), hospital.authority.insecure_clone());
    let set = |args| ix::set_policy(&by, authority.pubkey(), &patient, &insurance.id, args);
    world.chain.must(set(sound), &[&authority]);
    world.set_institution_standing(&hospital, Standing::Suspended);
    let more = SetPolicyArgs { classes: 0b11, ..sound };
    world
        .chain
        .refuse(set(more), &[&authority], ChartsealError::InstitutionNotActive);
    world.chain.must(set(NOTHING), &[&authority]);
    world.set_institution_standing(&hospital, Standing::Active);
    world.take_out();
    world
        .chain
        .refuse(set(NOTHING), &[&authority], ChartsealError::NotPatient);
    world
        .chain
        .refuse(set(sound), &[&authority], ChartsealError::NotPatient);
}

#[test]
fn old_wallet_setting_it_after_a_handover_is_refused() {
    let mut world = World::new();
    let (sound, hospital) = (world.policy_args(), world.hospital.id);
    let old = world.hand_over();
    for args in [sound, NOTHING] {
        let by = By::wallet(old.pubkey());
        let set = ix::set_policy(&by, old.pubkey(), &world.patient.id, &hospital, args);
        world.chain.refuse(set, &[&old], ChartsealError::NotPatient);
    }
}

#[test]
fn policy_stands_under_its_own_patient_and_institution_and_in_its_own_log() {
    let mut world = World::new();
    let (sound, wallet) = (world.policy_args(), world.patient.wallet.insecure_clone());
    let (patient, other) = (world.patient.id, world.chain.patient(90).id);
    let (hospital, insurance) = (world.hospital.id, world.insurance.id);
    world.sets_policy(sound);
    for at in [
        address::policy(&other, &hospital),
        address::policy(&patient, &insurance),
    ] {
        let mut set = world.policy_ix(sound);
        substitute(&mut set, address::policy(&patient, &hospital), at);
        world
            .chain
            .refuse_at_the_door(set, &[&wallet], InstructionError::InvalidSeeds);
    }
    let mut set = world.policy_ix(sound);
    substitute(&mut set, address::access_log(&patient), address::access_log(&other));
    world.chain.refuse(set, &[&wallet], ChartsealError::ForeignPatient);
    let mut set = world.policy_ix(sound);
    let member = world.doctor.address();
    substitute(&mut set, address::institution(&hospital), member);
    world
        .chain
        .refuse_at_the_door(set, &[&wallet], InstructionError::AccountDataTooSmall);
}

#[test]
fn who_decides_must_sign_and_another_may_pay() {
    let mut world = World::new();
    let (patient, payer, sound) = (world.patient.clone(), world.chain.wallet(), world.policy_args());
    let set = ix::set_policy(
        &patient.deciding(),
        payer.pubkey(),
        &patient.id,
        &world.hospital.id,
        sound,
    );
    let unsigned = unsign(set.clone(), patient.wallet.pubkey());
    world
        .chain
        .refuse_at_the_door(unsigned, &[&payer], InstructionError::MissingRequiredSignature);
    let before = world.chain.svm.get_balance(&patient.wallet.pubkey());
    world.chain.must(set, &[&payer, &patient.wallet]);
    assert_eq!(world.chain.svm.get_balance(&patient.wallet.pubkey()), before);
}

#[test]
fn lamports_sent_ahead_do_not_stop_it() {
    let mut world = World::new();
    let (sound, at) = (
        world.policy_args(),
        address::policy(&world.patient.id, &world.hospital.id),
    );
    world.chain.svm.airdrop(&at, 1_000_000).unwrap();
    world.sets_policy(sound);
    assert_eq!(world.hospitals_policy().patient, world.patient.id);
}
