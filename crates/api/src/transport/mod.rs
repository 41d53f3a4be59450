//! The way between a client and the daemon of the same machine: a Unix socket, or a named pipe on Windows. One interface
//! for both; nothing outside this module asks which system it runs on.
//!
//! The daemon binds a [`Listener`] and serves its [`incoming`](Listener::incoming) connections. Each of them knows its
//! [`Caller`] from the kernel, never from what the other side says. A client uses [`crate::client::connect`].

mod caller;
mod connection;
mod failure;
mod listener;
mod slots;

#[cfg(unix)]
#[path = "unix.rs"]
mod os;
#[cfg(windows)]
#[path = "windows.rs"]
mod os;

pub use caller::{Caller, User};
pub use connection::Connection;
pub use failure::{BindError, ConnectError};
pub use listener::{BindOptions, Listener, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_USER};
#[cfg(windows)]
pub use os::PipeHooks;
pub use os::{SYSTEM_PATH, path_for};

pub(crate) use os::{ClientStream, connect};
