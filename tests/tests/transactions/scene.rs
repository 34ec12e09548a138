//! What the tests have in common: a patient, whose line to the ledger is bad, and a look at what really happened.

use std::{collections::BTreeMap, fs};

use chartseal::{
    keys::{Identity, Passphrase, WalletKey},
    ledger::{Ledger, LedgerOptions, Receipt, WebSocket},
};
use chartseal_program::{
    builders::{self, As},
    events::{AnyEvent, Content},
    instructions::CreateRecordArgs,
    seeds::{Id, NO_ID, address},
    vocabulary::Purpose,
};
use chartseal_tests::{memory::one_patient, people::Person, proxy::Proxy, stack::Stack};
use serde_json::{Value, json};
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_rpc_client::nonblocking::rpc_client::RpcClient;

/// A patient, whose line to the ledger is the proxy.
pub(crate) struct Scene {
    pub(crate) stack: Stack,
    pub(crate) proxy: Proxy,
    pub(crate) wallet: WalletKey,
    pub(crate) patient: Id,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let (stack, patient, id) = one_patient().unwrap();
        let proxy = Proxy::before(&stack.endpoints().rpc).unwrap();
        Self {
            proxy,
            wallet: wallet_of(&patient),
            patient: hex::decode(id).unwrap().try_into().unwrap(),
            stack,
        }
    }

    /// The ledger over the bad line alone.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::new(&self.proxy.url)
    }

    /// The ledger over the bad line, which tells of transactions over this WebSocket.
    pub(crate) fn ledger_with(&self, websocket: WebSocket) -> Ledger {
        Ledger::with(LedgerOptions {
            websocket,
            ..LedgerOptions::new([&self.proxy.url])
        })
    }

    /// The ledger itself, which tells what really happened.
    pub(crate) fn itself(&self) -> Ledger {
        Ledger::new(&self.stack.endpoints().rpc)
    }

    /// The instruction that makes a record whose content is as plausible as it is made up.
    pub(crate) fn creates(&self, record: Id) -> Instruction {
        self.creates_of_class(record, 1)
    }

    pub(crate) fn creates_of_class(&self, record: Id, class: u8) -> Instruction {
        let author = Address::new_from_array(self.wallet.address());
        let args = CreateRecordArgs {
            request: random(),
            record,
            class,
            purpose: Purpose::Personal,
            grant: NO_ID,
            content: Content {
                manifest_hash: random(),
                root: random(),
                locator: random(),
                padded_size: 65_536,
            },
        };
        builders::create_record(&As::wallet(author), author, None, &self.patient, args)
    }

    /// What an account really holds.
    pub(crate) async fn lamports(&self, address: &Address) -> u64 {
        let rpc = RpcClient::new(self.stack.endpoints().rpc.clone());
        rpc.get_balance(address).await.unwrap()
    }

    /// What a transaction's programs said.
    pub(crate) async fn logs(&self, signature: &str) -> Vec<String> {
        let request = json!({
            "jsonrpc": "2.0", "id": 1, "method": "getTransaction", "params": [signature, { "encoding": "base64" }],
        });
        let asked = reqwest::Client::new().post(&self.stack.endpoints().rpc).json(&request);
        let mut answer: Value = asked.send().await.unwrap().json().await.unwrap();
        serde_json::from_value(answer["result"]["meta"]["logMessages"].take()).unwrap()
    }

    /// Whether each of these transactions stands on chain, once, and no other.
    pub(crate) async fn assert_that_each_stands_once(&self, told: &BTreeMap<Id, Receipt>) {
        let itself = self.itself();
        let records = itself.records(&self.patient).await.unwrap();
        let mut on_chain: Vec<Id> = records.iter().map(|found| found.account.id).collect();
        on_chain.sort_unstable();
        assert!(on_chain.iter().eq(told.keys()), "what stands on chain is what was told");

        let log = itself.patient_log(&self.patient).await.unwrap();
        assert_eq!(log.broken, None);
        let mut logged: Vec<_> = log
            .events
            .iter()
            .filter_map(|logged| Some((made(&logged.event)?, logged.signature)))
            .collect();
        logged.sort_unstable();
        let told = told.iter().map(|(record, receipt)| (*record, receipt.signature));
        assert!(told.eq(logged), "each has one event, in the transaction that was told");
    }

    pub(crate) fn record_id(&self) -> Id {
        address::draw_record_id(&self.patient, random)
    }
}

/// Where the ledger's own WebSocket is, `host:port`.
pub(crate) fn websocket_of(stack: &Stack) -> String {
    let rpc = stack.endpoints().rpc.trim_start_matches("http://");
    let (host, port) = rpc.rsplit_once(':').unwrap();
    format!("{host}:{}", port.parse::<u16>().unwrap() + 1)
}

/// The system program's transfer.
pub(crate) fn transfer(from: Address, to: Address, lamports: u64) -> Instruction {
    Instruction {
        program_id: Address::new_from_array([0; 32]),
        accounts: vec![AccountMeta::new(from, true), AccountMeta::new(to, false)],
        data: [&2_u32.to_le_bytes()[..], &lamports.to_le_bytes()].concat(),
    }
}

pub(crate) fn wallet_of(person: &Person) -> WalletKey {
    let passphrase = fs::read(person.passphrase()).unwrap();
    let passphrase = Passphrase::new(passphrase.trim_ascii_end()).unwrap();
    Identity::load(&person.identity(), &passphrase).unwrap().wallet
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// The record that a transaction made.
fn made(event: &AnyEvent) -> Option<Id> {
    match event {
        AnyEvent::RecordCreated(event) => Some(event.record),
        _ => None,
    }
}
