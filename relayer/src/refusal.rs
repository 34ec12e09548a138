//! Why the relayer does not sign, in words for whoever asked.

use solana_address::Address;
use thiserror::Error;

/// A transaction that the relayer does not sign.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be read.
    #[error("this is no transaction: {0}")]
    NotATransaction(String),
    /// It takes accounts from tables.
    #[error("this relayer looks no accounts up in tables; name all of them in the transaction")]
    LookupTables,
    /// Somebody else pays.
    #[error("the fee payer is {named}; this relayer signs as {own} only, so name that one")]
    OtherPayer {
        /// Who does.
        named: Address,
        /// The relayer's wallet.
        own: Address,
    },
    /// Another wallet of the relayer's was asked for.
    #[error("this relayer has no key of {0}; ask for its address (getPayerSigner) and name that one")]
    NoSuchSigner(Address),
    /// An account is named twice.
    #[error("the account {0} is named twice")]
    Twice(Address),
    /// Nobody but the payer signs.
    #[error("nobody but the relayer signs this; who acts must sign too")]
    NobodyActs,
    /// Too many have to sign.
    #[error("{0} signatures are more than this relayer pays for")]
    TooManySigners(usize),
    /// A signature of somebody else is missing or wrong.
    #[error("the signature of {0} is missing or not valid; sign first, then ask the relayer")]
    NotSigned(Address),
    /// The place of the payer's signature is taken by something else.
    #[error("in the place of the relayer's signature is something else; leave it empty")]
    NotEmpty,
    /// A durable nonce.
    #[error("a durable nonce would keep the transaction good for ever; use a recent blockhash")]
    DurableNonce,
    /// Something else than the contract is called.
    #[error(
        "instruction {number} is for the program {program}; this relayer pays for Chartseal ({}) only",
        chartseal_program::ID
    )]
    OtherProgram {
        /// Which instruction, from 1.
        number: usize,
        /// Of which program.
        program: Address,
    },
    /// The contract has no such instruction.
    #[error("instruction {0} is none that this release of the contract has")]
    UnknownInstruction(usize),
    /// An instruction for the compute budget other than limit and price.
    #[error("instruction {0} sets something of the compute budget that is neither limit nor price")]
    OtherBudget(usize),
    /// The contract is not called.
    #[error("there is no instruction for Chartseal in it")]
    Nothing,
    /// The relayer's wallet is to do more than pay.
    #[error(
        "instruction {number} ({name}) names the relayer's wallet where it would do more than pay; it may stand only where \
         the contract says `payer`"
    )]
    MoreThanPaying {
        /// Which instruction, from 1.
        number: usize,
        /// Its name.
        name: String,
    },
    /// The priority fee is too high.
    #[error("the priority fee of {price} for a compute unit is more than {most}, in millionths of a lamport")]
    Price {
        /// What was set.
        price: u64,
        /// What is paid.
        most: u64,
    },
    /// The ledger says that it would fail.
    #[error("it would fail: {0}")]
    WouldFail(String),
    /// It costs too much.
    #[error("it would cost {cost} lamports, more than the {most} that this relayer pays for one transaction")]
    TooDear {
        /// What it would cost.
        cost: u64,
        /// What is paid.
        most: u64,
    },
    /// Who signs has spent its share of the day.
    #[error(
        "this would bring {signer} above the {most} lamports that this relayer pays for one wallet in a day (UTC); go on \
         tomorrow, or ask whoever runs it"
    )]
    SignerSpent {
        /// Who acts.
        signer: Address,
        /// What is paid.
        most: u64,
    },
    /// The day's money is spent.
    #[error("this relayer has spent its {0} lamports of today (UTC); go on tomorrow, or ask whoever runs it")]
    DaySpent(u64),
    /// There is no money left at all.
    #[error("the relayer's wallet {0} has not enough SOL left; tell whoever runs it")]
    Empty(Address),
    /// Who signs asks too often.
    #[error("too many transactions of {signer} at once; try again in {seconds} s")]
    TooOften {
        /// Who acts.
        signer: Address,
        /// How long to wait.
        seconds: u64,
    },
    /// The ledger does not answer.
    #[error("the relayer cannot reach its ledger; try again later")]
    NoLedger,
}
