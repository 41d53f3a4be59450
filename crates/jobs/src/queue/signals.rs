//! What concerns all jobs, or all of one owner: network, policy, presence. The queue remembers it for jobs
//! that come later.

use super::{Command, Queue};
use crate::{Code, Event, Job, JobId, Now, Owner, Wait};

impl Queue {
    /// The network was lost or is back.
    pub fn network(&mut self, now: Now, connected: bool) -> Vec<Command> {
        let code = Code::BG_E_NETWORK_DISCONNECTED;
        let (changed, event) = if connected {
            (true, Event::NetworkBack)
        } else {
            (!self.blocks.contains(&code), Event::NetworkLost)
        };
        self.remember(code, !connected);
        if changed { self.tell_all(now, &event, |_| true) } else { Vec::new() }
    }

    /// A policy of the machine blocks jobs or does so no longer. For a policy that depends on the job, such
    /// as cost, send [`Event::Blocked`] to each job it blocks instead. A code that is no block is ignored.
    pub fn policy(&mut self, now: Now, code: Code, blocks: bool) -> Vec<Command> {
        if code.wait() != Wait::Event || !self.remember(code, blocks) {
            return Vec::new();
        }
        let event = if blocks { Event::Blocked(code) } else { Event::Unblocked(code) };
        self.tell_all(now, &event, |_| true)
    }

    /// An owner logged off or on, where the platform wants jobs of absent owners to wait.
    pub fn presence(&mut self, now: Now, owner: &Owner, present: bool) -> Vec<Command> {
        let changed = if present { self.absent.remove(owner) } else { self.absent.insert(owner.clone()) };
        if !changed {
            return Vec::new();
        }
        let event = if present { Event::OwnerCame } else { Event::OwnerLeft };
        self.tell_all(now, &event, |job| job.owner() == owner)
    }

    fn remember(&mut self, code: Code, blocks: bool) -> bool {
        if blocks { self.blocks.insert(code) } else { self.blocks.remove(&code) }
    }

    fn tell_all(&mut self, now: Now, event: &Event, whom: impl Fn(&Job) -> bool) -> Vec<Command> {
        let ids: Vec<JobId> = self.jobs().filter(|job| whom(job)).map(Job::id).collect();
        ids.into_iter()
            .map(|job| Command { job, effects: self.on(now, job, event.clone()) })
            .filter(|command| !command.effects.is_empty())
            .collect()
    }

    /// Tells a job that comes into the queue what it missed. It is idle or QUEUED then; a QUEUED one finds
    /// out what holds it when it is selected, so that its restoration needs no effects.
    pub(super) fn tell_present(&self, job: &mut Job) {
        job.learn_present(self.blocks.iter().copied(), self.absent.contains(job.owner()));
    }
}
