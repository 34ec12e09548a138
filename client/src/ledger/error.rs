//! What can go wrong between us and the ledger.

use std::error::Error as StdError;

use chartseal_program::ChartsealError;
use solana_address::Address;
use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind},
    request::{RpcError, RpcResponseErrorData},
};
use solana_transaction_error::TransactionError;
use thiserror::Error;

/// The ledger did not do what it was asked for.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// No answer, or none that can be understood.
    #[error("cannot reach the ledger at {url}: {source}; check the address and whether it is running")]
    Unreachable {
        /// The address that was asked.
        url: String,
        /// What the transport says.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The contract refused the instruction. Nothing changed.
    #[error("the contract says: {text} ({name})")]
    Contract {
        /// The error's name in the contract.
        name: &'static str,
        /// Its text.
        text: &'static str,
    },
    /// The ledger refused the transaction. Nothing changed.
    #[error("the ledger refused the transaction: {error}{}", said(.logs).map(|said| format!(" ({said})")).unwrap_or_default())]
    Rejected {
        /// Why.
        error: TransactionError,
        /// The program's log, if there is one.
        logs: Vec<String>,
    },
    /// The ledger answered with an error of its own.
    #[error("the ledger at {url} answered with an error: {message}")]
    Rpc {
        /// The address that was asked.
        url: String,
        /// What it said.
        message: String,
    },
    /// Sent, and no word of it: it may have been applied.
    #[error(
        "transaction {signature} was sent, but the ledger at {url} does not say what became of it; \
         look it up before you try again"
    )]
    Unknown {
        /// The transaction's signature, or whose it is where another's signature comes first and is not known.
        signature: String,
        /// The address that was asked.
        url: String,
    },
    /// There is no such account.
    #[error("there is no {what} on this ledger; check the id and the ledger's address")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// An account or a transaction is not of the form that this software knows.
    #[error("{what} is not of a form that this software knows; is the program of another version?")]
    Malformed {
        /// What it was.
        what: String,
    },
    /// What a node tells of a record's versions does not lead to the newest, which stands on chain.
    #[error(
        "what this ledger tells of the versions of record {record} does not lead to the one on chain: it has forgotten some \
         or altered them; ask another node (--rpc)"
    )]
    BrokenHistory {
        /// The record's id, in hex.
        record: String,
    },
    /// What a node tells of a tree of grants without a name does not lead to the root on chain.
    #[error(
        "what this ledger tells of tree {tree} does not lead to the root on chain: it has forgotten some of its grants or \
         altered them; ask another node (--rpc)"
    )]
    BrokenTree {
        /// The tree's id, in hex.
        tree: String,
    },
    /// A signature is needed that nobody here can give.
    #[error("the transaction needs the signature of {0}, whose key is not at hand")]
    MissingSigner(String),
    /// Who pays has not enough. Nothing changed.
    #[error(
        "{payer} has not the SOL that this costs (fee, and rent for what is stored on chain); send it some, or let another \
         pay (--relayer, --fee-payer)"
    )]
    NoMoney {
        /// The address of the wallet that pays.
        payer: String,
    },
    /// The relayer does not answer. Nothing was sent from here.
    #[error(
        "the relayer at {url} does not answer: {reason}; check its address (--relayer) and whether it is running; nothing \
         was sent from here"
    )]
    RelayerUnreachable {
        /// Its address.
        url: String,
        /// What the transport says.
        reason: String,
    },
    /// The relayer does not pay for this. Nothing was sent from here.
    #[error("the relayer at {url} does not pay for this: {message}; nothing was sent from here, ask whoever runs it")]
    RelayerRefused {
        /// Its address.
        url: String,
        /// What it said.
        message: String,
    },
    /// The relayer gave back something else than it was asked for. Nothing was sent from here, and nothing else than what
    /// was signed here can come of it.
    #[error(
        "the relayer at {url} {fault}; nothing was sent from here; do not rely on it, name another one (--relayer), and tell \
         whoever runs it"
    )]
    RelayerAtFault {
        /// Its address.
        url: String,
        /// What it did.
        fault: String,
    },
}

/// What a program said of its failure: its own last words, or what the ledger logged last.
fn said(logs: &[String]) -> Option<&str> {
    let own = logs
        .iter()
        .rev()
        .find_map(|line| match line.strip_prefix("Program log: ") {
            // That only says what began.
            Some(words) => (!words.starts_with("Instruction: ")).then_some(words),
            // Programs that are part of the ledger speak without a prefix.
            None => (!line.starts_with("Program ")).then_some(line),
        });
    own.or_else(|| logs.last().map(String::as_str))
}

/// Codes of JSON-RPC that say that the question itself is wrong.
const WRONG_QUESTION: std::ops::RangeInclusive<i64> = -32_700..=-32_600;

/// Whether another try may get another answer: the line failed, or the node is overloaded or behind.
pub(super) fn may_pass(error: &ClientError) -> bool {
    match &*error.kind {
        ErrorKind::RpcError(RpcError::RpcResponseError { code, .. }) => !WRONG_QUESTION.contains(code),
        ErrorKind::Reqwest(error) => !error.is_builder(),
        ErrorKind::TransactionError(_) | ErrorKind::SigningError(_) => false,
        _ => true,
    }
}

impl LedgerError {
    /// Whether a node said of a transaction that it would fail: then it did not pass it on.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Contract { .. } | Self::Rejected { .. })
    }

    /// Whether the transaction had been taken before: an answer to an earlier sending was lost.
    pub(super) fn is_duplicate(&self) -> bool {
        matches!(
            self,
            Self::Rejected {
                error: TransactionError::AlreadyProcessed,
                ..
            }
        )
    }

    /// Whether a node did not know the blockhash, too old or too new for it: then it did not pass the transaction on.
    pub(super) fn is_unknown_blockhash(&self) -> bool {
        matches!(
            self,
            Self::Rejected {
                error: TransactionError::BlockhashNotFound,
                ..
            }
        )
    }

    /// The same error, or what it comes to where `payer` cannot pay.
    pub(super) fn of_payer(self, payer: Option<&Address>) -> Self {
        let (Self::Rejected { error, logs }, Some(payer)) = (&self, payer) else {
            return self;
        };
        let is_broke = match error {
            TransactionError::AccountNotFound | TransactionError::InsufficientFundsForFee => true,
            TransactionError::InsufficientFundsForRent { account_index } => *account_index == 0,
            TransactionError::InstructionError(..) => logs.iter().any(|line| line.contains("insufficient lamports")),
            _ => false,
        };
        if is_broke {
            Self::NoMoney {
                payer: payer.to_string(),
            }
        } else {
            self
        }
    }

    /// Whether the transaction may stand on chain all the same, or may come to: nothing is to be thrown away that it needs.
    /// A relayer that says no has what was signed here, and can send it for about a minute.
    #[must_use]
    pub fn may_stand(&self) -> bool {
        matches!(
            self,
            Self::Unknown { .. }
                | Self::RelayerUnreachable { .. }
                | Self::RelayerRefused { .. }
                | Self::RelayerAtFault { .. }
        )
    }

    /// From a transaction that failed.
    pub(super) fn failed(error: TransactionError, logs: Vec<String>) -> Self {
        use solana_transaction_error::TransactionError as T;
        if let T::InstructionError(_, solana_instruction::error::InstructionError::Custom(code)) = &error
            && let Some((name, text)) = ChartsealError::text(*code)
        {
            return Self::Contract { name, text };
        }
        Self::Rejected { error, logs }
    }

    /// From a call that failed.
    pub(super) fn call(url: &str, error: ClientError) -> Self {
        let url = url.to_owned();
        match *error.kind {
            ErrorKind::RpcError(RpcError::RpcResponseError {
                data: RpcResponseErrorData::SendTransactionPreflightFailure(result),
                message,
                ..
            }) => match result.err {
                Some(error) => Self::failed(error.into(), result.logs.unwrap_or_default()),
                None => Self::Rpc { url, message },
            },
            ErrorKind::RpcError(RpcError::RpcResponseError { code, message, .. }) => Self::Rpc {
                url,
                message: format!("{message} ({code})"),
            },
            ErrorKind::TransactionError(error) => Self::failed(error, Vec::new()),
            kind => Self::Unreachable {
                url,
                source: kind.to_string().into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(logs: &[&str]) -> String {
        let logs = logs.iter().map(|&line| line.to_owned()).collect();
        LedgerError::failed(TransactionError::InvalidAccountIndex, logs).to_string()
    }

    #[test]
    fn a_rejection_is_told_in_the_programs_own_words() {
        let words = rejected(&[
            "Program Tokenkeg invoke [1]",
            "Program log: Error: insufficient funds",
            "Program Tokenkeg consumed 4517 of 200000 compute units",
            "Program Tokenkeg failed: custom program error: 0x1",
        ]);
        assert!(words.ends_with("(Error: insufficient funds)"), "{words}");
    }

    #[test]
    fn what_the_ledgers_own_programs_say_is_told_too() {
        let words = rejected(&[
            "Program Mine invoke [1]",
            "Program log: Instruction: CreateRecord",
            "Program 1111 invoke [2]",
            "Allocate: account already in use",
            "Program 1111 failed: custom program error: 0x0",
            "Program Mine failed: custom program error: 0x0",
        ]);
        assert!(words.ends_with("(Allocate: account already in use)"), "{words}");
    }

    #[test]
    fn a_program_that_says_nothing_is_told_of_by_the_ledger() {
        let words = rejected(&["Program 1111 invoke [1]", "Program 1111 failed: no money"]);
        assert!(words.ends_with("(Program 1111 failed: no money)"), "{words}");
        assert!(!rejected(&[]).contains('('));
    }
}
