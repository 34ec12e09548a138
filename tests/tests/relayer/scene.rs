//! What the tests have in common: a relayer at work, people without a lamport who go through it, and a look at who really
//! paid.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal::keys::{Identity, Passphrase, WalletKey};
use chartseal_program::instructions::OpenPatientArgs;
use chartseal_program::seeds::Id;
use chartseal_program::state::Keys;
use chartseal_program::{ID, builders};
use chartseal_tests::people::{Outcome, Person};
use chartseal_tests::programs::program;
use chartseal_tests::stack::Stack;
use serde_json::{Value, json};
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_address::Address;
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::Message;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::config::{RpcAccountInfoConfig, RpcProgramAccountsConfig};
use solana_transaction_status_client_types::UiTransactionEncoding;

/// A relayer that runs. It ends when this is dropped.
pub(crate) struct Relayer {
    child: Child,
    pub(crate) url: String,
    identity: PathBuf,
    passphrase: PathBuf,
    rpc: String,
    options: Vec<String>,
}

impl Relayer {
    /// Starts one with somebody's wallet.
    pub(crate) fn of(stack: &Stack, person: &Person, options: &[&str]) -> Self {
        Self::over(stack.endpoints().rpc.clone(), person, options)
    }

    /// Starts one that asks another node.
    pub(crate) fn over(rpc: String, person: &Person, options: &[&str]) -> Self {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Self::start("127.0.0.1:0", person.identity(), person.passphrase(), rpc, options)
    }

    fn start(listen: &str, identity: PathBuf, passphrase: PathBuf, rpc: String, options: Vec<String>) -> Self {
        let mut child = program("chartseal-relayer")
            .unwrap()
            .args(["--listen", listen, "--rpc", &rpc])
            .arg("--key")
            .arg(&identity)
            .arg("--passphrase-file")
            .arg(&passphrase)
            .args(&options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut url)
            .unwrap();
        url.truncate(url.trim_end().len());
        assert!(url.starts_with("http://127.0.0.1:"), "it said: {url}");
        Self {
            child,
            url,
            identity,
            passphrase,
            rpc,
            options,
        }
    }

    /// Ends it like a power cut, and starts it again where it was.
    pub(crate) fn restarts(mut self) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let listen = self.url.trim_start_matches("http://");
        let (identity, passphrase) = (self.identity.clone(), self.passphrase.clone());
        Self::start(listen, identity, passphrase, self.rpc.clone(), self.options.clone())
    }
}

impl Drop for Relayer {
    fn drop(&mut self) {
        // One that has ended by itself is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody with keys and without a lamport.
pub(crate) fn poor(stack: &Stack, name: &'static str) -> Person {
    let person = stack.person(name);
    person.makes_keys().unwrap();
    person
}

/// Types a command that a relayer pays for.
pub(crate) fn types(who: &Person, relayer: &str, words: &[&str]) -> Outcome {
    who.types(&[&["--relayer", relayer], words].concat()).unwrap()
}

/// The same, which has to work.
pub(crate) fn does(who: &Person, relayer: &str, words: &[&str]) -> Outcome {
    who.does(&[&["--relayer", relayer], words].concat()).unwrap()
}

pub(crate) fn wallet_of(person: &Person) -> WalletKey {
    let passphrase = std::fs::read(person.passphrase()).unwrap();
    let passphrase = Passphrase::new(passphrase.trim_ascii_end()).unwrap();
    Identity::load(&person.identity(), &passphrase).unwrap().wallet
}

pub(crate) fn address_of(key: &WalletKey) -> Address {
    Address::new_from_array(key.address())
}

/// The ledger as it is.
pub(crate) struct Look(RpcClient);

impl Look {
    pub(crate) fn at(stack: &Stack) -> Self {
        Self(RpcClient::new(stack.endpoints().rpc.clone()))
    }

    pub(crate) async fn lamports(&self, address: &Address) -> u64 {
        self.0.get_balance(address).await.unwrap()
    }

    /// What lies in the contract's accounts.
    pub(crate) async fn lamports_of_the_contract(&self) -> u64 {
        let config = RpcProgramAccountsConfig {
            account_config: RpcAccountInfoConfig {
                encoding: Some(UiAccountEncoding::Base64),
                ..RpcAccountInfoConfig::default()
            },
            ..RpcProgramAccountsConfig::default()
        };
        let accounts = self.0.get_program_ui_accounts_with_config(&ID, config).await.unwrap();
        accounts.iter().map(|(_, account)| account.lamports).sum()
    }

    /// How many transactions name an address, and the fees of those.
    pub(crate) async fn fees(&self, address: &Address) -> (usize, u64) {
        let named = self.0.get_signatures_for_address(address).await.unwrap();
        let mut fees = 0;
        for entry in &named {
            let signature = entry.signature.parse().unwrap();
            let found = self
                .0
                .get_transaction(&signature, UiTransactionEncoding::Base64)
                .await
                .unwrap();
            fees += found.transaction.meta.unwrap().fee;
        }
        (named.len(), fees)
    }

    pub(crate) async fn blockhash(&self) -> Hash {
        self.0.get_latest_blockhash().await.unwrap()
    }
}

/// Opens a patient of this id: signed by `opener`, paid by `payer`.
pub(crate) fn opens(opener: Address, payer: Address, id: Id) -> Instruction {
    let keys = Keys {
        encryption: [7; 32],
        post_quantum_hash: [0; 32],
    };
    builders::open_patient(opener, payer, None, OpenPatientArgs { id, keys })
}

/// A transaction with a place for the payer's signature, as it goes over the line.
pub(crate) fn signed(instructions: &[Instruction], payer: Address, blockhash: Hash, signers: &[&WalletKey]) -> Vec<u8> {
    let message = Message::new_with_blockhash(instructions, Some(&payer), &blockhash);
    let bytes = message.serialize();
    let needed = usize::from(message.header.num_required_signatures);
    let mut transaction = vec![message.header.num_required_signatures];
    for key in &message.account_keys[..needed] {
        let signer = signers.iter().find(|signer| address_of(signer) == *key);
        transaction.extend_from_slice(&signer.map_or([0; 64], |signer| signer.sign(&bytes)));
    }
    transaction.extend_from_slice(&bytes);
    transaction
}

/// Asks a relayer; its answer, result or error.
pub(crate) async fn asks(url: &str, method: &str, params: Value) -> Value {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let sent = reqwest::Client::new().post(url).json(&call).send().await.unwrap();
    sent.json().await.unwrap()
}

/// Asks a relayer to sign.
pub(crate) async fn asks_to_sign(url: &str, transaction: &[u8]) -> Value {
    asks(
        url,
        "signTransaction",
        json!({ "transaction": STANDARD.encode(transaction) }),
    )
    .await
}

/// Why a relayer does not sign.
pub(crate) async fn refusal(url: &str, transaction: &[u8]) -> String {
    let answer = asks_to_sign(url, transaction).await;
    assert!(answer.get("result").is_none(), "it signed: {answer}");
    answer["error"]["message"].as_str().unwrap().to_owned()
}
