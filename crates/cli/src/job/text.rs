//! What people read: columns, and texts of others made harmless.

use dray_api::v1::{FileProgress, FileRange, JobProgress, JobState};

use crate::printer::bytes;

/// A text from elsewhere with the characters that a terminal would obey written as their numbers: `\u{202e}`.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && c != '\n') || is_steering(c) {
            plain.extend(c.escape_unicode());
        } else {
            plain.push(c);
        }
    }
    plain
}

/// Whether a character makes what stands around it appear in another order (UAX #9) or on another line.
fn is_steering(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Which edge of its column a cell stands at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Lines with aligned columns, the first line holding the titles. No line ends in spaces.
pub(crate) fn table<const N: usize>(columns: [(&str, Align); N], rows: &[[String; N]]) -> Vec<String> {
    let titles = columns.map(|(title, _)| title.to_owned());
    let mut widths = [0; N];
    for row in std::iter::once(&titles).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    std::iter::once(&titles)
        .chain(rows)
        .map(|row| {
            let cells = row.iter().zip(widths).zip(columns).map(|((cell, width), (_, align))| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

/// `12 MiB of 40 MiB (30 %)`, `12 MiB`, `40 MiB`.
pub(super) fn amount(done: u64, total: Option<u64>) -> String {
    match total {
        None => format!("{} of unknown", bytes(done)),
        Some(total) if done >= total => bytes(total),
        Some(total) => format!("{} of {} ({} %)", bytes(done), bytes(total), percent(done, total)),
    }
}

/// Rounded down, so that 100 is only said when it is true.
pub(super) fn percent(done: u64, total: u64) -> u64 {
    let whole = u128::from(total).max(1);
    u64::try_from(u128::from(done.min(total)) * 100 / whole).unwrap_or(100)
}

pub(super) fn job_amount(progress: &JobProgress) -> String {
    amount(progress.bytes_transferred, progress.bytes_total)
}

pub(super) fn file_amount(progress: &FileProgress) -> String {
    amount(progress.bytes_transferred, progress.bytes_total)
}

/// `FIRST-LAST`, or `FIRST-` for a range to the end.
pub(super) fn range(range: &FileRange) -> String {
    match range.length {
        None => format!("{}-", range.offset),
        Some(length) => format!("{}-{}", range.offset, range.offset.saturating_add(length.saturating_sub(1))),
    }
}

/// `TRANSFERRED`; a state that only a newer daemon knows is shown by its number.
pub(crate) fn state(number: i32) -> String {
    JobState::try_from(number)
        .map_or_else(|_| format!("STATE_{number}"), |state| state.short_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a".to_owned(), "1".to_owned()], ["long".to_owned(), "100".to_owned()]];
        let lines = table([("ID", Align::Left), ("N", Align::Right)], &rows);
        assert_eq!(lines, ["ID      N", "a       1", "long  100"]);
    }

    #[test]
    fn a_line_does_not_end_in_spaces() {
        let rows = [["a".to_owned()], ["long".to_owned()]];
        assert_eq!(table([("ID", Align::Left)], &rows), ["ID", "a", "long"]);
    }

    #[test]
    fn a_hundred_percent_is_said_only_of_all_bytes() {
        assert_eq!(percent(999, 1000), 99);
        assert_eq!(percent(1000, 1000), 100);
        assert_eq!(percent(u64::MAX - 1, u64::MAX), 99);
        assert_eq!(percent(0, 0), 0);
    }

    #[test]
    fn an_amount_copes_with_an_unknown_total() {
        assert_eq!(amount(1024, None), "1.00 KiB of unknown");
        assert_eq!(amount(512, Some(1024)), "512 B of 1.00 KiB (50 %)");
        assert_eq!(amount(1024, Some(1024)), "1.00 KiB");
    }

    #[test]
    fn a_range_is_shown_with_its_last_byte() {
        assert_eq!(range(&FileRange { offset: 10, length: Some(1) }), "10-10");
        assert_eq!(range(&FileRange { offset: 10, length: None }), "10-");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\r"), r"a\u{1b}[2Jb\u{d}");
    }

    #[test]
    fn a_name_cannot_change_the_order_in_which_it_is_read() {
        assert_eq!(plain("a\u{202E}gpj.exe\u{2066}"), r"a\u{202e}gpj.exe\u{2066}");
        assert_eq!(plain("é 文 שלום"), "é 文 שלום");
    }
}
