//! A Yellowstone endpoint beside the node: what it tells is stored sooner, and whatever it does, the database holds what the
//! node's ledger holds, once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anchor_lang::prelude::Address;
use chartseal_indexer::source::{Commitment, Limits, RpcSource, Transaction, Wake, WebSocket, Yellowstone};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use solana_commitment_config::CommitmentConfig;
use tokio::{net::TcpListener, sync::broadcast, task::JoinHandle};
use tonic::{Request, Response, Status, Streaming, transport::server::TcpIncoming};
use yellowstone_grpc_proto::{geyser::*, prelude as proto};
use zeroize::Zeroizing;

use crate::{node::Node, story};

/// Longer than any test may take: whoever goes on was woken.
const NEVER: Duration = Duration::from_secs(3_600);
const DEADLINE: Duration = Duration::from_secs(30);

/// What it says next; nothing where it ends its streams.
type Say = Option<subscribe_update::UpdateOneof>;

/// An endpoint that says what a test wants.
#[derive(Clone)]
struct Endpoint {
    says: broadcast::Sender<Say>,
    token: Option<&'static str>,
    asked: Arc<Mutex<Vec<SubscribeRequest>>>,
}

struct Served {
    endpoint: Endpoint,
    url: String,
    server: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Endpoint {
    async fn serve(token: Option<&'static str>) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let endpoint = Self {
            says: broadcast::channel(256).0,
            token,
            asked: Arc::default(),
        };
        let service = geyser_server::GeyserServer::new(endpoint.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        let server =
            tokio::spawn(async move { server.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap() });
        Served { endpoint, url, server }
    }

    fn say(&self, what: subscribe_update::UpdateOneof) {
        self.says.send(Some(what)).unwrap();
    }
}

#[tonic::async_trait]
impl geyser_server::Geyser for Endpoint {
    type SubscribeStream = BoxStream<'static, Result<SubscribeUpdate, Status>>;
    type SubscribeDeshredStream = BoxStream<'static, Result<SubscribeUpdateDeshred, Status>>;
    type SubscribeGossipStream = BoxStream<'static, Result<SubscribeUpdateGossip, Status>>;

    async fn subscribe(
        &self,
        request: Request<Streaming<SubscribeRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let given = request.metadata().get("x-token").and_then(|token| token.to_str().ok());
        if given != self.token {
            return Err(Status::unauthenticated("no"));
        }
        let says = self.says.subscribe();
        let asked = request.into_inner().message().await?.unwrap();
        self.asked.lock().unwrap().push(asked);
        // A sign of life, so that whoever listens knows that it does.
        let first = Ok(update(subscribe_update::UpdateOneof::Ping(SubscribeUpdatePing {})));
        let rest = futures_util::stream::unfold(says, |mut says| async move {
            let what = says.recv().await.ok()??;
            Some((Ok(update(what)), says))
        });
        Ok(Response::new(futures_util::stream::iter([first]).chain(rest).boxed()))
    }

    async fn subscribe_deshred(
        &self,
        _: Request<Streaming<SubscribeDeshredRequest>>,
    ) -> Result<Response<Self::SubscribeDeshredStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn subscribe_gossip(
        &self,
        _: Request<SubscribeGossipRequest>,
    ) -> Result<Response<Self::SubscribeGossipStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn subscribe_replay_info(
        &self,
        _: Request<SubscribeReplayInfoRequest>,
    ) -> Result<Response<SubscribeReplayInfoResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PongResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_latest_blockhash(
        &self,
        _: Request<GetLatestBlockhashRequest>,
    ) -> Result<Response<GetLatestBlockhashResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_block_height(
        &self,
        _: Request<GetBlockHeightRequest>,
    ) -> Result<Response<GetBlockHeightResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_slot(&self, _: Request<GetSlotRequest>) -> Result<Response<GetSlotResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn is_blockhash_valid(
        &self,
        _: Request<IsBlockhashValidRequest>,
    ) -> Result<Response<IsBlockhashValidResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_version(&self, _: Request<GetVersionRequest>) -> Result<Response<GetVersionResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

fn update(what: subscribe_update::UpdateOneof) -> SubscribeUpdate {
    SubscribeUpdate {
        update_oneof: Some(what),
        ..SubscribeUpdate::default()
    }
}

/// What an endpoint says of a transaction, in this slot. The last key comes from a lookup table.
fn transaction(transaction: &Transaction, slot: u64) -> subscribe_update::UpdateOneof {
    let mut keys = Vec::new();
    for call in &transaction.calls {
        for key in call.accounts.iter().chain([&call.program]) {
            if !keys.contains(key) {
                keys.push(*key);
            }
        }
    }
    let place = |key: &Address| keys.iter().position(|known| known == key).unwrap() as u8;
    let places = |keys: &[Address]| keys.iter().map(place).collect::<Vec<u8>>();
    let outer = transaction.calls.iter().filter(|call| call.inner.is_none());
    let group = |outer: u16| proto::InnerInstructions {
        index: outer.into(),
        instructions: (transaction.calls.iter())
            .filter(|call| call.outer == outer && call.inner.is_some())
            .map(|call| proto::InnerInstruction {
                program_id_index: place(&call.program).into(),
                accounts: places(&call.accounts),
                data: call.data.clone(),
                stack_height: Some(call.depth),
            })
            .collect(),
    };
    let inner_instructions = outer.clone().map(|call| group(call.outer)).collect();
    let instructions = outer.map(|call| proto::CompiledInstruction {
        program_id_index: place(&call.program).into(),
        accounts: places(&call.accounts),
        data: call.data.clone(),
    });
    let instructions = instructions.collect();
    let mut bytes: Vec<Vec<u8>> = keys.iter().map(|key| key.to_bytes().to_vec()).collect();
    let loaded = bytes.pop().unwrap();
    subscribe_update::UpdateOneof::Transaction(SubscribeUpdateTransaction {
        slot,
        transaction: Some(SubscribeUpdateTransactionInfo {
            signature: transaction.signature.to_vec(),
            transaction: Some(proto::Transaction {
                signatures: vec![transaction.signature.to_vec()],
                message: Some(proto::Message {
                    account_keys: bytes,
                    instructions,
                    ..proto::Message::default()
                }),
            }),
            meta: Some(proto::TransactionStatusMeta {
                inner_instructions,
                loaded_readonly_addresses: vec![loaded],
                ..proto::TransactionStatusMeta::default()
            }),
            ..SubscribeUpdateTransactionInfo::default()
        }),
        ..SubscribeUpdateTransaction::default()
    })
}

/// What an endpoint says of the transaction's block.
fn block(transaction: &Transaction) -> subscribe_update::UpdateOneof {
    subscribe_update::UpdateOneof::BlockMeta(SubscribeUpdateBlockMeta {
        slot: transaction.slot,
        blockhash: bs58::encode(transaction.blockhash).into_string(),
        block_time: transaction
            .block_time
            .map(|timestamp| proto::UnixTimestamp { timestamp }),
        ..SubscribeUpdateBlockMeta::default()
    })
}

/// A node, an endpoint that is listened to, and what listens.
struct Scene {
    node: Node,
    source: RpcSource,
    served: Served,
    wake: Wake,
}

impl Scene {
    async fn begin() -> Self {
        let node = Node::start(story::tell()).await;
        let served = Endpoint::serve(None).await;
        let (mut source, mut wake) = (
            RpcSource::new(&node.url, Limits::default(), Commitment::Confirmed),
            silent(),
        );
        let place = Yellowstone::new(&served.url, None).unwrap();
        source.read_ahead(&place, &mut wake);
        in_time(wake.next(NEVER)).await;
        Self {
            node,
            source,
            served,
            wake,
        }
    }

    /// All that is listed, in the order of the listing.
    async fn delivered(&self) -> Vec<Transaction> {
        let listed = self.source.list_after(None).await.unwrap();
        let delivered: Vec<_> = self.source.deliver(&listed).try_collect().await.unwrap();
        delivered.into_iter().filter_map(|one| one.transaction).collect()
    }

    /// How many transactions the node was asked for since this was last looked at.
    fn asked(&self) -> usize {
        let asked = std::mem::take(&mut self.node.knows().asked);
        asked.iter().filter(|method| *method == "getTransaction").count()
    }

    fn succeeded(&self) -> Vec<Transaction> {
        let knows = self.node.knows();
        let all = knows.ledger.transactions.iter().enumerate();
        let succeeded = all.filter(|(index, _)| !knows.ledger.is_failed(*index));
        succeeded.map(|(_, transaction)| transaction.clone()).collect()
    }

    /// Says something, and returns once it was heard: what the last of it is rings.
    async fn hear(&mut self, what: impl IntoIterator<Item = subscribe_update::UpdateOneof>) {
        for what in what {
            self.served.endpoint.say(what);
            in_time(self.wake.next(NEVER)).await;
        }
    }
}

fn silent() -> Wake {
    Wake::start(&WebSocket::Off, "http://127.0.0.1:1", CommitmentConfig::confirmed())
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("it goes on")
}

#[tokio::test]
async fn what_is_told_is_what_the_node_would_give_and_is_not_asked_for() {
    let mut scene = Scene::begin().await;
    let expected = scene.succeeded();
    let asked = scene.served.endpoint.asked.lock().unwrap()[0].clone();
    assert_eq!(asked.commitment, Some(CommitmentLevel::Confirmed.into()));
    let filter = &asked.transactions["chartseal"];
    assert_eq!(filter.account_include, [chartseal_program::ID.to_string()]);

    // Of the first, the block is told before; of the second, after it.
    let (first, second) = (expected[0].clone(), expected[4].clone());
    assert_ne!(first.slot, second.slot);
    scene.served.endpoint.say(block(&first));
    scene.hear([transaction(&first, first.slot)]).await;
    scene.served.endpoint.say(transaction(&second, second.slot));
    scene.hear([block(&second)]).await;
    scene.asked();
    assert_eq!(scene.delivered().await, expected);
    assert_eq!(scene.asked(), expected.len() - 2);
    // Whoever asks again doubts it.
    assert_eq!(scene.delivered().await, expected);
    assert_eq!(scene.asked(), expected.len());
}

#[tokio::test]
async fn a_lie_about_the_slot_and_a_transaction_that_nobody_lists_change_nothing() {
    let mut scene = Scene::begin().await;
    let expected = scene.succeeded();
    let (first, other) = (expected[0].clone(), expected[4].clone());
    let mut invented = first.clone();
    invented.signature = [99; 64];
    scene.served.endpoint.say(block(&first));
    scene.served.endpoint.say(block(&other));
    scene
        .hear([transaction(&invented, first.slot), transaction(&first, other.slot)])
        .await;
    assert_eq!(scene.delivered().await, expected);
    assert_eq!(scene.asked(), expected.len());
}

#[tokio::test]
async fn what_lags_or_is_half_there_is_asked_of_the_node() {
    let mut scene = Scene::begin().await;
    let expected = scene.succeeded();
    let last = expected[7].clone();
    let mut unclear = transaction(&expected[0], expected[0].slot);
    if let subscribe_update::UpdateOneof::Transaction(update) = &mut unclear {
        update
            .transaction
            .as_mut()
            .unwrap()
            .meta
            .as_mut()
            .unwrap()
            .inner_instructions_none = true;
    }
    // Its block is never told.
    let lagging = transaction(&expected[4], expected[4].slot);
    for what in [block(&expected[0]), unclear, lagging, block(&last)] {
        scene.served.endpoint.say(what);
    }
    scene.hear([transaction(&last, last.slot)]).await;
    assert_eq!(scene.delivered().await, expected);
    assert_eq!(scene.asked(), expected.len() - 1);
}

#[tokio::test]
async fn a_stream_that_ends_is_begun_anew_and_polling_goes_on_meanwhile() {
    let mut scene = Scene::begin().await;
    let expected = scene.succeeded();
    scene.served.endpoint.says.send(None).unwrap();
    let begun = || scene.served.endpoint.asked.lock().unwrap().len();
    in_time(async {
        while begun() < 2 || !scene.wake.is_listening() {
            scene.wake.next(NEVER).await;
        }
    })
    .await;
    let first = expected[0].clone();
    scene.served.endpoint.say(block(&first));
    scene.hear([transaction(&first, first.slot)]).await;
    assert_eq!(scene.delivered().await, expected);
    assert_eq!(scene.asked(), expected.len() - 1);
}

#[tokio::test]
async fn a_token_is_sent_and_without_it_the_node_alone_is_read() {
    let node = Node::start(story::tell()).await;
    let served = Endpoint::serve(Some("hush")).await;
    for (token, listens) in [(None, false), (Some("wrong"), false), (Some("hush"), true)] {
        let token = token.map(|token| Zeroizing::new(token.to_owned()));
        let place = Yellowstone::new(&served.url, token).unwrap();
        assert!(!format!("{place:?}").contains("hush"));
        let (mut source, mut wake) = (
            RpcSource::new(&node.url, Limits::default(), Commitment::Confirmed),
            silent(),
        );
        source.read_ahead(&place, &mut wake);
        match listens {
            true => in_time(wake.next(NEVER)).await,
            false => {
                for _ in 0..20 {
                    in_time(wake.next(Duration::from_millis(20))).await;
                }
            }
        }
        assert_eq!(wake.is_listening(), listens);
    }
    for (url, token) in [
        ("hush:1", None),
        ("ftp://hush", None),
        ("https://x", Some("hush\n")),
        ("https://x", Some("")),
        // It would cross the network in the clear.
        ("http://node.example:10000", Some("hush")),
        ("http://10.0.0.1", Some("hush")),
        ("http://localhost.example", Some("hush")),
    ] {
        let token = token.map(|token: &str| Zeroizing::new(token.to_owned()));
        assert!(!Yellowstone::new(url, token).unwrap_err().contains("hush"));
    }
    for url in [
        "https://node.example",
        "http://localhost:1",
        "http://127.0.0.1:1",
        "http://[::1]:1",
    ] {
        let token = Zeroizing::new("hush".to_owned());
        assert!(Yellowstone::new(url, Some(token)).is_ok(), "{url}");
    }
    assert!(Yellowstone::new("http://node.example:1", None).is_ok());
}
