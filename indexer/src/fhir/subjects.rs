//! Who and what the resources are about, by pseudonym: patients, those who act, records and their versions.
//!
//! No wallet goes out. Members and delegates have ids of their own; of a person whom nothing but a wallet names, a hash
//! of patient and wallet stands for it: the same wherever this patient's log names that wallet, and another elsewhere.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chartseal_program::log::sha256_of;

use super::{
    model::{CodeableConcept, Coding, Extension, Identifier, Reference, Value},
    terms::{code, extension, system},
};

/// Whoever acted, as the rows name them.
#[derive(Clone, Debug, Default)]
pub(super) struct Actor {
    /// As [`ActorKind`](chartseal_program::vocabulary::ActorKind) says, or `institution`.
    pub(super) kind: String,
    pub(super) wallet: Option<Vec<u8>>,
    pub(super) institution: Option<Vec<u8>>,
    /// Its id in that institution, where it is a member whom the reader of the database may see.
    pub(super) member: Option<Vec<u8>>,
    pub(super) role: Option<String>,
    /// Its id with the patient, where it is a delegate whom the reader of the database may see.
    pub(super) delegate: Option<Vec<u8>>,
}

impl Actor {
    /// Whoever decided for a patient, where the tables keep the wallet only: the steward as long as the chart had not been
    /// handed over, then the patient by its own wallet, or else a delegate, whom the reader may not see.
    pub(super) fn decider(
        is_patients: bool,
        handed_over: bool,
        delegate: Option<Vec<u8>>,
        steward: Option<Vec<u8>>,
    ) -> Self {
        let kind = match (handed_over, is_patients, &steward) {
            (false, _, Some(_)) => "institution",
            (_, true, _) => "patient",
            _ => "delegate",
        };
        Self {
            kind: kind.to_owned(),
            delegate: delegate.filter(|_| kind == "delegate"),
            institution: steward.filter(|_| kind == "institution"),
            ..Self::default()
        }
    }

    pub(super) fn reference(&self, patient: &[u8]) -> Reference {
        match (self.kind.as_str(), &self.institution) {
            // The authority of the steward, who acts for a patient without a wallet.
            ("patient" | "institution", Some(institution)) => self::institution(institution),
            ("patient", None) => self::patient(patient),
            ("delegate", _) => match &self.delegate {
                Some(delegate) => related(Identifier::new(system::DELEGATE, within(patient, delegate))),
                None => Reference::unnamed("RelatedPerson", "a delegate of the patient"),
            },
            ("member", institution) => match (institution, &self.member) {
                (Some(institution), Some(member)) => {
                    Reference::to("PractitionerRole", self::member(institution, member))
                }
                _ => Reference::unnamed("PractitionerRole", "a member of another institution"),
            },
            _ => match &self.wallet {
                Some(wallet) => person(patient, wallet),
                None => Reference::unnamed("RelatedPerson", "a person"),
            },
        }
    }

    /// The institution for which a member acts, or the steward itself.
    pub(super) fn organisation(&self) -> Option<Reference> {
        self.institution.as_deref().map(institution)
    }

    pub(super) fn role(&self) -> Vec<CodeableConcept> {
        let role = self
            .role
            .as_ref()
            .map(|role| Coding::new(code::ROLE, role.clone()).into());
        role.into_iter().collect()
    }
}

pub(super) fn patient(id: &[u8]) -> Reference {
    Reference::to("Patient", Identifier::new(system::PATIENT, hex::encode(id)))
}

pub(super) fn institution(id: &[u8]) -> Reference {
    Reference::to("Organization", Identifier::new(system::INSTITUTION, hex::encode(id)))
}

pub(super) fn member(institution: &[u8], member: &[u8]) -> Identifier {
    Identifier::new(system::MEMBER, within(institution, member))
}

pub(super) fn person(patient: &[u8], wallet: &[u8]) -> Reference {
    let hash = sha256_of(&[b"chartseal/fhir/person/v1", patient, wallet]);
    related(Identifier::new(
        system::PERSON,
        within(patient, hash.get(..16).unwrap_or_default()),
    ))
}

fn related(identifier: Identifier) -> Reference {
    Reference::to("RelatedPerson", identifier)
}

/// The contract, which decides and records.
pub(super) fn program() -> Reference {
    Reference::to(
        "Device",
        Identifier::new(system::PROGRAM, chartseal_program::ID.to_string()),
    )
}

/// The contract as a policy that can be referred to.
pub(super) fn program_uri() -> String {
    format!("{}:{}", system::PROGRAM, chartseal_program::ID)
}

pub(super) fn record(patient: &[u8], record: &[u8]) -> Identifier {
    Identifier::new(system::RECORD, within(patient, record))
}

pub(super) fn version(patient: &[u8], record: &[u8], version: i64) -> Identifier {
    let value = format!("{}/{version}", within(patient, record));
    Identifier::new(system::VERSION, value)
}

pub(super) fn grant(patient: &[u8], grant: &[u8]) -> Identifier {
    Identifier::new(system::GRANT, within(patient, grant))
}

pub(super) fn policy(patient: &[u8], institution: &[u8]) -> Identifier {
    Identifier::new(system::POLICY, within(patient, institution))
}

pub(super) fn emergency(patient: &[u8], emergency: &[u8]) -> Identifier {
    Identifier::new(system::EMERGENCY, within(patient, emergency))
}

pub(super) fn request(patient: &[u8], request: &[u8]) -> Identifier {
    Identifier::new(system::REQUEST, within(patient, request))
}

/// An id that is unique within somebody's only.
pub(super) fn within(whole: &[u8], part: &[u8]) -> String {
    format!("{}/{}", hex::encode(whole), hex::encode(part))
}

/// A data item on Arweave, as its gateways call it.
pub(super) fn arweave(locator: &[u8]) -> String {
    format!("ar://{}", BASE64_URL_SAFE_NO_PAD.encode(locator))
}

/// A transaction, as explorers call it.
pub(super) fn transaction(signature: &[u8]) -> Identifier {
    Identifier::new(system::TRANSACTION, bs58::encode(signature).into_string())
}

/// A resource's id: where the event stands from which it follows. No two have the same within a kind of resource.
pub(super) fn resource_id(patient: &[u8], what: &str, seq: i64) -> String {
    format!("{}-{what}-{seq}", hex::encode(patient))
}

/// Where an event stands in its chain, and the chain's hash after it, where the reader of the database may see that.
pub(super) fn chain(chain: &'static str, seq: i64, head: Option<&[u8]>) -> Extension {
    let mut parts = vec![
        Extension::new("chain", Value::Code(chain)),
        Extension::new("seq", Value::String(seq.to_string())),
    ];
    if let Some(head) = head {
        parts.push(Extension::new("head", Value::String(hex::encode(head))));
    }
    Extension::of(extension::CHAIN, parts)
}
