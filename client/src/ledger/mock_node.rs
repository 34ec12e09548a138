//! A node for unit tests, which answers as a test wants it to.

use std::pin::Pin;

use serde_json::Value;
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::{
    nonblocking::rpc_client::RpcClient,
    rpc_client::RpcClientConfig,
    rpc_sender::{RpcSender, RpcTransportStats},
};
use solana_rpc_client_api::{client_error, request::RpcRequest};

struct Node<F>(F);

/// A client of a node that gives these answers.
pub(super) fn node(
    commitment: CommitmentConfig,
    answer: impl Fn(RpcRequest, &Value) -> Value + Send + Sync + 'static,
) -> RpcClient {
    RpcClient::new_sender(Node(answer), RpcClientConfig::with_commitment(commitment))
}

impl<F: Fn(RpcRequest, &Value) -> Value + Send + Sync> RpcSender for Node<F> {
    fn send<'a, 'b>(
        &'a self,
        request: RpcRequest,
        params: Value,
    ) -> Pin<Box<dyn Future<Output = client_error::Result<Value>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let answer = self.0(request, &params);
        Box::pin(async move {
            // As over a line, where others get their turn meanwhile.
            tokio::task::yield_now().await;
            Ok(answer)
        })
    }

    fn get_transport_stats(&self) -> RpcTransportStats {
        RpcTransportStats::default()
    }

    fn url(&self) -> String {
        String::new()
    }
}
