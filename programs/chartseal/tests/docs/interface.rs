//! Instructions, events and types, as the IDL has them. `cargo xtask build-sbf --check` shows that the IDL is the code's.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_program::{events::*, log::Chained};
use serde_json::Value;

use crate::{
    code::section,
    page::{code, contract, read, spans, table},
};

/// The accounts that several instructions begin with, and where the IDL shows them.
const GROUPS: [(&str, &str, &str, &str); 2] = [
    ("Acting", "access_record", "actor", "emergency"),
    ("Deciding", "create_grant", "issuer", "delegate"),
];

fn idl() -> Value {
    serde_json::from_str(&read("programs/chartseal/artifacts/chartseal.json")).unwrap()
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap()
}

fn names<'a>(idl: &'a Value, key: &str) -> BTreeSet<&'a str> {
    items(idl, key).iter().map(name).collect()
}

fn kind(value: &Value) -> String {
    if let Some(plain) = value.as_str() {
        return if plain == "pubkey" { "Address" } else { plain }.to_owned();
    }
    if let Some(defined) = value["defined"]["name"].as_str() {
        return defined.to_owned();
    }
    if let Some([item, length]) = value["array"].as_array().map(Vec::as_slice) {
        return format!("[{}; {length}]", kind(item));
    }
    for (key, word) in [("vec", "Vec"), ("option", "Option")] {
        if !value[key].is_null() {
            return format!("{word}<{}>", kind(&value[key]));
        }
    }
    panic!("a type that the page has no way to write: {value}")
}

fn written(fields: &[Value]) -> String {
    let fields: Vec<_> = fields
        .iter()
        .map(|field| format!("{} {}", code(name(field)), kind(&field["type"])))
        .collect();
    if fields.is_empty() {
        "none".to_owned()
    } else {
        fields.join(", ")
    }
}

fn fields<'a>(idl: &'a Value, ty: &str) -> &'a [Value] {
    let found = items(idl, "types").iter().find(|one| name(one) == ty);
    items(
        &found.unwrap_or_else(|| panic!("the IDL has no type {ty}"))["type"],
        "fields",
    )
}

fn account(account: &Value) -> String {
    let is = |key: &str| account[key].as_bool().unwrap_or_default();
    let marks: String = [("signer", 's'), ("writable", 'w'), ("optional", '?')]
        .into_iter()
        .filter_map(|(key, mark)| is(key).then_some(mark))
        .collect();
    format!("{} {marks}", code(name(account))).trim_end().to_owned()
}

fn instruction<'a>(idl: &'a Value, wanted: &str) -> &'a Value {
    let found = items(idl, "instructions").iter().find(|one| name(one) == wanted);
    found.unwrap_or_else(|| panic!("the IDL has no instruction {wanted}"))
}

/// The accounts of one group, as they are written.
fn group(idl: &Value, (_, shown_by, from, to): (&str, &str, &str, &str)) -> String {
    let accounts = items(instruction(idl, shown_by), "accounts");
    let end = accounts.iter().position(|one| name(one) == to).unwrap();
    assert_eq!(name(&accounts[0]), from);
    accounts[..=end].iter().map(account).collect::<Vec<_>>().join(", ")
}

/// An instruction's accounts as they are written, without the two for its event.
fn accounts(idl: &Value, instruction: &Value) -> String {
    let (last, own) = items(instruction, "accounts").split_last().unwrap();
    let (before, own) = own.split_last().unwrap();
    assert_eq!((name(before), name(last)), ("event_authority", "program"));
    let all = own.iter().map(account).collect::<Vec<_>>().join(", ");
    for one in GROUPS {
        if let Some(rest) = all.strip_prefix(&group(idl, one)) {
            return format!("{}{rest}", one.0);
        }
    }
    all
}

/// An instruction's arguments as they are written: those of its one struct, where it has one.
fn arguments(idl: &Value, instruction: &Value) -> String {
    match items(instruction, "args") {
        [one] if name(one) == "args" => written(fields(idl, one["type"]["defined"]["name"].as_str().unwrap())),
        several => written(several),
    }
}

/// The text of each instruction's section, by name.
fn sections(page: &str) -> BTreeMap<String, String> {
    section(page, "## 7.", "## 8.")
        .split("\n#### `")
        .skip(1)
        .map(|text| {
            let (name, text) = text.split_once('`').unwrap();
            (name.to_owned(), text.to_owned())
        })
        .collect()
}

#[test]
fn every_instruction_has_its_section_with_its_accounts_and_arguments() {
    let (page, idl) = (contract(), idl());
    let sections = sections(&page);
    let documented: BTreeSet<_> = sections.keys().map(String::as_str).collect();
    assert_eq!(documented, names(&idl, "instructions"));
    for one in items(&idl, "instructions") {
        let text = &sections[name(one)];
        for line in [
            format!("\n- Accounts: {}\n", accounts(&idl, one)),
            format!("\n- Arguments: {}\n", arguments(&idl, one)),
        ] {
            assert!(text.contains(&line), "{} should say: {}", name(one), line.trim());
        }
        for part in [
            "\n- Must hold, in this order:\n  1. ",
            "\n- Effect: ",
            "\n- Event: ",
            "\n- Paused: ",
            "\n- How often: ",
        ] {
            assert!(text.contains(part), "{} does not say `{}`", name(one), part.trim());
        }
    }
    for one in GROUPS {
        assert!(
            page.contains(&format!("\n> {}\n", group(&idl, one))),
            "{}: {}",
            one.0,
            group(&idl, one)
        );
    }
}

/// Each event with its chain. The list is written out; that it is whole, the IDL shows.
fn chains() -> BTreeMap<&'static str, &'static str> {
    macro_rules! chains {
        ($($name:ident)+) => { [$((stringify!($name), <$name as Chained>::CHAIN.word())),+].into() };
    }
    chains!(RegistryCreated AdminProposed AdminAccepted PauseSet InstitutionRegistered InstitutionAccepted
        InstitutionStandingSet InstitutionRenewed AuthorityProposed AuthorityAccepted MemberRegistered
        MembershipAccepted MemberStandingSet MemberRenewed EmergencyCredentialSet BatchAnchored AgreementProposed
        AgreementAccepted AgreementFunded AgreementClosed PatientOpened WalletProposed WalletAccepted
        PatientKeyRotated DelegateNamed DelegationAccepted DelegateRevoked GuardiansSet BreakGlassSet RecoveryVoted
        RecoveryObjected RecoveryFinished RecordCreated RecordAmended RecordPromoted RecordErased ErasureAttested
        GrantCreated GrantPassedOn GrantRevoked PolicySet AccessRequested RequestDecided EmergencyOpened
        EmergencyReviewed AccessAllowed AccessSettled AnonymousGrantCreated AnonymousGrantRevoked ActionRefused
        TreeOpened AccessProven NullifierClosed)
}

#[test]
fn every_event_stands_there_with_its_chain_and_fields() {
    let (page, idl, chains) = (contract(), idl(), chains());
    let rows = table(&page, &["event", "chain", "by", "fields"]);
    let documented: BTreeSet<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(documented, names(&idl, "events"));
    assert_eq!(documented, chains.keys().copied().collect());
    assert_eq!(documented.len(), rows.len(), "no event stands there twice");
    for row in &rows {
        let event = row[0].trim_matches('`');
        assert_eq!(row[1], chains[event], "{event}");
        let all = fields(&idl, event);
        let (first, rest) = all.split_first().unwrap();
        let (last, between) = rest.split_last().unwrap();
        assert_eq!((name(first), name(last)), ("link", "head"), "{event}");
        assert_eq!(row[3], written(between), "{event}");
    }
}

#[test]
fn events_and_instructions_name_each_other() {
    let page = contract();
    let mut by: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (instruction, text) in sections(&page) {
        let (_, rest) = text.split_once("\n- Event: ").unwrap();
        let (events, _) = rest.split_once('.').unwrap();
        for event in spans(events) {
            by.entry(event.to_owned()).or_default().insert(instruction.clone());
        }
    }
    for row in table(&page, &["event", "chain", "by", "fields"]) {
        let event = row[0].trim_matches('`');
        let named = by
            .remove(event)
            .unwrap_or_else(|| panic!("no instruction emits {event}"));
        if event != "ActionRefused" {
            assert_eq!(named, spans(&row[2]).map(str::to_owned).collect(), "{event}");
        }
    }
    assert!(by.is_empty(), "instructions name events that do not exist: {by:?}");
}

#[test]
fn accounts_and_their_parts_have_their_fields() {
    let (page, idl) = (contract(), idl());
    let parts = [
        "Keys",
        "Chain",
        "Link",
        "Tally",
        "Ring",
        "Entry",
        "Guardian",
        "GuardianNamed",
        "Actor",
        "Content",
        "Terms",
        "Approval",
        "Change",
        "AnonymousTerms",
    ];
    let accounts = names(&idl, "accounts");
    assert_eq!(accounts.len(), table(&page, &["account", "seeds"]).len());
    for ty in accounts.into_iter().chain(parts) {
        let line = format!("- `{ty}`: {}", written(fields(&idl, ty)));
        assert!(page.lines().any(|one| one == line), "the page should say: {line}");
    }
}
