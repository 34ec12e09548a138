//! Type aliases for the IDL. Anchor's macros see the name `Id` where the source has `pub type Id = [u8; 16]`, and cannot
//! see through it, so the definition is read from the source. Only aliases of plain and byte-array types are
//! understood; of others the IDL's own check says that they are not defined.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The contract's public type aliases, as type definitions of an IDL.
///
/// # Errors
/// When a source file cannot be read.
pub(crate) fn read(source: &Path) -> Result<Vec<Value>> {
    let mut aliases = Vec::new();
    for file in rust_files(source).with_context(|| format!("cannot list {}", source.display()))? {
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        aliases.extend(text.lines().filter_map(definition));
    }
    Ok(aliases)
}

/// Every Rust file below a folder.
pub(crate) fn rust_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn definition(line: &str) -> Option<Value> {
    let (name, target) = line.strip_prefix("pub type ")?.strip_suffix(';')?.split_once(" = ")?;
    Some(json!({ "name": name, "type": { "kind": "type", "alias": lowered(target)? } }))
}

fn lowered(target: &str) -> Option<Value> {
    const PLAIN: [&str; 11] = [
        "bool", "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128",
    ];
    if PLAIN.contains(&target) {
        return Some(target.into());
    }
    match target {
        "Address" => Some("pubkey".into()),
        "String" => Some("string".into()),
        _ => {
            let (item, length) = target.strip_prefix('[')?.strip_suffix(']')?.split_once("; ")?;
            Some(json!({ "array": [lowered(item)?, length.parse::<u32>().ok()?] }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_of_bytes_is_understood() {
        let expected = json!({"name": "Id", "type": {"kind": "type", "alias": {"array": ["u8", 16]}}});
        assert_eq!(definition("pub type Id = [u8; 16];"), Some(expected));
    }

    #[test]
    fn what_is_no_public_alias_of_a_known_type_is_left_alone() {
        for line in [
            "type Id = [u8; 16];",
            "pub type Slot<'a> = Option<&'a Grant>;",
            "pub type X = [u8; LENGTH];",
            "// x",
        ] {
            assert_eq!(definition(line), None, "{line}");
        }
    }
}
