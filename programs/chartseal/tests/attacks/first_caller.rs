//! Whoever comes first after the program was deployed.

use chartseal_program::{builders as ix, state::Registry, ChartsealError};
use solana_signer::Signer;

use crate::common::*;

#[test]
fn first_caller_as_admin() {
    let mut chain = Chain::bare();
    let stranger = chain.wallet();
    let wallet = stranger.pubkey();
    let initialize = ix::initialize(wallet, wallet, program_data(), wallet);
    chain.refuse(initialize, &[&stranger], ChartsealError::NotUpgradeAuthority);
    let before: Option<Registry> = chain
        .svm
        .get_account(&chartseal_program::seeds::address::registry())
        .map(|_| panic!("there is no registry"));
    assert!(before.is_none());
}

#[test]
fn first_caller_with_a_program_of_its_own() {
    let mut chain = Chain::bare();
    let stranger = chain.wallet();
    let wallet = stranger.pubkey();
    // The same contract, deployed by the stranger at another address: its data account names the stranger.
    let theirs = solana_keypair::Keypair::new().pubkey();
    chain.svm.add_program(theirs, contract()).unwrap();
    chain.set_upgrade_authority_of(&program_data_of(&theirs), &wallet);
    let initialize = ix::initialize(wallet, wallet, program_data_of(&theirs), wallet);
    chain.refuse(initialize.clone(), &[&stranger], ChartsealError::NotUpgradeAuthority);
    let mut initialize = initialize;
    initialize.accounts[2].pubkey = theirs;
    chain.fail(&[initialize], &[&stranger]);
}
