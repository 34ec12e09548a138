//! The patient answers a request, once: with no more than was asked for, or by denying it.

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix, By},
    events::{AnyEvent, RequestDecided, Terms},
    instructions::{Approval, DecideRequestArgs},
    seeds::{address, Id, GRANT, NO_ID},
    state::{AccessLog, Delegate, Grant, Record, Request, NO_OUTCOME, UNLIMITED},
    vocabulary::*,
    ChartsealError, ID,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

/// The doctor's request to read and to share classes 0 and 1 for treatment and research, for a day.
struct Asked {
    world: World,
    doctor: Person,
    request: Id,
    approval: Approval,
}

const DENIAL: DecideRequestArgs = DecideRequestArgs { approval: None };

impl Asked {
    fn new() -> Self {
        Self::about(None)
    }

    fn about(record: Option<Id>) -> Self {
        Self::of(World::new(), record)
    }

    fn of(mut world: World, record: Option<Id>) -> Self {
        let doctor = world.doctor.clone();
        let classes = if record.is_some() { 0 } else { 0b11 };
        let (rights, purposes) = (
            Action::Read.bit() | Action::Share.bit(),
            Purpose::Treatment.bit() | Purpose::Research.bit(),
        );
        let until = world.chain.now() + DAY;
        let request = world.request(&doctor, |args| {
            args.record = record.unwrap_or(NO_ID);
            args.classes = classes;
            args.rights = rights;
            args.purposes = purposes;
            args.until = until;
        });
        let approval = Approval {
            grant: world.fitting(GRANT),
            rights,
            purposes,
            classes,
            not_before: 0,
            expires: until,
            uses: 3,
        };
        Self {
            world,
            doctor,
            request,
            approval,
        }
    }

    fn decide(&self, by: &By, args: DecideRequestArgs) -> Instruction {
        let account = self.world.requested(&self.request);
        let record = (account.record != NO_ID).then_some(&account.record);
        ix::decide_request(by, by.wallet, &self.world.patient.id, (&self.request, record), args)
    }

    fn by_patient(&self, args: DecideRequestArgs) -> Instruction {
        self.decide(&self.world.patient.deciding(), args)
    }

    fn approve(&mut self, approval: Approval) -> AnyEvent {
        let decide = self.by_patient(yes(approval));
        let wallet = self.world.patient.wallet.insecure_clone();
        self.world.chain.must(decide, &[&wallet])
    }

    fn deny(&mut self) -> AnyEvent {
        let (deny, wallet) = (self.by_patient(DENIAL), self.world.patient.wallet.insecure_clone());
        self.world.chain.must(deny, &[&wallet])
    }

    #[track_caller]
    fn fails(&mut self, args: DecideRequestArgs, error: ChartsealError) {
        let decide = self.by_patient(args);
        let wallet = self.world.patient.wallet.insecure_clone();
        self.world.chain.refuse(decide, &[&wallet], error);
    }

    fn account(&self) -> Request {
        self.world.requested(&self.request)
    }
}

fn yes(approval: Approval) -> DecideRequestArgs {
    DecideRequestArgs {
        approval: Some(approval),
    }
}

#[test]
fn approval_makes_the_grant_that_it_says() {
    let mut case = Asked::new();
    case.world.wait(9);
    let approval = Approval {
        classes: 0b10,
        not_before: GENESIS + 20,
        ..case.approval
    };
    let event = case.approve(approval);
    let patient = case.world.patient.clone();
    let terms = Terms {
        record: NO_ID,
        classes: 0b10,
        grantee_kind: GranteeKind::Member,
        grantee: case.doctor.address(),
        grantee_key: [0; 32],
        rights: approval.rights,
        purposes: approval.purposes,
        not_before: GENESIS + 20,
        expires: approval.expires,
        uses: 3,
    };
    let expected = RequestDecided {
        link: *event.link(),
        request: case.request,
        approved: true,
        by: patient.wallet.pubkey(),
        grant: approval.grant,
        terms,
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::RequestDecided(expected));
    case.world
        .assert_logged(&event, &case.request, &patient.wallet.pubkey(), NO_OUTCOME);
    let account = case.account();
    assert_eq!(
        (account.state, account.decided_at, account.grant),
        (RequestState::Approved.byte(), GENESIS + 9, approval.grant)
    );
    let grant = case.world.granted(&approval.grant);
    assert_eq!(grant.terms(), Some(terms));
    assert_eq!(
        (grant.id, grant.patient, grant.issuer, grant.created_at),
        (approval.grant, patient.id, patient.wallet.pubkey(), GENESIS + 9)
    );
    assert_eq!((grant.parent, grant.depth, grant.revoked), (NO_ID, 0, 0));
}

#[test]
fn approval_is_what_lets_the_member_read() {
    let mut world = World::new();
    let (record, colleague) = (world.record(), world.colleague(61));
    world.doctor = colleague.clone();
    let mut case = Asked::of(world, None);
    assert_eq!(
        case.world.asks(&colleague, None, record, Purpose::Treatment),
        Err(Reason::NoGrant)
    );
    let grant = case.approval.grant;
    case.approve(case.approval);
    assert_eq!(
        case.world.asks(&colleague, Some(grant), record, Purpose::Treatment),
        Ok(Basis::Grant)
    );
}

#[test]
fn denial_gives_nothing_and_is_written_down() {
    let mut case = Asked::new();
    case.world.wait(9);
    let event = case.deny();
    let wallet = case.world.patient.wallet.pubkey();
    let expected = RequestDecided {
        link: *event.link(),
        request: case.request,
        approved: false,
        by: wallet,
        grant: NO_ID,
        terms: Terms {
            record: NO_ID,
            classes: 0,
            grantee_kind: GranteeKind::Member,
            grantee: Address::default(),
            grantee_key: [0; 32],
            rights: 0,
            purposes: 0,
            not_before: 0,
            expires: 0,
            uses: 0,
        },
        head: *event.head(),
    };
    assert_eq!(event, AnyEvent::RequestDecided(expected));
    case.world.assert_logged(&event, &case.request, &wallet, NO_OUTCOME);
    let account = case.account();
    assert_eq!(
        (account.state, account.decided_at, account.grant),
        (RequestState::Denied.byte(), GENESIS + 9, NO_ID)
    );
}

#[test]
fn request_decided_twice_is_refused() {
    for first in [true, false] {
        let mut case = Asked::new();
        if first {
            case.approve(case.approval);
        } else {
            case.deny();
        }
        let again = Approval {
            grant: case.world.fitting(GRANT),
            ..case.approval
        };
        case.fails(yes(again), ChartsealError::AlreadyDecided);
        case.fails(DENIAL, ChartsealError::AlreadyDecided);
    }
}

#[test]
fn request_approved_beyond_what_was_asked_is_refused() {
    let mut case = Asked::new();
    let sound = case.approval;
    for approval in [
        Approval {
            rights: Action::MASK,
            ..sound
        },
        Approval {
            rights: Action::Append.bit(),
            ..sound
        },
        Approval {
            purposes: Purpose::MASK,
            ..sound
        },
        Approval {
            purposes: Purpose::Payment.bit(),
            ..sound
        },
        Approval {
            classes: 0b111,
            ..sound
        },
        Approval {
            classes: 0b100,
            ..sound
        },
        Approval {
            expires: sound.expires + 1,
            ..sound
        },
        Approval {
            expires: i64::MAX,
            ..sound
        },
    ] {
        case.fails(yes(approval), ChartsealError::BeyondRequest);
    }
    // The very bound of each is what was asked for.
    case.approve(Approval {
        uses: UNLIMITED,
        ..sound
    });
}

#[test]
fn less_than_was_asked_can_be_given() {
    let mut case = Asked::new();
    let approval = Approval {
        rights: Action::Read.bit(),
        purposes: Purpose::Research.bit(),
        classes: 1,
        expires: GENESIS + 1,
        uses: 1,
        ..case.approval
    };
    case.approve(approval);
    assert_eq!(case.world.granted(&approval.grant).rights, Action::Read.bit());
}

#[test]
fn terms_that_give_nothing_are_no_approval() {
    let mut case = Asked::new();
    let sound = case.approval;
    case.fails(yes(Approval { rights: 0, ..sound }), ChartsealError::BadMask);
    case.fails(yes(Approval { purposes: 0, ..sound }), ChartsealError::BadMask);
    case.fails(
        yes(Approval {
            rights: u8::MAX,
            ..sound
        }),
        ChartsealError::BadMask,
    );
    case.fails(yes(Approval { uses: 0, ..sound }), ChartsealError::NoUses);
    case.fails(yes(Approval { classes: 0, ..sound }), ChartsealError::BadSubject);
    for (not_before, expires) in [(0, GENESIS), (GENESIS + 5, GENESIS + 5)] {
        let approval = Approval {
            not_before,
            expires,
            ..sound
        };
        case.fails(yes(approval), ChartsealError::BadValidity);
    }
}

#[test]
fn request_that_lapsed_can_be_denied_only() {
    let mut case = Asked::new();
    let sound = case.approval;
    case.world.chain.set_time(sound.expires - 1);
    let before = case.world.clone();
    case.approve(sound);
    case.world = before;
    case.world.chain.set_time(sound.expires);
    case.fails(yes(sound), ChartsealError::BadValidity);
    let longer = Approval {
        expires: sound.expires + 1,
        ..sound
    };
    case.fails(yes(longer), ChartsealError::BeyondRequest);
    case.deny();
}

#[test]
fn request_for_one_record_is_approved_for_that_record() {
    let mut world = World::new();
    let (record, other) = (world.record(), world.record());
    let mut case = Asked::of(world, Some(record));
    let (patient, sound) = (case.world.patient.clone(), case.approval);
    case.fails(yes(Approval { classes: 1, ..sound }), ChartsealError::BadSubject);
    let right = case.by_patient(yes(sound));
    for wrong in [address::record(&patient.id, &other), ID] {
        let mut decide = right.clone();
        substitute(&mut decide, address::record(&patient.id, &record), wrong);
        case.world
            .chain
            .refuse(decide, &[&patient.wallet], ChartsealError::BadSubject);
    }
    case.approve(sound);
    let grant = case.world.granted(&sound.grant);
    assert_eq!((grant.record, grant.classes), (record, 0));
}

#[test]
fn erased_record_is_denied_only() {
    let mut world = World::new();
    let record = world.record();
    let mut case = Asked::of(world, Some(record));
    let at = address::record(&case.world.patient.id, &record);
    case.world
        .chain
        .edit(&at, |record: &mut Record| record.status = RecordStatus::Erased.byte());
    case.fails(yes(case.approval), ChartsealError::RecordErased);
    case.deny();
}

#[test]
fn classes_are_not_narrowed_to_a_record_that_is_passed() {
    let mut world = World::new();
    let record = world.record();
    let mut case = Asked::of(world, None);
    let patient = case.world.patient.clone();
    let decide = ix::decide_request(
        &patient.deciding(),
        patient.wallet.pubkey(),
        &patient.id,
        (&case.request, Some(&record)),
        yes(case.approval),
    );
    case.world
        .chain
        .refuse(decide, &[&patient.wallet], ChartsealError::BadSubject);
}

#[test]
fn only_who_decides_for_the_patient_decides() {
    let mut case = Asked::new();
    let (hospital, doctor) = (case.world.hospital.clone(), case.doctor.clone());
    let reader = case.world.delegate(Action::MASK & !Action::Share.bit());
    let (stranger, admin) = (case.world.chain.wallet(), case.world.chain.admin.insecure_clone());
    let mut attempts: Vec<(By, Keypair)> = vec![(reader.deciding(), reader.wallet.insecure_clone())];
    for by in [&stranger, &admin, &doctor.wallet, &hospital.authority, &reader.wallet] {
        attempts.push((By::wallet(by.pubkey()), by.insecure_clone()));
        attempts.push((By::steward(by.pubkey(), hospital.id), by.insecure_clone()));
        attempts.push((By::delegate(by.pubkey(), reader.id), by.insecure_clone()));
    }
    for (by, wallet) in attempts {
        for args in [yes(case.approval), DENIAL] {
            let decide = case.decide(&by, args);
            case.world.chain.refuse(decide, &[&wallet], ChartsealError::NotPatient);
        }
    }
}

#[test]
fn delegate_that_may_share_decides() {
    let mut case = Asked::new();
    let carer = case.world.delegate(Action::Read.bit() | Action::Share.bit());
    let approve = case.decide(&carer.deciding(), yes(case.approval));
    let event = case.world.chain.must(approve, &[&carer.wallet]);
    case.world
        .assert_logged(&event, &case.request, &carer.wallet.pubkey(), NO_OUTCOME);
    assert_eq!(case.world.granted(&case.approval.grant).issuer, carer.wallet.pubkey());
    // The patient revokes what its delegate gave.
    case.world.revoke(case.approval.grant);
}

#[test]
fn delegate_approving_a_right_that_it_does_not_have_or_for_longer_is_refused() {
    let mut case = Asked::new();
    let carer = case.world.delegate(Action::Share.bit());
    let sound = Approval {
        rights: Action::Share.bit(),
        ..case.approval
    };
    let at = address::delegate(&case.world.patient.id, &carer.id);
    case.world
        .chain
        .edit(&at, |delegate: &mut Delegate| delegate.expires = sound.expires - 1);
    for approval in [
        Approval {
            rights: Action::Read.bit(),
            expires: sound.expires - 1,
            ..sound
        },
        Approval {
            expires: sound.expires - 1,
            ..case.approval
        },
        sound,
    ] {
        let approve = case.decide(&carer.deciding(), yes(approval));
        case.world
            .chain
            .refuse(approve, &[&carer.wallet], ChartsealError::BeyondDelegation);
    }
    let within = Approval {
        expires: sound.expires - 1,
        ..sound
    };
    let approve = case.decide(&carer.deciding(), yes(within));
    case.world.chain.must(approve, &[&carer.wallet]);
}

#[test]
fn steward_decides_while_there_is_no_wallet_and_not_afterwards() {
    let mut world = World::new();
    world.steward_patient();
    let hospital = world.hospital.clone();
    let mut case = Asked::of(world, None);
    let approve = case.decide(&hospital.stewards(), yes(case.approval));
    let before = case.world.clone();
    case.world.chain.must(approve.clone(), &[&hospital.authority]);
    case.world = before;
    case.world.set_institution_standing(&hospital, Standing::Suspended);
    case.world.chain.refuse(
        approve.clone(),
        &[&hospital.authority],
        ChartsealError::InstitutionNotActive,
    );
    case.world.set_institution_standing(&hospital, Standing::Active);
    case.world.take_out();
    for args in [yes(case.approval), DENIAL] {
        let decide = case.decide(&hospital.stewards(), args);
        case.world
            .chain
            .refuse(decide, &[&hospital.authority], ChartsealError::NotPatient);
    }
    case.approve(case.approval);
}

#[test]
fn suspended_steward_still_denies() {
    let mut world = World::new();
    world.steward_patient();
    let hospital = world.hospital.clone();
    let mut case = Asked::of(world, None);
    case.world.set_institution_standing(&hospital, Standing::Suspended);
    let deny = case.decide(&hospital.stewards(), DENIAL);
    case.world.chain.must(deny, &[&hospital.authority]);
}

#[test]
fn old_wallet_deciding_after_a_handover_is_refused() {
    let mut case = Asked::new();
    let old = case.world.hand_over();
    for args in [yes(case.approval), DENIAL] {
        let decide = case.decide(&By::wallet(old.pubkey()), args);
        case.world.chain.refuse(decide, &[&old], ChartsealError::NotPatient);
    }
    case.deny();
}

#[test]
fn request_to_another_patient_is_not_decided() {
    let mut case = Asked::new();
    let (theirs, other) = (case.world.patient.clone(), case.world.chain.patient(90));
    case.world.patient = other.clone();
    let approval = Approval {
        grant: case.world.fitting(GRANT),
        ..case.approval
    };
    for args in [yes(approval), DENIAL] {
        let wallet = other.wallet.pubkey();
        let mut decide = ix::decide_request(&other.deciding(), wallet, &other.id, (&case.request, None), args);
        substitute(
            &mut decide,
            address::request(&other.id, &case.request),
            address::request(&theirs.id, &case.request),
        );
        case.world
            .chain
            .refuse(decide, &[&other.wallet], ChartsealError::ForeignPatient);
    }
}

#[test]
fn decision_is_written_into_the_patients_own_log() {
    let mut case = Asked::new();
    let (patient, other) = (case.world.patient.clone(), case.world.chain.patient(90));
    for args in [yes(case.approval), DENIAL] {
        let mut decide = case.by_patient(args);
        substitute(
            &mut decide,
            address::access_log(&patient.id),
            address::access_log(&other.id),
        );
        case.world
            .chain
            .refuse(decide, &[&patient.wallet], ChartsealError::ForeignPatient);
    }
    assert_eq!(
        case.world
            .chain
            .read::<AccessLog>(&address::access_log(&other.id))
            .chain
            .seq,
        1
    );
}

#[test]
fn denying_is_never_paused_and_approving_is() {
    let mut case = Asked::new();
    case.world.set_paused(true);
    case.fails(yes(case.approval), ChartsealError::Paused);
    case.deny();
}

#[test]
fn place_of_the_grant_goes_with_the_approval() {
    let mut case = Asked::new();
    let (patient, sound) = (case.world.patient.clone(), case.approval);
    let place = address::grant(&patient.id, &sound.grant);
    let mut without = case.by_patient(yes(sound));
    substitute(&mut without, place, ID);
    case.world
        .chain
        .refuse(without, &[&patient.wallet], ChartsealError::GrantMismatch);
    let mut elsewhere = case.by_patient(yes(sound));
    let other = case.world.fitting(GRANT);
    substitute(&mut elsewhere, place, address::grant(&patient.id, &other));
    case.world
        .chain
        .refuse(elsewhere, &[&patient.wallet], ChartsealError::NotAGrantSlot);
    // A denial makes none, whatever place is passed. It stands before the system program and what events need.
    let mut denial = case.by_patient(DENIAL);
    let slot = denial.accounts.len() - 4;
    assert_eq!(denial.accounts[slot].pubkey, ID);
    denial.accounts[slot].pubkey = place;
    denial.accounts[slot].is_writable = true;
    case.world
        .chain
        .refuse(denial, &[&patient.wallet], ChartsealError::GrantMismatch);
}

#[test]
fn grant_replayed_after_revocation_is_refused() {
    let mut case = Asked::new();
    let patient = case.world.patient.clone();
    case.approve(case.approval);
    case.world.revoke(case.approval.grant);
    // The same request is decided, and a second one does not get the revoked grant's id.
    case.fails(yes(case.approval), ChartsealError::AlreadyDecided);
    let doctor = case.doctor.clone();
    case.request = case.world.request(&doctor, |args| {
        args.classes = 0b11;
        args.rights = Action::MASK & !Action::Aggregate.bit();
        args.purposes = Purpose::Treatment.bit() | Purpose::Research.bit();
    });
    let again = case.by_patient(yes(case.approval));
    case.world.chain.refuse_at_the_door(again, &[&patient.wallet], EXISTS);
    assert_eq!(case.world.granted(&case.approval.grant).revoked, 1);
}

#[test]
fn ids_of_zeros_or_of_another_bump_are_refused() {
    let mut case = Asked::new();
    let (patient, sound) = (case.world.patient.clone(), case.approval);
    let zeros = Approval { grant: NO_ID, ..sound };
    case.fails(yes(zeros), ChartsealError::ZeroId);
    let misfit = Approval {
        grant: case.world.misfit(GRANT),
        ..sound
    };
    // Neither at the place that its own bump gives, nor at the one of 255, which lies on the curve.
    case.fails(yes(misfit), ChartsealError::NotAGrantSlot);
    let mut decide = case.by_patient(yes(misfit));
    substitute(
        &mut decide,
        address::grant(&patient.id, &misfit.grant),
        address::grant_slot(&patient.id, &misfit.grant),
    );
    let failure = case.world.chain.fail(&[decide], &[&patient.wallet]);
    assert!(matches!(failure, Failure::Runtime(_)), "{failure:?}");
}

#[test]
fn who_decides_must_sign() {
    let mut case = Asked::new();
    let (patient, payer) = (case.world.patient.clone(), case.world.chain.wallet());
    let decide = ix::decide_request(
        &patient.deciding(),
        payer.pubkey(),
        &patient.id,
        (&case.request, None),
        yes(case.approval),
    );
    let unsigned = unsign(decide.clone(), patient.wallet.pubkey());
    case.world
        .chain
        .refuse_at_the_door(unsigned, &[&payer], InstructionError::MissingRequiredSignature);
    let before = case.world.chain.svm.get_balance(&patient.wallet.pubkey());
    case.world.chain.must(decide, &[&payer, &patient.wallet]);
    assert_eq!(case.world.chain.svm.get_balance(&patient.wallet.pubkey()), before);
}

#[test]
fn lamports_sent_ahead_do_not_stop_it() {
    let mut case = Asked::new();
    let place = address::grant(&case.world.patient.id, &case.approval.grant);
    case.world.chain.svm.airdrop(&place, 1_000_000).unwrap();
    case.approve(case.approval);
    assert_eq!(case.world.chain.read::<Grant>(&place).id, case.approval.grant);
}
