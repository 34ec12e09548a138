//! Words, accounts, errors, tables of the policy, figures and hashes, as the program crate has them.

use std::{collections::BTreeSet, path::Path};

use anchor_lang::{event::EVENT_IX_TAG_LE, Discriminator};
use chartseal_program::{
    events::AccessAllowed,
    log::ChainKind,
    membership::{CAPACITY, EPOCH, SKEW},
    policy,
    seeds::*,
    state::*,
    tokens::{ACCOUNT_EXTENSIONS, MINT_EXTENSIONS},
    vocabulary::*,
    ChartsealError, ID,
};
use litesvm::LiteSVM;

use crate::page::{code, contract, first, grouped, list, spans, table};

macro_rules! words {
    ($($name:ident),+) => { [$((
        code(stringify!($name)),
        $name::ALL.iter().map(|word| format!("`{}` {}", word.word(), word.byte())).collect::<Vec<_>>().join(", "),
    )),+] };
}

#[test]
fn every_word_stands_there_with_its_byte() {
    let expected = words!(
        InstitutionKind,
        Standing,
        Role,
        Action,
        Purpose,
        GranteeKind,
        ActorKind,
        ClaimKind,
        RequestState,
        Reviewer,
        Verdict,
        AgreementState,
        RecordStatus
    );
    let rows = first::<2>(table(&contract(), &["kind", "words and bytes"]));
    assert_eq!(rows, expected.map(|(kind, words)| [kind, words]));
}

#[test]
fn every_basis_and_reason_stands_there_with_its_byte() {
    let page = contract();
    let bases: Vec<_> = Basis::ALL
        .iter()
        .map(|basis| {
            [
                basis.byte().to_string(),
                code(&format!("{basis:?}")),
                code(basis.word()),
            ]
        })
        .collect();
    assert_eq!(first::<3>(table(&page, &["byte", "`Basis`"])), bases);
    let reasons: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| {
            [
                reason.byte().to_string(),
                code(&format!("{reason:?}")),
                code(reason.word()),
            ]
        })
        .collect();
    assert_eq!(first::<3>(table(&page, &["byte", "`Reason`"])), reasons);
}

#[test]
fn every_reason_has_a_rule() {
    let page = contract();
    let rules = section(&page, "## 4.", "## 5.") + &section(&page, "## 7.", "## 8.");
    let named: BTreeSet<_> = spans(&rules).collect();
    for reason in Reason::ALL {
        let name = format!("{reason:?}");
        assert!(named.contains(name.as_str()), "no rule of the page gives {name}");
    }
}

macro_rules! sizes {
    ($($name:ident: $seed:ident),+ $(,)?) => { vec![$((stringify!($name), 8 + size_of::<$name>(), $seed)),+] };
}

#[test]
fn accounts_have_their_seeds_sizes_and_rents() {
    let page = contract();
    let prose = one_line(&page);
    let svm = LiteSVM::new();
    let expected = sizes!(
        Registry: REGISTRY,
        Institution: INSTITUTION,
        Member: MEMBER,
        Patient: PATIENT,
        AccessLog: ACCESS_LOG,
        RefusalLog: REFUSAL_LOG,
        Delegate: DELEGATE,
        Safeguards: SAFEGUARDS,
        Record: RECORD,
        Batch: BATCH,
        Grant: GRANT,
        Request: REQUEST,
        Policy: POLICY,
        Emergency: EMERGENCY,
        Agreement: AGREEMENT,
        Settlement: SETTLEMENT,
        GrantTree: TREE,
        AnonymousSet: LEAVES,
        Nullifier: NULLIFIER,
    );
    let rows = table(&page, &["account", "seeds", "bytes", "lamports"]);
    assert_eq!(rows.len(), expected.len());
    for (row, (name, bytes, seed)) in rows.iter().zip(&expected) {
        let lamports = svm.minimum_balance_for_rent_exemption(*bytes);
        assert_eq!(row[0], code(name));
        let seed = std::str::from_utf8(seed).unwrap();
        assert_eq!(spans(&row[1]).next(), Some(seed), "{name}");
        assert_eq!(row[2..4], [grouped(*bytes as u64), grouped(lamports)], "{name}");
        assert_eq!(
            lamports,
            (128 + *bytes as u64) * 6_960,
            "the formula that the page gives"
        );
    }
    let opening: u64 = [size_of::<Patient>(), size_of::<AccessLog>(), size_of::<RefusalLog>()]
        .iter()
        .map(|size| svm.minimum_balance_for_rent_exemption(8 + size))
        .sum();
    assert!(prose.contains(&format!("three accounts and {} lamports", grouped(opening))));
    assert!(prose.contains(&format!("`uses_left` {} is without limit", grouped(UNLIMITED.into()))));
    assert!(prose.contains(&format!(
        "`outcome` is the `Basis`, in a RefusalLog the `Reason`, and {NO_OUTCOME}"
    )));
    assert!(prose.contains(&format!("that bump is {BUMP}:")));
}

#[test]
fn every_error_stands_there_with_its_number_and_text() {
    let errors: Vec<_> = (6000u32..)
        .zip(ChartsealError::TEXTS)
        .map(|(number, (name, text))| [number.to_string(), code(name), (*text).to_owned()])
        .collect();
    assert_eq!(first::<3>(table(&contract(), &["number", "error", "text"])), errors);
}

#[test]
fn every_error_is_given_by_some_condition_and_no_other_is() {
    let page = contract();
    let conditions = section(&page, "## 5.", "## 8.");
    let given: BTreeSet<_> = spans(&conditions).collect();
    for (name, _) in ChartsealError::TEXTS {
        assert!(given.contains(name), "no condition of the page gives {name}");
    }
    // What stands alone in brackets behind a condition is an error, or a reason for which it is refused.
    let section = section(&page, "## 7.", "## 8.");
    let in_brackets = section
        .split("(`")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(inner, _)| inner));
    for inner in in_brackets {
        for name in inner.split(", ").map(|name| name.trim_matches('`')) {
            let known = ChartsealError::TEXTS.iter().any(|(error, _)| *error == name)
                || Reason::ALL.iter().any(|reason| format!("{reason:?}") == name);
            let is_name = name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphanumeric);
            assert!(known || !is_name, "{name} is neither an error nor a reason");
        }
    }
}

#[test]
fn roles_reach_what_the_policy_says() {
    let expected: Vec<_> = Role::ALL
        .iter()
        .map(|role| {
            // A mask without the other word is within every reach but none at all.
            let actions = Action::ALL
                .iter()
                .filter(|action| policy::may_request(Some(*role), action.bit(), 0));
            let purposes = Purpose::ALL
                .iter()
                .filter(|purpose| policy::may_request(Some(*role), 0, purpose.bit()));
            [
                code(role.word()),
                list(actions.map(|action| action.word())),
                list(purposes.map(|purpose| purpose.word())),
            ]
        })
        .collect();
    assert_eq!(
        first::<3>(table(&contract(), &["role", "actions", "purposes"])),
        expected
    );
}

#[test]
fn kinds_of_institutions_have_the_roles_that_the_policy_says() {
    let expected: Vec<_> = InstitutionKind::ALL
        .iter()
        .map(|kind| {
            let roles = Role::ALL.iter().filter(|role| policy::employs(*kind, **role));
            [code(kind.word()), list(roles.map(|role| role.word()))]
        })
        .collect();
    assert_eq!(
        first::<2>(table(&contract(), &["kind", "roles of its members"])),
        expected
    );
}

#[test]
fn figures_are_the_programs() {
    let rows = table(&contract(), &["what", "how many", "counted in", "beyond it"]);
    let seconds = |duration: i64| format!("{} s", grouped(duration.unsigned_abs()));
    let expected = [
        ("refusals of a member", format!("{MEMBER_REFUSALS_PER_HOUR} in an hour")),
        ("refusals of persons", format!("{PERSON_REFUSALS_PER_HOUR} in an hour")),
        (
            "refusals of the patient and its delegates",
            format!("{PERSON_REFUSALS_PER_HOUR} in an hour"),
        ),
        (
            "requests and attestations",
            format!("{MEMBER_REQUESTS_PER_HOUR} in an hour"),
        ),
        (
            "emergencies of a member",
            format!("{MEMBER_EMERGENCIES_PER_DAY} in a day"),
        ),
        (
            "emergencies of an institution's members",
            format!("{INSTITUTION_EMERGENCIES_PER_DAY} in a day"),
        ),
        (
            "emergencies of a member that its institution has not reviewed",
            "1".to_owned(),
        ),
        ("the same of an institution", MOST_UNREVIEWED.to_string()),
        ("an emergency", seconds(LONGEST_EMERGENCY)),
        ("guardians, and break-glass holders", format!("{MOST_GUARDIANS} each")),
        (
            "the delay of a recovery",
            format!("{} to {}", seconds(SHORTEST_DELAY), seconds(LONGEST_DELAY)),
        ),
        ("votes of a guardian", format!("{VOTES_PER_DAY} in a day")),
        ("how long a vote counts", seconds(LONGEST_DELAY + RECOVERY_WINDOW)),
        ("the window to finish a recovery", seconds(RECOVERY_WINDOW)),
        ("depth of a grant", DEEPEST.to_string()),
        ("records of a batch", grouped(MOST_IN_BATCH.into())),
        ("sharing classes", CLASSES.to_string()),
        ("entries of a log's ring", RING.to_string()),
        ("leaves of a tree", grouped(CAPACITY.into())),
        ("roots of a tree", ROOTS.to_string()),
        ("changes over which", CHANGES.to_string()),
        ("until a tree's floor rises", seconds(FLOOR_DELAY)),
        ("from the clock", seconds(SKEW)),
        ("an epoch", format!("{} s", grouped(EPOCH))),
        ("how long a nullifier stands", seconds(2 * SKEW)),
    ];
    assert_eq!(rows.len(), expected.len());
    for (row, (what, how_many)) in rows.iter().zip(expected) {
        assert!(row[0].starts_with(what), "{row:?}");
        assert!(
            row[1] == how_many || row[1].starts_with(&format!("{how_many} (")),
            "{row:?}: {how_many}"
        );
    }
    let page = contract();
    assert!(one_line(&page).contains("An hour is 3,600 s and a day 86,400 s"));
    assert_eq!((HOUR, DAY), (3_600, 86_400));
    let extensions = format!(
        "of a mint {}; of a token account {}",
        list(MINT_EXTENSIONS.map(|one| format!("{one:?}"))),
        list(ACCOUNT_EXTENSIONS.map(|one| format!("{one:?}")))
    );
    assert!(one_line(&page).contains(&extensions), "{extensions}");
}

#[test]
fn chains_have_their_domains() {
    let expected: Vec<_> = ChainKind::ALL
        .iter()
        .map(|kind| {
            [
                kind.word().to_owned(),
                code(std::str::from_utf8(kind.domain()).unwrap()),
            ]
        })
        .collect();
    assert_eq!(first::<2>(table(&contract(), &["chain", "domain"])), expected);
}

#[test]
fn hashes_and_tags_are_the_programs() {
    let page = contract();
    let mut labels = BTreeSet::new();
    collect_labels(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut labels);
    assert!(labels.len() >= 9, "{labels:?}");
    for label in labels {
        assert!(page.contains(&label), "the page does not name the label {label}");
    }
    assert!(page.contains(&format!("`{ID}`")));
    let tag: String = EVENT_IX_TAG_LE.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(page.contains(&format!("`{tag}`")));
    let named = chartseal_program::log::sha256_of(&[b"event:AccessAllowed"]);
    assert_eq!(
        AccessAllowed::DISCRIMINATOR,
        &named[..8],
        "as the page derives discriminators"
    );
}

/// Labels of hashes, as the sources have them: `chartseal/.../v1`.
fn collect_labels(folder: &Path, labels: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_labels(&path, labels);
            continue;
        }
        let source = std::fs::read_to_string(path).unwrap();
        let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        let strings = code.flat_map(|line| line.split('"').skip(1).step_by(2));
        labels.extend(strings.filter(|text| text.starts_with("chartseal/")).map(str::to_owned));
    }
}

/// What stands between two headings.
pub(crate) fn section(page: &str, from: &str, to: &str) -> String {
    let (_, rest) = page
        .split_once(&format!("\n{from}"))
        .expect("the page has this heading");
    let (text, _) = rest.split_once(&format!("\n{to}")).expect("the page has this heading");
    text.to_owned()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
