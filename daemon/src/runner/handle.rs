//! The way to the runner for everyone else.

use dray_jobs::{Call, Caller, Code, EventId, Failure, JobId, NewJob};
use tokio::sync::{mpsc, oneshot};

use super::actor::Actor;
use super::message::{Answer, Ask, Reply};

/// Asks on their way to the runner; further callers wait.
pub(super) const MAX_WAITING_ASKS: usize = 1024;

/// A handle on the runner. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Runner {
    asks: mpsc::Sender<Ask>,
}

impl Runner {
    pub(super) fn new() -> (Runner, mpsc::Receiver<Ask>) {
        let (asks, inbox) = mpsc::channel(MAX_WAITING_ASKS);
        (Runner { asks }, inbox)
    }

    /// A new job. It is on disk when this returns.
    pub(crate) async fn create(&self, caller: Caller, new: NewJob) -> Result<Answer, Failure> {
        self.ask(|reply| Ask::Create { caller, new, reply }).await
    }

    /// A call on a job. What it changes is on disk, and done, when this returns.
    pub(crate) async fn call(&self, caller: Caller, job: JobId, call: Call) -> Result<Answer, Failure> {
        self.ask(|reply| Ask::Call { caller, job, call, reply }).await
    }

    /// What a subscriber answers to an event: S_OK, or S_FALSE when no such event waits.
    pub(crate) async fn acknowledge(
        &self,
        caller: Caller,
        event: EventId,
        rejected: bool,
    ) -> Result<Code, Failure> {
        match self.ask(|reply| Ask::Acknowledge { caller, event, rejected, reply }).await {
            Ok(answer) => Ok(answer.code),
            Err(failure) if failure.code.is_success() => Ok(failure.code),
            Err(failure) => Err(failure),
        }
    }

    /// Looks at the jobs as they are now.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut Actor) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (sender, answer) = oneshot::channel();
        let look = Box::new(move |actor: &mut Actor| drop(sender.send(look(actor))));
        self.asks.send(Ask::Look(look)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    async fn ask(&self, ask: impl FnOnce(Reply) -> Ask) -> Result<Answer, Failure> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(ask(reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }
}

/// What a caller hears whose call came too late.
fn stopping() -> Failure {
    Failure::new(Code::E_ABORT, "The daemon is stopping; ask again when it is back.")
}
