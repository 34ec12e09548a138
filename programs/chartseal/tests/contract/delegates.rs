//! What somebody who acts for a patient does and does not: its rights, for personal purposes, until its end.

use chartseal_program::{
    builders::{self as ix, As, By},
    events::{AnyEvent, Terms},
    instructions::CreateGrantArgs,
    seeds::{address, Id},
    state::{Record, PERSON_REFUSALS_PER_HOUR},
    vocabulary::*,
    ChartsealError,
};
use solana_signer::Signer;

use crate::{common::*, people::*};

/// A patient's record that the hospital's doctor wrote, and a delegate with these rights.
fn cared_for(rights: u8) -> (World, Carer, Id) {
    let mut world = World::new();
    let (record, carer) = (world.record(), world.delegate(rights));
    (world, carer, record)
}

fn reads(world: &mut World, carer: &Carer, record: Id) -> Result<Basis, Reason> {
    world.verdict(&carer.wallet, carer.acting(), record, Purpose::Personal)
}

#[test]
fn delegate_reads_and_the_log_says_by_which_delegation() {
    let (mut world, carer, record) = cared_for(Action::Read.bit());
    let done = world
        .access(&carer.wallet, carer.acting(), record, Purpose::Personal)
        .unwrap();
    let AnyEvent::AccessAllowed(event) = &done.event else {
        panic!()
    };
    assert_eq!((event.basis, event.under), (Basis::Delegate, carer.id));
    assert_eq!(event.actor.kind, ActorKind::Delegate);
    assert_eq!(event.actor.credential, address::delegate(&world.patient.id, &carer.id));
    assert_eq!(event.actor.wallet, carer.wallet.pubkey());
    world.assert_logged(
        &done.event,
        &event.request,
        &carer.wallet.pubkey(),
        Basis::Delegate.byte(),
    );
}

#[test]
fn delegate_does_no_more_than_its_rights() {
    for right in [Action::Read, Action::Append, Action::Amend] {
        let (mut world, carer, record) = cared_for(right.bit());
        let verdict = |action| match action == right {
            true => Ok(Basis::Delegate),
            false => Err(Reason::RightNotGranted),
        };
        assert_eq!(reads(&mut world, &carer, record), verdict(Action::Read));
        let (_, written) = world.write(&carer.wallet, &carer.acting(), 0, Purpose::Personal);
        assert_eq!(written, verdict(Action::Append));
        let patient = world.patient.clone();
        let (own, _) = world.write(&patient.wallet, &patient.acting(), 0, Purpose::Personal);
        let amended = world.amend(&carer.wallet, &carer.acting(), own, Purpose::Personal);
        assert_eq!(amended, verdict(Action::Amend));
    }
}

#[test]
fn delegate_writes_as_the_patient() {
    let (mut world, carer, _) = cared_for(Action::Append.bit());
    let (record, _) = world.write(&carer.wallet, &carer.acting(), 0, Purpose::Personal);
    let patient = world.patient.clone();
    let at = address::record(&patient.id, &record);
    let account: Record = world.chain.read(&at);
    assert_eq!(
        (account.author, account.origin, account.institution),
        (address::patient(&patient.id), address::patient(&patient.id), [0; 16])
    );
    let amended = world.amend(&patient.wallet, &patient.acting(), record, Purpose::Personal);
    assert_eq!(amended, Ok(Basis::Patient));
}

#[test]
fn delegate_rewrites_nothing_that_somebody_else_wrote() {
    let (mut world, carer, record) = cared_for(Action::MASK);
    let amended = world.amend(&carer.wallet, &carer.acting(), record, Purpose::Personal);
    assert_eq!(amended, Err(Reason::NotTheAuthor));
}

#[test]
fn delegate_has_no_professions_purposes() {
    let (mut world, carer, record) = cared_for(Action::MASK);
    for purpose in Purpose::ALL.iter().filter(|purpose| **purpose != Purpose::Personal) {
        let verdict = world.verdict(&carer.wallet, carer.acting(), record, *purpose);
        assert_eq!(verdict, Err(Reason::PurposeNotPersonal));
    }
}

#[test]
fn delegate_acting_before_it_accepted_after_its_end_or_after_revocation_is_refused() {
    let (mut world, carer, record) = cared_for(Action::MASK);
    let named = world.named_delegate(Action::MASK);
    assert_eq!(reads(&mut world, &named, record), Err(Reason::DelegateNotAccepted));
    let expires = world.delegation_account(&carer.id).expires;
    for (at, verdict) in [
        (expires - 1, Ok(Basis::Delegate)),
        (expires, Err(Reason::DelegateExpired)),
        (expires + 1, Err(Reason::DelegateExpired)),
    ] {
        world.chain.set_time(at);
        assert_eq!(reads(&mut world, &carer, record), verdict);
    }
    world.chain.set_time(GENESIS);
    world.revoke_delegate(&carer);
    assert_eq!(reads(&mut world, &carer, record), Err(Reason::DelegateRevoked));
    let (_, written) = world.write(&carer.wallet, &carer.acting(), 0, Purpose::Personal);
    assert_eq!(written, Err(Reason::DelegateRevoked));
}

#[test]
fn refusal_names_the_delegation_that_was_claimed() {
    let (mut world, carer, record) = cared_for(Action::Append.bit());
    let done = world
        .access(&carer.wallet, carer.acting(), record, Purpose::Personal)
        .unwrap();
    world.assert_refusal_logged(&done.event);
    let AnyEvent::ActionRefused(event) = done.event else {
        panic!()
    };
    assert_eq!((event.reason, event.under), (Reason::RightNotGranted, carer.id));
}

#[test]
fn delegate_acting_after_expiry_decides_nothing() {
    let (mut world, carer, _) = cared_for(Action::MASK);
    let (terms, id) = (
        world.terms(GranteeKind::Member, world.insurer.address()),
        world.grant_id(),
    );
    let args = CreateGrantArgs { id, terms };
    let patient = world.patient.id;
    let create = ix::create_grant(&carer.deciding(), carer.wallet.pubkey(), &patient, args);
    let given = world.insure(|_| {});
    let revoke = ix::revoke_grant(&carer.deciding(), &patient, &given);
    let expires = world.delegation_account(&carer.id).expires;
    world.chain.set_time(expires);
    for instruction in [&create, &revoke] {
        world
            .chain
            .refuse(instruction.clone(), &[&carer.wallet], ChartsealError::NotPatient);
    }
    world.chain.set_time(GENESIS);
    world.chain.must(create.clone(), &[&carer.wallet]);
    world.chain.must(revoke, &[&carer.wallet]);
    world.revoke_delegate(&carer);
    let id = world.grant_id();
    let args = CreateGrantArgs { id, terms };
    let create = ix::create_grant(&carer.deciding(), carer.wallet.pubkey(), &patient, args);
    world.chain.refuse(create, &[&carer.wallet], ChartsealError::NotPatient);
}

#[test]
fn only_a_delegate_that_may_share_gives_and_takes_grants() {
    let mut world = World::new();
    let (sharer, reader) = (
        world.delegate(Action::Share.bit()),
        world.delegate(Action::MASK & !Action::Share.bit()),
    );
    let (patient, given) = (world.patient.id, world.insure(|_| {}));
    let terms = Terms {
        rights: Action::Share.bit(),
        ..world.terms(GranteeKind::Member, world.insurer.address())
    };
    let args = CreateGrantArgs {
        id: world.grant_id(),
        terms,
    };
    let create = |carer: &Carer| ix::create_grant(&carer.deciding(), carer.wallet.pubkey(), &patient, args);
    let revoke = |carer: &Carer| ix::revoke_grant(&carer.deciding(), &patient, &given);
    for instruction in [create(&reader), revoke(&reader)] {
        world
            .chain
            .refuse(instruction, &[&reader.wallet], ChartsealError::NotPatient);
    }
    // Without naming the delegation it is nobody.
    let bare = By::wallet(sharer.wallet.pubkey());
    let without = ix::create_grant(&bare, sharer.wallet.pubkey(), &patient, args);
    world
        .chain
        .refuse(without, &[&sharer.wallet], ChartsealError::NotPatient);
    // Another's delegation serves nobody, the patient neither.
    let stranger = world.chain.wallet();
    for by in [&stranger, &reader.wallet, &world.patient.wallet.insecure_clone()] {
        let deciding = By::delegate(by.pubkey(), sharer.id);
        let create = ix::create_grant(&deciding, by.pubkey(), &patient, args);
        world.chain.refuse(create, &[by], ChartsealError::NotPatient);
    }
    world.chain.must(create(&sharer), &[&sharer.wallet]);
    assert_eq!(world.granted(&args.id).issuer, sharer.wallet.pubkey());
    world.chain.must(revoke(&sharer), &[&sharer.wallet]);
}

#[test]
fn delegate_granting_a_right_that_it_does_not_have_or_for_longer_is_refused() {
    let (mut world, carer, _) = cared_for(Action::Share.bit() | Action::Read.bit());
    let expires = world.delegation_account(&carer.id).expires;
    let sound = Terms {
        rights: Action::Share.bit() | Action::Read.bit(),
        expires,
        ..world.terms(GranteeKind::Person, carer.wallet.pubkey())
    };
    let create = |world: &mut World, terms| {
        let args = CreateGrantArgs {
            id: world.grant_id(),
            terms,
        };
        ix::create_grant(&carer.deciding(), carer.wallet.pubkey(), &world.patient.id, args)
    };
    for terms in [
        Terms {
            rights: Action::MASK,
            ..sound
        },
        Terms {
            rights: Action::Amend.bit(),
            ..sound
        },
        Terms {
            expires: expires + 1,
            ..sound
        },
        Terms {
            expires: i64::MAX,
            ..sound
        },
    ] {
        let create = create(&mut world, terms);
        world
            .chain
            .refuse(create, &[&carer.wallet], ChartsealError::BeyondDelegation);
    }
    let within = create(&mut world, sound);
    world.chain.must(within, &[&carer.wallet]);
}

#[test]
fn delegate_erasing_is_refused() {
    let (mut world, carer, record) = cared_for(Action::MASK);
    let patient = world.patient.id;
    for by in [carer.deciding(), By::wallet(carer.wallet.pubkey())] {
        let erase = ix::erase_record(&by, &patient, &record);
        world.chain.refuse(erase, &[&carer.wallet], ChartsealError::NotPatient);
    }
}

#[test]
fn delegate_changing_the_wallet_or_the_keys_is_refused() {
    let (mut world, carer, _) = cared_for(Action::MASK);
    let (patient, wallet) = (world.patient.id, carer.wallet.pubkey());
    for instruction in [
        ix::propose_wallet(wallet, None, &patient, wallet),
        ix::rotate_patient_key(wallet, &patient, keys(9)),
    ] {
        world
            .chain
            .refuse(instruction, &[&carer.wallet], ChartsealError::NotPatient);
    }
}

#[test]
fn delegation_of_another_patient_gives_nothing() {
    let (mut world, carer, _) = cared_for(Action::MASK);
    let theirs = world.patient.id;
    world.patient = world.chain.patient(90);
    let (record, patient) = (world.record(), world.patient.id);
    let (own, foreign) = (
        address::delegate(&patient, &carer.id),
        address::delegate(&theirs, &carer.id),
    );
    let mut access = world.access_ix(&carer.acting(), record, Purpose::Personal);
    substitute(&mut access, own, foreign);
    world
        .chain
        .refuse(access, &[&carer.wallet], ChartsealError::ForeignPatient);
    let terms = world.terms(GranteeKind::Member, world.insurer.address());
    let args = CreateGrantArgs {
        id: world.grant_id(),
        terms,
    };
    let mut create = ix::create_grant(&carer.deciding(), carer.wallet.pubkey(), &patient, args);
    substitute(&mut create, own, foreign);
    world.chain.refuse(create, &[&carer.wallet], ChartsealError::NotPatient);
}

#[test]
fn stranger_in_a_delegates_name_leaves_nothing() {
    let (mut world, carer, record) = cared_for(Action::MASK);
    let stranger = world.chain.wallet();
    let acting = As::delegate(stranger.pubkey(), carer.id);
    let access = world.access_ix(&acting, record, Purpose::Personal);
    world.chain.refuse(access, &[&stranger], ChartsealError::Stranger);
}

#[test]
fn somebody_acts_in_one_capacity() {
    let (mut world, carer, record) = cared_for(Action::MASK);
    let doctor = world.doctor.clone();
    let both = As {
        delegate: Some(carer.id),
        ..doctor.acting()
    };
    let access = world.access_ix(&both, record, Purpose::Treatment);
    world
        .chain
        .refuse(access, &[&doctor.wallet], ChartsealError::OneCapacity);
}

#[test]
fn delegates_right_stands_by_itself_whatever_grant_it_claims() {
    let (mut world, carer, record) = cared_for(Action::Append.bit());
    let grant = world.insure(|_| {});
    let acting = carer.acting().claiming(grant);
    let verdict = world.verdict(&carer.wallet, acting, record, Purpose::Personal);
    assert_eq!(verdict, Err(Reason::RightNotGranted));
    let uses = world.insure(|terms| terms.uses = 2);
    let acting = carer.acting().claiming(uses);
    let (_, written) = world.write(&carer.wallet, &acting, 0, Purpose::Personal);
    assert_eq!(written, Ok(Basis::Delegate));
    assert_eq!(world.granted(&uses).uses_left, 2);
}

#[test]
fn delegates_refusals_are_the_patients_and_capped() {
    let (mut world, carer, record) = cared_for(Action::Append.bit());
    for _ in 0..PERSON_REFUSALS_PER_HOUR {
        assert_eq!(reads(&mut world, &carer, record), Err(Reason::RightNotGranted));
    }
    let access = world.access_ix(&carer.acting(), record, Purpose::Personal);
    world.chain.refuse(access, &[&carer.wallet], ChartsealError::RefusalCap);
    assert_eq!(world.refusals().own.count, PERSON_REFUSALS_PER_HOUR);
    assert_eq!(world.refusals().persons.count, 0, "persons are counted apart");
}

#[test]
fn delegation_outlives_a_handover_and_the_new_wallet_ends_it() {
    let (mut world, carer, record) = cared_for(Action::Read.bit());
    world.hand_over();
    assert_eq!(reads(&mut world, &carer, record), Ok(Basis::Delegate));
    world.revoke_delegate(&carer);
    assert_eq!(reads(&mut world, &carer, record), Err(Reason::DelegateRevoked));
}

#[test]
fn delegate_does_nothing_while_paused() {
    let (mut world, carer, record) = cared_for(Action::MASK);
    world.set_paused(true);
    let access = world.access_ix(&carer.acting(), record, Purpose::Personal);
    world.chain.refuse(access, &[&carer.wallet], ChartsealError::Paused);
}
