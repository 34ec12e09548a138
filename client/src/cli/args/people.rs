//! What can be typed about whose a patient is, who acts for it, and who helps it to a new wallet.

use chartseal_program::{seeds::Id, vocabulary::Action};
use clap::{Args as ClapArgs, Subcommand};

use super::super::parse;
use crate::ops::WalletAndKey;

/// A patient.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct OfPatient {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct HandOver {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
    /// The wallet that takes over and has to accept.
    #[arg(long, value_parser = parse::address, required_unless_present = "withdraw")]
    pub(in crate::cli) to: Option<[u8; 32]>,
    /// Name nobody after all.
    #[arg(long, conflicts_with = "to")]
    pub(in crate::cli) withdraw: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Delegate {
    /// Name somebody who acts for you.
    Name {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
        /// The delegate's wallet, which has to accept.
        #[arg(long, value_parser = parse::address)]
        wallet: [u8; 32],
        /// What it may do: share decides for you about grants, requests and policies.
        #[arg(long, value_delimiter = ',', default_value = "read", value_parser = parse::word(Action::ALL, Action::word))]
        rights: Vec<Action>,
        /// How long the delegation lasts, for example 365d.
        #[arg(long = "for", value_parser = parse::duration, default_value = "365d")]
        lasts: i64,
    },
    /// Accept a delegation, with your encryption key.
    Accept(Delegation),
    /// End a delegation, yours or one that you gave, and delete the delegate's envelopes.
    Revoke(Delegation),
    /// List a patient's delegates.
    List(OfPatient),
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Delegation {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
    /// The delegation's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) delegate: Id,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Guardian {
    /// Name your guardians, in place of those before, and deal each a share of your encryption key.
    Set {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
        /// A guardian's wallet and encryption key, as its `chartseal keys show` gives them; up to five times.
        #[arg(long = "guardian", value_name = "WALLET:X25519-KEY", value_parser = parse::wallet_and_key,
              required_unless_present = "none")]
        guardians: Vec<WalletAndKey>,
        /// How many of them have to agree.
        #[arg(long, required_unless_present = "none")]
        threshold: Option<u8>,
        /// How long you can object after they did: one day to thirty.
        #[arg(long, value_parser = parse::duration, default_value = "7d")]
        delay: i64,
        /// Name none: nobody can help you to a new wallet then.
        #[arg(long, conflicts_with_all = ["guardians", "threshold"])]
        none: bool,
    },
    /// Deal the shares of your encryption key again.
    Deal(OfPatient),
    /// Vote, as a guardian, for a patient's next wallet.
    Vote {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
        /// The next wallet and its encryption key, as its `chartseal keys show` gives them.
        #[arg(value_name = "WALLET:X25519-KEY", value_parser = parse::wallet_and_key, required_unless_present = "withdraw")]
        next: Option<WalletAndKey>,
        /// Take your vote back.
        #[arg(long, conflicts_with = "next")]
        withdraw: bool,
    },
    /// Say that you still have your wallet: every vote is void.
    Object(OfPatient),
    /// Take a patient over, as the wallet that the guardians agreed on, once the delay has passed.
    Finish(OfPatient),
    /// Wrap your share of a patient's key for the wallet that took over.
    Release(OfPatient),
    /// Show a patient's guardians, and how far a recovery is.
    Status(OfPatient),
}

/// The institutions that open new records together in an emergency.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Holders {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
    /// The institutions' ids, up to five.
    #[arg(long, value_delimiter = ',', value_parser = parse::id, required_unless_present = "none")]
    pub(in crate::cli) holders: Vec<Id>,
    /// How many of them open a record together.
    #[arg(long, required_unless_present = "none")]
    pub(in crate::cli) threshold: Option<u8>,
    /// Name none.
    #[arg(long, conflicts_with_all = ["holders", "threshold"])]
    none: bool,
}
