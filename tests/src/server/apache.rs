//! Apache, event module.

use std::process::Command;

use anyhow::Result;

use super::Setup;
use crate::home::effective_user;
use crate::process;
use crate::programs::system_program;

const MODULES: [&str; 4] = ["mpm_event", "authz_core", "headers", "mime"];

pub(super) fn command(setup: &Setup) -> Result<Command> {
    let config = setup.write("apache.conf", &config(setup)?)?;
    let mut command = process::command(&system_program("apache2")?)?;
    command.arg("-DFOREGROUND").arg("-f").arg(config);
    Ok(command)
}

fn config(setup: &Setup) -> Result<String> {
    let modules: String = MODULES
        .iter()
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .collect();
    // Apache refuses to serve as root, and only root can become someone else.
    let user = if effective_user()? == "0" { "User www-data\nGroup www-data\n" } else { "" };
    Ok(format!(
        r#"ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
{modules}{user}TypesConfig /dev/null
ErrorLog {folder}/error.log
LogFormat "%m %U %>s %B \"%{{Range}}i\"" hit
CustomLog {log} hit
DocumentRoot {documents}
<Directory {documents}>
    Require all granted
</Directory>
{extra}
"#,
        folder = setup.folder.display(),
        port = setup.port,
        log = setup.access_log().display(),
        documents = setup.documents().display(),
        extra = setup.extra,
    ))
}
