//! A certificate authority that exists for one test, made by the openssl command.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::programs::system_program;

const LOOPBACK: &str = "IP:127.0.0.1,DNS:localhost";

/// A root, and a server certificate that it signed.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// Makes both in `folder`, the server's for 127.0.0.1 and localhost.
    pub fn create(folder: &Path) -> Result<Authority> {
        Authority::create_for(folder, LOOPBACK)
    }

    /// The same for a server that has these names, such as `IP:10.0.0.1,DNS:host`.
    pub(crate) fn create_for(folder: &Path, names: &str) -> Result<Authority> {
        std::fs::create_dir_all(folder)?;
        let extensions =
            format!("subjectAltName={names}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n");
        std::fs::write(folder.join("extensions"), extensions)?;
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        let root = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign";
        openssl(
            folder,
            &format!(
                "req -x509 {key} -keyout root.key -out root.pem -days 30 -subj /CN=dray-test-root {root}"
            ),
        )?;
        openssl(folder, &format!("req -new {key} -keyout server.key -out server.csr -subj /CN=localhost"))?;
        let signed = "x509 -req -in server.csr -CA root.pem -CAkey root.key -CAcreateserial -days 30";
        openssl(folder, &format!("{signed} -extfile extensions -out server.pem"))?;
        Ok(Authority { folder: folder.to_path_buf() })
    }

    /// The root certificate, PEM: what a client has to be told.
    pub fn root(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    pub(crate) fn server_certificate(&self) -> PathBuf {
        self.folder.join("server.pem")
    }

    pub(crate) fn server_key(&self) -> PathBuf {
        self.folder.join("server.key")
    }
}

fn openssl(folder: &Path, line: &str) -> Result<()> {
    let mut command = Command::new(system_program("openssl")?);
    command.current_dir(folder).args(line.split(' ')).env_remove("OPENSSL_CONF");
    let output = command.output()?;
    if !output.status.success() {
        bail!("`openssl {line}`: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
