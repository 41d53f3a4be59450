//! Whether anybody is still there. Silence while something is under way is short, and long otherwise.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::{Connection, End};
use crate::Incident;
use crate::link::CloseCode;
use crate::wire::Message;

/// How often within a deadline it is looked at.
const LOOKS: u32 = 4;

impl Connection {
    pub(super) async fn keep_pulse(self: &Arc<Self>) -> End {
        let timing = self.hub.timing;
        let mut heard = self.link.heard();
        let mut since = Instant::now();
        let mut asked: Option<Instant> = None;
        let mut unused_since = None;
        let mut was_active = false;
        let mut number = 0;
        loop {
            let is_active = self.activity.is_any();
            if is_active && !was_active {
                // What was silent before nothing was under way says nothing.
                (since, asked) = (Instant::now(), None);
            }
            was_active = is_active;
            let (ask_after, dead_after) =
                if is_active { (timing.probe, timing.dead) } else { (timing.keep_alive, timing.idle) };
            tokio::select! {
                () = sleep(ask_after.min(timing.linger) / LOOKS) => {}
                () = self.activity.begun.notified(), if !is_active => continue,
            }
            let now = self.link.heard();
            if now != heard {
                (heard, since, asked) = (now, Instant::now(), None);
            }
            if since.elapsed() >= dead_after {
                return End { code: CloseCode::Silent, incident: Some(Incident::Stalled("anything at all")) };
            }
            if since.elapsed() >= ask_after && asked.is_none_or(|at| at.elapsed() >= ask_after) {
                number += 1;
                self.say(&Message::Ping(number));
                asked = Some(Instant::now());
            }
            unused_since = self.is_unused().then(|| unused_since.unwrap_or_else(Instant::now));
            if unused_since.is_some_and(|at: Instant| at.elapsed() >= timing.linger) {
                return End { code: CloseCode::Done, incident: None };
            }
        }
    }

    /// Whether there is no session on it.
    pub(crate) fn is_unused(&self) -> bool {
        self.lock_sessions().is_empty()
    }
}

impl super::Activity {
    fn is_any(&self) -> bool {
        use std::sync::atomic::Ordering::Relaxed;
        self.asking.load(Relaxed) > 0 || self.answering.load(Relaxed) > 0
    }
}
