//! The local API of the daemon: the generated gRPC types, the way they travel between two processes of one machine, and
//! the error detail that every failure carries.
//!
//! It knows messages, sockets and pipes. It must never know what a job *means*: no state table, no BITS limit, no path of
//! an installation but the well-known one. It depends on no other crate of dray, so a client can be written with it
//! alone; it is the only crate that names tonic's transport.
//!
//! Start at `proto/dray/v1/job_service.proto`, which says what can be asked; then [`transport`], which says by what
//! way; then [`client::connect`] and [`server::serve`], the two ends; and [`error`], which says how a failure looks on the
//! wire.

pub mod bits;
pub mod client;
pub mod error;
pub mod server;
pub mod transport;
pub mod v1;

pub use tonic::transport::Channel;

/// The protos as a compiled `google.protobuf.FileDescriptorSet`, for reflection and for tools.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dray.v1.bin"));
