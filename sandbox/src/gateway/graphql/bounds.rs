//! What a query may not be, found out before the library looks at it: nested without end, or written with fragments that
//! unfold into more than anybody can run. The library's own bounds count after it has walked through all of that.

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Request, ServerError};

/// How many brackets may stand within each other.
const NESTING: usize = 64;

/// How many fields and fragments a query may have once each fragment is written out.
const SELECTIONS: usize = 2_000;

/// How deep fragments and fields may stand within each other.
const LEVELS: usize = 32;

/// Refuses a query that is too large to be looked at.
pub(super) fn check(request: &mut Request) -> Result<(), ServerError> {
    if nesting(&request.query) > NESTING {
        return Err(ServerError::new("Query is nested too deep.", None));
    }
    let document = request.parsed_query()?;
    let mut left = SELECTIONS;
    let small = document
        .operations
        .iter()
        .all(|(_, operation)| unfolds(document, &operation.node.selection_set.node, LEVELS, &mut left));
    if small {
        Ok(())
    } else {
        Err(ServerError::new("Query is too complex.", None))
    }
}

/// Whether a selection can be written out within the bounds. Fragments that contain themselves cannot.
fn unfolds(document: &ExecutableDocument, selection: &SelectionSet, levels: usize, left: &mut usize) -> bool {
    let Some(levels) = levels.checked_sub(1) else {
        return false;
    };
    selection.items.iter().all(|item| {
        let Some(fewer) = left.checked_sub(1) else {
            return false;
        };
        *left = fewer;
        let within = match &item.node {
            Selection::Field(field) => Some(&field.node.selection_set.node),
            Selection::InlineFragment(fragment) => Some(&fragment.node.selection_set.node),
            Selection::FragmentSpread(spread) => document
                .fragments
                .get(&spread.node.fragment_name.node)
                .map(|fragment| &fragment.node.selection_set.node),
        };
        within.is_none_or(|within| within.items.is_empty() || unfolds(document, within, levels, left))
    })
}

/// How many brackets stand within each other, apart from those in strings and comments.
fn nesting(query: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut rest = query;
    while let Some(at) = rest.find(['#', '"', '{', '[', '(', '}', ']', ')']) {
        let found = rest.get(at..).unwrap_or_default();
        rest = if let Some(block) = found.strip_prefix(r#"""""#) {
            behind_block(block)
        } else if let Some(text) = found.strip_prefix('"') {
            behind_string(text)
        } else if let Some(comment) = found.strip_prefix('#') {
            comment
                .find(['\n', '\r'])
                .and_then(|end| comment.get(end..))
                .unwrap_or_default()
        } else {
            depth = if found.starts_with(['{', '[', '(']) {
                depth + 1
            } else {
                depth.saturating_sub(1)
            };
            deepest = deepest.max(depth);
            found.get(1..).unwrap_or_default()
        };
    }
    deepest
}

/// What comes after a string in three quotes, of which `\"""` is no end.
fn behind_block(mut block: &str) -> &str {
    while let Some((before, after)) = block.split_once(r#"""""#) {
        block = after;
        if !before.ends_with('\\') {
            break;
        }
    }
    block
}

/// What comes after a string, which does not go beyond its line.
fn behind_string(text: &str) -> &str {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' | '\n' | '\r' => return text.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_counted_where_they_are_brackets() {
        for (query, deepest) in [
            ("", 0),
            ("{ a(b: [1, {c: 2}]) { d } }", 4),
            (r#"{ a(b: "((([[[", c: "\"{{{") }"#, 2),
            ("{ # {{{{\n a }", 1),
            (r#"{ a(b: """ ({[ \""" {{{ " """) { c } }"#, 2),
            ("}}}{", 1),
        ] {
            assert_eq!(nesting(query), deepest, "{query}");
        }
    }

    #[test]
    fn a_query_is_measured_with_its_fragments_written_out() {
        let check = |query: &str| check(&mut Request::new(query)).map_err(|error| error.message);
        assert_eq!(check("{ ...F } fragment F on Query { a { b } }"), Ok(()));
        let endless = "{ ...F } fragment F on Query { a ...F }";
        assert_eq!(check(endless).unwrap_err(), "Query is too complex.");
        let mut doubling = "{ ...F0 }".to_owned();
        for level in 0..24 {
            doubling += &format!(" fragment F{level} on Query {{ ...F{0} ...F{0} }}", level + 1);
        }
        assert_eq!(
            check(&(doubling + "fragment F24 on Query { a }")).unwrap_err(),
            "Query is too complex."
        );
        for deep in ["{ a".repeat(50_000), format!("{{ a(b: {}", "[".repeat(50_000))] {
            assert_eq!(check(&deep).unwrap_err(), "Query is nested too deep.");
        }
        assert!(check("{ a(").is_err());
    }
}
