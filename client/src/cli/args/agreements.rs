//! What can be typed about agreements.

use chartseal_program::{seeds::Id, vocabulary::Purpose};
use clap::{Args as ClapArgs, Subcommand};

use super::super::parse;
use crate::ops::AgreementId;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Agreement {
    /// Offer another institution to pay for access to its records. Your token account takes back what is left.
    Propose(Propose),
    /// Accept what was offered. Your token account is paid.
    Accept(Named),
    /// Put a deposit into escrow, out of your token account.
    Fund {
        #[command(flatten)]
        agreement: Named,
        /// How much, in smallest units of the mint.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        amount: u64,
    },
    /// Pay for the newest version of a record that a patient lets you read (`get --pay` reads it at the same time).
    Settle {
        /// The agreement of your institution.
        #[arg(value_parser = parse::id)]
        agreement: Id,
        /// The patient's id.
        #[arg(long, value_parser = parse::id)]
        patient: Id,
        /// The request that the patient approved.
        #[arg(long, value_parser = parse::id)]
        request: Id,
        /// The record [default: the one that the request is about].
        #[arg(long, value_parser = parse::id)]
        record: Option<Id>,
    },
    /// End an agreement: what is left in escrow goes back.
    Close(Named),
    /// List an institution's agreements.
    List {
        /// The institution's id.
        #[arg(value_parser = parse::id)]
        institution: Id,
    },
}

#[derive(Clone, Copy, Debug, ClapArgs)]
pub(in crate::cli) struct Named {
    /// The institution that pays, and the agreement.
    #[arg(value_name = "CONSUMER:AGREEMENT", value_parser = parse::agreement)]
    pub(in crate::cli) agreement: AgreementId,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Propose {
    /// The institution that is paid.
    #[arg(long, value_parser = parse::id)]
    pub(in crate::cli) provider: Id,
    /// The institution that pays, where your wallet speaks for several.
    #[arg(long, value_parser = parse::id)]
    pub(in crate::cli) consumer: Option<Id>,
    /// The mint of the SPL token that is paid in, classic or Token-2022.
    #[arg(long, value_parser = parse::address)]
    pub(in crate::cli) mint: [u8; 32],
    /// The sharing classes that it is about, for example 0,3.
    #[arg(long, value_delimiter = ',', required = true, value_parser = clap::value_parser!(u8).range(..32))]
    pub(in crate::cli) classes: Vec<u8>,
    /// What the records are read for.
    #[arg(long, value_parser = parse::word(Purpose::ALL, Purpose::word))]
    pub(in crate::cli) purpose: Purpose,
    /// The price of one version of one record, in smallest units of the mint.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) price: u64,
    /// How long it lasts, for example 365d.
    #[arg(long = "for", value_parser = parse::duration, default_value = "365d")]
    pub(in crate::cli) lasts: i64,
}

impl Agreement {
    /// Whether it sends transactions.
    pub(in crate::cli) fn sends(&self) -> bool {
        !matches!(self, Self::List { .. })
    }
}
