//! Caddy.

use std::process::Command;

use anyhow::Result;

use super::Setup;
use crate::process;
use crate::programs::system_program;

pub(super) fn command(setup: &Setup) -> Result<Command> {
    let config = setup.write("Caddyfile", &config(setup))?;
    let mut command = process::command(&system_program("caddy")?)?;
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(config);
    // It keeps certificates and its last configuration in the user's home.
    for key in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        command.env(key, &setup.folder);
    }
    Ok(command)
}

fn config(setup: &Setup) -> String {
    format!(
        "{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
    bind 127.0.0.1
    root * {documents}
    file_server
    log {{
        output file {log}
        format json
    }}
{extra}
}}
",
        port = setup.port,
        documents = setup.documents().display(),
        log = setup.access_log().display(),
        extra = setup.extra,
    )
}
