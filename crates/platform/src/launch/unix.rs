//! Process groups, and descriptors that close on exec.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::FdFlags;
use rustix::process::{Pid, Signal};

/// The first descriptor after the standard streams.
const FIRST: RawFd = 3;
/// Descriptors that are looked at one by one where the kernel cannot mark them all at once.
const MOST: RawFd = 65_536;

pub(super) fn alone(command: &mut Command) {
    command.process_group(0);
    // SAFETY: between fork and exec only system calls are made; nothing is allocated and no lock is taken.
    unsafe {
        command.pre_exec(|| {
            close_on_exec();
            Ok(())
        });
    }
}

fn close_on_exec() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the call takes three numbers and touches no memory.
        let marked = unsafe {
            libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
        };
        if marked == 0 {
            return;
        }
    }
    for number in FIRST..MOST {
        // SAFETY: used for one call, which fails harmlessly when nothing is open under this number.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let _ = rustix::io::fcntl_setfd(descriptor, FdFlags::CLOEXEC);
    }
}

pub(super) fn kill_group(leader: u32) {
    if let Some(leader) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        // Gone already is as good.
        let _ = rustix::process::kill_process_group(leader, Signal::KILL);
    }
}

pub(super) fn inheritable(file: &File) -> io::Result<File> {
    let copy = file.try_clone()?;
    rustix::io::fcntl_setfd(&copy, FdFlags::empty())?;
    Ok(copy)
}
