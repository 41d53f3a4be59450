//! Conformance with BITS: one row per documented rule of sections 2 to 9, 12 and 13 of the reference, played against a real `drayd` over its
//! socket with the gRPC client that other programs use.
//!
//! A row carries the number of its section and the rule in a sentence. A rule that is left out has a row too, with the reason. Start
//! reading at [`table`] for what a row is and [`rig`] for what it plays with; `section_N` are the rows,
//! [`sweep`] is every call with every argument out of range. Uploads, credentials and HTTP options (most of 4.1, 4.5 to 4.8, and 10) are not here.

mod download;
mod rig;
mod section_12;
mod section_13;
mod section_2;
mod section_3;
mod section_4;
mod section_5;
mod section_6;
mod section_7;
mod section_8;
mod section_9;
mod sweep;
mod table;

use std::collections::BTreeSet;

use anyhow::Result;
use table::{Check, Row, play};

fn all() -> Vec<Row> {
    [
        section_2::rows(),
        section_3::rows(),
        section_4::rows(),
        section_5::rows(),
        section_6::rows(),
        section_7::rows(),
        section_8::rows(),
        section_9::rows(),
        section_12::rows(),
        section_13::rows(),
        sweep::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn each_rule_has_one_row_and_each_omission_a_reason() {
    let mut seen = BTreeSet::new();
    for row in all() {
        assert!(row.reference.starts_with(|c: char| c.is_ascii_digit()), "{}", row.reference);
        assert!(seen.insert((row.reference, row.rule.clone())), "twice: {} {}", row.reference, row.rule);
        if let Check::LeftOut(reason) = row.check {
            assert!(reason.len() > 10, "{} {}", row.reference, row.rule);
        }
    }
}

#[test]
fn section_2_the_manager_and_its_lists() -> Result<()> {
    play(section_2::rows())
}

#[test]
fn section_3_jobs() -> Result<()> {
    play(section_3::rows())
}

#[test]
fn section_4_extensions_of_jobs() -> Result<()> {
    play(section_4::rows())
}

#[test]
fn section_5_files() -> Result<()> {
    play(section_5::rows())
}

#[test]
fn section_6_errors() -> Result<()> {
    play(section_6::rows())
}

#[test]
fn section_7_the_life_of_a_job() -> Result<()> {
    play(section_7::rows())
}

#[test]
fn section_7_what_outlives_the_daemon() -> Result<()> {
    section_7::outlives_the_daemon()
}

#[test]
fn section_8_ranges_and_remote_names() -> Result<()> {
    play(section_8::rows())
}

#[test]
fn section_9_notifications() -> Result<()> {
    play(section_9::rows())
}

#[test]
fn section_9_what_outlives_the_daemon() -> Result<()> {
    section_9::outlives_the_daemon()
}

#[test]
fn section_13_downloads_of_delivery_optimization() -> Result<()> {
    play(section_13::rows())
}

#[test]
fn section_13_what_outlives_the_daemon() -> Result<()> {
    section_13::outlives_the_daemon()
}

#[test]
fn arguments_out_of_range_in_every_state() -> Result<()> {
    play(sweep::rows())
}
