#![allow(clippy::unwrap_used)]
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_message::Message;
use solana_rpc_client::{
    nonblocking::rpc_client::RpcClient,
    rpc_client::RpcClientConfig,
    rpc_sender::{RpcSender, RpcTransportStats},
};
use solana_rpc_client_api::{client_error, request::RpcRequest};

use super::{super::fates::Fates, *};

const PATIENCE: Duration = Duration::from_secs(60);

/// A node that knows of a transaction only once it was sent to it, takes for ever to say so, and tells no height.
#[derive(Default)]
struct Dumb {
    was_sent: AtomicBool,
    forgets: bool,
}

impl RpcSender for Dumb {
    fn send<'a, 'b>(
        &'a self,
        request: RpcRequest,
        params: Value,
    ) -> Pin<Box<dyn Future<Output = client_error::Result<Value>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            Ok(match request {
                RpcRequest::SendTransaction => {
                    self.was_sent.store(true, Ordering::SeqCst);
                    std::future::pending().await
                }
                RpcRequest::GetSignatureStatuses => {
                    let asked = params[0].as_array().unwrap().len();
                    let status = json!({
                        "slot": 7, "confirmations": 5, "status": { "Ok": null }, "err": null,
                        "confirmationStatus": "confirmed",
                    });
                    let is_known = self.was_sent.load(Ordering::SeqCst) && !self.forgets;
                    let status = if is_known { status } else { Value::Null };
                    json!({ "context": { "slot": 9 }, "value": vec![status; asked] })
                }
                _ => Value::Null,
            })
        })
    }

    fn get_transport_stats(&self) -> RpcTransportStats {
        RpcTransportStats::default()
    }

    fn url(&self) -> String {
        String::new()
    }
}

fn ledger(node: Dumb) -> Ledger {
    let config = RpcClientConfig::with_commitment(CommitmentConfig::confirmed());
    let rpc = Arc::new(RpcClient::new_sender(node, config));
    Ledger {
        fates: Fates::new(Arc::clone(&rpc), None, PATIENCE),
        rpc,
        patience: PATIENCE,
        ..Ledger::new("http://127.0.0.1:1")
    }
}

fn signed() -> Signed {
    let signature = Signature::from([1; 64]);
    let message = Message::new(&[], Some(&Address::new_from_array([2; 32])));
    Signed {
        transaction: Transaction {
            signatures: vec![signature],
            message,
        },
        last_valid: 150,
    }
}

#[tokio::test]
async fn what_is_known_is_told_while_a_node_still_thinks_about_taking_it_again() {
    let ledger = ledger(Dumb::default());
    let signed = signed();
    let told = tokio::time::timeout(PATIENCE / 2, ledger.press_for(&signed, PATIENCE)).await;
    assert_eq!(told.unwrap().unwrap(), signed.transaction.signatures.first().copied());
}

#[tokio::test]
async fn a_node_that_answers_and_tells_nothing_is_not_asked_for_ever() {
    let node = Dumb {
        forgets: true,
        ..Dumb::default()
    };
    let ledger = ledger(node);
    let signed = signed();
    let told = tokio::time::timeout(PATIENCE / 2, ledger.press_for(&signed, Duration::from_millis(300))).await;
    let error = told.unwrap().unwrap_err();
    assert!(error.may_stand(), "{error}");
    assert!(
        error
            .to_string()
            .contains(&signed.transaction.signatures[0].to_string()),
        "{error}"
    );
}
