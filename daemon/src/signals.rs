//! What the world outside asks of the process.

/// A wish of whoever controls the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Stop: everything stays resumable.
    Stop,
    /// Read the log filter again.
    Reload,
}

#[cfg(unix)]
pub(crate) use unix::Signals;

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::Wish;

    /// The signals that mean something; made early, so that none is lost.
    pub(crate) struct Signals {
        terminate: Signal,
        interrupt: Signal,
        hangup: Signal,
    }

    impl Signals {
        pub(crate) fn listen() -> std::io::Result<Signals> {
            Ok(Signals {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hangup: signal(SignalKind::hangup())?,
            })
        }

        pub(crate) async fn next(&mut self) -> Wish {
            tokio::select! {
                _ = self.terminate.recv() => Wish::Stop,
                _ = self.interrupt.recv() => Wish::Stop,
                _ = self.hangup.recv() => Wish::Reload,
            }
        }
    }
}

#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn listen() -> std::io::Result<Signals> {
        Ok(Signals)
    }

    pub(crate) async fn next(&mut self) -> Wish {
        // Without a console there is no such event, and the service manager stops the daemon another way.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Wish::Stop
    }
}
