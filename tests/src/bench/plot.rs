//! Bars as SVG, drawn by hand: a figure in a report needs no more, and reads the same in ten years.

use std::fmt::Write as _;

const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 430.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 92.0;
const BOTTOM: f64 = 46.0;
const FONT: &str = "font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\"";
/// Bars thinner than this are narrower than their figures.
const NARROW: f64 = 20.0;
const INK: &str = "#1f2328";
const QUIET: &str = "#59636e";

/// Bars in groups, all of the same series.
#[derive(Debug)]
pub(super) struct Bars<'a> {
    pub(super) title: &'a str,
    pub(super) subtitle: String,
    /// What the bars of each group are, and their colours.
    pub(super) series: Vec<(&'a str, &'a str)>,
    /// Names of groups, and the heights of their bars; one that was not measured is left out.
    pub(super) groups: Vec<(String, Vec<Option<f64>>)>,
    /// Lines across all groups: name and height.
    pub(super) lines: Vec<(String, f64)>,
    /// Whether each step upwards is ten times as much.
    pub(super) logarithmic: bool,
}

/// Heights in the figure.
struct Scale {
    low: f64,
    high: f64,
    ticks: Vec<f64>,
    logarithmic: bool,
}

impl Scale {
    fn new(values: &[f64], logarithmic: bool) -> Self {
        let most = values.iter().copied().fold(0.0, f64::max).max(1e-9);
        if logarithmic {
            let least = values.iter().copied().filter(|value| *value > 0.0).fold(most, f64::min);
            let (low, high) = (least.log10().floor(), most.log10().ceil());
            let mut ticks = Vec::new();
            let mut at = low;
            while at <= high {
                ticks.push(10_f64.powf(at));
                at += 1.0;
            }
            let high = (most * 1.6).log10();
            ticks.retain(|tick| tick.log10() <= high);
            return Self {
                low,
                high,
                ticks,
                logarithmic,
            };
        }
        let power = 10_f64.powf((most / 4.0).log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
        let step = steps
            .into_iter()
            .find(|step| most / step <= 6.0)
            .unwrap_or(power * 10.0);
        let mut ticks = Vec::new();
        let mut at = 0.0;
        while at <= most * 1.08 {
            ticks.push(at);
            at += step;
        }
        Self {
            low: 0.0,
            high: most * 1.1,
            ticks,
            logarithmic,
        }
    }

    /// Where a value stands, from the top of the figure.
    fn y(&self, value: f64) -> f64 {
        let value = if self.logarithmic {
            value.max(1e-9).log10()
        } else {
            value
        };
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    }
}

impl Bars<'_> {
    /// The figure.
    pub(super) fn svg(&self) -> String {
        let bars = self.groups.iter().flat_map(|(_, bars)| bars.iter().flatten().copied());
        let values: Vec<f64> = bars.chain(self.lines.iter().map(|(_, value)| *value)).collect();
        let scale = Scale::new(&values, self.logarithmic);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n",
            escaped(self.title)
        );
        text(&mut out, (LEFT, 28.0), 18, INK, "font-weight=\"600\"", self.title);
        text(&mut out, (LEFT, 48.0), 12, QUIET, "", &self.subtitle);
        self.legend(&mut out);
        self.axis(&mut out, &scale);
        self.bars(&mut out, &scale);
        for (number, (name, value)) in self.lines.iter().enumerate() {
            let y = scale.y(*value);
            let _ = writeln!(
                out,
                "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#b35900\" stroke-width=\"1.3\" \
                 stroke-dasharray=\"6 4\"/>",
                WIDTH - RIGHT
            );
            // Beside the title: above the bars it would stand in their figures.
            let at = (WIDTH - RIGHT, 28.0 + 20.0 * number as f64);
            let label = format!("- -  {name}: {}", super::table::figure(*value));
            text(&mut out, at, 12, "#b35900", "text-anchor=\"end\"", &label);
        }
        out.push_str("</svg>\n");
        out
    }

    fn legend(&self, out: &mut String) {
        let mut x = LEFT;
        for (name, colour) in &self.series {
            let _ = writeln!(
                out,
                "<rect x=\"{x:.1}\" y=\"62\" width=\"12\" height=\"12\" rx=\"2\" fill=\"{colour}\"/>"
            );
            text(out, (x + 17.0, 72.5), 12, INK, "", name);
            x += 34.0 + 6.9 * name.chars().count() as f64;
        }
    }

    fn axis(&self, out: &mut String, scale: &Scale) {
        for tick in &scale.ticks {
            let y = scale.y(*tick);
            let _ = writeln!(
                out,
                "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#d8dee4\"/>",
                WIDTH - RIGHT
            );
            let label = format!("{}", super::stats::rounded(*tick, 3));
            text(out, (LEFT - 8.0, y + 4.0), 11, QUIET, "text-anchor=\"end\"", &label);
        }
    }

    fn bars(&self, out: &mut String, scale: &Scale) {
        let width = (WIDTH - LEFT - RIGHT) / self.groups.len().max(1) as f64;
        let bar = (width * 0.86 / self.series.len().max(1) as f64).min(46.0);
        for (group, (name, bars)) in self.groups.iter().enumerate() {
            let middle = LEFT + width * (group as f64 + 0.5);
            let mut x = middle - bar * bars.len() as f64 / 2.0;
            for (value, (_, colour)) in bars.iter().zip(&self.series) {
                if let Some(value) = value {
                    let (y, floor) = (scale.y(*value), HEIGHT - BOTTOM);
                    let _ = writeln!(
                        out,
                        "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"1.5\" fill=\"{colour}\"/>",
                        x + 1.0,
                        bar - 2.0,
                        floor - y
                    );
                    let label = super::table::figure(*value);
                    let at = (x + bar / 2.0, y - 4.0);
                    // Above a narrow bar a figure stands upright, or it would run into the next one.
                    let (at, stands) = if bar < NARROW {
                        let at = (at.0 + 3.0, at.1);
                        (at, format!("transform=\"rotate(-90 {:.1} {:.1})\"", at.0, at.1))
                    } else {
                        (at, "text-anchor=\"middle\"".to_owned())
                    };
                    text(out, at, 9, QUIET, &stands, &label);
                }
                x += bar;
            }
            text(
                out,
                (middle, HEIGHT - BOTTOM + 20.0),
                12,
                INK,
                "text-anchor=\"middle\"",
                name,
            );
        }
    }
}

fn text(out: &mut String, (x, y): (f64, f64), size: u8, colour: &str, more: &str, text: &str) {
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" {FONT} font-size=\"{size}\" fill=\"{colour}\" {more}>{}</text>",
        escaped(text)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(logarithmic: bool) -> Bars<'static> {
        Bars {
            title: "Fast & small",
            subtitle: "made".into(),
            series: vec![("a", "#000"), ("b", "#111")],
            groups: vec![
                ("one".into(), vec![Some(1.0), Some(100.0)]),
                ("two".into(), vec![None, Some(10.0)]),
            ],
            lines: vec![("limit".into(), 50.0)],
            logarithmic,
        }
    }

    #[test]
    fn a_bar_is_drawn_for_each_value_and_none_for_what_was_not_measured() {
        let svg = figure(false).svg();
        assert_eq!(svg.matches("rx=\"1.5\"").count(), 3);
        assert_eq!(svg.matches("stroke-dasharray").count(), 1);
        assert!(svg.contains("Fast &amp; small"));
    }

    #[test]
    fn more_stands_higher_on_either_scale() {
        for logarithmic in [false, true] {
            let scale = Scale::new(&[1.0, 10.0, 100.0], logarithmic);
            assert!(scale.y(100.0) < scale.y(10.0));
            assert!(scale.y(10.0) < scale.y(1.0));
            assert!(scale.y(100.0) >= TOP);
            assert!(scale.y(1.0) <= HEIGHT - BOTTOM);
        }
    }
}
