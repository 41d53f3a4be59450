//! Delivery Optimization in the shape of BITS. A program that was written against it finds the same interfaces in the job service,
//! with the codes of BITS; what is its own is in section 13.

use crate::table::{Row, left_out};

/// Rule, and why it is not played here.
const OMISSIONS: [(&str, &str, &str); 9] = [
    ("12.1", "the methods that it has", "the job service has them and more; sections 2 to 8 play them"),
    (
        "12.1",
        "files are added with ids of their content",
        "a file has a digest instead; 13.4 plays ContentId",
    ),
    (
        "12.2",
        "Resume goes to TRANSFERRING at once, and there is no CONNECTING",
        "13.2 plays it for downloads",
    ),
    ("12.2", "two classes of priority", "13.4 plays ForegroundPriority"),
    ("12.2", "3,600 and 86,400 seconds without progress", "13.4 plays the defaults of downloads"),
    (
        "12.2",
        "what is older than 30 days is removed",
        "no test waits that long; jobs/tests has it in virtual time",
    ),
    ("12.2", "codes of its own", "the job service answers with those of BITS; 13 plays those of downloads"),
    (
        "12.3",
        "DecryptionInfo and IntegrityCheckInfo of a file",
        "forms of Windows; 13.4 plays what they answer",
    ),
    ("12.4", "statistics of the swarm of a file", "BytesBySource of a file, and ExplainFiles, say the same"),
];

pub(crate) fn rows() -> Vec<Row> {
    OMISSIONS.into_iter().map(|(reference, rule, reason)| left_out(reference, rule, reason)).collect()
}
