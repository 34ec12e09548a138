//! What can be typed about requests, policies, passing on, and erasing.

use std::path::PathBuf;

use chartseal_program::{
    seeds::Id,
    vocabulary::{Action, Purpose},
};
use clap::{Args as ClapArgs, Subcommand};

use super::super::parse;
use crate::ops::Grantee;

/// Which records: one, or some classes.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Subject {
    /// The one record it is on.
    #[arg(long, value_parser = parse::id, required_unless_present = "classes", conflicts_with = "classes")]
    pub(in crate::cli) record: Option<Id>,
    /// The sharing classes it is on, for example 0,3.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u8).range(..32))]
    classes: Vec<u8>,
}

impl Subject {
    /// One bit for each class.
    pub(in crate::cli) fn classes(&self) -> u32 {
        class_mask(&self.classes)
    }
}

/// One bit for each class.
pub(in crate::cli) fn class_mask(classes: &[u8]) -> u32 {
    classes.iter().fold(0, |mask, class| mask | (1 << class))
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Request {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
    #[command(flatten)]
    pub(in crate::cli) subject: Subject,
    /// What you want to do.
    #[arg(long, value_delimiter = ',', default_value = "read", value_parser = parse::word(Action::ALL, Action::word))]
    pub(in crate::cli) rights: Vec<Action>,
    /// What for.
    #[arg(long, value_delimiter = ',', required = true, value_parser = parse::word(Purpose::ALL, Purpose::word))]
    pub(in crate::cli) purposes: Vec<Purpose>,
    /// How long, for example 90m, 12h or 30d.
    #[arg(long = "for", value_parser = parse::duration, default_value = "30d")]
    pub(in crate::cli) lasts: i64,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Decide {
    /// Give what was asked for, or less of it.
    Approve(Approve),
    /// Give nothing.
    Deny {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
        /// The request's id.
        #[arg(value_parser = parse::id)]
        request: Id,
    },
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Approve {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
    /// The request's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) request: Id,
    /// The sharing classes, of those that were asked for [default: all of them].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u8).range(..32))]
    pub(in crate::cli) classes: Vec<u8>,
    /// What is allowed, of what was asked for [default: all of it].
    #[arg(long, value_delimiter = ',', value_parser = parse::word(Action::ALL, Action::word))]
    pub(in crate::cli) rights: Vec<Action>,
    /// What for [default: all that was asked for].
    #[arg(long, value_delimiter = ',', value_parser = parse::word(Purpose::ALL, Purpose::word))]
    pub(in crate::cli) purposes: Vec<Purpose>,
    /// How long it lasts from now [default: as long as was asked for].
    #[arg(long = "for", value_parser = parse::duration)]
    pub(in crate::cli) lasts: Option<i64>,
    /// How often it may be used [default: without limit].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) uses: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Policy {
    /// Share new records of some classes with an institution, from now on, in place of what was shared before.
    Set {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
        /// The institution's id.
        #[arg(value_parser = parse::id)]
        institution: Id,
        /// The sharing classes, for example 0,3.
        #[arg(long, value_delimiter = ',', required = true, value_parser = clap::value_parser!(u8).range(..32))]
        classes: Vec<u8>,
        /// What for.
        #[arg(long, value_delimiter = ',', required = true, value_parser = parse::word(Purpose::ALL, Purpose::word))]
        purposes: Vec<Purpose>,
        /// Let its members add records of these classes too.
        #[arg(long)]
        enrol: bool,
        /// How long it lasts, for example 365d.
        #[arg(long = "for", value_parser = parse::duration, default_value = "365d")]
        lasts: i64,
    },
    /// Share nothing with an institution by itself any more, and delete the envelopes that came of it.
    Clear {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
        /// The institution's id.
        #[arg(value_parser = parse::id)]
        institution: Id,
    },
    /// List what a patient shares by itself.
    List {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
    },
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Share {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
    /// Who gets it: member:INSTITUTION:MEMBER or institution:ID.
    #[arg(long, value_parser = parse::grantee)]
    pub(in crate::cli) to: Grantee,
    #[command(flatten)]
    pub(in crate::cli) subject: Subject,
    /// What is allowed.
    #[arg(long, value_delimiter = ',', default_value = "read", value_parser = parse::word(Action::ALL, Action::word))]
    pub(in crate::cli) rights: Vec<Action>,
    /// What for [default: as in the grant that is passed on].
    #[arg(long, value_delimiter = ',', value_parser = parse::word(Purpose::ALL, Purpose::word))]
    pub(in crate::cli) purposes: Vec<Purpose>,
    /// How long it lasts from now [default: as long as the grant that is passed on].
    #[arg(long = "for", value_parser = parse::duration)]
    pub(in crate::cli) lasts: Option<i64>,
    /// How often it may be used [default: as often as the grant that is passed on].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) uses: Option<u32>,
    /// The grant that is passed on [default: the one that fits best].
    #[arg(long, value_parser = parse::id)]
    pub(in crate::cli) grant: Option<Id>,
    /// What you pass it on for [default: treatment].
    #[arg(long, value_parser = parse::word(Purpose::ALL, Purpose::word))]
    pub(in crate::cli) purpose: Option<Purpose>,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Erase {
    /// The patient's id.
    #[arg(value_parser = parse::id)]
    pub(in crate::cli) patient: Id,
    /// The record's id.
    #[arg(long, value_parser = parse::id)]
    pub(in crate::cli) record: Id,
    /// The receipt to make [default: erasure-RECORD.json].
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) receipt: Option<PathBuf>,
}
