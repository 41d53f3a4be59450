//! The client against servers that do everything a server should not. Real servers are tested in the workspace's `tests/`.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests; clippy knows only the functions marked so.

mod answers;
mod bodies;
mod connections;
mod hostile;
mod proxies;
mod ranges;
mod redirects;
mod secure;
mod tls;
