//! `drayd`: the daemon.
#![allow(dead_code)]
mod config;
mod logging;
mod metrics;
mod records;
mod service_manager;
mod signals;
fn main() {}
