//! What a benchmark says: one line for each measure, ours beside the reference, and whether the target is met.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// One measure. Less is better for all of them.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) case: String,
    pub(super) metric: &'static str,
    pub(super) unit: &'static str,
    pub(super) ours: f64,
    pub(super) reference: f64,
    pub(super) reference_name: String,
    pub(super) target: Target,
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
    fn ratio(&self) -> f64 {
        self.ours / self.reference
    }

    fn is_met(&self) -> bool {
        match self.target {
            Target::Ratio(most) => self.ratio() <= most,
            Target::Absolute(most) => self.ours <= most,
        }
    }

    fn json(&self) -> Value {
        let (Target::Ratio(target) | Target::Absolute(target)) = self.target;
        json!({
            "case": self.case, "metric": self.metric, "unit": self.unit,
            "ours": self.ours, "reference": self.reference, "reference_name": self.reference_name,
            "ratio": self.ratio(), "target": target, "met": self.is_met(),
        })
    }
}

pub(super) fn print(lines: &[Line]) {
    println!(
        "{:<22} {:<10} {:>12} {:>12}  {:<18} {:>6}  {:<12} met",
        "case", "metric", "ours", "reference", "reference is", "ratio", "target"
    );
    for line in lines {
        let target = match line.target {
            Target::Ratio(most) => format!("<= {most}x"),
            Target::Absolute(most) => format!("<= {most} {}", line.unit),
        };
        let (ours, reference) = (
            format!("{:.3} {}", line.ours, line.unit),
            format!("{:.3} {}", line.reference, line.unit),
        );
        println!(
            "{:<22} {:<10} {ours:>12} {reference:>12}  {:<18} {:>6.2}  {target:<12} {}",
            line.case,
            line.metric,
            line.reference_name,
            line.ratio(),
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
