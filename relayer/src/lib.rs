//! The relayer: pays fee and rent of transactions of the contract for wallets that hold no SOL. It speaks the JSON-RPC of
//! Kora (<https://github.com/solana-foundation/kora>), so clients of either can use the other. Its key signs as fee payer
//! and as what the contract calls `payer`, never as anything else, and only what costs little, within a budget.

mod purse;
mod refusal;
mod rpc;
mod rules;
mod service;

pub use purse::Limits;
pub use refusal::Refusal;
pub use rpc::router;
pub use rules::Rules;
pub use service::Service;
