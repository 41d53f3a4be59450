//! The behaviour of `dray-jobs` from outside, one module per part of the reference.

mod codes;
mod complete;
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
