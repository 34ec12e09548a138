#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use chartseal::keys::WalletKey;
use chartseal_program::builders;
use chartseal_program::events::Content;
use chartseal_program::instructions::{CreateRecordArgs, NameDelegateArgs, OpenPatientArgs, VerifyAccessProofArgs};
use chartseal_program::proof::PROOF;
use chartseal_program::seeds::NO_ID;
use chartseal_program::state::{Keys, Nullifier, Record};
use chartseal_program::vocabulary::Purpose;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::compiled_instruction::CompiledInstruction;
use solana_message::{Message, v0};
use solana_system_interface::instruction as system;

use super::*;

const MOST_PRICE: u64 = 1_000;

const KEYS: Keys = Keys {
    encryption: [3; 32],
    post_quantum_hash: [0; 32],
};

/// The relayer's wallet, and somebody who acts.
struct Scene {
    relayer: WalletKey,
    patient: WalletKey,
    rules: Rules,
}

fn address(key: &WalletKey) -> Address {
    Address::new_from_array(key.address())
}

impl Scene {
    fn new() -> Self {
        let relayer = WalletKey::generate().unwrap();
        let rules = Rules::new(address(&relayer), MOST_PRICE).unwrap();
        let patient = WalletKey::generate().unwrap();
        Self {
            relayer,
            patient,
            rules,
        }
    }

    fn open(&self, payer: &WalletKey) -> Instruction {
        let args = OpenPatientArgs {
            id: [1; 16],
            keys: KEYS,
        };
        builders::open_patient(address(&self.patient), address(payer), None, args)
    }

    fn message(&self, instructions: &[Instruction]) -> Message {
        Message::new_with_blockhash(
            instructions,
            Some(&address(&self.relayer)),
            &Hash::new_from_array([9; 32]),
        )
    }

    /// Signed by whoever is there, but for the relayer.
    fn signed(&self, message: VersionedMessage, signers: &[&WalletKey]) -> VersionedTransaction {
        let bytes = message.serialize();
        let needed = usize::from(message.header().num_required_signatures);
        let signatures = message.static_account_keys().iter().take(needed).map(|key| {
            let signer = signers.iter().find(|signer| address(signer) == *key);
            signer.map_or_else(Signature::default, |signer| Signature::from(signer.sign(&bytes)))
        });
        VersionedTransaction {
            signatures: signatures.collect(),
            message,
        }
    }

    fn check(&self, transaction: &VersionedTransaction) -> Result<Proper, Refusal> {
        self.rules.check(&bincode::serialize(transaction).unwrap())
    }

    fn checked(&self, instructions: &[Instruction]) -> Result<Proper, Refusal> {
        let message = VersionedMessage::Legacy(self.message(instructions));
        self.check(&self.signed(message, &[&self.patient]))
    }
}

#[test]
fn what_a_patient_signs_is_paid_for() {
    let scene = Scene::new();
    let proper = scene.checked(&[scene.open(&scene.relayer)]).unwrap();
    assert_eq!(proper.signer, address(&scene.patient));
    assert_eq!(proper.fee, 2 * PER_SIGNATURE);
    let limit = ComputeBudgetInstruction::set_compute_unit_limit(100_000);
    let price = ComputeBudgetInstruction::set_compute_unit_price(MOST_PRICE);
    let proper = scene.checked(&[limit, price, scene.open(&scene.relayer)]).unwrap();
    assert_eq!(proper.fee, 2 * PER_SIGNATURE + 100);
}

#[test]
fn every_instruction_of_the_contract_is_known_and_those_that_take_rent_name_a_payer() {
    let rules = Rules::new(Address::new_from_array([1; 32]), 0).unwrap();
    let names = |pays: bool| {
        let known = rules
            .instructions
            .values()
            .filter(|known| known.payer.is_some() == pays);
        known.map(|known| known.name.as_str()).collect::<Vec<_>>()
    };
    let mut paying = names(true);
    paying.sort_unstable();
    assert_eq!(
        paying.join(" "),
        "anchor_batch close_nullifier create_anonymous_grant create_grant create_record decide_request initialize \
         name_delegate open_emergency open_patient open_tree pass_on_grant promote_batched propose_agreement \
         register_institution register_member request_access set_break_glass set_guardians set_policy settle_access \
         verify_access_proof"
    );
    assert!(names(false).contains(&"access_record") && names(false).contains(&"close_agreement"));
}

#[test]
fn what_may_be_made_is_counted_although_a_trial_may_make_nothing() {
    let scene = Scene::new();
    let (own, patient) = (address(&scene.relayer), address(&scene.patient));
    let args = || CreateRecordArgs {
        request: [1; 16],
        record: [2; 16],
        class: 0,
        purpose: Purpose::Treatment,
        grant: NO_ID,
        content: Content {
            manifest_hash: [1; 32],
            root: [2; 32],
            locator: [3; 32],
            padded_size: 1,
        },
    };
    let create = |payer| builders::create_record(&builders::As::wallet(patient), payer, None, &[1; 16], args());
    let once = scene.checked(&[create(own)]).unwrap().made;
    assert_eq!(once, Made::of::<Record>());
    let twice = scene.checked(&[create(own), create(own)]).unwrap().made;
    assert_eq!(twice, once + once);
    assert_eq!(scene.checked(&[create(patient)]).unwrap().made, Made::default());
    // As the ledger has it: 6,960 lamports a byte, and 128 bytes beside the data.
    let bytes = u64::try_from(size_of::<Record>()).unwrap() + 8;
    assert_eq!(once.rent(890_880), (128 + bytes) * 6_960);
}

#[test]
fn a_proof_of_access_is_paid_for_where_somebody_signs_along() {
    let scene = Scene::new();
    let own = address(&scene.relayer);
    let args = VerifyAccessProofArgs {
        exchange: [1; 16],
        verifier: Address::new_from_array([2; 32]),
        nullifier: [3; 32],
        handle: [4; 32],
        number: 1,
        now: 1,
        rights: 1,
        proof: [5; PROOF],
    };
    let mut show = builders::verify_access_proof(own, &[6; 16], args);
    assert_eq!(scene.checked(&[show.clone()]).unwrap_err(), Refusal::NobodyActs);
    let along = address(&scene.patient);
    show.accounts
        .push(solana_instruction::AccountMeta::new_readonly(along, true));
    let limit = ComputeBudgetInstruction::set_compute_unit_limit(150_000);
    let price = ComputeBudgetInstruction::set_compute_unit_price(MOST_PRICE);
    let proper = scene.checked(&[limit, price, show]).unwrap();
    assert_eq!(proper.signer, along);
    assert_eq!(proper.made, Made::of::<Nullifier>());
}

#[test]
fn nothing_but_the_contract_is_paid_for() {
    let scene = Scene::new();
    let (own, patient) = (address(&scene.relayer), address(&scene.patient));
    let transfer = scene.checked(&[scene.open(&scene.relayer), system::transfer(&own, &patient, 1)]);
    let program = SYSTEM_PROGRAM;
    assert_eq!(transfer.unwrap_err(), Refusal::OtherProgram { number: 2, program });
    let limit = ComputeBudgetInstruction::set_compute_unit_limit(1);
    let empty = scene.check(&scene.signed(
        VersionedMessage::Legacy({
            let mut message = scene.message(&[limit, scene.open(&scene.relayer)]);
            message.instructions.pop();
            message
        }),
        &[&scene.patient],
    ));
    assert_eq!(empty.unwrap_err(), Refusal::Nothing);
    let heap = ComputeBudgetInstruction::request_heap_frame(64 * 1024);
    assert_eq!(
        scene.checked(&[heap, scene.open(&scene.relayer)]).unwrap_err(),
        Refusal::OtherBudget(1)
    );
    let dear = ComputeBudgetInstruction::set_compute_unit_price(MOST_PRICE + 1);
    assert!(matches!(
        scene.checked(&[dear, scene.open(&scene.relayer)]),
        Err(Refusal::Price { .. })
    ));
    let mut unknown = scene.open(&scene.relayer);
    unknown.data[0] ^= 1;
    assert_eq!(scene.checked(&[unknown]).unwrap_err(), Refusal::UnknownInstruction(1));
}

#[test]
fn a_durable_nonce_is_refused() {
    let scene = Scene::new();
    let nonce = system::advance_nonce_account(&Address::new_from_array([5; 32]), &address(&scene.patient));
    let outcome = scene.checked(&[nonce, scene.open(&scene.relayer)]);
    assert_eq!(outcome.unwrap_err(), Refusal::DurableNonce);
}

#[test]
fn the_relayers_wallet_pays_and_does_nothing_else() {
    let scene = Scene::new();
    let (own, patient) = (address(&scene.relayer), address(&scene.patient));
    let more = |instruction: Instruction, name: &str| {
        let outcome = scene.checked(&[instruction, scene.open(&scene.relayer)]);
        let (number, name) = (1, name.to_owned());
        assert_eq!(outcome.unwrap_err(), Refusal::MoreThanPaying { number, name });
    };
    let args = OpenPatientArgs {
        id: [2; 16],
        keys: KEYS,
    };
    more(builders::open_patient(own, own, None, args), "open_patient");
    more(builders::open_patient(own, patient, None, args), "open_patient");
    more(
        builders::revoke_grant(&builders::By::wallet(own), &[1; 16], &[2; 16]),
        "revoke_grant",
    );
    more(builders::accept_admin(own), "accept_admin");
    let delegate = NameDelegateArgs {
        id: [2; 16],
        wallet: patient,
        rights: 1,
        expires: 1,
    };
    more(builders::name_delegate(own, own, &[1; 16], delegate), "name_delegate");
    // One account more than the contract asks for.
    let mut further = scene.open(&scene.relayer);
    further.accounts.push(solana_instruction::AccountMeta::new(own, true));
    more(further, "open_patient");
}

#[test]
fn everybody_else_must_have_signed() {
    let scene = Scene::new();
    let message = || VersionedMessage::Legacy(scene.message(&[scene.open(&scene.relayer)]));
    let patient = address(&scene.patient);
    let unsigned = scene.signed(message(), &[]);
    assert_eq!(scene.check(&unsigned).unwrap_err(), Refusal::NotSigned(patient));
    let mut wrong = scene.signed(message(), &[&scene.patient]);
    wrong.signatures[1] = Signature::from(scene.patient.sign(b"something else"));
    assert_eq!(scene.check(&wrong).unwrap_err(), Refusal::NotSigned(patient));
    // One signature twice.
    let mut doubled = scene.signed(message(), &[&scene.patient]);
    doubled.signatures[0] = doubled.signatures[1];
    assert_eq!(scene.check(&doubled).unwrap_err(), Refusal::NotEmpty);
    let mut one_more = scene.signed(message(), &[&scene.patient]);
    one_more.signatures.push(one_more.signatures[1]);
    assert!(matches!(scene.check(&one_more), Err(Refusal::NotATransaction(_))));
    // Signed before by the relayer itself: that is asked for again.
    let again = scene.signed(message(), &[&scene.patient, &scene.relayer]);
    assert!(scene.check(&again).is_ok());
    let alone = scene.message(&[ComputeBudgetInstruction::set_compute_unit_limit(1)]);
    let alone = scene.signed(VersionedMessage::Legacy(alone), &[]);
    assert_eq!(scene.check(&alone).unwrap_err(), Refusal::NobodyActs);
}

#[test]
fn another_payer_an_account_named_twice_and_tables_are_refused() {
    let scene = Scene::new();
    let own = address(&scene.relayer);
    let other = Message::new(&[scene.open(&scene.patient)], Some(&address(&scene.patient)));
    let other = scene.signed(VersionedMessage::Legacy(other), &[&scene.patient]);
    let named = address(&scene.patient);
    assert_eq!(scene.check(&other).unwrap_err(), Refusal::OtherPayer { named, own });

    let mut twice = scene.message(&[scene.open(&scene.relayer)]);
    *twice.account_keys.last_mut().unwrap() = own;
    let twice = scene.signed(VersionedMessage::Legacy(twice), &[&scene.patient]);
    assert_eq!(scene.check(&twice).unwrap_err(), Refusal::Twice(own));

    let newer = |tables| {
        let hash = Hash::new_from_array([9; 32]);
        let mut message = v0::Message::try_compile(&own, &[scene.open(&scene.relayer)], &[], hash).unwrap();
        message.address_table_lookups = tables;
        scene.check(&scene.signed(VersionedMessage::V0(message), &[&scene.patient]))
    };
    assert!(newer(Vec::new()).is_ok());
    let table = v0::MessageAddressTableLookup {
        account_key: Address::new_from_array([6; 32]),
        writable_indexes: vec![0],
        readonly_indexes: Vec::new(),
    };
    assert_eq!(newer(vec![table]).unwrap_err(), Refusal::LookupTables);
}

#[test]
fn what_is_no_transaction_or_too_long_is_refused() {
    let scene = Scene::new();
    let transaction = scene.signed(
        VersionedMessage::Legacy(scene.message(&[scene.open(&scene.relayer)])),
        &[&scene.patient],
    );
    let bytes = bincode::serialize(&transaction).unwrap();
    for wrong in [
        &[][..],
        &[0; 64],
        &bytes[..bytes.len() - 1],
        &[&bytes[..], &[0]].concat(),
        &[1; 1_233],
    ] {
        assert!(matches!(scene.rules.check(wrong), Err(Refusal::NotATransaction(_))));
    }
    let many: Vec<_> = (0..5).map(|_| WalletKey::generate().unwrap()).collect();
    let mut crowd = scene.open(&scene.relayer);
    for key in &many {
        crowd
            .accounts
            .push(solana_instruction::AccountMeta::new(address(key), true));
    }
    let signers: Vec<_> = many.iter().chain([&scene.patient]).collect();
    let crowd = scene.signed(VersionedMessage::Legacy(scene.message(&[crowd])), &signers);
    assert_eq!(scene.check(&crowd).unwrap_err(), Refusal::TooManySigners(7));
    // An index beyond the accounts.
    let mut beyond = scene.message(&[scene.open(&scene.relayer)]);
    beyond.instructions.push(CompiledInstruction {
        program_id_index: 200,
        accounts: Vec::new(),
        data: Vec::new(),
    });
    let beyond = scene.signed(VersionedMessage::Legacy(beyond), &[&scene.patient]);
    assert!(matches!(scene.check(&beyond), Err(Refusal::NotATransaction(_))));
}
