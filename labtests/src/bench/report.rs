//! What a benchmark says: one line for each measure, ours beside the reference, and whether the target is met.
//!
//! A measure that nothing else in the run has, such as memory beside a client that keeps nothing, has no reference.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// What the cases came to.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) lines: Vec<Line>,
    /// Cases that could not be measured.
    pub(super) missing: usize,
}

impl Told {
    /// What was measured is told at once, and not lost with a later case that fails.
    pub(super) fn take(&mut self, case: Result<Vec<Line>>) {
        match case {
            Ok(lines) => {
                print(&lines);
                self.lines.extend(lines);
            }
            Err(error) => {
                println!("        not measured: {error:#}");
                self.missing += 1;
            }
        }
    }
}

/// One measure. Less is better for all of them.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) case: String,
    pub(super) metric: &'static str,
    pub(super) unit: &'static str,
    pub(super) ours: f64,
    pub(super) reference: Option<Reference>,
    pub(super) target: Target,
}

/// What somebody else has reached in the same run.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) value: f64,
    pub(super) name: String,
}

/// What ours has to reach.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// At most so many times the reference.
    Ratio(f64),
    /// At most so much, in the line's unit.
    Absolute(f64),
}

impl Line {
    fn ratio(&self) -> Option<f64> {
        let reference = self.reference.as_ref()?;
        Some(self.ours / reference.value)
    }

    fn is_met(&self) -> bool {
        match self.target {
            Target::Ratio(most) => self.ratio().is_some_and(|ratio| ratio <= most),
            Target::Absolute(most) => self.ours <= most,
        }
    }

    fn json(&self) -> Value {
        let (Target::Ratio(target) | Target::Absolute(target)) = self.target;
        json!({
            "case": self.case, "metric": self.metric, "unit": self.unit,
            "ours": self.ours,
            "reference": self.reference.as_ref().map(|reference| reference.value),
            "reference_name": self.reference.as_ref().map(|reference| &reference.name),
            "ratio": self.ratio(), "target": target, "met": self.is_met(),
        })
    }
}

pub(super) fn print(lines: &[Line]) {
    println!(
        "{:<27} {:<10} {:>12} {:>12}  {:<18} {:>6}  {:<12} met",
        "case", "metric", "ours", "reference", "reference is", "ratio", "target"
    );
    for line in lines {
        let target = match line.target {
            Target::Ratio(most) => format!("<= {most}x"),
            Target::Absolute(most) => format!("<= {most} {}", line.unit),
        };
        let ours = format!("{:.3} {}", line.ours, line.unit);
        let (reference, name) = line.reference.as_ref().map_or_else(
            || ("-".to_owned(), "-"),
            |other| {
                (
                    format!("{:.3} {}", other.value, line.unit),
                    other.name.as_str(),
                )
            },
        );
        let ratio = line.ratio().map(|ratio| format!("{ratio:.2}"));
        println!(
            "{:<27} {:<10} {ours:>12} {reference:>12}  {name:<18} {:>6}  {target:<12} {}",
            line.case,
            line.metric,
            ratio.as_deref().unwrap_or("-"),
            if line.is_met() { "yes" } else { "NO" }
        );
    }
}

pub(super) fn write(file: &Path, lines: &[Line]) -> Result<()> {
    let list: Vec<Value> = lines.iter().map(Line::json).collect();
    let text = serde_json::to_string_pretty(&list)?;
    std::fs::write(file, format!("{text}\n")).with_context(|| file.display().to_string())
}

#[cfg(test)]
mod tests;
