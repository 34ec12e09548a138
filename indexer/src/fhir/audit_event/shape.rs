//! What was done, in the codes that the profiles have for it.

use crate::fhir::{model::Coding, terms::standard};

/// The shape of what was done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Read,
    Create,
    Update,
    Delete,
    /// None of these, though somebody asked for it.
    Operation,
    /// An emergency, and what was found of it.
    Alert(Option<&'static str>),
}

impl Shape {
    pub(super) fn kind(self) -> Coding {
        match self {
            // DICOM: security alert.
            Self::Alert(_) => Coding::new(standard::DICOM, "110113"),
            _ => Coding::new(standard::AUDIT_TYPE, "rest"),
        }
    }

    /// The interaction, and the code of `AuditEvent.action`.
    pub(super) fn words(self) -> (Option<Coding>, &'static str) {
        let rest = |code| Some(Coding::new(standard::INTERACTION, code));
        match self {
            Self::Read => (rest("read"), "R"),
            Self::Create => (rest("create"), "C"),
            Self::Update => (rest("update"), "U"),
            Self::Delete => (rest("delete"), "D"),
            Self::Operation => (rest("operation"), "E"),
            Self::Alert(code) => (code.map(|code| Coding::new(standard::DICOM, code)), "E"),
        }
    }

    pub(super) fn profile(self) -> Option<&'static str> {
        match self {
            Self::Read => Some("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"),
            Self::Create => Some("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientCreate"),
            Self::Update => Some("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientUpdate"),
            Self::Delete => Some("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientDelete"),
            Self::Operation | Self::Alert(_) => None,
        }
    }

    /// Client and server: which of them the data comes from, as the profiles have it.
    pub(super) fn sides(self) -> (Coding, Coding) {
        let (source, destination) = (
            Coding::new(standard::DICOM, "110153"),
            Coding::new(standard::DICOM, "110152"),
        );
        match self {
            Self::Read => (destination, source),
            Self::Delete => (
                Coding::new(standard::DICOM, "110150"),
                Coding::new(standard::PARTICIPANT, "custodian"),
            ),
            _ => (source, destination),
        }
    }

    /// What the user is to the data: its recipient or its author.
    pub(super) fn user(self) -> Coding {
        let code = match self {
            Self::Read | Self::Operation | Self::Alert(_) => "IRCP",
            Self::Create | Self::Update | Self::Delete => "AUT",
        };
        Coding::new(standard::PARTICIPATION, code)
    }
}
