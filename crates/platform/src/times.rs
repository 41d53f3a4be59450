//! The times that a file carries.

use std::fs::{File, FileTimes};
use std::io;
use std::time::SystemTime;

/// Sets the time of the last modification, as when a download takes over the origin's `Last-Modified`.
pub fn set_modified(file: &File, time: SystemTime) -> io::Result<()> {
    file.set_times(FileTimes::new().set_modified(time))
}

/// Nanoseconds since 1970; negative before. Times too far away to count are held at the edge.
pub fn to_nanos(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_file_carries_the_time_it_was_given() {
        let file = tempfile::tempfile().unwrap();
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        set_modified(&file, then).unwrap();
        assert_eq!(file.metadata().unwrap().modified().unwrap(), then);
        assert_eq!(to_nanos(then), 1_000_000_000_000_000_000);
        assert_eq!(to_nanos(SystemTime::UNIX_EPOCH - Duration::from_nanos(5)), -5);
    }
}
