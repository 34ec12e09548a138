//! Making the registry: by the program's upgrade authority and nobody else, once.

use chartseal_program::{
    builders as ix, events::AnyEvent, instruction, log::Chain as HashChain, log::ChainKind, seeds::address,
    seeds::NO_ID, state::Registry, ChartsealError, ID,
};
use solana_instruction::{error::InstructionError, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::common::*;

fn initialize(chain: &Chain, by: &Keypair) -> Instruction {
    ix::initialize(by.pubkey(), by.pubkey(), program_data(), chain.admin.pubkey())
}

#[test]
fn upgrade_authority_makes_the_registry() {
    let mut chain = Chain::bare();
    let by = chain.upgrade_authority.insecure_clone();
    let AnyEvent::RegistryCreated(event) = chain.must(initialize(&chain, &by), &[&by]) else {
        panic!()
    };
    let registry: Registry = chain.read(&address::registry());
    assert_eq!(
        (event.admin, registry.admin),
        (chain.admin.pubkey(), chain.admin.pubkey())
    );
    assert_eq!(registry.proposed_admin.to_bytes(), [0; 32]);
    assert!(!registry.is_paused());
    assert_eq!((registry.chain.seq, registry.chain.head), (1, event.head));
    assert_ne!(event.head, HashChain::begin(ChainKind::Registry, &NO_ID).head);
}

#[test]
fn stranger_cannot_be_the_first_caller() {
    let mut chain = Chain::bare();
    let stranger = chain.wallet();
    chain.refuse(
        initialize(&chain, &stranger),
        &[&stranger],
        ChartsealError::NotUpgradeAuthority,
    );
}

#[test]
fn upgrade_authority_must_sign() {
    let mut chain = Chain::bare();
    let (payer, authority) = (chain.wallet(), chain.upgrade_authority.pubkey());
    let initialize = ix::initialize(authority, payer.pubkey(), program_data(), payer.pubkey());
    chain.refuse_at_the_door(
        unsign(initialize, authority),
        &[&payer],
        InstructionError::MissingRequiredSignature,
    );
}

#[test]
fn another_may_pay() {
    let mut chain = Chain::bare();
    let (payer, by) = (chain.wallet(), chain.upgrade_authority.insecure_clone());
    let initialize = ix::initialize(by.pubkey(), payer.pubkey(), program_data(), chain.admin.pubkey());
    let before = chain.svm.get_balance(&by.pubkey());
    chain.must(initialize, &[&payer, &by]);
    assert_eq!(chain.svm.get_balance(&by.pubkey()), before);
}

#[test]
fn data_account_of_another_program_names_no_authority_here() {
    let mut chain = Chain::bare();
    let impostor = chain.wallet();
    // A genuine data account, of the impostor's own program.
    let other = solana_keypair::Keypair::new().pubkey();
    chain.svm.add_program(other, contract()).unwrap();
    let theirs = program_data_of(&other);
    chain.set_upgrade_authority_of(&theirs, &impostor.pubkey());
    let initialize = ix::initialize(impostor.pubkey(), impostor.pubkey(), theirs, impostor.pubkey());
    chain.refuse(initialize, &[&impostor], ChartsealError::NotUpgradeAuthority);
}

#[test]
fn look_alike_of_the_data_account_is_refused() {
    let mut chain = Chain::bare();
    let impostor = chain.wallet();
    let mut account = chain.svm.get_account(&program_data()).unwrap();
    account.data[13..45].copy_from_slice(impostor.pubkey().as_ref());
    account.owner = solana_keypair::Keypair::new().pubkey();
    let fake = solana_keypair::Keypair::new().pubkey();
    chain.svm.set_account(fake, account).unwrap();
    let initialize = ix::initialize(impostor.pubkey(), impostor.pubkey(), fake, impostor.pubkey());
    chain.refuse(initialize, &[&impostor], ChartsealError::NotUpgradeAuthority);
}

#[test]
fn data_account_that_is_not_the_loaders_names_no_authority() {
    let mut chain = Chain::bare();
    let by = chain.upgrade_authority.insecure_clone();
    let mut account = chain.svm.get_account(&program_data()).unwrap();
    account.owner = by.pubkey();
    chain.svm.set_account(program_data(), account).unwrap();
    chain.refuse(initialize(&chain, &by), &[&by], ChartsealError::NotUpgradeAuthority);
}

#[test]
fn another_program_cannot_stand_for_this_one() {
    let mut chain = Chain::bare();
    let impostor = chain.wallet();
    let other = solana_keypair::Keypair::new().pubkey();
    chain.svm.add_program(other, contract()).unwrap();
    let theirs = program_data_of(&other);
    chain.set_upgrade_authority_of(&theirs, &impostor.pubkey());
    let mut initialize = ix::initialize(impostor.pubkey(), impostor.pubkey(), theirs, impostor.pubkey());
    substitute(&mut initialize, ID, other);
    // Custom(2012) is Anchor's ConstraintAddress.
    chain.refuse_at_the_door(initialize, &[&impostor], InstructionError::Custom(2012));
}

#[test]
fn program_without_an_upgrade_authority_cannot_be_initialized() {
    let mut chain = Chain::bare();
    let mut account = chain.svm.get_account(&program_data()).unwrap();
    account.data[12] = 0;
    chain.svm.set_account(program_data(), account).unwrap();
    let by = chain.upgrade_authority.insecure_clone();
    chain.refuse(initialize(&chain, &by), &[&by], ChartsealError::NotUpgradeAuthority);
}

#[test]
fn registry_is_made_once() {
    let mut chain = Chain::new();
    let by = chain.upgrade_authority.insecure_clone();
    chain.refuse_at_the_door(initialize(&chain, &by), &[&by], EXISTS);
}

#[test]
fn nobody_is_no_admin() {
    let mut chain = Chain::bare();
    let by = chain.upgrade_authority.insecure_clone();
    let nobody = Default::default();
    let initialize = ix::initialize(by.pubkey(), by.pubkey(), program_data(), nobody);
    chain.refuse(initialize, &[&by], ChartsealError::ZeroId);
}

#[test]
fn lamports_at_the_registrys_address_do_not_stop_it() {
    let mut chain = Chain::bare();
    chain.svm.airdrop(&address::registry(), 1_000_000).unwrap();
    let by = chain.upgrade_authority.insecure_clone();
    chain.must(initialize(&chain, &by), &[&by]);
    let account = chain.svm.get_account(&address::registry()).unwrap();
    assert_eq!(
        account.lamports,
        chain.svm.minimum_balance_for_rent_exemption(account.data.len())
    );
}

#[test]
fn arguments_that_are_cut_off_are_no_instruction() {
    let mut chain = Chain::bare();
    let by = chain.upgrade_authority.insecure_clone();
    let mut cut = initialize(&chain, &by);
    assert_eq!(cut.data.len(), 8 + size_of::<instruction::Initialize>());
    cut.data.truncate(cut.data.len() - 1);
    chain.refuse_at_the_door(cut, &[&by], InstructionError::InvalidInstructionData);
}
