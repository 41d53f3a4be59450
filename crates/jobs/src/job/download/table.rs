//! Table 13.2: what a call does to a download. The rows of the reference are the states, its columns the calls.

use super::DownloadState;
use crate::Code;

/// The calls of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCall {
    /// Start.
    Start,
    /// Pause.
    Pause,
    /// Finalize.
    Finalize,
    /// Abort.
    Abort,
}

/// The state after the call, `None` where nothing changes; or the failure code.
///
/// A Start of a TRANSFERRED download that asks for another part goes to TRANSFERRING all the same (13.3).
pub const fn client(from: DownloadState, call: ClientCall) -> Result<Option<DownloadState>, Code> {
    use ClientCall::{Abort, Finalize, Pause, Start};
    use DownloadState::{Aborted, Created, Finalized, Paused, Transferred, Transferring};
    match (from, call) {
        (Created | Paused, Start) => Ok(Some(Transferring)),
        (Transferring | Transferred, Start) => Ok(None),
        (Transferring, Pause) => Ok(Some(Paused)),
        (Created | Transferred | Paused, Pause) => Ok(None),
        (Transferred, Finalize) => Ok(Some(Finalized)),
        (Finalized, Finalize) | (Aborted, Abort) => Ok(None),
        (Created | Transferring | Transferred | Paused, Abort) => Ok(Some(Aborted)),
        (Created | Transferring | Paused | Aborted, Finalize) => Err(Code::DO_E_INVALID_STATE),
        (Finalized | Aborted, Start | Pause) | (Finalized, Abort) => Err(Code::DO_E_INVALID_STATE),
    }
}
