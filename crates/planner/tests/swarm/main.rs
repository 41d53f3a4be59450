//! Whole swarms in virtual time: up to ten thousand planners, each with its own view, links with rates, an origin whose
//! uplink all share, machines that come late, leave, are slow and lie. Everything follows from a seed.
//!
//! `swarm.rs` is the world and its laws, which are checked as it runs; `uplink.rs` is the origin; `machine.rs` is what one
//! machine knows; `setting.rs` is what a swarm is made of. `fleets.rs` are large ones. `small.rs` and `large.rs` are the cases,
//! `properties.rs` are any, and `events.rs` goes one event at a time.

#![allow(
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a world that breaks its laws ends with a panic"
)]
#![allow(clippy::print_stdout, reason = "one that keeps them says how it went")]

mod events;
mod fleets;
mod large;
mod machine;
mod properties;
mod setting;
mod small;
mod swarm;
mod uplink;
