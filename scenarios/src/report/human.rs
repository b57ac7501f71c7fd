//! The report for people.

use std::fmt::Write as _;

use super::{Report, Verdict};
use crate::language::HostKind;

/// How many strikes of a fault are shown.
const SHOWN: usize = 3;

/// A report in a few lines; in `full`, steps and faults too where all is well.
#[must_use]
pub fn human(report: &Report, full: bool) -> String {
    let verdict = match report.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "FAIL",
        Verdict::Skipped => "skip",
    };
    let mut text = format!(
        "{verdict}  {:<40} {:>8.3} s of the board's time, {:>6.3} s here",
        report.name, report.virtual_time, report.wall_time
    );
    // Writing into a string does not fail.
    if let Some(reason) = &report.reason {
        let place = match (reason.step, reason.line) {
            (Some(step), Some(line)) => format!("step {step}, line {line}: "),
            (None, Some(line)) => format!("line {line}: "),
            _ => String::new(),
        };
        let _ = write!(text, "\n      {place}{}", reason.message.replace('\n', "\n      "));
    }
    if full || report.verdict == Verdict::Fail {
        for step in &report.steps {
            let outcome = step.outcome.as_ref().map(|outcome| format!(": {outcome}")).unwrap_or_default();
            // Commands and what they print have lines.
            let what = format!("{}{outcome}", step.what).replace('\n', "\n                    ");
            let _ = write!(text, "\n      {:>10.6} s  {what}", step.at);
        }
        for fault in &report.faults {
            let _ = write!(text, "\n      fault {} ({}): {} strikes", fault.name, fault.point, fault.strikes);
            for evidence in fault.evidence.iter().take(SHOWN) {
                let _ = write!(text, "\n        {:>10.6} s  {}: {}", evidence.at, evidence.place, evidence.effect);
            }
            if fault.strikes > SHOWN as u64 {
                text.push_str("\n        …");
            }
        }
    }
    for measure in &report.measures {
        let _ = write!(text, "\n      {} = {:.4} {}", measure.name, measure.value, measure.unit);
    }
    if full && let Some(hash) = &report.trace_hash {
        let _ = write!(text, "\n      trace {hash}");
    }
    if full && report.host == HostKind::Vm {
        text.push_str("\n      no trace to compare: Linux in the virtual machine is not deterministic");
    }
    text
}
