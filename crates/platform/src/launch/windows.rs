//! Handles are inherited only when they were made so, and the standard library makes none so but the streams.

use std::os::windows::process::CommandExt;
use std::process::Command;

/// CREATE_NEW_PROCESS_GROUP and CREATE_NO_WINDOW.
const FLAGS: u32 = 0x0000_0200 | 0x0800_0000;

pub(super) fn alone(command: &mut Command) {
    command.creation_flags(FLAGS);
}

pub(super) fn kill_group(_leader: u32) {}
