//! What was measured, line by line: a JSON object each, after the lines that tell of the machine and the versions.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Part;
use crate::bench::stats::{Runs, rounded};
use crate::bench::table::{figure, plain};

/// One case and what it gave. What a case does not have is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// [`Part::name`].
    pub part: String,
    /// Its name.
    pub case: String,
    /// What the value is in: `ms`, `bytes`, `CU` or what is counted.
    pub unit: String,
    /// The value; of several runs the median, of compute units the most.
    pub value: f64,
    /// The lowest of the runs, ...
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min: Option<f64>,
    /// ... the highest, ...
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max: Option<f64>,
    /// ... and how many there were.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub runs: Option<usize>,
    /// On how many cores.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cores: Option<usize>,
    /// Bytes of the transaction.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tx_bytes: Option<u64>,
    /// The target: the most that the value may be, ...
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<f64>,
    /// ... and that the transaction may have.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target_tx_bytes: Option<u64>,
    /// Whether it is not ours, but what one would take otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub peer: bool,
}

impl Line {
    /// Something that is counted, not timed.
    #[must_use]
    pub fn count(part: Part, case: &str, unit: &str, value: usize) -> Self {
        Self {
            part: part.name().to_owned(),
            case: case.to_owned(),
            unit: unit.to_owned(),
            value: value as f64,
            ..Self::default()
        }
    }

    /// Something that took so many milliseconds.
    #[must_use]
    pub fn ms(part: Part, case: &str, cores: usize, runs: Runs) -> Self {
        let shown = |value| rounded(value, 4);
        Self {
            part: part.name().to_owned(),
            case: case.to_owned(),
            unit: "ms".to_owned(),
            value: shown(runs.median),
            min: Some(shown(runs.min)),
            max: Some(shown(runs.max)),
            runs: Some(runs.n),
            cores: Some(cores),
            ..Self::default()
        }
    }

    /// The same, of what one would take otherwise.
    #[must_use]
    pub fn of_peer(self) -> Self {
        Self { peer: true, ..self }
    }

    /// The same, with the most that the value may be.
    #[must_use]
    pub fn at_most(self, target: f64) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }

    /// Why its target is missed, if it is.
    #[must_use]
    pub fn missed(&self) -> Option<String> {
        let Self { case, value, unit, .. } = self;
        let name = match self.cores {
            Some(1) => format!("{case} on one core"),
            Some(cores) => format!("{case} on {cores} cores"),
            None => case.clone(),
        };
        // A value that is no number meets nothing.
        if let Some(target) = self.target.filter(|target| value.total_cmp(target).is_gt()) {
            return Some(format!("{name} took {value} {unit}, and may take {target}"));
        }
        let (bytes, most) = (self.tx_bytes?, self.target_tx_bytes?);
        (bytes > most).then(|| format!("{name} took a transaction of {bytes} bytes, and may take {most}"))
    }
}

/// Everything that one run of the benchmark found.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// Machine and versions.
    pub heads: Vec<Value>,
    /// What was measured.
    pub lines: Vec<Line>,
}

/// Heads of a table of lines.
pub(super) const HEADS: [&str; 8] = ["what", "value", "unit", "min", "max", "runs", "cores", "target"];

impl Results {
    /// A line of JSON for each.
    ///
    /// # Errors
    /// Never, as long as figures are numbers.
    pub fn to_json_lines(&self) -> Result<String> {
        let heads = self.heads.iter().map(serde_json::to_string);
        let lines = self.lines.iter().map(serde_json::to_string);
        let mut text = String::new();
        for line in heads.chain(lines) {
            text.push_str(&line?);
            text.push('\n');
        }
        Ok(text)
    }

    /// The other way round.
    ///
    /// # Errors
    /// Where a line is none of ours.
    pub fn from_json_lines(text: &str) -> Result<Self> {
        let mut results = Self::default();
        for (number, line) in text.lines().enumerate() {
            let at = || format!("line {} is not of this benchmark", number + 1);
            let value: Value = serde_json::from_str(line).with_context(at)?;
            if value.get("head").is_some() {
                results.heads.push(value);
            } else {
                results.lines.push(serde_json::from_value(value).with_context(at)?);
            }
        }
        Ok(results)
    }

    /// A head by its name.
    #[must_use]
    pub fn head(&self, name: &str) -> Option<&Value> {
        self.heads.iter().find(|head| head["head"] == name)
    }

    /// The lines of a part.
    pub fn of(&self, part: Part) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.part == part.name())
    }

    /// Every target that is missed, in words.
    #[must_use]
    pub fn missed(&self) -> Vec<String> {
        self.lines.iter().filter_map(Line::missed).collect()
    }

    /// For people.
    #[must_use]
    pub fn to_tables(&self) -> String {
        let mut out: String = self.heads.iter().map(|head| format!("{head}\n")).collect();
        for part in Part::ALL {
            let rows: Vec<_> = self.of(part).map(row).collect();
            if !rows.is_empty() {
                out.push_str(&format!("\n{}\n{}", part.name(), plain(&HEADS, &rows)));
            }
        }
        out
    }
}

/// A line's row under [`HEADS`].
pub(super) fn row(line: &Line) -> Vec<String> {
    let time = |value: Option<f64>| value.map_or(String::new(), figure);
    let count = |value: Option<usize>| value.map_or(String::new(), |value| value.to_string());
    let is_timed = line.unit == "ms";
    vec![
        line.case.clone(),
        if is_timed {
            small(line.value)
        } else {
            format!("{}", line.value)
        },
        line.unit.clone(),
        line.min.map_or(String::new(), small),
        line.max.map_or(String::new(), small),
        count(line.runs),
        count(line.cores),
        time(line.target),
    ]
}

/// Milliseconds, of which the shortest are parts of a thousandth.
pub(super) fn small(value: f64) -> String {
    if value == 0.0 || value >= 1.0 {
        figure(value)
    } else {
        format!("{}", rounded(value, 3))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn prove(cores: usize, ms: f64) -> Line {
        Line::ms(Part::Prove, "prove", cores, Runs::of([ms, ms * 0.9, ms * 1.3]).unwrap()).at_most(1_000.0)
    }

    #[test]
    fn a_missed_target_is_told_with_its_case() {
        assert_eq!(prove(2, 999.9).missed(), None);
        assert_eq!(
            prove(2, 1_001.0).missed().unwrap(),
            "prove on 2 cores took 1001 ms, and may take 1000"
        );
        let unknown = Line {
            value: f64::NAN,
            ..prove(1, 1.0)
        };
        assert!(unknown.missed().is_some());
        let untargeted = Line::count(Part::Prove, "proof", "bytes", usize::MAX);
        assert_eq!(untargeted.missed(), None);
    }

    #[test]
    fn a_line_has_the_fields_that_it_is_read_by_and_no_others() {
        let line = serde_json::to_value(prove(1, 500.0)).unwrap();
        for field in ["part", "case", "unit", "value", "min", "max", "runs", "cores", "target"] {
            assert!(line.get(field).is_some(), "{field} is missing in {line}");
        }
        for field in ["peer", "tx_bytes", "target_tx_bytes"] {
            assert!(line.get(field).is_none(), "{field} is too much in {line}");
        }
        assert_eq!(
            (&line["value"], &line["min"], &line["max"]),
            (&500.0.into(), &450.0.into(), &650.0.into())
        );
    }

    #[test]
    fn results_survive_being_written_and_read() {
        let results = Results {
            heads: vec![serde_json::json!({ "head": "machine", "cores": 2 })],
            lines: vec![prove(1, 700.0), prove(2, 1_400.0), prove(1, 3.0).of_peer()],
        };
        let text = results.to_json_lines().unwrap();
        let back = Results::from_json_lines(&text).unwrap();
        assert_eq!(back.to_json_lines().unwrap(), text);
        assert_eq!(back.lines, results.lines);
        assert_eq!(back.missed().len(), 1);
        assert!(Results::from_json_lines("{\"kind\":\"text\"}").is_err());
    }

    #[test]
    fn what_is_shorter_than_a_millisecond_has_digits_too() {
        assert_eq!(
            [0.001_234_5, 0.25, 12.34, 1234.5].map(small),
            ["0.00123", "0.25", "12.3", "1234"]
        );
    }

    #[test]
    fn people_see_a_table_for_each_part_that_was_measured() {
        let results = Results {
            lines: vec![prove(2, 500.0)],
            ..Results::default()
        };
        let tables = results.to_tables();
        assert!(
            tables.contains("prove") && tables.contains("500") && !tables.contains("chain"),
            "{tables}"
        );
    }
}
