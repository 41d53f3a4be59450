//! What a finished temporary file is known by, from its proof until it has its final name.

use dray_platform::identity_of::FileStamp;
use serde::{Deserialize, Serialize};

/// The file that was proven, as recorded together with its arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proven {
    volume: u64,
    file: u64,
    size: u64,
    modified_ns: i64,
}

impl Proven {
    pub(crate) fn of(stamp: FileStamp) -> Proven {
        Proven { volume: stamp.volume, file: stamp.file, size: stamp.size, modified_ns: stamp.modified_ns }
    }

    /// The number of the file on its volume.
    pub(crate) fn number(&self) -> u64 {
        self.file
    }

    /// Whether that is the file, with the bytes that were proven as far as the system can tell without reading them.
    pub(crate) fn is(&self, stamp: &FileStamp) -> bool {
        let then = FileStamp {
            volume: self.volume,
            file: self.file,
            size: self.size,
            modified_ns: self.modified_ns,
            changed_ns: 0,
            links: 1,
        };
        stamp.unchanged_since(&then)
    }
}
