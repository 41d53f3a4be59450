//! The planner in a simulated world: virtual time, servers with rates, delays and faults, and a driver that
//! does what the commands say and checks each of them against what may be asked.

#![allow(clippy::panic, reason = "a world that breaks its laws ends with a panic")]

mod choices;
mod downloads;
mod events;
mod flow;
mod properties;
mod scene;
mod server;
mod steps;
mod world;
