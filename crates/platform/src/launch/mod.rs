//! Programs that are started for someone else and have nothing to do with this process.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

use std::process::Command;

/// Starts the command in a process group of its own, with its standard streams and no other descriptor or handle,
/// whatever this process was given by the one that started it.
pub fn alone(command: &mut Command) {
    system::alone(command);
}

/// Kills everything in the process group that the process with this number leads: a child started by [`alone`] that has
/// not been waited for. On Windows only the process itself can be killed, by its handle; this does nothing.
pub fn kill_group(leader: u32) {
    system::kill_group(leader);
}

/// A copy of a file that programs started by this process inherit unless they are started by [`alone`].
#[cfg(unix)]
pub fn inheritable(file: &std::fs::File) -> std::io::Result<std::fs::File> {
    system::inheritable(file)
}
