//! The files and the server that all rows share, and the two ways to fetch from it.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use dray_tests::{GIB, Home, KIB, MIB, Origin, random_bytes, random_file, sparse_file, system_program};

/// How large everything is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) large: u64,
    pub(crate) huge: u64,
    pub(crate) tiny: u64,
    pub(crate) small: u64,
    pub(crate) small_count: u32,
    pub(crate) queued_jobs: u32,
}

impl Sizes {
    /// Those of the table in the README.
    pub(crate) const FULL: Sizes = Sizes {
        large: GIB,
        huge: 10 * GIB,
        tiny: KIB,
        small: 16 * KIB,
        small_count: 1000,
        queued_jobs: 10_000,
    };
    /// Enough to see that everything runs.
    pub(crate) const SMOKE: Sizes = Sizes {
        large: 8 * MIB,
        huge: 16 * MIB,
        tiny: KIB,
        small: 16 * KIB,
        small_count: 20,
        queued_jobs: 100,
    };
}

/// nginx with the files.
pub(crate) struct Site {
    pub(crate) origin: Origin,
    pub(crate) sizes: Sizes,
}

impl Site {
    pub(crate) fn start(sizes: Sizes) -> Result<Site> {
        let origin = Origin::nginx("")?;
        origin.publish("large.bin", &random_file(sizes.large)?.path)?;
        // Zeros that take no room: this one is for memory alone, and a file of ten gibibytes would push all others out of it.
        origin.publish("huge.bin", &sparse_file(sizes.huge)?.path)?;
        origin.publish_bytes("tiny.bin", &random_bytes(1, usize::try_from(sizes.tiny)?))?;
        for number in 0..sizes.small_count {
            let bytes = random_bytes(u64::from(number) + 2, usize::try_from(sizes.small)?);
            origin.publish_bytes(&small_name(number), &bytes)?;
        }
        Ok(Site { origin, sizes })
    }

    /// The small files' names and addresses.
    pub(crate) fn small_files(&self) -> Vec<(String, String)> {
        let names = (0..self.sizes.small_count).map(small_name);
        names.map(|name| (name.clone(), self.origin.url(&name))).collect()
    }
}

fn small_name(number: u32) -> String {
    format!("small-{number}.bin")
}

/// `curl -o`, with nothing of the user's settings.
pub(crate) fn curl(folder: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(system_program("curl")?);
    command.args(["-q", "--silent", "--show-error", "--fail", "--noproxy", "*"]).args(arguments);
    command.env_clear().current_dir(folder);
    Ok(command)
}

/// `dray get --embedded` in a home that has never seen the file.
pub(crate) fn dray(home: &Home, url: &str) -> Result<Command> {
    home.command(["get", "--embedded", "--quiet", url])
}
