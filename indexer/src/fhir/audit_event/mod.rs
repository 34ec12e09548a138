//! AuditEvent: what was done about a patient, and what was refused, one resource for each event of the two chains that
//! tells of it.
//!
//! What succeeded and has the shape of a read, a create, an update or a delete follows the profiles of IHE's Basic Audit
//! Log Patterns for such with a patient, version 1.1.3. Those are for successes: a refusal has the same shape, outcome 4
//! and the reason, and claims no profile.

mod rows;
mod shape;

use serde::Serialize;

use super::{
    model::{CodeableConcept, Coding, Extension, Identifier, Meta, Reference, Value, clock},
    subjects::{self, Actor},
    terms::{self, code, extension, standard, system},
    write::Named,
};
use crate::sink::SinkError;

pub(super) use rows::{Row, rows};
use shape::Shape;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditEvent {
    resource_type: &'static str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Meta>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extension: Vec<Extension>,
    #[serde(rename = "type")]
    kind: Coding,
    subtype: Vec<Coding>,
    action: &'static str,
    recorded: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_desc: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    purpose_of_event: Vec<CodeableConcept>,
    agent: Vec<Agent>,
    source: Source,
    entity: Vec<Entity>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Agent {
    #[serde(rename = "type")]
    kind: CodeableConcept,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    role: Vec<CodeableConcept>,
    who: Reference,
    requestor: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policy: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    purpose_of_use: Vec<CodeableConcept>,
}

#[derive(Debug, Serialize)]
struct Network {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extension: Vec<Extension>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Source {
    observer: Reference,
    #[serde(rename = "type")]
    kind: Vec<Coding>,
}

#[derive(Debug, Serialize)]
struct Entity {
    what: Reference,
    #[serde(rename = "type")]
    kind: Coding,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Coding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    detail: Vec<Detail>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    #[serde(rename = "type")]
    kind: &'static str,
    value_string: String,
}

impl Named for AuditEvent {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Row {
    /// The resource.
    ///
    /// # Errors
    /// [`SinkError::Damaged`] where a column holds what the indexer never writes.
    pub(super) fn into_resource(self) -> Result<AuditEvent, SinkError> {
        let refused = self.what.strip_prefix("refused-");
        let shape = self.shape(refused)?;
        let actor = self.actor();
        let chain = match self.chain.as_str() {
            "refusals" => "refusals",
            _ => "log",
        };
        let mut id = subjects::resource_id(&self.patient, chain, self.seq);
        if !self.part.is_empty() {
            id = format!("{id}-{}", self.part);
        }
        let purpose: Vec<CodeableConcept> = self
            .purpose
            .as_deref()
            .and_then(terms::purpose)
            .map(CodeableConcept::from)
            .into_iter()
            .collect();
        let (outcome, outcome_desc) = match refused {
            Some(_) => ("4", self.why.clone()),
            None => ("0", self.why.clone()),
        };
        let profile = shape.profile().filter(|_| refused.is_none());
        let (interaction, action) = shape.words();
        let mut subtype: Vec<Coding> = interaction.into_iter().collect();
        subtype.extend(self.event_name().map(|name| Coding::new(code::EVENT, name)));
        let place = self.place.unwrap_or(self.seq);
        Ok(AuditEvent {
            resource_type: "AuditEvent",
            id,
            meta: profile.map(|profile| Meta {
                last_updated: None,
                profile: vec![profile],
            }),
            extension: match (self.place, self.head.as_deref()) {
                (None, _) => Vec::new(),
                (Some(_), head) => vec![subjects::chain(chain, place, head)],
            },
            kind: shape.kind(),
            subtype,
            action,
            recorded: clock(self.at)?,
            outcome,
            outcome_desc,
            purpose_of_event: purpose.clone(),
            agent: self.agents(&actor, shape, purpose),
            source: Source {
                observer: subjects::program(),
                // Application server.
                kind: vec![Coding::new(standard::SOURCE_TYPE, "4")],
            },
            entity: self.entities(),
        })
    }

    fn shape(&self, refused: Option<&str>) -> Result<Shape, SinkError> {
        Ok(match refused.unwrap_or(&self.what) {
            "read" => Shape::Read,
            "create" | "append" | "grant" | "grant-unnamed" | "share" | "policy" => Shape::Create,
            "amend" | "revoke" | "revoke-unnamed" | "policy-again" => Shape::Update,
            "erase" => Shape::Delete,
            "aggregate" => Shape::Operation,
            // DICOM: emergency override started.
            "emergency" => Shape::Alert(Some("110127")),
            "review" => Shape::Alert(None),
            _ => return Err(SinkError::Damaged("refusals.action")),
        })
    }

    /// The event's name in the program, also for those who may not see the events themselves.
    fn event_name(&self) -> Option<String> {
        if let Some(name) = &self.event {
            return Some(name.clone());
        }
        let name = match self.what.as_str() {
            "read" => "AccessAllowed",
            "revoke" => "GrantRevoked",
            "grant-unnamed" => "AnonymousGrantCreated",
            "revoke-unnamed" => "AnonymousGrantRevoked",
            "policy" | "policy-again" => "PolicySet",
            "emergency" => "EmergencyOpened",
            "review" => "EmergencyReviewed",
            "erase" => "RecordErased",
            what if what.starts_with("refused-") => "ActionRefused",
            // Several events make such rows.
            _ => return None,
        };
        Some(name.to_owned())
    }

    fn actor(&self) -> Actor {
        let mut actor = Actor {
            kind: self.actor_kind.clone(),
            wallet: self.wallet.clone(),
            institution: self.institution.clone(),
            member: self.member.clone(),
            role: self.role.clone(),
            delegate: self.delegate.clone(),
        };
        if actor.kind == "decider" {
            actor = Actor::decider(
                self.is_patients,
                self.handed_over,
                self.delegate.clone(),
                self.steward.clone(),
            );
        }
        actor
    }

    fn agents(&self, actor: &Actor, shape: Shape, purpose: Vec<CodeableConcept>) -> Vec<Agent> {
        let (client, server) = shape.sides();
        let agent = |kind: Coding, who| Agent {
            kind: kind.into(),
            role: Vec::new(),
            who,
            requestor: false,
            policy: Vec::new(),
            network: None,
            purpose_of_use: Vec::new(),
        };
        let mut agents = vec![
            Agent {
                // The ledger keeps no network addresses.
                network: Some(Network {
                    extension: vec![Extension::new(extension::ABSENT, Value::Code("unknown"))],
                    address: None,
                    kind: None,
                }),
                ..agent(client, Reference::unnamed("Device", "the client that signed"))
            },
            Agent {
                network: Some(Network {
                    extension: Vec::new(),
                    address: Some(subjects::program_uri()),
                    // URI.
                    kind: Some("5"),
                }),
                ..agent(server, subjects::program())
            },
            Agent {
                role: actor.role(),
                requestor: true,
                policy: self.basis(actor),
                purpose_of_use: purpose,
                ..agent(shape.user(), actor.reference(&self.patient))
            },
        ];
        if let (true, Some(organisation)) = (actor.kind == "member", actor.organisation()) {
            agents.push(agent(Coding::new(standard::ROLE_CLASS, "PROV"), organisation));
        }
        agents
    }

    /// What allowed it. What a refused actor claimed is not told: it need not exist.
    fn basis(&self, actor: &Actor) -> Vec<String> {
        let uri = |identifier: Identifier| format!("{}:{}", identifier.system, identifier.value);
        let patient = &self.patient;
        let delegation = actor.delegate.as_deref().filter(|_| self.chain == "log");
        [
            self.grant_id.as_deref().map(|id| subjects::grant(patient, id)),
            self.policy.as_deref().map(|id| subjects::policy(patient, id)),
            self.emergency.as_deref().map(|id| subjects::emergency(patient, id)),
            delegation.map(|id| Identifier::new(system::DELEGATE, subjects::within(patient, id))),
        ]
        .into_iter()
        .flatten()
        .map(uri)
        .collect()
    }

    fn entities(&self) -> Vec<Entity> {
        let patient = Entity {
            what: subjects::patient(&self.patient),
            // A person, who is the patient.
            kind: Coding::new(standard::ENTITY_TYPE, "1"),
            role: Some(Coding::new(standard::ENTITY_ROLE, "1")),
            detail: Vec::new(),
        };
        let data = self.data().map(|what| Entity {
            what,
            // A system object, in the role of a domain resource.
            kind: Coding::new(standard::ENTITY_TYPE, "2"),
            role: Some(Coding::new(standard::ENTITY_ROLE, "4")),
            detail: Vec::new(),
        });
        let request = self.request.as_deref().map(|id| Entity {
            what: Reference::to("Task", subjects::request(&self.patient, id)),
            kind: Coding::new(standard::BALP_ENTITY, "XrequestId"),
            role: None,
            detail: Vec::new(),
        });
        let transaction = self.signature.as_deref().map(|signature| Entity {
            what: Reference::to("Basic", subjects::transaction(signature)),
            kind: Coding::new(code::ENTITY, "transaction"),
            role: None,
            detail: self.slot.into_iter().map(Detail::slot).collect(),
        });
        [Some(patient), data, request, transaction]
            .into_iter()
            .flatten()
            .collect()
    }

    /// What it was done to.
    fn data(&self) -> Option<Reference> {
        let patient = &self.patient;
        if let Some(record) = &self.record {
            let identifier = match self.version {
                Some(version) => subjects::version(patient, record, version),
                None => subjects::record(patient, record),
            };
            return Some(Reference::to("DocumentReference", identifier));
        }
        let subject = self.subject.as_deref()?;
        Some(match self.what.as_str() {
            "policy" | "policy-again" => Reference::to("Consent", subjects::policy(patient, subject)),
            "emergency" | "review" => Reference::to("Basic", subjects::emergency(patient, subject)),
            _ => Reference::to("Consent", subjects::grant(patient, subject)),
        })
    }
}

impl Detail {
    fn slot(slot: i64) -> Self {
        Self {
            kind: "slot",
            value_string: slot.to_string(),
        }
    }
}
