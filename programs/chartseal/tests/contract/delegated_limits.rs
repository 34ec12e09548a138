//! How far a delegate that may share gives: no right that it has not itself, and none beyond its own end, whichever way it
//! takes. Otherwise one that may only share could let itself read.

use chartseal_program::{
    builders::{self as ix, As, By},
    events::Terms,
    instructions::{Approval, CreateGrantArgs, DecideRequestArgs, SetPolicyArgs},
    seeds::GRANT,
    state::{HOUR, UNLIMITED},
    vocabulary::*,
    ChartsealError,
};
use solana_instruction::Instruction;
use solana_signer::Signer;

use crate::{common::*, people::*};

const SHARE: u8 = Action::Share.bit();

/// Every set of rights with which a delegate decides for the patient.
fn sharing_rights() -> impl Iterator<Item = u8> {
    (0..=Action::MASK).filter(|rights| rights & SHARE != 0)
}

impl World {
    fn granting(&mut self, by: &By, terms: Terms) -> Instruction {
        let args = CreateGrantArgs {
            id: self.grant_id(),
            terms,
        };
        ix::create_grant(by, by.wallet, &self.patient.id, args)
    }

    /// Approves a request of the doctor for everything, until after the delegation has ended, with these rights.
    fn approving(&mut self, by: &By, rights: u8, expires: i64) -> Instruction {
        let doctor = self.doctor.clone();
        let request = self.request(&doctor, |args| {
            args.rights = Action::MASK;
            args.until = i64::MAX;
        });
        let approval = Approval {
            grant: self.fitting(GRANT),
            rights,
            purposes: Purpose::Treatment.bit(),
            classes: 1,
            not_before: 0,
            expires,
            uses: UNLIMITED,
        };
        let args = DecideRequestArgs {
            approval: Some(approval),
        };
        ix::decide_request(by, by.wallet, &self.patient.id, (&request, None), args)
    }

    fn sharing(&self, by: &By, args: SetPolicyArgs) -> Instruction {
        ix::set_policy(by, by.wallet, &self.patient.id, &self.hospital.id, args)
    }

    fn end_of(&self, carer: &Carer) -> i64 {
        self.delegation_account(&carer.id).expires
    }

    #[track_caller]
    fn is_beyond(&mut self, carer: &Carer, instruction: Instruction) {
        self.chain
            .refuse(instruction, &[&carer.wallet], ChartsealError::BeyondDelegation);
    }
}

#[test]
fn delegate_that_may_only_share_lets_nobody_read_not_even_itself() {
    let mut world = World::new();
    let (carer, friend) = (world.delegate(SHARE), world.chain.wallet());
    for (kind, grantee) in [
        (GranteeKind::Person, carer.wallet.pubkey()),
        (GranteeKind::Person, friend.pubkey()),
        (GranteeKind::Member, world.doctor.address()),
        (GranteeKind::Institution, world.hospital.address()),
    ] {
        for right in Action::ALL.iter().filter(|right| right.bit() != SHARE) {
            for rights in [right.bit(), right.bit() | SHARE] {
                let terms = Terms {
                    rights,
                    ..world.terms(kind, grantee)
                };
                let create = world.granting(&carer.deciding(), terms);
                world.is_beyond(&carer, create);
            }
        }
    }
}

#[test]
fn delegate_grants_every_set_of_its_own_rights_and_no_other() {
    let mut world = World::new();
    for own in sharing_rights() {
        let carer = world.delegate(own);
        for rights in 1..=Action::MASK {
            let terms = Terms {
                rights,
                ..world.terms(GranteeKind::Person, carer.wallet.pubkey())
            };
            let create = world.granting(&carer.deciding(), terms);
            if rights & !own == 0 {
                world.chain.must(create, &[&carer.wallet]);
            } else {
                world.is_beyond(&carer, create);
            }
        }
    }
}

#[test]
fn delegate_approves_with_its_own_rights_and_no_other() {
    let mut world = World::new();
    for own in sharing_rights() {
        let carer = world.delegate(own);
        let until = world.end_of(&carer);
        for right in Action::ALL {
            let approve = world.approving(&carer.deciding(), right.bit(), until);
            if right.bit() & own != 0 {
                world.chain.must(approve, &[&carer.wallet]);
            } else {
                world.is_beyond(&carer, approve);
            }
        }
        // The requests of this hour are used up.
        world.wait(HOUR);
    }
}

#[test]
fn delegate_sets_a_policy_only_where_it_reads_and_enrols_only_where_it_appends() {
    for own in sharing_rights() {
        let mut world = World::new();
        let carer = world.delegate(own);
        for enrols in [false, true] {
            let needs = Action::Read.bit() | if enrols { Action::Append.bit() } else { 0 };
            let args = SetPolicyArgs {
                enrols,
                ..world.policy_args()
            };
            let set = world.sharing(&carer.deciding(), args);
            if needs & !own == 0 {
                world.chain.must(set, &[&carer.wallet]);
            } else {
                world.is_beyond(&carer, set);
            }
        }
    }
}

#[test]
fn delegate_gives_nothing_beyond_its_own_end() {
    let mut world = World::new();
    let carer = world.delegate(Action::MASK);
    let (by, end) = (carer.deciding(), world.end_of(&carer));
    let sound = world.terms(GranteeKind::Member, world.insurer.address());
    let policy = world.policy_args();
    for expires in [end + 1, i64::MAX] {
        let create = world.granting(&by, Terms { expires, ..sound });
        let approve = world.approving(&by, Action::Read.bit(), expires);
        let share = world.sharing(&by, SetPolicyArgs { expires, ..policy });
        for instruction in [create, approve, share] {
            world.is_beyond(&carer, instruction);
        }
    }
    let create = world.granting(&by, Terms { expires: end, ..sound });
    let approve = world.approving(&by, Action::Read.bit(), end);
    let share = world.sharing(&by, SetPolicyArgs { expires: end, ..policy });
    for instruction in [create, approve, share] {
        world.chain.must(instruction, &[&carer.wallet]);
    }
}

#[test]
fn what_a_delegate_gave_outlasts_its_revocation_and_not_its_end() {
    let mut world = World::new();
    let (record, carer, friend) = (
        world.record(),
        world.delegate(SHARE | Action::Read.bit()),
        world.chain.wallet(),
    );
    let end = world.end_of(&carer);
    let terms = Terms {
        rights: Action::Read.bit(),
        expires: end,
        ..world.terms(GranteeKind::Person, friend.pubkey())
    };
    let args = CreateGrantArgs {
        id: world.grant_id(),
        terms,
    };
    let create = ix::create_grant(&carer.deciding(), carer.wallet.pubkey(), &world.patient.id, args);
    world.chain.must(create, &[&carer.wallet]);
    world.revoke_delegate(&carer);
    let acting = As::wallet(friend.pubkey()).claiming(args.id);
    for (at, verdict) in [(end - 1, Ok(Basis::Grant)), (end, Err(Reason::GrantExpired))] {
        world.chain.set_time(at);
        assert_eq!(world.verdict(&friend, acting, record, Purpose::Personal), verdict);
    }
}

#[test]
fn two_delegations_of_one_wallet_are_not_added_up() {
    let mut world = World::new();
    let reads = world.delegate(SHARE | Action::Read.bit());
    let args = world.delegation(&reads.wallet, SHARE | Action::Append.bit());
    let patient = world.patient.clone();
    let name = ix::name_delegate(patient.wallet.pubkey(), patient.wallet.pubkey(), &patient.id, args);
    world.chain.must(name, &[&patient.wallet]);
    let accept = ix::accept_delegation(reads.wallet.pubkey(), &patient.id, &args.id, keys(8));
    world.chain.must(accept, &[&reads.wallet]);
    let terms = Terms {
        rights: Action::Read.bit() | Action::Append.bit(),
        ..world.terms(GranteeKind::Institution, world.hospital.address())
    };
    let enrols = SetPolicyArgs {
        enrols: true,
        ..world.policy_args()
    };
    for by in [reads.deciding(), By::delegate(reads.wallet.pubkey(), args.id)] {
        let create = world.granting(&by, terms);
        world.is_beyond(&reads, create);
        let share = world.sharing(&by, enrols);
        world.is_beyond(&reads, share);
    }
}

#[test]
fn delegate_adding_to_a_policy_that_outlasts_it_shortens_it() {
    let mut world = World::new();
    let (carer, hospital) = (world.delegate(SHARE | Action::Read.bit()), world.hospital.clone());
    let end = world.end_of(&carer);
    world.set_policy(&hospital, |args| args.expires = i64::MAX);
    let more = SetPolicyArgs {
        classes: 0b11,
        expires: i64::MAX,
        ..world.policy_args()
    };
    let share = world.sharing(&carer.deciding(), more);
    world.is_beyond(&carer, share);
    let share = world.sharing(&carer.deciding(), SetPolicyArgs { expires: end, ..more });
    world.chain.must(share, &[&carer.wallet]);
    assert_eq!(world.policy(&hospital).expires, end);
}

#[test]
fn delegate_takes_whatever_anybody_was_given() {
    let mut world = World::new();
    let (carer, hospital, doctor) = (world.delegate(SHARE), world.hospital.clone(), world.doctor.clone());
    let (by, wallet, patient) = (carer.deciding(), carer.wallet.pubkey(), world.patient.id);
    let given = world.insure(|terms| terms.expires = i64::MAX);
    world
        .chain
        .must(ix::revoke_grant(&by, &patient, &given), &[&carer.wallet]);
    let request = world.request(&doctor, |args| args.rights = Action::MASK);
    let denial = DecideRequestArgs { approval: None };
    let deny = ix::decide_request(&by, wallet, &patient, (&request, None), denial);
    world.chain.must(deny, &[&carer.wallet]);
    world.set_policy(&hospital, |args| {
        args.classes = 0b11;
        args.enrols = true;
        args.expires = i64::MAX;
    });
    // It is not the delegate who gives what stays, however long that lasts.
    let less = SetPolicyArgs {
        expires: i64::MAX,
        ..world.policy_args()
    };
    let narrow = world.sharing(&by, less);
    world.chain.must(narrow, &[&carer.wallet]);
    assert_eq!(
        (world.policy(&hospital).classes, world.policy(&hospital).enrols),
        (1, 0)
    );
}

#[test]
fn patient_itself_gives_without_bounds() {
    let mut world = World::new();
    let wallet = world.patient.wallet.insecure_clone();
    world.delegate(SHARE);
    let terms = Terms {
        expires: i64::MAX,
        ..world.terms(GranteeKind::Member, world.insurer.address())
    };
    let create = world.granting(&By::wallet(wallet.pubkey()), terms);
    world.chain.must(create, &[&wallet]);
}
