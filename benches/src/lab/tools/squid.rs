//! squid on a box that everyone is told to use, cold.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use dray_tests::system_program;

use super::super::course::Course;
use super::{Entrant, Team, curl, shown};

const PORT: u16 = 3128;

pub(super) struct CacheBox {
    proxy: String,
}

impl CacheBox {
    pub(super) fn set_up(course: &mut Course) -> Result<CacheBox> {
        let address = course.helper.address();
        let folder = course.lab.folder().join("squid");
        fs::create_dir_all(&folder)?;
        // squid gives its rights up.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
        let own = shown(&folder);
        let config = format!(
            "http_port {address}:{PORT}\nhttp_access allow all\ncollapsed_forwarding on\ncache_mem 512 MB\n\
             maximum_object_size_in_memory 256 MB\nmaximum_object_size 256 MB\naccess_log none\n\
             cache_log {own}/cache.log\npid_filename {own}/pid\ncoredump_dir {own}\nshutdown_lifetime 0 seconds\n\
             visible_hostname box\nnetdb_filename none\nvia off\n"
        );
        let place = folder.join("squid.conf");
        fs::write(&place, config)?;
        let mut squid = course.helper.command(&system_program("squid")?)?;
        squid.args(["-N", "-n", "draylab", "-f"]).arg(&place);
        course.help(squid, PORT)?;
        Ok(CacheBox { proxy: format!("http://{address}:{PORT}") })
    }
}

impl Team for CacheBox {
    fn start(&mut self, course: &Course, machine: usize) -> Result<Entrant> {
        curl::fetch(course, machine, &["-x", &self.proxy])
    }
}
