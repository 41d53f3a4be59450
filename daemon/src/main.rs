//! `drayd`: the daemon.
#![allow(dead_code)]
mod config;
mod logging;
mod metrics;
fn main() {}
