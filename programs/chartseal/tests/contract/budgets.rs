//! What instructions may cost on chain: the cases of `examples/cu`, which the bench runs a hundred times with other ids.
//! Here each runs once, with ids that stay the same.

#[path = "../../examples/cu/cases/mod.rs"]
mod cases;
#[allow(dead_code)] // The bench tells of the rent too.
#[path = "../../examples/cu/stage.rs"]
mod stage;

use chartseal_program::vocabulary::Purpose;

use self::{cases::*, stage::Stage};
use crate::common::*;

#[test]
fn every_instruction_has_a_limit() {
    assert_eq!(left_out(), Vec::<String>::new());
}

#[test]
fn every_instruction_stays_within_its_limit_and_fits_a_transaction() {
    let stage = Stage::new(1);
    let measured = cases().flat_map(|case| stage.measure(case));
    let broken: Vec<_> = measured.filter(|one| !one.is_within()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
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
