//! The halves of a stream, as their users hold them.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;

use super::Shared;
use crate::link::LinkError;

pub(super) fn halves(shared: &Arc<Shared>, id: u32) -> (MuxSend, MuxRecv) {
    (MuxSend { shared: Arc::clone(shared), id }, MuxRecv { shared: Arc::clone(shared), id })
}

pub(crate) struct MuxSend {
    shared: Arc<Shared>,
    id: u32,
}

impl MuxSend {
    pub(crate) async fn write(&mut self, mut bytes: Bytes) -> Result<(), LinkError> {
        if bytes.is_empty() {
            return Ok(());
        }
        poll_fn(|context| self.shared.lock().poll_write(self.id, &mut bytes, context.waker())).await?;
        self.shared.to_write.notify_one();
        Ok(())
    }

    pub(crate) fn finish(&mut self) {
        self.shared.lock().finish(self.id);
        self.shared.to_write.notify_one();
    }

    pub(crate) async fn settled(&mut self) -> Result<(), LinkError> {
        poll_fn(|context| self.shared.lock().poll_settled(self.id, context.waker())).await
    }
}

impl Drop for MuxSend {
    fn drop(&mut self) {
        self.shared.lock().release_send(self.id);
        self.shared.to_write.notify_one();
    }
}

pub(crate) struct MuxRecv {
    shared: Arc<Shared>,
    id: u32,
}

impl MuxRecv {
    pub(crate) async fn read(&mut self) -> Result<Option<Bytes>, LinkError> {
        let (bytes, owes_credit) = poll_fn(|context| {
            let mut state = self.shared.lock();
            state.poll_read(self.id, context.waker()).map_ok(|bytes| (bytes, state.has_heads()))
        })
        .await?;
        if owes_credit {
            self.shared.to_write.notify_one();
        }
        Ok(bytes)
    }
}

impl Drop for MuxRecv {
    fn drop(&mut self) {
        self.shared.lock().release_recv(self.id);
        self.shared.to_write.notify_one();
    }
}
