//! What things are called in the export: identifier systems, code systems and extensions, ours and others'.
//!
//! The list is in docs/fhir.md too, where each is explained. A name that was given once is never given to anything else.

use super::model::Coding;

/// Pseudonyms and other identifiers of ours.
pub(super) mod system {
    pub(crate) const PATIENT: &str = "urn:chartseal:patient";
    pub(crate) const INSTITUTION: &str = "urn:chartseal:institution";
    pub(crate) const MEMBER: &str = "urn:chartseal:member";
    pub(crate) const DELEGATE: &str = "urn:chartseal:delegate";
    pub(crate) const PERSON: &str = "urn:chartseal:person";
    pub(crate) const RECORD: &str = "urn:chartseal:record";
    pub(crate) const VERSION: &str = "urn:chartseal:record-version";
    pub(crate) const GRANT: &str = "urn:chartseal:grant";
    pub(crate) const POLICY: &str = "urn:chartseal:policy";
    pub(crate) const EMERGENCY: &str = "urn:chartseal:emergency";
    pub(crate) const REQUEST: &str = "urn:chartseal:request";
    pub(crate) const BATCH: &str = "urn:chartseal:batch";
    pub(crate) const PROGRAM: &str = "urn:chartseal:program";
    pub(crate) const TRANSACTION: &str = "urn:chartseal:transaction";
}

/// Words of ours.
pub(super) mod code {
    pub(crate) const EVENT: &str = "urn:chartseal:code:event";
    pub(crate) const ROLE: &str = "urn:chartseal:code:role";
    pub(crate) const RIGHT: &str = "urn:chartseal:code:right";
    pub(crate) const CLASS: &str = "urn:chartseal:code:class";
    pub(crate) const ENTITY: &str = "urn:chartseal:code:entity";
    pub(crate) const FORMAT: &str = "urn:chartseal:code:format";
}

/// What FHIR has no element for.
pub(super) mod extension {
    pub(crate) const CHAIN: &str = "urn:chartseal:extension:chain";
    pub(crate) const MANIFEST: &str = "urn:chartseal:extension:manifest-sha-256";
    pub(crate) const ROOT: &str = "urn:chartseal:extension:content-root";
    pub(crate) const SIZE: &str = "urn:chartseal:extension:padded-size";
    pub(crate) const PREVIOUS: &str = "urn:chartseal:extension:previous-version-hash";
    pub(crate) const USES: &str = "urn:chartseal:extension:uses";
    pub(crate) const USES_LEFT: &str = "urn:chartseal:extension:uses-left";
    pub(crate) const SINCE: &str = "urn:chartseal:extension:shared-since";
    pub(crate) const REQUEST: &str = "urn:chartseal:extension:request";
    pub(crate) const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
}

/// Code systems of HL7, DICOM and IHE.
pub(super) mod standard {
    pub(crate) const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    pub(crate) const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    pub(crate) const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    pub(crate) const OPERATION: &str = "http://terminology.hl7.org/CodeSystem/v3-DataOperation";
    pub(crate) const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    pub(crate) const ROLE_CLASS: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";
    pub(crate) const PARTICIPANT: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
    pub(crate) const CONSENT_SCOPE: &str = "http://terminology.hl7.org/CodeSystem/consentscope";
    pub(crate) const CONSENT_ACTION: &str = "http://terminology.hl7.org/CodeSystem/consentaction";
    pub(crate) const AUDIT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
    pub(crate) const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
    pub(crate) const ENTITY_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
    pub(crate) const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
    pub(crate) const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
    pub(crate) const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
    pub(crate) const LOINC: &str = "http://loinc.org";
    pub(crate) const BALP_ENTITY: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
}

/// A purpose in the words of HL7 v3 ActReason. What the contract does not know yet is left out.
pub(super) fn purpose(word: &str) -> Option<Coding> {
    let code = match word {
        "treatment" => "TREAT",
        "payment" => "HPAYMT",
        "operations" => "HOPERAT",
        "research" => "HRESCH",
        "legal" => "HLEGAL",
        "emergency" => "ETREAT",
        "personal" => "PATRQT",
        _ => return None,
    };
    Some(Coding::new(standard::ACT_REASON, code))
}

/// A right in the words of HL7's consent actions, which are coarser.
pub(super) fn consent_action(right: &str) -> Option<Coding> {
    let code = match right {
        "read" => "access",
        "append" => "collect",
        "amend" => "correct",
        "share" => "disclose",
        "aggregate" => "use",
        _ => return None,
    };
    Some(Coding::new(standard::CONSENT_ACTION, code))
}

#[cfg(test)]
mod tests {
    use chartseal_program::vocabulary::{Action, Purpose};

    use super::*;

    #[test]
    fn every_purpose_and_right_of_the_program_has_a_code() {
        assert!(Purpose::ALL.iter().all(|word| purpose(word.word()).is_some()));
        assert!(Action::ALL.iter().all(|word| consent_action(word.word()).is_some()));
    }
}
