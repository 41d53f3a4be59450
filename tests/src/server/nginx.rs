//! nginx: plain, TLS with HTTP/2, TLS with HTTP/1.1.

use std::process::Command;

use anyhow::Result;

use super::Setup;
use crate::process;
use crate::programs::system_program;

pub(super) fn command(setup: &Setup) -> Result<Command> {
    let config = setup.write("nginx.conf", &config(setup))?;
    let mut command = process::command(&system_program("nginx")?)?;
    command.args(["-e", "stderr", "-p"]).arg(&setup.folder).arg("-c").arg(config);
    Ok(command)
}

/// One process, so that it ends as a whole whatever happens to us.
fn config(setup: &Setup) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("    {what}_temp_path temporary;\n"))
        .collect();
    format!(
        r#"daemon off;
master_process off;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 512; }}
http {{
{temporary}    default_type application/octet-stream;
    sendfile on;
    keepalive_requests 100000;
    log_format hit '$request_method $uri $status $body_bytes_sent "$http_range"';
    access_log access.log hit;
    server {{
        listen 127.0.0.1:{port};
{tls}        root {documents};
{extra}
    }}
}}
"#,
        port = setup.port,
        tls = tls(setup),
        documents = setup.documents().display(),
        extra = setup.extra,
    )
}

fn tls(setup: &Setup) -> String {
    let Some(tls) = &setup.tls else { return String::new() };
    format!(
        "        listen 127.0.0.1:{h2} ssl http2;
        listen 127.0.0.1:{h1} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
",
        h2 = tls.h2_port,
        h1 = tls.h1_port,
        certificate = tls.authority.server_certificate().display(),
        key = tls.authority.server_key().display(),
    )
}
