//! Who clears a lab away: a process that waits for the end of this one, whatever ends it.
//!
//! It is a shell that reads from a pipe of which only this process has the other end. When the lab is dropped, or this process panics, is
//! interrupted or killed, the pipe ends, and the shell ends every process in the lab's namespaces, removes them and the lab's
//! folder. It has a process group of its own, so that a Ctrl-C does not reach it. Should it be killed too, the next lab sweeps: a
//! lab's name holds its process's number and start, so a dead one can be told from one that runs.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use super::shell::NAMESPACES;

/// What the names of all labs begin with.
const MARK: &str = "dray-lab-";

/// `$1`: what the namespaces begin with, `$2`: the folder, `$3`: where `ip netns` keeps namespaces.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
read -r _
for path in "$3/$1"-*; do
    [ -e "$path" ] || continue
    name=${path##*/}
    for process in $(ip netns pids "$name"); do kill -9 "$process"; done
    ip netns delete "$name"
done
rm -rf -- "$2"
"#;

/// Numbers the labs of this process.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The waiting shell.
#[derive(Debug)]
pub(super) struct Janitor {
    shell: Child,
}

impl Janitor {
    pub(super) fn hire(tag: &str, folder: &Path) -> Result<Janitor> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "janitor", tag]).arg(folder).arg(NAMESPACES).current_dir("/");
        // Its stderr must not keep a pipe open that someone reads to its end.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Ok(Janitor { shell: command.spawn().context("the lab's janitor")? })
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// A name that no other lab has, and that tells whose it is: `dray-lab-PROCESS.START.NUMBER`.
pub(super) fn tag() -> Result<String> {
    let process = std::process::id();
    let start = start_of(process).context("this process is not in /proc")?;
    Ok(format!("{MARK}{process}.{start}.{}", COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// Removes the labs of processes that are gone. What cannot be removed is left to the next sweep.
pub(super) fn sweep() {
    for folder in [Path::new(NAMESPACES), &std::env::temp_dir()] {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(tag) = dead(&name) {
                // A janitor whose pipe ends at once does what the lab's own could not. Of a namespace's name there is no folder.
                let _ = Janitor::hire(tag, &std::env::temp_dir().join(&name)).map(drop);
            }
        }
    }
}

/// The tag in the name of a namespace or folder, if its process is gone.
fn dead(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(MARK)?;
    let mut parts = rest.splitn(3, '.');
    let process: u32 = parts.next()?.parse().ok()?;
    let start: u64 = parts.next()?.parse().ok()?;
    // `NUMBER-host` for a namespace, `NUMBER-` and random letters for a folder.
    let number = parts.next()?.chars().take_while(char::is_ascii_digit).count();
    if start_of(process) == Some(start) {
        return None;
    }
    let length = MARK.len() + rest.match_indices('.').nth(1)?.0 + 1 + number;
    name.get(..length)
}

/// When a process started, in ticks since boot: its number alone may be another's by now.
fn start_of(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may hold anything, and ends with the last bracket. The start is the 22nd field, the state behind the name the third.
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_of_a_process_that_lives_is_left_alone_and_one_of_a_dead_process_is_known_by_its_tag() {
        let own = tag().unwrap();
        assert_eq!(dead(&format!("{own}-host-1")), None);
        assert_eq!(dead("dray-lab-1.1.12-host-3"), Some("dray-lab-1.1.12"));
        assert_eq!(dead("dray-lab-1.1.12-aBcD"), Some("dray-lab-1.1.12"));
        assert_eq!(dead("someone-elses"), None);
        assert_eq!(dead("dray-lab-x.1.1-host"), None);
    }
}
