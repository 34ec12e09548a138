//! Holds resources against FHIR R4 itself, as two libraries have it that were generated from the specification: types
//! and names (strictly, and nothing is lost on the way through), codes of required bindings, how often each element
//! may stand, and the specification's own invariants in FHIRPath.

use fhirbolt::model::r4::Resource;
use rh_fhirpath::{EvaluationContext, FhirPathEvaluator, FhirPathParser, FhirPathValue};
use rh_foundation::{ElementCardinality, Invariant, Severity};
use rh_hl7_fhir_r4_core::{
    bindings::{
        audit_event_action::AuditEventAction, audit_event_outcome::AuditEventOutcome, bundle_type::BundleType,
        consent_data_meaning::ConsentDataMeaning, consent_provision_type::ConsentProvisionType,
        consent_state_codes::ConsentStateCodes, document_reference_status::DocumentReferenceStatus,
        document_relationship_type::DocumentRelationshipType, network_type::NetworkType,
    },
    datatypes::{extension::Extension, identifier, period::Period, reference},
    resources::{
        audit_event::AuditEvent, bundle::Bundle, consent::Consent, document_reference::DocumentReference,
        provenance::Provenance,
    },
    validation::ValidatableResource,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Panics with what is wrong.
///
/// The second library's own types are not used: they want every type of a value that has a choice at once.
pub(super) fn check(resource: &Value) {
    let kind = resource["resourceType"].as_str().unwrap();
    let strict: Resource = fhirbolt::json::from_json_value(resource.clone(), None)
        .unwrap_or_else(|error| panic!("{kind} is not strictly R4: {error}\n{resource:#}"));
    let again = fhirbolt::json::to_json_value(strict, None).unwrap();
    assert_eq!(&again, resource, "{kind} changes on the way through");
    match kind {
        "AuditEvent" => hold::<AuditEvent>(resource),
        "Consent" => hold::<Consent>(resource),
        "DocumentReference" => hold::<DocumentReference>(resource),
        "Provenance" => hold::<Provenance>(resource),
        "Bundle" => hold::<Bundle>(resource),
        other => panic!("{other} is no resource of the export"),
    }
    walk(resource, kind, &mut |key, element| match key {
        "extension" => invariants(Extension::invariants(), element),
        "identifier" | "masterIdentifier" | "valueIdentifier" => invariants(&identifier::INVARIANTS, element),
        "period" | "dataPeriod" => invariants(Period::invariants(), element),
        "what" | "who" | "target" | "subject" | "patient" | "reference" => {
            invariants(&reference::INVARIANTS, element);
        }
        _ => {}
    });
}

fn hold<T: ValidatableResource>(resource: &Value) {
    T::cardinalities().iter().for_each(|rule| cardinality(rule, resource));
    invariants(T::invariants(), resource);
    let listed = T::bindings().iter().map(|binding| binding.path.as_str());
    let kind = resource["resourceType"].as_str().unwrap();
    let known = BOUND
        .iter()
        .copied()
        .filter(|path| path.split('.').next() == Some(kind));
    for path in listed.chain(known) {
        for code in at(path, resource) {
            assert!(is_bound(path, code), "{path} is {code}");
        }
    }
}

/// Elements of ours whose codes R4 requires to be of one value set.
const BOUND: [&str; 10] = [
    "AuditEvent.action",
    "AuditEvent.outcome",
    "AuditEvent.agent.network.type",
    "Bundle.type",
    "Consent.status",
    "Consent.provision.type",
    "Consent.provision.data.meaning",
    "DocumentReference.status",
    "DocumentReference.relatesTo.code",
    "Provenance.entity.role",
];

/// Whether a code is of the value set that R4 requires there.
fn is_bound(path: &str, code: &Value) -> bool {
    fn is<T: DeserializeOwned>(code: &Value) -> bool {
        serde_json::from_value::<T>(code.clone()).is_ok()
    }
    match path {
        "AuditEvent.action" => is::<AuditEventAction>(code),
        "AuditEvent.outcome" => is::<AuditEventOutcome>(code),
        "AuditEvent.agent.network.type" => is::<NetworkType>(code),
        "Bundle.type" => is::<BundleType>(code),
        "Consent.status" => is::<ConsentStateCodes>(code),
        "Consent.provision.type" => is::<ConsentProvisionType>(code),
        "Consent.provision.data.meaning" => is::<ConsentDataMeaning>(code),
        "DocumentReference.status" => is::<DocumentReferenceStatus>(code),
        "DocumentReference.relatesTo.code" => is::<DocumentRelationshipType>(code),
        // Of these, which stand below each other, the library has the first only.
        "Provenance.entity.role" => {
            ["derivation", "revision", "quotation", "source", "removal"].contains(&code.as_str().unwrap())
        }
        other => panic!("nothing says which codes {other} has"),
    }
}

/// Every part of a resource, with the name under which it stands.
fn walk(value: &Value, key: &str, see: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, key, see)),
        Value::Object(fields) => {
            see(key, value);
            fields.iter().for_each(|(key, value)| walk(value, key, see));
        }
        _ => {}
    }
}

fn cardinality(rule: &ElementCardinality, resource: &Value) {
    let Some((above, last)) = rule.path.rsplit_once('.') else {
        return;
    };
    for parent in at(above, resource) {
        let count = children(parent, last).len();
        let fits = rule.min <= count && rule.max.is_none_or(|max| count <= max);
        assert!(
            fits,
            "{} stands {count} times: {}\n{parent:#}",
            rule.path,
            rule.to_fhir_notation()
        );
    }
}

/// All that stands at a path, which begins with the kind of resource.
fn at<'a>(path: &str, resource: &'a Value) -> Vec<&'a Value> {
    path.split('.').skip(1).fold(vec![resource], |parents, step| {
        parents.into_iter().flat_map(|parent| children(parent, step)).collect()
    })
}

/// What stands under a name, or under any that a choice of types may have.
fn children<'a>(parent: &'a Value, name: &str) -> Vec<&'a Value> {
    let fields = parent.as_object().into_iter().flatten();
    let fits = |key: &str| match name.strip_suffix("[x]") {
        Some(stem) => key
            .strip_prefix(stem)
            .is_some_and(|rest| rest.starts_with(char::is_uppercase)),
        None => key == name,
    };
    fields
        .filter(|(key, _)| fits(key))
        .flat_map(|(_, value)| match value {
            Value::Array(items) => items.iter().collect(),
            value => vec![value],
        })
        .collect()
}

/// Those that are about something that our resources never have, or that the evaluator cannot read.
const ABOUT_OTHERS: [&str; 3] = ["dom-3", "ele-1", "dom-6"];

fn invariants(rules: &[Invariant], element: &Value) {
    assert!(!is_empty(element), "ele-1: something empty in {element:#}");
    for rule in rules {
        if rule.severity != Severity::Error || ABOUT_OTHERS.contains(&rule.key.as_str()) {
            continue;
        }
        // Said of what the rule is about, which the library does not tell.
        let subjects = match rule.key.as_str() {
            "sev-1" => children(element, "entity"),
            "bdl-5" | "bdl-8" => children(element, "entry"),
            "ext-1" if element.get("url").is_none() => Vec::new(),
            _ => vec![element],
        };
        let expression = FhirPathParser::new()
            .parse(&rule.expression)
            .unwrap_or_else(|error| panic!("{}: {error}", rule.key));
        for subject in subjects {
            let context = EvaluationContext::new(subject.clone());
            let answer = FhirPathEvaluator::new()
                .evaluate(&expression, &context)
                .unwrap_or_else(|error| panic!("{}: {error}", rule.key));
            assert!(holds(&answer), "{}: {} {answer:?}\n{subject:#}", rule.key, rule.human);
        }
    }
}

fn holds(answer: &FhirPathValue) -> bool {
    match answer {
        FhirPathValue::Boolean(holds) => *holds,
        FhirPathValue::Collection(items) => items.iter().all(holds),
        FhirPathValue::Empty => true,
        _ => false,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty() || items.iter().any(is_empty),
        Value::Object(fields) => fields.is_empty() || fields.values().any(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[test]
fn what_is_not_fhir_r4_is_found() {
    let words = json!({"coding": [{"system": "urn:a", "code": "b"}]});
    let sound = json!({
        "resourceType": "Consent", "status": "active", "scope": words, "category": [words], "policy": [{"uri": "urn:c"}],
        "provision": {"type": "permit", "period": {"start": "2025-06-15T15:06:40Z", "end": "2025-06-16T15:06:40Z"}}
    });
    check(&sound);
    for (place, broken) in [
        ("status", json!("on")),
        ("status", json!(1)),
        ("scope", json!([words])),
        ("category", Value::Null),
        ("policy", Value::Null),
        ("colour", json!("red")),
        ("provision", json!({"type": "perhaps"})),
        (
            "provision",
            json!({"period": {"start": "2025-06-17T15:06:40Z", "end": "2025-06-16T15:06:40Z"}}),
        ),
        ("extension", json!([{"url": "urn:d"}])),
    ] {
        let mut resource = sound.clone();
        let fields = resource.as_object_mut().unwrap();
        match &broken {
            Value::Null => fields.remove(place),
            broken => fields.insert(place.to_owned(), broken.clone()),
        };
        let found = std::panic::catch_unwind(|| check(&resource)).is_err();
        assert!(found, "{place}: {broken}");
    }
}
