//! Many small files in one job of the daemon, against one curl with a configuration file.
//!
//! Both sides begin with the list of files already there (in the job, in curl's configuration) and end with every file under its
//! final name. curl uses its one connection again and again, as it does by itself.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use dray_tests::{Daemon, Home};

use super::{Pair, ratio, size, wall};
use crate::measure::{self, Cost};
use crate::site::{self, Site};
use crate::table::Line;

const MOST_WALL: f64 = 1.30;

pub(super) fn files(site: &Site, runs: usize) -> Result<Vec<Line>> {
    let pair = Pair::measure(runs, || curl(site), || job(site))?;
    let what =
        format!("{} files of {} in one job, wall time", site.sizes.small_count, size(site.sizes.small));
    Ok(vec![ratio(&what, pair.medians(wall), MOST_WALL)])
}

fn curl(site: &Site) -> Result<Cost> {
    let folder = tempfile::tempdir()?;
    let list: String = site
        .small_files()
        .iter()
        .map(|(name, url)| format!("url = \"{url}\"\noutput = \"{name}\"\n"))
        .collect();
    fs::write(folder.path().join("list"), list)?;
    measure::settle()?;
    let cost = measure::run(&site::curl(folder.path(), &["-K", "list"])?)?;
    fs::remove_file(folder.path().join("list"))?;
    arrived(folder.path(), site)?;
    Ok(cost)
}

/// A new daemon each time: what the last run left in the cache must not make this one cheaper.
fn job(site: &Site) -> Result<Cost> {
    let home = Home::new()?;
    let daemon = Daemon::configured(&home, &format!("[limits]\nfiles_per_job = {}", site.sizes.small_count))?;
    let created = daemon.dray(&["job", "create", "bench"])?;
    let id = created.stdout.trim().to_owned();
    ensure!(created.code == 0 && !id.is_empty(), "{created}");
    for (name, url) in site.small_files() {
        let place = home.downloads().join(name).display().to_string();
        let added = daemon.dray(&["job", "add", &id, &url, &place])?;
        ensure!(added.code == 0, "{added}");
    }
    measure::settle()?;
    let resumed = measure::run(&daemon.command(&["job", "resume", "--wait", &id])?).context(daemon.log())?;
    let completed = measure::run(&daemon.command(&["job", "complete", &id])?).context(daemon.log())?;
    arrived(&home.downloads(), site)?;
    Ok(Cost { wall: resumed.wall + completed.wall, cpu: resumed.cpu + completed.cpu, ..resumed })
}

fn arrived(folder: &Path, site: &Site) -> Result<()> {
    for (name, _) in site.small_files() {
        let file = folder.join(&name);
        let found = fs::metadata(&file).with_context(|| file.display().to_string())?.len();
        ensure!(found == site.sizes.small, "{} has {found} bytes", file.display());
    }
    Ok(())
}
