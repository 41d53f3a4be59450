//! Telling the other end of a session what has changed here.

use std::sync::Arc;

use tokio::time::sleep;

use super::{SessionState, lock};
use crate::wire::Message;

impl SessionState {
    /// Tells each change: the first at once, the next ones together after a pause.
    pub(super) async fn announce(self: Arc<Self>) {
        let over = self.over.clone();
        tokio::select! {
            () = over.cancelled() => {}
            // The volume's owner has let go of what we say about it.
            () = self.tell_changes() => self.leave(),
        }
    }

    async fn tell_changes(&self) {
        let mut ours = self.volume.ours();
        loop {
            let Some(room) = self.connection.room_for_news().await else { return };
            // Taken when there is room to tell it, so that a slow reader hears of many changes in one message.
            let now = ours.borrow_and_update().clone();
            let change = {
                let mut told = lock(&self.told);
                let change = (*told.last != *now).then(|| now.change_from(&told.last));
                if change.is_some() {
                    told.ever = told.ever.union(&now.have);
                    told.last = now;
                }
                change
            };
            match change {
                Some(change) => {
                    room.send(Message::Update { session: self.id, change }.to_frame().into());
                    sleep(self.connection.hub.timing.announce).await;
                }
                None => drop(room),
            }
            if ours.changed().await.is_err() {
                return;
            }
        }
    }
}
