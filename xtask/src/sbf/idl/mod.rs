//! The contract's interface as Anchor's clients read it (IDL specification 0.1.0), without the Anchor CLI.
//!
//! With the feature `idl-build`, Anchor's macros add tests that print the program, its address, events, errors and
//! constants, each as JSON between two markers. Here they are run, and what they print is put together, put in a stable
//! order and checked: an IDL that a client could not use never becomes an artifact.

mod check;
mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use self::check::verify;
use self::order::OrderedMap;
use super::PACKAGE;
use crate::process;
use crate::workspace::Workspace;

const BEGIN: &str = "--- IDL begin ";
const END: &str = "--- IDL end ";
const CLOSE: &str = " ---";

/// Runs the tests that print the IDL and returns all that they printed.
///
/// # Errors
/// When the contract does not compile for this machine, or one of these tests fails.
pub(crate) fn print(workspace: &Workspace) -> Result<String> {
    let mut printed = String::new();
    let mut command = workspace.cargo();
    command
        .args(["test", "--package", PACKAGE, "--features", "idl-build", "--lib"])
        .args(["--", "__anchor_private_print_idl", "--show-output", "--test-threads=1"]);
    let status = process::each_line(&mut command, |line| {
        printed.push_str(line);
        printed.push('\n');
    })?;
    if !status.success() {
        eprint!("{printed}");
        bail!(
            "the contract could not print its IDL; see above, or run: {}",
            process::line(&command)
        );
    }
    Ok(printed)
}

/// A whole and consistent IDL.
#[derive(Debug)]
pub(crate) struct Idl(Map<String, Value>);

impl Idl {
    /// Address of the program, in base58.
    pub(crate) fn address(&self) -> &str {
        self.0.get("address").and_then(Value::as_str).unwrap_or_default()
    }

    /// How many entries the list `key` has.
    pub(crate) fn count(&self, key: &str) -> usize {
        self.list(key).len()
    }

    /// Indented, with a line end at its end, and the same on every machine.
    pub(crate) fn to_json(&self) -> Result<String> {
        let mut text = serde_json::to_string_pretty(&OrderedMap(&self.0)).context("cannot write the IDL as JSON")?;
        text.push('\n');
        Ok(text)
    }

    fn list(&self, key: &str) -> &[Value] {
        self.0.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Names of the types that are referred to: accounts and events by their own names, others by `defined`.
    fn used_types(&self) -> BTreeSet<String> {
        let mut used = ["accounts", "events"]
            .iter()
            .flat_map(|key| self.list(key))
            .map(name)
            .collect();
        self.0.values().for_each(|value| collect_used(value, &mut used));
        used.into_iter().map(str::to_owned).collect()
    }
}

impl fmt::Display for Idl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "program {}", self.address())?;
        for key in ["instructions", "accounts", "events", "errors"] {
            write!(formatter, ", {} {key}", self.count(key))?;
        }
        Ok(())
    }
}

/// Puts together what the tests printed, for a program of this version, with those of the `aliases` that it uses.
///
/// # Errors
/// When a part is missing, no JSON, or contradicts another.
pub(crate) fn assemble(printed: &str, version: &str, aliases: Vec<Value>) -> Result<Idl> {
    let mut address = None;
    let mut program = None;
    let (mut events, mut errors, mut constants) = (Vec::new(), Vec::new(), Vec::new());
    let mut types = Types::default();
    for Section { kind, text } in sections(printed)? {
        match kind.as_str() {
            "address" => address = Some(text.trim().to_owned()),
            "program" if program.is_some() => {
                bail!("the contract printed two programs: it may have one #[program] only")
            }
            "program" => program = Some(object(&kind, &text)?),
            "event" => {
                let mut event = object(&kind, &text)?;
                events.push(
                    event
                        .remove("event")
                        .context("the contract printed an event that has no `event`")?,
                );
                types.add(taken(&mut event, "types"))?;
            }
            "errors" => errors.extend(parse::<Vec<Value>>(&kind, &text)?),
            "const" => constants.push(Value::Object(object(&kind, &text)?)),
            other => {
                bail!("the contract printed an IDL part `{other}` that this xtask does not know: it needs an update")
            }
        }
    }
    let Some(mut program) = program else {
        bail!("the contract printed no program: has it a #[program], and the feature `idl-build` with `std`?");
    };
    let address = address
        .filter(|address| !address.is_empty())
        .context("the contract printed no address")?;
    types.add(taken(&mut program, "types"))?;

    program.insert("address".into(), address.into());
    if let Some(Value::Object(metadata)) = program.get_mut("metadata") {
        // Anchor writes 0.1.0 whatever the package says.
        metadata.insert("version".into(), version.into());
    }
    for (key, mut list) in [
        ("instructions", taken(&mut program, "instructions")),
        ("accounts", taken(&mut program, "accounts")),
        ("events", events),
        ("constants", constants),
    ] {
        list.sort_by(|one, other| name(one).cmp(name(other)));
        program.insert(key.into(), list.into());
    }
    errors.sort_by_key(|error| error.get("code").and_then(Value::as_u64));
    program.insert("errors".into(), errors.into());
    program.insert("types".into(), types.0.values().cloned().collect());

    let mut idl = Idl(program);
    let used = idl.used_types();
    types.add(aliases.into_iter().filter(|alias| used.contains(name(alias))).collect())?;
    idl.0.insert("types".into(), types.0.into_values().collect());
    verify(&idl)?;
    Ok(idl)
}

struct Section {
    kind: String,
    text: String,
}

/// Cuts out what stands between markers. A marker need not begin its line: libtest writes the test's name first.
fn sections(printed: &str) -> Result<Vec<Section>> {
    let mut sections = Vec::new();
    let mut open: Option<Section> = None;
    for line in printed.lines() {
        match open.as_mut() {
            None => {
                let begun = line.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(CLOSE));
                open = begun.map(|(kind, _)| Section {
                    kind: kind.to_owned(),
                    text: String::new(),
                });
            }
            Some(section) if line.contains(&format!("{END}{}{CLOSE}", section.kind)) => sections.extend(open.take()),
            Some(section) => {
                section.text.push_str(line);
                section.text.push('\n');
            }
        }
    }
    match open {
        Some(Section { kind, .. }) => bail!("the contract's IDL part `{kind}` has no end"),
        None => Ok(sections),
    }
}

fn parse<T: serde::de::DeserializeOwned>(kind: &str, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .with_context(|| format!("the contract's IDL part `{kind}` is not what it should be: {text}"))
}

fn object(kind: &str, text: &str) -> Result<Map<String, Value>> {
    parse(kind, text)
}

fn taken(object: &mut Map<String, Value>, key: &str) -> Vec<Value> {
    match object.remove(key) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

fn name(value: &Value) -> &str {
    value.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Type definitions by name. Program and events each bring those they use, so most come several times.
#[derive(Default)]
struct Types(BTreeMap<String, Value>);

impl Types {
    fn add(&mut self, definitions: Vec<Value>) -> Result<()> {
        for definition in definitions {
            let name = name(&definition).to_owned();
            match self.0.get(&name) {
                Some(known) if *known != definition => {
                    bail!("two different types are called `{name}`: the IDL has one name for each, so rename one")
                }
                _ => self.0.insert(name, definition),
            };
        }
        Ok(())
    }
}

/// Names in `{"defined": {"name": …}}`, anywhere.
fn collect_used<'a>(value: &'a Value, used: &mut BTreeSet<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_used(item, used)),
        Value::Object(object) => {
            used.extend(object.get("defined").map(name).filter(|name| !name.is_empty()));
            object.values().for_each(|item| collect_used(item, used));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = r#"
running 5 tests
test tests::__anchor_private_print_idl_address ... --- IDL begin address ---
Fg6PaFpoGXkYsidMpWTK6W2BeZ7FEfcYkg476zPFsLnS
--- IDL end address ---
ok
test x ... --- IDL begin event ---
{"event":{"name":"Zeta","discriminator":[2,1]},"types":[{"name":"Zeta","type":{"kind":"struct","fields":[]}}]}
--- IDL end event ---
ok
--- IDL begin event ---
{"event":{"name":"Alpha","discriminator":[1,1]},
 "types":[{"name":"Alpha","type":{"kind":"struct","fields":[{"name":"at","type":{"defined":{"name":"Moment"}}}]}},
          {"name":"Moment","type":{"kind":"struct","fields":[{"name":"seconds","type":"i64"}]}}]}
--- IDL end event ---
--- IDL begin errors ---
[{"code":6001,"name":"Late","msg":"too late"},{"code":6000,"name":"Early"}]
--- IDL end errors ---
--- IDL begin const ---
{"name":"LIMIT","type":"u8","value":"3"}
--- IDL end const ---
--- IDL begin program ---
{"address":"","metadata":{"name":"contract","version":"0.1.0","spec":"0.1.0"},
 "instructions":[{"name":"b","discriminator":[4],"accounts":[{"name":"payer","signer":true,"writable":true}],"args":[]},
                 {"name":"a","discriminator":[3],"accounts":[],"args":[]}],
 "accounts":[{"name":"Moment","discriminator":[9]}],
 "types":[{"name":"Moment","type":{"kind":"struct","fields":[{"name":"seconds","type":"i64"}]}}]}
--- IDL end program ---
test result: ok. 5 passed; 0 failed
"#;

    fn assembled() -> Value {
        serde_json::from_str(&assemble(PRINTED, "1.2.3", Vec::new()).unwrap().to_json().unwrap()).unwrap()
    }

    fn names(list: &Value) -> Vec<&str> {
        list.as_array().unwrap().iter().map(name).collect()
    }

    fn refusal(printed: &str) -> String {
        format!("{:#}", assemble(printed, "1.2.3", Vec::new()).unwrap_err())
    }

    #[test]
    fn the_parts_become_one_interface_in_a_stable_order() {
        let idl = assembled();
        assert_eq!(idl["address"], "Fg6PaFpoGXkYsidMpWTK6W2BeZ7FEfcYkg476zPFsLnS");
        assert_eq!(idl["metadata"]["version"], "1.2.3");
        assert_eq!(names(&idl["instructions"]), ["a", "b"]);
        assert_eq!(names(&idl["events"]), ["Alpha", "Zeta"]);
        assert_eq!(names(&idl["types"]), ["Alpha", "Moment", "Zeta"]);
        assert_eq!(names(&idl["errors"]), ["Early", "Late"]);
        assert_eq!(names(&idl["constants"]), ["LIMIT"]);
    }

    #[test]
    fn keys_stand_in_the_order_in_which_people_read_them() {
        let text = assemble(PRINTED, "1.2.3", Vec::new()).unwrap().to_json().unwrap();
        let places: Vec<_> = [
            "\"address\"",
            "\"metadata\"",
            "\"instructions\"",
            "\"accounts\": [\n    {",
            "\"types\"",
        ]
        .map(|key| text.find(key).unwrap())
        .into();
        assert!(places.is_sorted(), "{text}");
        assert!(
            text.contains("\"name\": \"payer\",\n          \"writable\": true,\n          \"signer\": true"),
            "{text}"
        );
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn an_unfinished_part_is_refused() {
        assert!(refusal("--- IDL begin program ---\n{").contains("no end"));
    }

    #[test]
    fn a_contract_that_prints_nothing_is_refused() {
        assert!(refusal("test result: ok. 0 passed").contains("no program"));
    }

    #[test]
    fn a_missing_address_is_refused() {
        assert!(
            refusal(
                &PRINTED
                    .replace("IDL begin address", "x")
                    .replace("IDL end address", "x")
            )
            .contains("no address")
        );
    }

    #[test]
    fn a_type_that_nobody_defined_is_named() {
        assert!(
            refusal(&PRINTED.replace(r#""defined":{"name":"Moment"}"#, r#""defined":{"name":"Hour"}"#))
                .contains("Hour")
        );
    }

    #[test]
    fn an_alias_is_added_where_it_is_used_and_only_there() {
        let alias = |name: &str| serde_json::json!({"name": name, "type": {"kind": "type", "alias": "u8"}});
        let printed = PRINTED.replace(r#""defined":{"name":"Moment"}"#, r#""defined":{"name":"Hour"}"#);
        let idl = assemble(&printed, "1.2.3", vec![alias("Hour"), alias("Minute")]).unwrap();
        assert_eq!(
            idl.list("types").iter().map(name).collect::<Vec<_>>(),
            ["Alpha", "Hour", "Moment", "Zeta"]
        );
    }

    #[test]
    fn two_types_of_one_name_are_refused() {
        let printed = PRINTED.replacen(
            r#"{"name":"seconds","type":"i64"}"#,
            r#"{"name":"seconds","type":"u8"}"#,
            1,
        );
        assert!(refusal(&printed).contains("`Moment`"));
    }

    #[test]
    fn discriminators_that_begin_alike_are_refused() {
        assert!(refusal(&PRINTED.replace("[2,1]", "[1,1,5]")).contains("told apart"));
    }

    #[test]
    fn two_errors_of_one_code_are_refused() {
        assert!(refusal(&PRINTED.replace("6001", "6000")).contains("code of another"));
    }
}
