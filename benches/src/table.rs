//! The table that a person reads.

/// One line of it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// What was measured.
    pub(crate) what: String,
    /// curl's median, shown.
    pub(crate) curl: String,
    /// dray's median, shown.
    pub(crate) dray: String,
    /// What is compared with the target, shown.
    pub(crate) result: String,
    /// The target, shown.
    pub(crate) target: String,
    /// Whether it was reached; a line without a target is for information.
    pub(crate) reached: Option<bool>,
}

pub(crate) fn markdown(lines: &[Line], judged: bool) -> String {
    let mut text =
        String::from("| what | curl | dray | result | target | reached |\n|---|---:|---:|---:|---:|---|\n");
    for line in lines {
        let verdict = match line.reached {
            _ if !judged => "not judged",
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        let Line { what, curl, dray, result, target, .. } = line;
        text.push_str(&format!("| {what} | {curl} | {dray} | {result} | {target} | {verdict} |\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_missed_stands_out_and_a_smoke_run_judges_nothing() {
        let line = Line {
            what: "wall".into(),
            curl: "1 s".into(),
            dray: "2 s".into(),
            result: "2.00 x".into(),
            target: "1.10 x".into(),
            reached: Some(false),
        };
        assert!(
            markdown(std::slice::from_ref(&line), true)
                .ends_with("| wall | 1 s | 2 s | 2.00 x | 1.10 x | **no** |\n")
        );
        assert!(markdown(&[line], false).ends_with("| not judged |\n"));
    }
}
