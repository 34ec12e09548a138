//! A policy whose time had run out begins anew when it is chosen again: nobody chose to share what was made meanwhile. One
//! that is renewed in time goes on.

use chartseal_program::{builders as ix, instructions::SetPolicyArgs, seeds::Id, state::Policy, vocabulary::*};
use solana_signer::Signer;

use crate::common::*;

/// When the clinic's policy ends.
const END: i64 = GENESIS + 100;

/// A clinic with a policy on classes 0 and 1 until then, which enrols it, and its doctor.
struct Lapsing {
    world: World,
    clinic: Body,
    doctor: Person,
}

impl Lapsing {
    fn new() -> Self {
        let mut world = World::new();
        let clinic = world.chain.institution(61, InstitutionKind::Hospital);
        let doctor = world.chain.member(&clinic, 62, Role::Doctor);
        let mut case = Self { world, clinic, doctor };
        case.choose(|args| args.expires = END);
        case
    }

    /// The patient chooses the same, for a year, changed as the test needs it.
    fn choose(&mut self, change: impl FnOnce(&mut SetPolicyArgs)) {
        let clinic = self.clinic.clone();
        self.world.set_policy(&clinic, |args| {
            args.classes = 0b11;
            args.enrols = true;
            change(args);
        });
    }

    fn policy(&self) -> Policy {
        self.world.policy(&self.clinic)
    }

    fn at(&mut self, time: i64) {
        self.world.chain.set_time(time);
    }

    fn reads(&mut self, record: Id) -> Result<Basis, Reason> {
        let (wallet, acting) = (
            self.doctor.wallet.insecure_clone(),
            self.doctor.acting().by_policy(self.clinic.id),
        );
        self.world.verdict(&wallet, acting, record, Purpose::Treatment)
    }

    fn adds(&mut self) -> Result<Basis, Reason> {
        let (wallet, acting) = (
            self.doctor.wallet.insecure_clone(),
            self.doctor.acting().by_policy(self.clinic.id),
        );
        self.world.write(&wallet, &acting, 0, Purpose::Treatment).1
    }
}

#[test]
fn renewed_policy_shares_what_was_made_since_its_renewal_only() {
    for renewed in [END, END + 1, END + DAY] {
        let mut case = Lapsing::new();
        let before = case.world.record();
        case.at(renewed - 1);
        let meanwhile = case.world.record();
        case.at(renewed);
        case.choose(|_| {});
        let since = case.world.record();
        assert_eq!(case.policy().since[..3], [renewed, renewed, 0]);
        for record in [before, meanwhile] {
            assert_eq!(case.reads(record), Err(Reason::PolicyOtherClass));
        }
        assert_eq!(case.reads(since), Ok(Basis::Policy));
    }
}

#[test]
fn policy_renewed_in_its_last_second_keeps_its_time() {
    let mut case = Lapsing::new();
    let before = case.world.record();
    case.at(END - 1);
    case.choose(|_| {});
    assert_eq!(case.policy().since[..3], [GENESIS, GENESIS, 0]);
    case.at(END + DAY);
    assert_eq!(case.reads(before), Ok(Basis::Policy));
}

#[test]
fn policy_renewed_again_keeps_the_time_of_its_renewal() {
    let mut case = Lapsing::new();
    case.at(END);
    case.choose(|_| {});
    let record = case.world.record();
    case.at(END + DAY);
    case.choose(|args| args.classes = 0b111);
    assert_eq!(case.policy().since[..4], [END, END, END + DAY, 0]);
    assert_eq!(case.reads(record), Ok(Basis::Policy));
}

#[test]
fn class_left_out_of_a_renewal_has_no_time() {
    let mut case = Lapsing::new();
    case.at(END);
    case.choose(|args| args.classes = 0b10);
    assert_eq!(case.policy().since[..3], [0, END, 0]);
    let record = case.world.record();
    assert_eq!(case.reads(record), Err(Reason::PolicyOtherClass));
}

#[test]
fn change_that_takes_from_a_lapsed_policy_brings_nothing_back() {
    let mut case = Lapsing::new();
    let before = case.world.record();
    case.at(END + 1);
    case.choose(|args| {
        args.classes = 0b01;
        args.expires = END;
    });
    assert_eq!(case.reads(before), Err(Reason::PolicyExpired));
    case.at(END + 2);
    case.choose(|_| {});
    assert_eq!(case.policy().since[..3], [END + 2, END + 2, 0]);
    assert_eq!(case.reads(before), Err(Reason::PolicyOtherClass));
}

#[test]
fn lapsed_policy_enrols_nobody_until_it_is_renewed() {
    let mut case = Lapsing::new();
    assert_eq!(case.adds(), Ok(Basis::Policy));
    case.at(END);
    assert_eq!(case.adds(), Err(Reason::PolicyExpired));
    case.choose(|_| {});
    assert_eq!(case.adds(), Ok(Basis::Policy));
}

#[test]
fn delegate_renewing_a_lapsed_policy_shares_nothing_of_before_either() {
    let mut case = Lapsing::new();
    let before = case.world.record();
    let carer = case
        .world
        .delegate(Action::Share.bit() | Action::Read.bit() | Action::Append.bit());
    case.at(END + 5);
    let args = SetPolicyArgs {
        classes: 0b11,
        expires: case.world.delegation_account(&carer.id).expires,
        ..case.world.policy_args()
    };
    let patient = case.world.patient.id;
    let renew = ix::set_policy(
        &carer.deciding(),
        carer.wallet.pubkey(),
        &patient,
        &case.clinic.id,
        args,
    );
    case.world.chain.must(renew, &[&carer.wallet]);
    assert_eq!(case.policy().since[..3], [END + 5, END + 5, 0]);
    assert_eq!(case.reads(before), Err(Reason::PolicyOtherClass));
}
