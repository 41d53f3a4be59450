//! The lab's origin: nginx on a host of its own, over plain HTTP and over TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::host::Host;
use super::subfolder;
use super::usage::Usage;
use crate::process::{Group, Signal};
use crate::programs::system_program;
use crate::tls::Authority;
use crate::wait::until;

const READY: Duration = Duration::from_secs(20);

/// nginx on a host.
pub struct LabOrigin {
    host: Host,
    folder: PathBuf,
    authority: Authority,
    group: Group,
}

impl LabOrigin {
    /// Starts it; it serves an empty folder. `extra` are lines for its server block.
    pub fn start(host: &Host, extra: &str) -> Result<LabOrigin> {
        let folder = subfolder(host.lab(), &format!("origin-{}", host.address()))?;
        fs::create_dir_all(folder.join("documents"))?;
        let authority = Authority::create_for(&folder.join("tls"), &format!("IP:{}", host.address()))?;
        let config = folder.join("nginx.conf");
        fs::write(&config, text(host, &folder, &authority, extra))?;
        let mut command = host.command(&system_program("nginx")?)?;
        command.args(["-e", "stderr", "-p"]).arg(&folder).arg("-c").arg(config);
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| folder.join(name));
        let group = Group::spawn(&mut command, &stdout, &stderr)?;
        let mut origin = LabOrigin { host: host.clone(), folder, authority, group };
        until("the lab's origin", READY, || {
            if let Some(status) = origin.group.ended()? {
                bail!("nginx ended with {status}: {}", origin.complaints());
            }
            Ok(origin.answers()?.then_some(()))
        })?;
        Ok(origin)
    }

    fn answers(&self) -> Result<bool> {
        let mut curl: Command = self.host.command(&system_program("curl")?)?;
        curl.args(["-q", "-s", "-o", "/dev/null", "--max-time", "2"]).arg(self.url(""));
        Ok(curl.output()?.status.success())
    }

    fn complaints(&self) -> String {
        let texts = ["stdout", "stderr", "error.log"].map(|name| fs::read_to_string(self.folder.join(name)));
        texts.into_iter().flatten().collect()
    }

    /// Where it is plugged in: its counters tell what it sent.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Serves this file under this name.
    pub fn publish(&self, name: &str, file: &Path) -> Result<()> {
        let place = self.folder.join("documents").join(name);
        if fs::hard_link(file, &place).is_err() {
            fs::copy(file, &place).with_context(|| file.display().to_string())?;
        }
        Ok(())
    }

    /// Where a name is found, over plain HTTP.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.host.address())
    }

    /// Where a name is found, over TLS with HTTP/1.1.
    pub fn tls_url(&self, name: &str) -> String {
        format!("https://{}/{name}", self.host.address())
    }

    /// The certificate that clients must be told to trust.
    pub fn root_certificate(&self) -> PathBuf {
        self.authority.root()
    }

    /// Requests for this name so far that it finished, each with what was sent and the range that was asked for.
    pub fn requests(&self, name: &str) -> Result<Vec<String>> {
        let log = fs::read_to_string(self.folder.join("access.log"))?;
        let path = format!(" /{name} ");
        Ok(log.lines().filter(|line| line.contains(&path)).map(str::to_owned).collect())
    }

    /// What nginx has cost since its start.
    pub fn usage(&self) -> Result<Usage> {
        Usage::of_group(self.group.id())
    }

    /// Ends it at once, in the middle of whatever it does.
    pub fn kill(&mut self) -> Result<()> {
        self.group.signal(Signal::Kill)?;
        self.group.wait(READY).map(drop)
    }
}

/// One process, so that it ends as a whole whatever happens to us.
fn text(host: &Host, folder: &Path, authority: &Authority, extra: &str) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("    {what}_temp_path temporary;\n"))
        .collect();
    format!(
        r#"daemon off;
master_process off;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 1024; }}
http {{
{temporary}    default_type application/octet-stream;
    sendfile on;
    keepalive_requests 100000;
    log_format hit '$remote_addr $request_method $uri $status $body_bytes_sent "$http_range"';
    access_log access.log hit;
    server {{
        listen {address}:80;
        listen {address}:443 ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        root {documents};
        location = / {{ return 204; }}
{extra}
    }}
}}
"#,
        address = host.address(),
        certificate = authority.server_certificate().display(),
        key = authority.server_key().display(),
        documents = folder.join("documents").display(),
    )
}
