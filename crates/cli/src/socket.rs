//! Where the daemon listens when nobody says.

use std::path::PathBuf;

use dray_api::transport;
use dray_platform::paths::{Dirs, Scope};

/// The daemon of this user, when there is one; else that of the machine.
pub(crate) fn usual() -> PathBuf {
    Dirs::of(Scope::User)
        .map(|dirs| transport::path_for(&dirs.runtime))
        .ok()
        .filter(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from(transport::SYSTEM_PATH))
}
