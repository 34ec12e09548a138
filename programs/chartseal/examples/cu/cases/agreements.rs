//! Agreements, in the three kinds of money.

use chartseal_program::builders as ix;
use solana_signer::Signer;

use super::{Case, Entry, Stage, ANY, TRANSFER};
use crate::tokens::*;

#[rustfmt::skip]
pub(super) const CASES: &[Entry] = &[
    ("propose_agreement", "classic", ANY, |stage| propose(stage, Kind::Classic)),
    ("propose_agreement", "Token-2022", ANY, |stage| propose(stage, Kind::Token2022)),
    ("propose_agreement", "mint with a fee", ANY, |stage| propose(stage, Kind::WithFee)),
    ("accept_agreement", "classic", ANY, |stage| accept(stage, Kind::Classic)),
    ("accept_agreement", "Token-2022", ANY, |stage| accept(stage, Kind::Token2022)),
    ("accept_agreement", "mint with a fee", ANY, |stage| accept(stage, Kind::WithFee)),
    ("fund_agreement", "classic", TRANSFER, |stage| fund(stage, Kind::Classic)),
    ("fund_agreement", "Token-2022", TRANSFER, |stage| fund(stage, Kind::Token2022)),
    ("fund_agreement", "mint with a fee", TRANSFER, |stage| fund(stage, Kind::WithFee)),
    ("settle_access", "classic", TRANSFER, |stage| settle(stage, Kind::Classic)),
    ("settle_access", "Token-2022", TRANSFER, |stage| settle(stage, Kind::Token2022)),
    ("settle_access", "mint with a fee", TRANSFER, |stage| settle(stage, Kind::WithFee)),
    ("close_agreement", "classic, by the provider", TRANSFER, |stage| close(stage, Kind::Classic, Closing::Provider)),
    ("close_agreement", "Token-2022, by the provider", TRANSFER, |stage| close(stage, Kind::Token2022, Closing::Provider)),
    ("close_agreement", "mint with a fee, by the provider", TRANSFER, |stage| close(stage, Kind::WithFee, Closing::Provider)),
    ("close_agreement", "mint with a fee, harvested before", TRANSFER, |stage| close(stage, Kind::WithFee, Closing::Harvested)),
    ("close_agreement", "classic, by the consumer", TRANSFER, |stage| close(stage, Kind::Classic, Closing::Consumer)),
];

/// The insurance offers to pay the hospital, and nothing was sent yet.
fn deal(stage: &Stage, kind: Kind) -> Deal {
    Deal::within(stage.world.clone(), kind)
}

/// The same, proposed and accepted.
fn active(stage: &Stage, kind: Kind) -> Deal {
    let mut deal = deal(stage, kind);
    deal.must_propose();
    let (accept, hospital) = (deal.accept(), deal.hospital());
    deal.world.chain.must(accept, &[&hospital]);
    deal
}

/// Ends a deal with what is measured.
fn then(stage: &mut Stage, deal: Deal, case: Case) -> Case {
    stage.world = deal.world;
    case
}

fn propose(stage: &mut Stage, kind: Kind) -> Case {
    let (deal, payer) = (deal(stage, kind), stage.payer());
    let (insurance, hospital) = (&deal.world.insurance, &deal.world.hospital);
    let propose = ix::propose_agreement(
        insurance.authority.pubkey(),
        payer,
        &insurance.id,
        &hospital.id,
        &deal.currency,
        deal.purse,
        deal.terms,
    );
    let mut case = Case::new(propose, &[&insurance.authority]);
    case.ahead.push(deal.currency.create_account(payer, deal.address()));
    then(stage, deal, case)
}

fn accept(stage: &mut Stage, kind: Kind) -> Case {
    let mut deal = deal(stage, kind);
    deal.must_propose();
    let case = Case::new(deal.accept(), &[&deal.hospital()]);
    then(stage, deal, case)
}

fn fund(stage: &mut Stage, kind: Kind) -> Case {
    let deal = active(stage, kind);
    let case = Case::new(deal.fund(DEPOSIT), &[&deal.insurance()]);
    then(stage, deal, case)
}

fn settle(stage: &mut Stage, kind: Kind) -> Case {
    let mut deal = active(stage, kind);
    deal.must_fund(DEPOSIT);
    let settling = deal.approved();
    let insurer = deal.world.insurer.wallet.insecure_clone();
    let settle = ix::settle_access(insurer.pubkey(), stage.payer(), &settling);
    then(stage, deal, Case::new(settle, &[&insurer]))
}

/// Who closes, and whether the fees that were withheld in escrow are moved to the mint before.
#[derive(Clone, Copy, PartialEq)]
enum Closing {
    Provider,
    Consumer,
    Harvested,
}

fn close(stage: &mut Stage, kind: Kind, closing: Closing) -> Case {
    let mut deal = active(stage, kind);
    deal.must_fund(DEPOSIT);
    let by = match closing {
        Closing::Consumer => deal.insurance(),
        Closing::Provider | Closing::Harvested => deal.hospital(),
    };
    let mut case = Case::new(deal.close(&by), &[&by]);
    if closing == Closing::Harvested {
        let harvest = deal.currency.harvest_escrow(&deal.world.insurance.id, &deal.terms.id);
        case.ahead.push(harvest);
    }
    then(stage, deal, case)
}
