//! What can be typed about the registry, institutions, members, and patients.

use chartseal_program::{
    seeds::Id,
    vocabulary::{InstitutionKind, Role},
};
use clap::Subcommand;

use super::super::parse;
use super::people::{HandOver, OfPatient};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Registry {
    /// Make the registry. Your wallet must be the program's upgrade authority.
    Init {
        /// Who administers it [default: you].
        #[arg(long, value_parser = parse::address)]
        admin: Option<[u8; 32]>,
    },
    /// Show it.
    Show,
    /// Pause the program. Revoking goes on.
    Pause,
    /// Let it go on.
    Resume,
    /// Name a successor, who has to accept.
    ProposeAdmin {
        /// The successor's wallet.
        #[arg(value_parser = parse::address)]
        wallet: [u8; 32],
    },
    /// Take over as admin.
    AcceptAdmin,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Institution {
    /// Approve an institution.
    Register {
        /// What it is.
        #[arg(long, value_parser = parse::word(InstitutionKind::ALL, InstitutionKind::word))]
        kind: InstitutionKind,
        /// The wallet that speaks for it and has to accept.
        #[arg(long, value_parser = parse::address)]
        authority: [u8; 32],
        /// How long the approval lasts, for example 365d [default: without end].
        #[arg(long = "for", value_parser = parse::duration)]
        lasts: Option<i64>,
    },
    /// Accept for an institution, with your encryption key as its key.
    Accept {
        /// Its id.
        #[arg(value_parser = parse::id)]
        institution: Id,
    },
    /// Suspend an institution, and so all of its members.
    Suspend {
        /// Its id.
        #[arg(value_parser = parse::id)]
        institution: Id,
    },
    /// Lift a suspension.
    Reinstate {
        /// Its id.
        #[arg(value_parser = parse::id)]
        institution: Id,
    },
    /// Set another end to an institution's approval.
    Renew {
        /// Its id.
        #[arg(value_parser = parse::id)]
        institution: Id,
        /// How long it lasts from now, for example 365d [default: without end].
        #[arg(long = "for", value_parser = parse::duration)]
        lasts: Option<i64>,
    },
    /// Name who speaks for an institution next and has to accept: for its authority or, while it is suspended, the admin.
    ProposeAuthority {
        /// Its id.
        #[arg(value_parser = parse::id)]
        institution: Id,
        /// The successor's wallet.
        #[arg(value_parser = parse::address, required_unless_present = "withdraw")]
        wallet: Option<[u8; 32]>,
        /// Name nobody after all.
        #[arg(long, conflicts_with = "wallet")]
        withdraw: bool,
    },
    /// Take over as an institution's authority.
    AcceptAuthority {
        /// Its id.
        #[arg(value_parser = parse::id)]
        institution: Id,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Member {
    /// Name a member of your institution.
    Register {
        /// The institution's id.
        #[arg(value_parser = parse::id)]
        institution: Id,
        /// The member's wallet, which has to accept.
        #[arg(long, value_parser = parse::address)]
        wallet: [u8; 32],
        /// What the member does.
        #[arg(long, value_parser = parse::word(Role::ALL, Role::word))]
        role: Role,
        /// How long the membership lasts, for example 365d.
        #[arg(long = "for", value_parser = parse::duration, default_value = "365d")]
        lasts: i64,
    },
    /// Accept a membership.
    Accept {
        /// Institution and member.
        #[arg(value_name = "INSTITUTION:MEMBER", value_parser = parse::member)]
        member: (Id, Id),
    },
    /// Suspend a member.
    Suspend {
        /// Institution and member.
        #[arg(value_name = "INSTITUTION:MEMBER", value_parser = parse::member)]
        member: (Id, Id),
    },
    /// Lift a suspension.
    Reinstate {
        /// Institution and member.
        #[arg(value_name = "INSTITUTION:MEMBER", value_parser = parse::member)]
        member: (Id, Id),
    },
    /// Set another end to a membership.
    Renew {
        /// Institution and member.
        #[arg(value_name = "INSTITUTION:MEMBER", value_parser = parse::member)]
        member: (Id, Id),
        /// How long it lasts from now, for example 365d.
        #[arg(long = "for", value_parser = parse::duration, default_value = "365d")]
        lasts: i64,
    },
    /// Let a doctor or nurse of your hospital open emergencies, or take that back.
    EmergencyCredential {
        /// Whether the member may.
        #[arg(value_parser = ["on", "off"])]
        holds: String,
        /// Institution and member.
        #[arg(value_name = "INSTITUTION:MEMBER", value_parser = parse::member)]
        member: (Id, Id),
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Patient {
    /// Open a patient: yourself, or somebody without a wallet whose steward your institution is.
    Open {
        /// The steward institution's id.
        #[arg(long, value_parser = parse::id)]
        steward: Option<Id>,
    },
    /// Show what stands on chain of a patient.
    Show {
        /// The patient's id.
        #[arg(value_parser = parse::id)]
        patient: Id,
    },
    /// Name a patient's next wallet: yours, or that of somebody whose steward your institution is.
    HandOver(HandOver),
    /// Take a patient over whose next wallet is yours.
    Accept(OfPatient),
    /// The same as `keys rotate`.
    RotateKey(OfPatient),
}
