//! What IHE's Basic Audit Log Patterns ask of an AuditEvent beyond FHIR itself, as a table. From the guide's profiles,
//! version 1.1.3 (`https://profiles.ihe.net/ITI/BALP/1.1.3/`), each quoted where it is checked.

use serde_json::Value;

const BALP: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

struct Profile {
    name: &'static str,
    /// `subtype 1..*`, one of which is the interaction (`anyRead`, `anyCreate`, `anyUpdate`, `anyDelete`: 1..1).
    interaction: &'static str,
    /// `action = #`
    action: &'static str,
    /// `agent[client].type =`
    client: (&'static str, &'static str),
    /// `agent[server].type =`
    server: (&'static str, &'static str),
    /// `agent[user].type`: a value for Read, of the value set DataSources (AUT, INF, CST) for the others.
    user: &'static [&'static str],
}

const SOURCES: &[&str] = &["AUT", "INF", "CST"];
const CUSTODIAN: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";

const PROFILES: [Profile; 4] = [
    Profile {
        name: "PatientRead",
        interaction: "read",
        action: "R",
        client: (DICOM, "110152"),
        server: (DICOM, "110153"),
        user: &["IRCP"],
    },
    Profile {
        name: "PatientCreate",
        interaction: "create",
        action: "C",
        client: (DICOM, "110153"),
        server: (DICOM, "110152"),
        user: SOURCES,
    },
    Profile {
        name: "PatientUpdate",
        interaction: "update",
        action: "U",
        client: (DICOM, "110153"),
        server: (DICOM, "110152"),
        user: SOURCES,
    },
    Profile {
        name: "PatientDelete",
        interaction: "delete",
        action: "D",
        client: (DICOM, "110150"),
        server: (CUSTODIAN, "custodian"),
        user: SOURCES,
    },
];

/// Checks the profile that the event claims, and says which it is.
pub(super) fn check(event: &Value) -> Option<&'static str> {
    let claimed = event["meta"]["profile"][0].as_str()?;
    let profile = PROFILES
        .iter()
        .find(|profile| claimed == format!("{BALP}{}", profile.name));
    let profile = profile.unwrap_or_else(|| panic!("{claimed} is no profile that the export claims"));

    // type = audit-event-type#rest
    assert!(is(
        &event["type"],
        "http://terminology.hl7.org/CodeSystem/audit-event-type",
        "rest"
    ));
    let interaction = |coding: &&Value| is(coding, "http://hl7.org/fhir/restful-interaction", profile.interaction);
    assert_eq!(
        list(event, "subtype").iter().filter(interaction).count(),
        1,
        "{event:#}"
    );
    assert_eq!(event["action"], profile.action);
    // recorded 1..1; outcome = #0: failures are recorded differently
    assert!(event["recorded"].is_string());
    assert_eq!(event["outcome"], "0");

    // agent 2..*: client 1..1, server 1..1, user 0..1
    let agents = list(event, "agent");
    let of = |system: &str, code: &str| {
        let agents = agents
            .iter()
            .filter(|agent| is(&agent["type"]["coding"][0], system, code));
        agents.collect::<Vec<_>>()
    };
    for (system, code) in [profile.client, profile.server] {
        let [agent] = of(system, code)[..] else {
            panic!("not one agent {code}: {event:#}")
        };
        // who 1..1, network 1..1, media 0..0
        assert!(
            agent["who"].is_object() && agent["network"].is_object() && agent["media"].is_null(),
            "{agent:#}"
        );
    }
    let users: Vec<_> = profile.user.iter().flat_map(|code| of(PARTICIPATION, code)).collect();
    let [user] = users[..] else {
        panic!("not one user: {event:#}")
    };
    // who 1..1, requestor = true, media 0..0, network 0..0
    assert!(user["who"].is_object() && user["requestor"] == true, "{user:#}");
    assert!(user["media"].is_null() && user["network"].is_null(), "{user:#}");
    // One who asked, and source 1..1 of FHIR itself.
    assert_eq!(agents.iter().filter(|agent| agent["requestor"] == true).count(), 1);

    // entity 2..*: patient 1..1, data 1..1, transaction 0..1
    let entities = list(event, "entity");
    let of_type = |system: &str, code: &str| {
        let entities = entities.iter().filter(|entity| is(&entity["type"], system, code));
        entities.collect::<Vec<_>>()
    };
    let types = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
    let roles = "http://terminology.hl7.org/CodeSystem/object-role";
    let [patient] = of_type(types, "1")[..] else {
        panic!("not one patient: {event:#}")
    };
    // role = object-role#1, what only Reference(Patient)
    assert!(
        is(&patient["role"], roles, "1") && patient["what"]["type"] == "Patient",
        "{patient:#}"
    );
    let [data] = of_type(types, "2")[..] else {
        panic!("not one data entity: {event:#}")
    };
    // role from RestObjectRoles: domain resource, report, job
    let role = ["4", "3", "20"].iter().any(|code| is(&data["role"], roles, code));
    assert!(role && data["what"].is_object(), "{data:#}");
    let requests = of_type(
        "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType",
        "XrequestId",
    );
    assert!(requests.len() <= 1);
    // what.identifier.value 1..1
    assert!(
        requests
            .iter()
            .all(|request| request["what"]["identifier"]["value"].is_string())
    );
    Some(profile.name)
}

fn is(coding: &Value, system: &str, code: &str) -> bool {
    coding["system"] == system && coding["code"] == code
}

fn list<'a>(event: &'a Value, name: &str) -> &'a [Value] {
    event[name].as_array().map_or(&[], Vec::as_slice)
}
