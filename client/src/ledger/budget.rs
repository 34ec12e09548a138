//! What a transaction may cost: the compute units that a simulation used and a fifth more, and for each of them the fee
//! that others paid of late, up to a cap. The simulation also takes the place of the node's own before it sends: what it
//! finds wrong is told with the program's words, and nothing was sent. A node that cannot simulate or does not know what others pay is gone on with.

use std::time::{Duration, Instant};

use solana_address::Address;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::Instruction;
use solana_message::Message;
use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind},
    config::RpcSimulateTransactionConfig,
    request::RpcError,
};
use solana_signature::Signature;
use solana_transaction::Transaction;
use solana_transaction_status_client_types::UiTransactionEncoding;
use tokio::{sync::Mutex, time::timeout};

use super::{Ledger, LedgerError};

/// The most compute units of a transaction.
const MOST_UNITS: u32 = 1_400_000;

/// The longest transaction, in bytes: what fits into one packet of the network.
const PACKET: usize = 1_232;

/// How long what others pay is believed.
const FEE_SHARED: Duration = Duration::from_secs(10);

/// How long the question may take: a transaction works without its answer too.
const FEE_ASKED: Duration = Duration::from_secs(2);

/// Accounts that a node looks up fees for in one question, at most.
const MOST_ACCOUNTS: usize = 128;

/// In JSON-RPC: there is no such method.
const NO_SUCH_METHOD: i64 = -32_601;

/// The most that is paid for a compute unit, in millionths of a lamport, unless it is told otherwise: with this, a
/// transaction of 100,000 units costs 0.0001 SOL more.
pub(super) const MAX_PRIORITY_FEE: u64 = 1_000_000;

/// What others pay, as it was last asked for.
#[derive(Default)]
pub(super) struct Fees(Mutex<Option<(Instant, u64)>>);

/// What a transaction may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Budget {
    /// Compute units; `None` where the node cannot simulate.
    units: Option<u32>,
    /// Millionths of a lamport for each.
    price: u64,
}

impl Budget {
    /// Whether a node has seen that the transaction would work.
    pub(super) fn is_simulated(self) -> bool {
        self.units.is_some()
    }

    /// The message with its budget: without the price where it would become too long with it, or without any.
    pub(super) fn message(self, instructions: &[Instruction], payer: Option<&Address>) -> Message {
        let limit = self.units.map(ComputeBudgetInstruction::set_compute_unit_limit);
        let price = (self.price > 0).then(|| ComputeBudgetInstruction::set_compute_unit_price(self.price));
        let with = |first: &[&Option<Instruction>]| {
            let first = first.iter().filter_map(|one| one.as_ref());
            let all: Vec<_> = first.chain(instructions).cloned().collect();
            Message::new(&all, payer)
        };
        [with(&[&limit, &price]), with(&[&limit])]
            .into_iter()
            .find(fits)
            .unwrap_or_else(|| with(&[]))
    }
}

impl Ledger {
    /// What a transaction of these instructions may cost.
    ///
    /// # Errors
    /// Where the simulation says that it would fail, or no node answers. Nothing was sent.
    pub(super) async fn budget(
        &self,
        instructions: &[Instruction],
        payer: Option<&Address>,
    ) -> Result<Budget, LedgerError> {
        let widest = Budget {
            units: Some(MOST_UNITS),
            price: 0,
        };
        let message = widest.message(instructions, payer);
        let (units, price) = tokio::join!(self.units(&message), self.price(&message));
        Ok(Budget { units: units?, price })
    }

    async fn units(&self, message: &Message) -> Result<Option<u32>, LedgerError> {
        let needed = usize::from(message.header.num_required_signatures);
        let transaction = Transaction {
            signatures: vec![Signature::default(); needed],
            message: message.clone(),
        };
        let ask = || {
            let config = RpcSimulateTransactionConfig {
                sig_verify: false,
                replace_recent_blockhash: true,
                commitment: Some(self.rpc.commitment()),
                encoding: Some(UiTransactionEncoding::Base64),
                ..RpcSimulateTransactionConfig::default()
            };
            self.rpc.simulate_transaction_with_config(&transaction, config)
        };
        let simulated = match self.ask_patiently(ask).await {
            Ok(answer) => answer.value,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(LedgerError::call(&self.url, error)),
        };
        match simulated.err {
            Some(error) => Err(LedgerError::failed(error.into(), simulated.logs.unwrap_or_default())),
            // Nothing works with none: a node that says so does not count them.
            None => Ok(simulated.units_consumed.filter(|units| *units > 0).map(with_margin)),
        }
    }

    /// What to pay for a compute unit. Where nobody tells, what was paid before, or nothing.
    async fn price(&self, message: &Message) -> u64 {
        // Whoever holds the lock asks for all.
        let mut known = self.fees.0.lock().await;
        if let Some((since, price)) = *known
            && since.elapsed() < FEE_SHARED
        {
            return price;
        }
        let keys = message.account_keys.iter().enumerate();
        let writable: Vec<Address> = keys
            .filter(|(index, _)| message.is_maybe_writable(*index, None))
            .map(|(_, key)| *key)
            .take(MOST_ACCOUNTS)
            .collect();
        let asked = timeout(FEE_ASKED, self.rpc.get_recent_prioritization_fees(&writable)).await;
        let price = match asked {
            Ok(Ok(paid)) => usual(paid.iter().map(|slot| slot.prioritization_fee).collect()),
            // What was paid before is more likely to be enough than nothing.
            _ => known.map_or(0, |(_, price)| price),
        };
        let price = price.min(self.max_priority_fee);
        *known = Some((Instant::now(), price));
        price
    }
}

/// Whether a message and its signatures make no transaction that is too long.
fn fits(message: &Message) -> bool {
    let signatures = usize::from(message.header.num_required_signatures) * size_of::<Signature>();
    // One byte more says how many signatures there are.
    message.serialize().len() + signatures < PACKET
}

/// Compute units with a fifth more, for what changes between simulation and slot.
fn with_margin(units: u64) -> u32 {
    let units = units.saturating_add(units.div_ceil(5));
    u32::try_from(units).unwrap_or(MOST_UNITS).min(MOST_UNITS)
}

/// What was enough in three slots of four.
fn usual(mut paid: Vec<u64>) -> u64 {
    paid.sort_unstable();
    let index = paid.len().saturating_mul(3) / 4;
    paid.get(index).copied().unwrap_or(0)
}

/// Whether a node does not have the method.
fn is_missing(error: &ClientError) -> bool {
    matches!(&*error.kind, ErrorKind::RpcError(RpcError::RpcResponseError { code, .. }) if *code == NO_SUCH_METHOD)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures_util::future::join_all;
    use serde_json::{Value, json};
    use solana_commitment_config::CommitmentConfig;
    use solana_rpc_client_api::request::RpcRequest;

    use super::{super::mock_node::node, *};

    fn pays(bytes: usize) -> Instruction {
        Instruction {
            program_id: Address::new_from_array([7; 32]),
            accounts: Vec::new(),
            data: vec![0; bytes],
        }
    }

    #[test]
    fn a_limit_is_a_fifth_above_what_was_used_and_never_above_the_most() {
        assert_eq!(with_margin(1), 2);
        assert_eq!(with_margin(101), 122);
        assert_eq!(with_margin(1_300_000), MOST_UNITS);
        assert_eq!(with_margin(u64::MAX), MOST_UNITS);
    }

    #[test]
    fn the_price_is_what_was_enough_in_three_slots_of_four() {
        assert_eq!(usual(Vec::new()), 0);
        assert_eq!(usual(vec![0, 0, 0, 0, 0, 0, 900]), 0);
        assert_eq!(usual(vec![4, 1, 3, 2]), 4);
        assert_eq!(usual((0..100).collect()), 75);
    }

    #[test]
    fn limit_and_price_come_first_and_a_price_of_nothing_is_not_named() {
        let payer = Address::new_from_array([1; 32]);
        let programs = |budget: Budget| {
            let message = budget.message(&[pays(1)], Some(&payer));
            let data = message.instructions.iter().map(|one| one.data.clone());
            data.collect::<Vec<_>>()
        };
        let (units, price) = (Some(200_000), 5);
        assert_eq!(
            programs(Budget { units, price }),
            [vec![2, 64, 13, 3, 0], vec![3, 5, 0, 0, 0, 0, 0, 0, 0], vec![0]]
        );
        assert_eq!(programs(Budget { units, price: 0 }), [vec![2, 64, 13, 3, 0], vec![0]]);
        assert_eq!(programs(Budget::default()), [vec![0]]);
    }

    #[test]
    fn a_budget_makes_no_transaction_too_long() {
        let payer = Address::new_from_array([1; 32]);
        let budget = Budget {
            units: Some(1),
            price: 1,
        };
        let instructions = |bytes| budget.message(&[pays(bytes)], Some(&payer)).instructions.len();
        assert_eq!(instructions(900), 3);
        // The limit alone takes less, and what was simulated with more than the usual would fail without.
        let with_limit_alone = (900..1_050).filter(|bytes| instructions(*bytes) == 2).count();
        assert_eq!(with_limit_alone, 12, "the price takes twelve bytes");
        assert_eq!(instructions(1_050), 1);
    }

    #[tokio::test]
    async fn what_a_node_does_not_count_is_not_limited() {
        let payer = Address::new_from_array([1; 32]);
        for (told, units) in [(json!(0), None), (Value::Null, None), (json!(10), Some(12))] {
            let answers = move |_, _: &Value| json!({ "context": { "slot": 1 }, "value": { "err": null, "unitsConsumed": told } });
            let ledger = Ledger {
                rpc: Arc::new(node(CommitmentConfig::confirmed(), answers)),
                ..Ledger::new("")
            };
            let message = Message::new(&[pays(1)], Some(&payer));
            assert_eq!(ledger.units(&message).await.unwrap(), units);
        }
    }

    #[tokio::test]
    async fn one_asks_for_all_what_others_pay() {
        let payer = Address::new_from_array([1; 32]);
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let node = node(CommitmentConfig::confirmed(), move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
            json!([{ "slot": 1, "prioritizationFee": 7 }])
        });
        let ledger = Ledger {
            rpc: Arc::new(node),
            ..Ledger::new("")
        };
        let message = Message::new(&[pays(1)], Some(&payer));
        let prices = join_all((0..100).map(|_| ledger.price(&message))).await;
        assert_eq!(prices, [7; 100]);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn where_nobody_tells_what_others_pay_it_is_what_they_paid_before() {
        let payer = Address::new_from_array([1; 32]);
        let message = Message::new(&[pays(1)], Some(&payer));
        let long_ago = Instant::now().checked_sub(FEE_SHARED).unwrap();
        for (known, price) in [(Some((long_ago, 7)), 7), (None, 0)] {
            let ledger = Ledger {
                rpc: Arc::new(node(CommitmentConfig::confirmed(), |_, _| Value::Null)),
                fees: Fees(Mutex::new(known)),
                ..Ledger::new("")
            };
            assert_eq!(ledger.price(&message).await, price);
        }
    }

    #[tokio::test]
    async fn what_others_pay_is_paid_up_to_the_cap() {
        let payer = Address::new_from_array([1; 32]);
        let node = |fee: u64| {
            node(CommitmentConfig::confirmed(), move |request, params| match request {
                RpcRequest::GetRecentPrioritizationFees => {
                    assert_eq!(
                        params[0].as_array().map(Vec::len),
                        Some(1),
                        "of the one account that is written"
                    );
                    json!([{ "slot": 1, "prioritizationFee": fee }])
                }
                _ => Value::Null,
            })
        };
        for (paid, cap, price) in [(0, 700, 0), (500, 700, 500), (900, 700, 700), (900, 0, 0)] {
            let ledger = Ledger {
                rpc: Arc::new(node(paid)),
                max_priority_fee: cap,
                ..Ledger::new("")
            };
            let message = Message::new(&[pays(1)], Some(&payer));
            assert_eq!(ledger.price(&message).await, price);
        }
    }
}
