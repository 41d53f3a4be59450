//! Several machines on this one: network namespaces joined by bridges, with real links between them.
//!
//! A [`Lab`] has subnets (a bridge each), hosts on them (a network namespace with one interface, `eth0`), and between two subnets a
//! router. A link has a speed in each direction, kept by the kernel's token bucket; packets can be lost, and hosts cut off. What runs on
//! a host is an ordinary process of this machine that sees the host's network alone; files are shared, so every host's
//! programs get folders of their own. Nothing of it can be seen from the machine's own network, and nothing of it stays:
//! see `janitor.rs`. It needs root and some tools; [`Lab::unavailable`] says what is missing.

mod host;
mod janitor;
mod link;
mod machine;
mod origin;
mod shell;
mod switch;
mod usage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::home::effective_user;
use crate::programs::system_program;
use janitor::Janitor;
use shell::{ip, ip_lines};
use switch::Switch;

pub use host::Host;
pub use link::{Link, Mbit};
pub use machine::Machine;
pub use origin::LabOrigin;
pub use usage::Usage;

/// What the lab is built with, and the Debian packages that have it.
const TOOLS: [(&str, &str); 5] = [
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("sysctl", "procps"),
];

/// Subnets are `10.77.N.0/24`. They meet no other network, so these may be in use elsewhere.
const PREFIX: &str = "10.77";
/// The router's place in each subnet; also the default route where there is no router.
const GATEWAY: u8 = 254;
/// Most hosts of one subnet.
const MAX_HOSTS: u8 = 200;

/// What all parts of one lab share. The janitor is the last to go.
#[derive(Debug)]
struct Site {
    /// All namespaces of this lab begin with it.
    tag: String,
    switches: Mutex<BTreeMap<u8, Arc<Switch>>>,
    hosts: AtomicU8,
    folder: TempDir,
    _janitor: Janitor,
}

/// A network of its own. Gone when it and everything made from it is dropped, or this process ends however it may.
#[derive(Clone, Debug)]
pub struct Lab {
    site: Arc<Site>,
}

impl Lab {
    /// Why no lab can be built here, in one sentence; `None` when it can.
    pub fn unavailable() -> Option<String> {
        static REASON: OnceLock<Option<String>> = OnceLock::new();
        REASON.get_or_init(|| Lab::probe().err().map(|error| format!("{error:#}"))).clone()
    }

    fn probe() -> Result<()> {
        for (tool, package) in TOOLS {
            system_program(tool).with_context(|| format!("the lab needs the Debian package {package}"))?;
        }
        ensure!(effective_user()? == "0", "the lab needs root, for network namespaces");
        let lab = Lab::new()?;
        let host = lab.host(1, "probe", Link::LAN).context("no network namespaces here")?;
        lab.lose(1, 1).context("nftables does not work in a network namespace here")?;
        host.sent().context("tc does not work in a network namespace here")?;
        Ok(())
    }

    /// An empty lab. Clears away what labs of dead processes left behind.
    pub fn new() -> Result<Lab> {
        janitor::sweep();
        let tag = janitor::tag()?;
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let folder =
            tempfile::Builder::new().prefix(&format!("{tag}-")).permissions(permissions).tempdir()?;
        let janitor = Janitor::hire(&tag, folder.path())?;
        let site =
            Site { tag, switches: Mutex::default(), hosts: AtomicU8::new(0), folder, _janitor: janitor };
        Ok(Lab { site: Arc::new(site) })
    }

    /// Where the files of this lab lie.
    pub fn folder(&self) -> &Path {
        self.site.folder.path()
    }

    /// A new host on subnet `10.77.N`. Its address ends in 1 for the lab's first host, 2 for the second, and so on.
    pub fn host(&self, subnet: u8, name: &str, link: Link) -> Result<Host> {
        let number = self.site.hosts.fetch_add(1, Ordering::Relaxed) + 1;
        ensure!(number <= MAX_HOSTS, "a lab has at most {MAX_HOSTS} hosts");
        let switch = self.switch(subnet)?;
        let namespace = self.namespace(&format!("{name}-{number}"))?;
        Host::plug_in(self, name, number, namespace, switch, link, subnet)
    }

    /// Joins two subnets by a router; nothing that is sent to a whole subnet passes it.
    pub fn join(&self, one: u8, other: u8) -> Result<()> {
        let namespace = self.namespace("router")?;
        for (subnet, interface) in [(one, "eth0"), (other, "eth1")] {
            let port = format!("router-{interface}");
            self.switch(subnet)?.port(&port, &namespace, interface)?;
            ip_lines(&[
                format!("-n {namespace} address add {PREFIX}.{subnet}.{GATEWAY}/24 brd + dev {interface}"),
                format!("-n {namespace} link set {interface} up"),
            ])?;
        }
        shell::sysctl(&namespace, "net.ipv4.ip_forward=1")
    }

    /// From now on, of a hundred packets that pass the subnet's bridge, so many are lost. 0 ends it.
    pub fn lose(&self, subnet: u8, percent: u8) -> Result<()> {
        self.switch(subnet)?.lose(percent)
    }

    /// From now on nothing passes between hosts of `these` and hosts of `those`; both still reach all others.
    pub fn part(&self, subnet: u8, these: &[&Host], those: &[&Host]) -> Result<()> {
        let ports = |hosts: &[&Host]| hosts.iter().map(|host| host.port().to_owned()).collect::<Vec<_>>();
        self.switch(subnet)?.part(&ports(these), &ports(those))
    }

    /// Ends [`Lab::part`].
    pub fn heal(&self, subnet: u8) -> Result<()> {
        self.switch(subnet)?.heal()
    }

    fn switch(&self, subnet: u8) -> Result<Arc<Switch>> {
        let mut switches = self.site.switches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(switch) = switches.get(&subnet) {
            return Ok(Arc::clone(switch));
        }
        let switch = Arc::new(Switch::build(self.namespace(&format!("switch-{subnet}"))?)?);
        switches.insert(subnet, Arc::clone(&switch));
        Ok(switch)
    }

    /// A network namespace with a loopback that is up. Its TCP has the machine's own congestion control.
    fn namespace(&self, name: &str) -> Result<String> {
        let namespace = format!("{}-{name}", self.site.tag);
        ip(&format!("netns add {namespace}"))?;
        ip(&format!("-n {namespace} link set lo up"))?;
        Ok(namespace)
    }
}

/// The folder of a lab that programs of one host may use.
fn subfolder(lab: &Lab, name: &str) -> Result<PathBuf> {
    let folder = lab.folder().join(name);
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}
