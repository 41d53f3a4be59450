//! What a row is, and how rows are played.

use anyhow::{Result, ensure};

use crate::rig::{Rig, with_rig};

/// What shows that a rule holds.
pub(crate) type Play = dyn Fn(&Rig<'_>) -> Result<()>;

/// How a rule is shown to hold.
pub(crate) enum Check {
    /// By doing it.
    Play(Box<Play>),
    /// Not here, for this reason.
    LeftOut(&'static str),
}

/// One rule.
pub(crate) struct Row {
    /// Number of the section in the reference.
    pub(crate) reference: &'static str,
    /// The rule in a sentence.
    pub(crate) rule: String,
    pub(crate) check: Check,
}

/// A rule that holds.
pub(crate) fn holds(
    reference: &'static str,
    rule: impl Into<String>,
    check: impl Fn(&Rig<'_>) -> Result<()> + 'static,
) -> Row {
    Row { reference, rule: rule.into(), check: Check::Play(Box::new(check)) }
}

/// A rule that is not checked here.
pub(crate) fn left_out(reference: &'static str, rule: impl Into<String>, reason: &'static str) -> Row {
    Row { reference, rule: rule.into(), check: Check::LeftOut(reason) }
}

/// Plays all rows on one daemon and tells of every one that fails.
pub(crate) fn play(rows: Vec<Row>) -> Result<()> {
    with_rig(|rig| {
        let mut failures = Vec::new();
        for row in rows {
            let Check::Play(check) = row.check else { continue };
            if let Err(error) = check(rig) {
                failures.push(format!("{} {}: {error:#}", row.reference, row.rule));
            }
        }
        ensure!(failures.is_empty(), "{} rules do not hold:\n{}", failures.len(), failures.join("\n"));
        Ok(())
    })
}
