//! Real web servers: each started on free loopback ports with a configuration made for one test, and ended with it.

mod apache;
mod busybox;
mod caddy;
mod lighttpd;
mod log;
mod nginx;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::home::shared_folder;
use crate::ports;
use crate::process::{Group, Signal};
use crate::request;
use crate::tls::Authority;
use crate::wait::until;

pub use log::Hit;

/// The file by which a server proves that it is the one we started.
const PROBE: &str = "dray-probe";

/// How often a server is started anew because another process took its port first.
const ATTEMPTS: u32 = 5;

/// How long a server may take to answer its first request.
const READY: Duration = Duration::from_secs(20);

/// How long a server may keep a request out of its access log (lighttpd writes every four seconds).
const LOGGED: Duration = Duration::from_secs(15);

/// The log of a server with several threads is complete when it has not grown for so long.
const QUIET: Duration = Duration::from_millis(150);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// nginx; also serves over TLS, with and without HTTP/2.
    Nginx,
    /// Apache with the event module.
    Apache,
    /// lighttpd.
    Lighttpd,
    /// Caddy.
    Caddy,
    /// The httpd of busybox: HTTP/1.0 and little more.
    Busybox,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::Nginx, Kind::Apache, Kind::Lighttpd, Kind::Caddy, Kind::Busybox];

    fn command(self, setup: &Setup) -> Result<Command> {
        match self {
            Kind::Nginx => nginx::command(setup),
            Kind::Apache => apache::command(setup),
            Kind::Lighttpd => lighttpd::command(setup),
            Kind::Caddy => caddy::command(setup),
            Kind::Busybox => busybox::command(setup),
        }
    }
}

/// What a server's configuration is made of.
struct Setup {
    folder: PathBuf,
    port: u16,
    tls: Option<TlsSetup>,
    /// Lines for the server block, in the server's own language.
    extra: String,
}

struct TlsSetup {
    h2_port: u16,
    h1_port: u16,
    authority: Authority,
}

impl Setup {
    fn documents(&self) -> PathBuf {
        self.folder.join("documents")
    }

    fn access_log(&self) -> PathBuf {
        self.folder.join("access.log")
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(path)
    }
}

/// A running server.
pub struct Origin {
    kind: Kind,
    setup: Setup,
    group: Group,
    folder: TempDir,
}

impl Origin {
    /// Starts a server that serves an empty folder over plain HTTP.
    pub fn start(kind: Kind) -> Result<Origin> {
        Origin::configured(kind, false, "")
    }

    /// Starts nginx over plain HTTP and TLS, with more lines for its server block.
    pub fn nginx(extra: &str) -> Result<Origin> {
        Origin::configured(Kind::Nginx, true, extra)
    }

    fn configured(kind: Kind, with_tls: bool, extra: &str) -> Result<Origin> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match Origin::attempt(kind, with_tls, extra) {
                Ok(origin) => return Ok(origin),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no attempt was made")?.context(format!("{kind:?} did not start")))
    }

    fn attempt(kind: Kind, with_tls: bool, extra: &str) -> Result<Origin> {
        let folder = shared_folder("dray-origin-")?;
        let [port, h2_port, h1_port] = ports::free()?;
        let authority = with_tls.then(|| Authority::create(&folder.path().join("tls"))).transpose()?;
        let tls = authority.map(|authority| TlsSetup { h2_port, h1_port, authority });
        let setup = Setup { folder: folder.path().to_path_buf(), port, tls, extra: extra.to_owned() };
        fs::create_dir(setup.documents())?;
        // The temporary folder's name is random, so no other server can answer with it.
        let token = folder.path().display().to_string();
        fs::write(setup.documents().join(PROBE), &token)?;
        let mut command = kind.command(&setup)?;
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| setup.folder.join(name));
        let group = Group::spawn(&mut command, &stdout, &stderr)?;
        let mut origin = Origin { kind, setup, group, folder };
        until("the server's first answer", READY, || {
            if let Some(status) = origin.group.ended()? {
                bail!("ended with {status}: {}", origin.complaints());
            }
            Ok(request::body(port, PROBE).is_ok_and(|body| body == token).then_some(()))
        })
        .with_context(|| origin.complaints())?;
        Ok(origin)
    }

    fn complaints(&self) -> String {
        let texts =
            ["stdout", "stderr", "error.log"].map(|name| fs::read_to_string(self.setup.folder.join(name)));
        texts.into_iter().flatten().collect()
    }

    /// Which server this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The folder that is served.
    pub fn documents(&self) -> PathBuf {
        self.setup.documents()
    }

    /// Serves this file under this name: by hard link where possible, so that a gigabyte costs nothing.
    pub fn publish(&self, name: &str, file: &Path) -> Result<String> {
        let place = self.documents().join(name);
        fs::create_dir_all(place.parent().context("documents are in a folder")?)?;
        let readable = fs::metadata(file)?;
        anyhow::ensure!(readable.is_file(), "{} is not a file", file.display());
        if fs::hard_link(file, &place).is_err() {
            fs::copy(file, &place).with_context(|| file.display().to_string())?;
        }
        Ok(self.url(name))
    }

    /// Serves these bytes under this name.
    pub fn publish_bytes(&self, name: &str, bytes: &[u8]) -> Result<String> {
        let place = self.documents().join(name);
        fs::create_dir_all(place.parent().context("documents are in a folder")?)?;
        fs::write(&place, bytes).with_context(|| place.display().to_string())?;
        Ok(self.url(name))
    }

    /// Where a name is found, over plain HTTP.
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.setup.port)
    }

    /// Where a name is found, over TLS with HTTP/2 on offer. Only for [`Origin::nginx`].
    pub fn h2_url(&self, name: &str) -> Result<String> {
        Ok(format!("https://localhost:{}/{name}", self.tls()?.h2_port))
    }

    /// Where a name is found, over TLS with HTTP/1.1 alone. Only for [`Origin::nginx`].
    pub fn h1_url(&self, name: &str) -> Result<String> {
        Ok(format!("https://localhost:{}/{name}", self.tls()?.h1_port))
    }

    /// The root certificate that clients must trust. Only for [`Origin::nginx`].
    pub fn root_certificate(&self) -> Result<PathBuf> {
        Ok(self.tls()?.authority.root())
    }

    fn tls(&self) -> Result<&TlsSetup> {
        self.setup.tls.as_ref().context("this server has no TLS")
    }

    /// Every finished request for this name so far, as the server's own access log has it.
    pub fn hits(&self, name: &str) -> Result<Vec<Hit>> {
        let path = format!("/{name}");
        Ok(self.all_hits()?.into_iter().filter(|hit| hit.path == path).collect())
    }

    /// Bytes of bodies sent for this name so far.
    pub fn body_bytes(&self, name: &str) -> Result<u64> {
        Ok(self.hits(name)?.iter().map(|hit| hit.body_bytes).sum())
    }

    /// The access log, complete up to now: a marker request is sent, and waited for.
    fn all_hits(&self) -> Result<Vec<Hit>> {
        let log = self.setup.access_log();
        let marker = format!("{PROBE}-{}", fastrand::u64(..));
        let _ = request::body(self.setup.port, &marker); // not found, and logged
        until("the access log", LOGGED, || {
            Ok(fs::read_to_string(&log).is_ok_and(|text| text.contains(&marker)).then_some(()))
        })?;
        let mut size = fs::metadata(&log)?.len();
        loop {
            std::thread::sleep(QUIET);
            let now = fs::metadata(&log)?.len();
            if now == size {
                break;
            }
            size = now;
        }
        log::parse(self.kind, &fs::read_to_string(&log)?)
    }

    /// Kills the server in the middle of whatever it does, and starts it again on the same ports with the same files.
    pub fn restart(&mut self) -> Result<()> {
        self.group.signal(Signal::Kill)?;
        self.group.wait(READY)?;
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| self.setup.folder.join(name));
        self.group = Group::spawn(&mut self.kind.command(&self.setup)?, &stdout, &stderr)?;
        let port = self.setup.port;
        until("the server to be back", READY, || Ok(request::body(port, PROBE).is_ok().then_some(())))
            .with_context(|| self.complaints())
    }

    /// Sends the server a signal: it can be frozen and woken.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.group.signal(signal)
    }

    /// The server's folder: configuration, logs, documents.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
