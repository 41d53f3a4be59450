//! lighttpd.

use std::process::Command;

use anyhow::Result;

use super::Setup;
use crate::process;
use crate::programs::system_program;

pub(super) fn command(setup: &Setup) -> Result<Command> {
    let config = setup.write("lighttpd.conf", &config(setup))?;
    let mut command = process::command(&system_program("lighttpd")?)?;
    command.arg("-D").arg("-f").arg(config);
    Ok(command)
}

fn config(setup: &Setup) -> String {
    format!(
        r#"server.modules = ("mod_accesslog")
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{documents}"
server.errorlog = "{folder}/error.log"
server.upload-dirs = ("{folder}")
mimetype.assign = ("" => "application/octet-stream")
accesslog.filename = "{log}"
accesslog.format = "%m %U %s %b \"%{{Range}}i\""
{extra}
"#,
        port = setup.port,
        documents = setup.documents().display(),
        folder = setup.folder.display(),
        log = setup.access_log().display(),
        extra = setup.extra,
    )
}
