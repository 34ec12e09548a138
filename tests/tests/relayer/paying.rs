//! What a relayer pays for, and what it does not.

use chartseal::keys::WalletKey;
use chartseal_program::builders;
use chartseal_tests::memory::one_patient;
use chartseal_tests::stack::Stack;
use serde_json::json;
use solana_address::Address;
use solana_hash::Hash;
use solana_instruction::{AccountMeta, Instruction};

use crate::scene::{Look, Relayer, address_of, asks, asks_to_sign, opens, refusal, signed, wallet_of};

const SYSTEM: Address = Address::new_from_array([0; 32]);

/// A relayer, its wallet, and somebody who asks it.
struct Desk {
    stack: Stack,
    look: Look,
    relayer: Relayer,
    payer: Address,
    ada: WalletKey,
}

impl Desk {
    fn open(options: &[&str]) -> Self {
        let (stack, person, _) = one_patient().unwrap();
        let relayer = Relayer::of(&stack, &person, options);
        Self {
            look: Look::at(&stack),
            relayer,
            payer: address_of(&wallet_of(&person)),
            ada: WalletKey::generate().unwrap(),
            stack,
        }
    }

    fn opening(&self, id: u8) -> Instruction {
        opens(address_of(&self.ada), self.payer, [id; 16])
    }

    async fn signed(&self, instructions: &[Instruction]) -> Vec<u8> {
        signed(instructions, self.payer, self.look.blockhash().await, &[&self.ada])
    }

    async fn refuses(&self, transaction: &[u8], words: &str) {
        let before = self.look.lamports(&self.payer).await;
        let said = refusal(&self.relayer.url, transaction).await;
        assert!(said.contains(words), "{said}");
        assert_eq!(self.look.lamports(&self.payer).await, before);
    }

    async fn sends(&self, transaction: &[u8]) -> serde_json::Value {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(transaction);
        asks(
            &self.relayer.url,
            "signAndSendTransaction",
            json!({ "transaction": text }),
        )
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayer_tells_who_pays_and_for_what_as_kora_does() {
    let desk = Desk::open(&["--max-lamports", "12345678"]);
    let url = &desk.relayer.url;
    let payer = desk.payer.to_string();
    let told = asks(url, "getPayerSigner", json!([])).await;
    assert_eq!(
        told["result"],
        json!({ "signer_address": payer, "payment_address": payer })
    );
    let config = &asks(url, "getConfig", json!({})).await["result"];
    assert_eq!(config["fee_payers"], json!([payer]));
    assert_eq!(config["validation_config"]["max_allowed_lamports"], 12_345_678);
    let hash = &asks(url, "getBlockhash", json!([])).await["result"]["blockhash"];
    assert!(hash.as_str().unwrap().parse::<Hash>().is_ok());
    assert_eq!(
        asks(url, "transferTransaction", json!({})).await["error"]["code"],
        -32_601
    );
    assert_eq!(asks(url, "signTransaction", json!({})).await["error"]["code"], -32_602);
    let other = json!({ "transaction": "AA==", "signer_key": "11111111111111111111111111111111" });
    let other = asks(url, "signTransaction", other).await;
    assert!(
        other["error"]["message"].as_str().unwrap().contains("no key of"),
        "{other}"
    );
    desk.stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_signed_or_sent_as_often_as_it_is_asked_for_and_paid_once() {
    let desk = Desk::open(&[]);
    let before = desk.look.lamports(&desk.payer).await;
    let transaction = desk.signed(&[desk.opening(1)]).await;
    let once = asks_to_sign(&desk.relayer.url, &transaction).await;
    let again = asks_to_sign(&desk.relayer.url, &transaction).await;
    assert_eq!(once, again);
    assert!(once["result"]["signature"].is_string(), "{once}");
    assert_eq!(desk.look.lamports(&desk.payer).await, before, "signing costs nothing");
    let sent = desk.sends(&transaction).await;
    assert_eq!(sent["result"]["signature"], once["result"]["signature"], "{sent}");
    while desk.look.lamports(&desk.payer).await == before {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let paid = desk.look.lamports(&desk.payer).await;
    let sent_again = desk.sends(&transaction).await;
    assert_eq!(
        sent_again["result"]["signature"], once["result"]["signature"],
        "{sent_again}"
    );
    assert_eq!(desk.look.lamports(&desk.payer).await, paid);
    desk.stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_on_the_relayers_money_are_refused() {
    let desk = Desk::open(&[]);
    let (payer, ada) = (desk.payer, address_of(&desk.ada));
    let transfer = Instruction {
        program_id: SYSTEM,
        accounts: vec![AccountMeta::new(payer, true), AccountMeta::new(ada, false)],
        data: [&2_u32.to_le_bytes()[..], &1_000_u64.to_le_bytes()].concat(),
    };
    let both = desk.signed(&[desk.opening(1), transfer]).await;
    desk.refuses(&both, "instruction 2 is for the program 1111").await;
    let nonce = Instruction {
        program_id: SYSTEM,
        accounts: vec![
            AccountMeta::new(Address::new_from_array([9; 32]), false),
            AccountMeta::new(ada, true),
        ],
        data: 4_u32.to_le_bytes().to_vec(),
    };
    let lasting = desk.signed(&[nonce, desk.opening(1)]).await;
    desk.refuses(&lasting, "durable nonce").await;
    // The relayer's wallet is a patient of this program: its own chart would be changed.
    let as_patient = builders::object_to_recovery(payer, &[1; 16]);
    let as_patient = desk.signed(&[desk.opening(1), as_patient]).await;
    desk.refuses(&as_patient, "instruction 2 (object_to_recovery)").await;

    let unsigned = signed(&[desk.opening(1)], payer, desk.look.blockhash().await, &[]);
    desk.refuses(&unsigned, "signature of").await;
    let mut doubled = desk.signed(&[desk.opening(1)]).await;
    doubled.copy_within(65..129, 1);
    desk.refuses(&doubled, "something else").await;
    let other = signed(
        &[opens(ada, ada, [1; 16])],
        ada,
        desk.look.blockhash().await,
        &[&desk.ada],
    );
    desk.refuses(&other, "so name that one").await;
    desk.refuses(&[1; 1_233], "more than the 1232 of a packet").await;
    desk.refuses(b"rubbish", "no transaction").await;
    let stale = signed(&[desk.opening(1)], payer, Hash::new_from_array([3; 32]), &[&desk.ada]);
    desk.refuses(&stale, "Blockhash not found").await;
    // What would fail costs a fee and gives nobody anything.
    let nobody = builders::revoke_grant(&builders::By::wallet(ada), &[1; 16], &[2; 16]);
    let in_vain = desk.signed(&[nobody]).await;
    desk.refuses(&in_vain, "it would fail").await;
    desk.stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayer_spends_no_more_than_it_is_told_to() {
    let mean = Desk::open(&["--max-lamports", "100000"]);
    let dear = mean.signed(&[mean.opening(1)]).await;
    mean.refuses(&dear, "more than the 100000 that this relayer pays").await;
    mean.stack.stop().unwrap();

    // Opening a chart costs some twenty million lamports.
    let desk = Desk::open(&["--lamports-per-signer", "50000000", "--lamports-per-day", "90000000"]);
    let mut opened = 0;
    let said = loop {
        let transaction = desk.signed(&[desk.opening(opened + 1)]).await;
        let answer = asks_to_sign(&desk.relayer.url, &transaction).await;
        match answer["error"]["message"].as_str() {
            Some(said) => break said.to_owned(),
            None => opened += 1,
        }
        assert!(opened < 25);
    };
    assert!(
        opened >= 1 && said.contains("for one wallet in a day"),
        "{opened}: {said}"
    );
    // Another wallet has its own share, until the day's is spent: wallets cost nothing.
    let said = loop {
        let ben = WalletKey::generate().unwrap();
        let instruction = opens(address_of(&ben), desk.payer, [opened + 1; 16]);
        let transaction = signed(&[instruction], desk.payer, desk.look.blockhash().await, &[&ben]);
        let answer = asks_to_sign(&desk.relayer.url, &transaction).await;
        match answer["error"]["message"].as_str() {
            Some(said) => break said.to_owned(),
            None => opened += 1,
        }
        assert!(opened < 50);
    };
    assert!(said.contains("lamports of today"), "{said}");
    desk.stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_asks_too_often_is_told_to_wait() {
    let desk = Desk::open(&["--calls-per-second", "1", "--burst", "2"]);
    let transaction = desk.signed(&[desk.opening(1)]).await;
    let mut limited = false;
    for _ in 0..20 {
        let answer = asks_to_sign(&desk.relayer.url, &transaction).await;
        let said = answer["error"]["message"].as_str().unwrap_or_default();
        limited |= said.contains("too many transactions of") || said.contains("too many calls");
    }
    assert!(limited);
    desk.stack.stop().unwrap();
}
