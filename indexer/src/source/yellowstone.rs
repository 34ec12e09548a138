//! Yellowstone gRPC, by which a node pushes transactions instead of being asked for them. What it tells is kept ahead of the
//! listing that decides what exists ([`ahead`](super::ahead)), so that the node's JSON-RPC takes over at any moment: a stream
//! that ends or lags costs what there was without one.
//!
//! The endpoint is trusted as the node is. Of a transaction that the node lists, it says what was done: one that lies has
//! something stored that never happened, or something left out, until a comparison with the heads on the ledger shows it.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use anchor_lang::prelude::Address;
use futures_util::{SinkExt as _, StreamExt as _};
use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use tokio::time::timeout;
use yellowstone_grpc_client::{ClientTlsConfig, GeyserGrpcBuilderError, GeyserGrpcClient, GeyserGrpcClientError};
use yellowstone_grpc_proto::geyser::{
    CommitmentLevel as Level, SubscribeRequest, SubscribeRequestFilterBlocksMeta, SubscribeRequestFilterTransactions,
    SubscribeRequestPing, SubscribeUpdateBlockMeta, SubscribeUpdateTransaction, subscribe_update::UpdateOneof,
};
use zeroize::Zeroizing;

use super::{
    RpcSource, Wake,
    ahead::{Ahead, Block, Told},
    rpc::bytes,
    wake::Bell,
    wire::{Compiled, calls},
};
use crate::{
    metrics::{self, Herald, Peer},
    outage::Outage,
};

/// How long connecting may take, and how long the other side may be silent: it tells of every block.
const CONNECT: Duration = Duration::from_secs(10);
const DEAD: Duration = Duration::from_secs(30);

/// The longest message, in bytes: one transaction with all that it logged.
const LONGEST_MESSAGE: usize = 4 << 20;

/// What our subscriptions are called.
const NAME: &str = "chartseal";

/// Where a node pushes transactions.
#[derive(Clone)]
pub struct Yellowstone {
    url: String,
    token: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for Yellowstone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // There may be a key in the address too.
        f.write_str("Yellowstone")
    }
}

impl Yellowstone {
    /// At this address (`http://`, `https://`), with the token that is sent as `x-token`: over TLS, unless it stays on this
    /// machine.
    ///
    /// # Errors
    /// What is wrong with address or token; neither is repeated.
    pub fn new(url: &str, token: Option<Zeroizing<String>>) -> Result<Self, String> {
        let parsed = reqwest::Url::parse(url).ok();
        let web = parsed.filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(web) = web.filter(|_| GeyserGrpcClient::build_from_shared(url.to_owned()).is_ok()) else {
            return Err("it is no address of a Yellowstone endpoint; give one like https://host:port".into());
        };
        if token.is_some() && web.scheme() != "https" && !is_loopback(&web) {
            return Err("the token would cross the network in the clear; give an address with https://".into());
        }
        let is_visible =
            |token: &Zeroizing<String>| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        match token.as_ref().is_none_or(is_visible) {
            true => Ok(Self { url: web.into(), token }),
            false => Err("the token has characters that no token has, or none at all".into()),
        }
    }

    async fn connect(&self) -> Result<GeyserGrpcClient, Broken> {
        let mut builder = GeyserGrpcClient::build_from_shared(self.url.clone())?
            .x_token(self.token.as_ref().map(|token| token.as_str()))?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(DEAD / 3)
            .keep_alive_timeout(DEAD / 3)
            .keep_alive_while_idle(true)
            .max_decoding_message_size(LONGEST_MESSAGE);
        if self.url.starts_with("https") {
            builder = builder.tls_config(ClientTlsConfig::new().with_enabled_roots())?;
        }
        Ok(builder.connect().await?)
    }
}

fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let address: Result<IpAddr, _> = host.parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Begin(#[from] GeyserGrpcBuilderError),
    #[error("{0}")]
    Call(#[from] GeyserGrpcClientError),
    #[error("{0}")]
    Status(#[from] tonic::Status),
    #[error("it says nothing")]
    Silent(#[from] tokio::time::error::Elapsed),
    #[error("it ended the stream")]
    Ended,
}

impl RpcSource {
    /// Reads ahead what is told of there, for as long as `wake` is there, which it wakes.
    pub fn read_ahead(&mut self, place: &Yellowstone, wake: &mut Wake) {
        let commitment = self.commitment().config();
        let ahead = Arc::new(Ahead::default());
        self.ahead = Some(Arc::clone(&ahead));
        wake.keep(&tokio::spawn(listen(place.clone(), commitment, ahead, wake.bell())));
    }
}

/// Listens until it is aborted.
async fn listen(place: Yellowstone, commitment: CommitmentConfig, ahead: Arc<Ahead>, bell: Arc<Bell>) {
    let mut outage = Outage::new("the Yellowstone endpoint", Peer::Yellowstone);
    loop {
        let ended = stream(&place, commitment, &ahead, &bell, &mut outage).await;
        let wait = outage.failed(&ended.err().unwrap_or(Broken::Ended));
        tokio::time::sleep(wait).await;
        metrics::reconnects(Herald::Yellowstone);
    }
}

async fn stream(
    place: &Yellowstone,
    commitment: CommitmentConfig,
    ahead: &Ahead,
    bell: &Arc<Bell>,
    outage: &mut Outage,
) -> Result<(), Broken> {
    let mut client = timeout(CONNECT, place.connect()).await??;
    let subscribing = client.subscribe_with_request(Some(request(commitment)));
    // The stream ends with what questions are asked by.
    let (mut questions, mut updates) = timeout(CONNECT, subscribing).await??;
    let mut listening = None;
    while let Some(update) = timeout(DEAD, updates.next()).await? {
        let update = update?;
        // From here on it tells: what came before is listed once.
        let _ = listening.get_or_insert_with(|| bell.listening());
        outage.over();
        let is_news = match update.update_oneof {
            Some(UpdateOneof::Transaction(update)) => told(update).is_some_and(|told| ahead.transaction(told)),
            Some(UpdateOneof::BlockMeta(meta)) => block(&meta).is_some_and(|block| ahead.block(block)),
            Some(UpdateOneof::Ping(_)) => {
                let ping = Some(SubscribeRequestPing { id: 1 });
                let answer = SubscribeRequest {
                    ping,
                    ..SubscribeRequest::default()
                };
                // Whether it still listens is found out by what it says.
                let _ = timeout(CONNECT, questions.send(answer)).await?;
                false
            }
            _ => false,
        };
        if is_news {
            metrics::told(Herald::Yellowstone);
            bell.ring();
        }
    }
    Err(Broken::Ended)
}

/// Transactions of the program that succeeded, and what is said of blocks.
fn request(commitment: CommitmentConfig) -> SubscribeRequest {
    let level = match commitment.commitment {
        CommitmentLevel::Processed => Level::Processed,
        CommitmentLevel::Confirmed => Level::Confirmed,
        CommitmentLevel::Finalized => Level::Finalized,
    };
    let transactions = SubscribeRequestFilterTransactions {
        vote: Some(false),
        failed: Some(false),
        account_include: vec![chartseal_program::ID.to_string()],
        ..SubscribeRequestFilterTransactions::default()
    };
    SubscribeRequest {
        transactions: HashMap::from([(NAME.to_owned(), transactions)]),
        blocks_meta: HashMap::from([(NAME.to_owned(), SubscribeRequestFilterBlocksMeta {})]),
        commitment: Some(level.into()),
        ..SubscribeRequest::default()
    }
}

fn block(meta: &SubscribeUpdateBlockMeta) -> Option<Block> {
    Some(Block {
        slot: meta.slot,
        hash: bytes(&meta.blockhash)?,
        time: meta.block_time.map(|time| time.timestamp),
    })
}

/// The transaction, if it succeeded and all is there that the node would give: otherwise it is asked.
fn told(update: SubscribeUpdateTransaction) -> Option<Told> {
    let info = update.transaction?;
    let (transaction, meta) = (info.transaction?, info.meta?);
    if meta.err.is_some() || meta.inner_instructions_none || transaction.signatures.first() != Some(&info.signature) {
        return None;
    }
    let message = transaction.message?;
    let stated = message.account_keys.iter();
    let keys = stated
        .chain(&meta.loaded_writable_addresses)
        .chain(&meta.loaded_readonly_addresses);
    let keys: Option<Vec<Address>> = keys
        .map(|key| Some(Address::new_from_array(key.as_slice().try_into().ok()?)))
        .collect();
    let outer = message.instructions.into_iter().map(|instruction| {
        Some(Compiled {
            program: usize::try_from(instruction.program_id_index).ok()?,
            accounts: instruction.accounts,
            data: instruction.data,
            depth: None,
        })
    });
    let outer: Option<Vec<Compiled>> = outer.collect();
    let groups = meta.inner_instructions.into_iter().map(|group| {
        let inner = group.instructions.into_iter().map(|instruction| {
            Some(Compiled {
                program: usize::try_from(instruction.program_id_index).ok()?,
                accounts: instruction.accounts,
                data: instruction.data,
                depth: instruction.stack_height,
            })
        });
        Some((
            usize::try_from(group.index).ok()?,
            inner.collect::<Option<Vec<Compiled>>>()?,
        ))
    });
    let groups: Option<Vec<_>> = groups.collect();
    Some(Told {
        signature: info.signature.try_into().ok()?,
        slot: update.slot,
        calls: calls(&keys?, outer?, groups?)?,
    })
}
