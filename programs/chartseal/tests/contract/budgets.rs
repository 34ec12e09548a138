//! What instructions may cost on chain, in compute units. `examples/cu.rs` measures more; this is what must hold.

use chartseal_program::{
    builders::{self as ix, As},
    events::{AnyEvent, Terms},
    instructions::{AmendRecordArgs, CreateGrantArgs, CreateRecordArgs},
    state::RING,
    vocabulary::*,
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

const CREATE: u64 = 8_000;
const AMEND: u64 = 6_000;
const ACCESS: u64 = 6_000;

impl World {
    /// Sends an instruction that stays within its budget; its event.
    #[track_caller]
    fn within(&mut self, budget: u64, instruction: Instruction, signers: &[&Keypair]) -> AnyEvent {
        let done = self.chain.send(&[instruction], signers).unwrap();
        assert!(
            done.cu <= budget,
            "{} of {budget} compute units for {:?}",
            done.cu,
            done.event
        );
        done.event
    }

    /// Writes each entry of both rings once, so that every later one takes the place of another.
    fn fill_rings(&mut self, record: [u8; 16]) {
        let doctor = self.doctor.clone();
        for _ in 0..RING {
            self.asks(&doctor, None, record, Purpose::Treatment).unwrap();
            self.asks(&doctor, None, record, Purpose::Payment).unwrap_err();
        }
    }
}

#[test]
fn reading_stays_within_its_budget_whatever_comes_of_it() {
    let mut world = World::new();
    let record = world.record();
    world.fill_rings(record);
    let (patient, doctor, insurer) = (world.patient.clone(), world.doctor.clone(), world.insurer.clone());
    let (person, as_person) = world.relative(|_| {});
    let (counted, revoked) = (world.insure(|terms| terms.uses = 9), world.insure(|_| {}));
    world.revoke(revoked);
    let missing = world.id();
    let by = |grant| insurer.acting().claiming(grant);
    for (wallet, acting, purpose) in [
        (&patient.wallet, patient.acting(), Purpose::Personal),
        (&doctor.wallet, doctor.acting(), Purpose::Treatment),
        (&doctor.wallet, doctor.acting().claiming(counted), Purpose::Treatment),
        (&person, as_person, Purpose::Personal),
        (&person, as_person, Purpose::Treatment),
        (&insurer.wallet, insurer.acting(), Purpose::Payment),
        (&insurer.wallet, by(counted), Purpose::Payment),
        (&insurer.wallet, by(counted), Purpose::Research),
        (&insurer.wallet, by(revoked), Purpose::Payment),
        (&insurer.wallet, by(missing), Purpose::Payment),
    ] {
        let access = world.access_ix(&acting, record, purpose);
        world.within(ACCESS, access, &[wallet]);
    }
}

#[test]
fn missing_grant_costs_the_same_whatever_its_id() {
    let mut world = World::new();
    let (record, insurer) = (world.record(), world.insurer.clone());
    let mut costs: Vec<_> = (0..20)
        .map(|_| {
            let acting = insurer.acting().claiming(world.id());
            let access = world.access_ix(&acting, record, Purpose::Payment);
            world.chain.send(&[access], &[&insurer.wallet]).unwrap().cu
        })
        .collect();
    costs.sort_unstable();
    // The first refusal of an hour resets its counter, which costs a little more.
    assert!(costs[19] - costs[0] < 100, "{costs:?}");
}

#[test]
fn writing_stays_within_its_budget() {
    let mut world = World::new();
    let (record, grant) = (world.record(), world.enrol());
    world.fill_rings(record);
    let (patient, doctor) = (world.patient.clone(), world.doctor.clone());
    let acting = doctor.acting().claiming(grant);
    let payer = doctor.wallet.pubkey();
    for (acting, consent, purpose) in [
        (acting, None, Purpose::Treatment),
        (acting, Some(&patient.wallet), Purpose::Treatment),
        (acting, None, Purpose::Payment),
        (doctor.acting(), None, Purpose::Treatment),
    ] {
        let args = CreateRecordArgs {
            purpose,
            grant: acting.claimed(),
            ..world.record_args(0)
        };
        let create = ix::create_record(&acting, payer, consent.map(Signer::pubkey), &patient.id, args);
        let signers: Vec<_> = [&doctor.wallet].into_iter().chain(consent).collect();
        world.within(CREATE, create, &signers);
    }
    for (expected_version, acting, purpose) in [
        (1, acting, Purpose::Treatment),
        (2, acting, Purpose::Payment),
        (2, As { grant: None, ..acting }, Purpose::Treatment),
    ] {
        let (request, grant) = (world.id(), acting.claimed());
        let args = AmendRecordArgs {
            request,
            expected_version,
            purpose,
            grant,
            content: content(9),
        };
        let amend = ix::amend_record(&acting, None, &patient.id, &record, args);
        world.within(AMEND, amend, &[&doctor.wallet]);
    }
}

#[test]
fn granting_stays_within_its_budget() {
    let mut world = World::new();
    let record = world.record();
    world.fill_rings(record);
    let patient = world.patient.clone();
    let (wallet, member) = (patient.wallet.pubkey(), world.insurer.address());
    let person = world.chain.wallet().pubkey();
    for (kind, grantee) in [
        (GranteeKind::Member, member),
        (GranteeKind::Institution, world.insurance.address()),
        (GranteeKind::Person, person),
    ] {
        for (record, classes) in [(record, 0), ([0; 16], 1)] {
            let (id, terms) = (
                world.grant_id(),
                Terms {
                    record,
                    classes,
                    ..world.terms(kind, grantee)
                },
            );
            let create = ix::create_grant(&patient.deciding(), wallet, &patient.id, CreateGrantArgs { id, terms });
            world.within(CREATE, create, &[&patient.wallet]);
        }
    }
}
