//! Work that blocks, done beside the transfer's task and waited for even when that task is dropped in the middle of it: nobody may clear
//! away the temporary file while something still writes to it.

use std::sync::Arc;

use tokio::sync::RwLock;

/// The blocking work of one transfer.
#[derive(Clone, Default)]
pub(crate) struct Blocking(Arc<RwLock<()>>);

impl Blocking {
    /// Does the work where blocking is allowed; `None` when it panicked.
    pub(crate) async fn run<T: Send + 'static>(&self, act: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let busy = Arc::clone(&self.0).read_owned().await;
        let work = move || {
            let _busy = busy;
            act()
        };
        tokio::task::spawn_blocking(work).await.ok()
    }

    /// Waits until no work is under way.
    pub(crate) async fn settled(&self) {
        drop(self.0.write().await);
    }
}
