//! The behaviour of `dray-jobs` from outside, one module per part of the reference.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in helpers of tests, where clippy does not see the tests"
)]

mod codes;
mod complete;
mod delivery;
mod do_codes;
mod downloads;
mod files;
mod limits;
mod model;
mod names;
mod notices;
mod properties;
mod queue;
mod queue_properties;
mod random_access;
mod records;
mod rig;
mod scheduling;
mod settings;
mod tables;
mod timers;
mod validation;
