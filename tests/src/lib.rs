//! The end-to-end tests' harness: real programs in real processes, over real sockets and files.
//!
//! It starts `dray` and `drayd` as a user would, in homes of their own, against web servers from Debian's packages and against one
//! misbehaving server of ours, and tells what each of them did. It must never link a crate of dray: what is seen here is what a
//! stranger sees, through arguments, exit codes, files and wires. (One test, the conformance table, is a client of the local API and
//! links that alone; the lab's hostile peer speaks the exchange protocol, and links that.) Start reading at [`Home`] (one user's
//! machine), [`Origin`] (a real server), [`FaultServer`] and [`Lab`] (several machines and the network between them); the tests
//! themselves are in `tests/tests`, one theme a file.

mod daemon;
mod dray;
mod fault;
mod files;
mod home;
mod job;
mod lab;
mod notify;
mod ports;
mod process;
mod programs;
mod request;
mod server;
mod tls;
mod wait;

pub use daemon::Daemon;
pub use dray::{Outcome, Running};
pub use fault::{Ask, Content, FaultServer, Reply};
pub use files::{TestFile, blake3_of, random_bytes, random_file, sha256_of, sparse_file, toolchain_library};
pub use home::Home;
pub use job::Job;
pub use lab::{Host, Lab, LabOrigin, Link, Machine, Mbit, Usage};
pub use notify::NotifyProgram;
pub use process::Signal;
pub use programs::{example, program, system_program};
pub use server::{Hit, Kind, Origin};
pub use tls::Authority;
pub use wait::until;

/// One kibibyte.
pub const KIB: u64 = 1024;
/// One mebibyte.
pub const MIB: u64 = 1024 * KIB;
/// One gibibyte.
pub const GIB: u64 = 1024 * MIB;
