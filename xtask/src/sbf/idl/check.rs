//! What Anchor's clients rely on, and what would otherwise be found out only by them.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use serde_json::Value;

use super::{Idl, name};

/// Checks what no single part of an IDL can promise.
///
/// # Errors
/// When entries cannot be told apart, or use what is not defined.
pub(super) fn verify(idl: &Idl) -> Result<()> {
    for key in ["instructions", "accounts", "events"] {
        discriminators_differ(key, idl.list(key))?;
    }
    types_are_defined(idl)?;
    codes_differ(idl.list("errors"))
}

fn discriminators_differ(key: &str, entries: &[Value]) -> Result<()> {
    let known: Vec<_> = entries
        .iter()
        .map(|entry| (name(entry), discriminator(entry)))
        .collect();
    for (index, (name, bytes)) in known.iter().enumerate() {
        if bytes.iter().all(|byte| *byte == 0) {
            bail!("{key}: `{name}` has no discriminator");
        }
        let others = known.iter().enumerate().filter(|(other, _)| *other != index);
        for (_, (other, beginning)) in others {
            if bytes.starts_with(beginning) {
                bail!("{key}: `{name}` and `{other}` cannot be told apart by their discriminators");
            }
        }
    }
    Ok(())
}

fn discriminator(entry: &Value) -> Vec<u64> {
    let bytes = entry.get("discriminator").and_then(Value::as_array);
    bytes.into_iter().flatten().filter_map(Value::as_u64).collect()
}

fn types_are_defined(idl: &Idl) -> Result<()> {
    let defined: BTreeSet<String> = idl.list("types").iter().map(|ty| name(ty).to_owned()).collect();
    let missing: Vec<_> = idl.used_types().difference(&defined).cloned().collect();
    if !missing.is_empty() {
        bail!(
            "the IDL uses types that it does not define: {}. Give a struct or enum #[derive(IdlType)]; of type \
             aliases, only those of plain types and byte arrays are understood",
            missing.join(", ")
        );
    }
    Ok(())
}

fn codes_differ(errors: &[Value]) -> Result<()> {
    let mut codes = BTreeSet::new();
    for error in errors {
        if !codes.insert(error.get("code").and_then(Value::as_u64)) {
            bail!("the error `{}` has the code of another", name(error));
        }
    }
    Ok(())
}
