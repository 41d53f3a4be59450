//! What is there of a file, as a bar: where the holes are.

use dray_api::v1::FileRange;

/// Cells of a bar.
const WIDTH: u64 = 40;

/// `#` where every byte is there, `-` where some are, `.` where none is. `None` for a file without bytes, or whose size is
/// not known.
pub(super) fn bar(filled: &[FileRange], size: Option<u64>) -> Option<String> {
    let size = size.filter(|size| *size > 0)?;
    let width = WIDTH.min(size);
    let mut bar = String::from("[");
    for cell in 0..width {
        let (start, end) = (place(cell, width, size), place(cell + 1, width, size));
        let there: u64 = filled
            .iter()
            .map(|range| {
                let last = range.length.map_or(size, |length| range.offset.saturating_add(length));
                last.min(end).saturating_sub(range.offset.max(start))
            })
            .sum();
        bar.push(match there {
            0 => '.',
            _ if there >= end - start => '#',
            _ => '-',
        });
    }
    bar.push(']');
    Some(bar)
}

/// Where a cell begins.
fn place(cell: u64, width: u64, size: u64) -> u64 {
    let at = u128::from(size) * u128::from(cell) / u128::from(width);
    u64::try_from(at).unwrap_or(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(offset: u64, length: u64) -> FileRange {
        FileRange { offset, length: Some(length) }
    }

    #[test]
    fn a_bar_shows_what_is_there_where_it_is() {
        let half = format!("[{}{}]", "#".repeat(20), ".".repeat(20));
        assert_eq!(bar(&[range(0, 4000)], Some(8000)).unwrap(), half);
        let ends = format!("[#-{}-]", ".".repeat(37));
        assert_eq!(bar(&[range(0, 201), range(7999, 1)], Some(8000)).unwrap(), ends);
        assert_eq!(bar(&[], Some(3)).unwrap(), "[...]");
    }

    #[test]
    fn one_missing_byte_of_a_huge_file_is_seen() {
        let size = 1 << 40;
        let shown = bar(&[range(0, size - 1)], Some(size)).unwrap();
        assert_eq!(shown, format!("[{}-]", "#".repeat(39)));
        let all = bar(&[range(0, u64::MAX)], Some(u64::MAX)).unwrap();
        assert_eq!(all, format!("[{}]", "#".repeat(40)));
    }

    #[test]
    fn a_file_without_a_size_has_no_bar() {
        assert_eq!(bar(&[range(0, 9)], None), None);
        assert_eq!(bar(&[], Some(0)), None);
    }
}
