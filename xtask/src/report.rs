//! Results on standard output: a line of text each, or with `--json` an object each with `step`, `ok` and figures.

use serde_json::{Map, Value};

/// How results are printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    json: bool,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Says how `step` ended: `text` for a person, `figures` (a JSON object) for a program.
    pub(crate) fn result(&self, step: &str, ok: bool, text: &str, figures: Value) {
        if self.json {
            println!("{}", object(step, ok, figures));
        } else {
            println!("{text}");
        }
    }
}

/// Says what is being done. Progress never mixes with results: it goes to standard error.
pub(crate) fn progress(text: &str) {
    eprintln!("==> {text}");
}

fn object(step: &str, ok: bool, figures: Value) -> Value {
    let mut object = Map::new();
    object.insert("step".into(), step.into());
    object.insert("ok".into(), ok.into());
    if let Value::Object(figures) = figures {
        object.extend(figures);
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn figures_stand_beside_step_and_outcome() {
        assert_eq!(
            object("test", true, json!({"passed": 3})),
            json!({"step": "test", "ok": true, "passed": 3})
        );
    }
}
