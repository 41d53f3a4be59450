//! `dray group`: the key that the machines of a group share. It is made and written here, and never printed unasked.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use dray_identity::Group;
use dray_platform::open;
use serde_json::json;

use crate::exit::Exit;
use crate::printer::Printer;

/// `dray group`.
#[derive(Debug, Args)]
pub(crate) struct GroupArgs {
    #[command(subcommand)]
    command: GroupCommand,
}

#[derive(Debug, Subcommand)]
enum GroupCommand {
    /// Make the key of a new group and write it to a file that you alone can read.
    ///
    /// Copy the file to every machine of the group, beside drayd.toml and under the name group.key, readable by the daemon alone, and
    /// set `group = "NAME"` under [peers] in drayd.toml. Whoever has the key is in the group.
    New {
        /// Name of the group; the same on all its machines.
        name: String,
        /// Where to write the key; never replaced [default: NAME.key in this folder].
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Runs `dray group`.
pub(crate) fn run(args: GroupArgs, printer: &Printer) -> Exit {
    let GroupCommand::New { name, output } = args.command;
    let key = Group::generate_key_text();
    if let Err(error) = Group::from_key_text(&name, &key) {
        return printer.failure(Exit::Usage, &error.to_string());
    }
    let path = output.unwrap_or_else(|| PathBuf::from(format!("{}.key", name.replace(['/', '\\'], "_"))));
    let written = open::create_new_private(&path).map_err(|error| error.to_string()).and_then(|mut file| {
        let wrote = file.write_all(key.as_bytes()).and_then(|()| file.write_all(b"\n"));
        wrote
            .and_then(|()| file.sync_all())
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    });
    if let Err(why) = written {
        return printer.failure(Exit::Failed, &why);
    }
    if printer.json {
        printer.json(&json!({ "group": name, "key_file": path }));
    } else {
        printer.data(&path.display().to_string());
        printer.note(&format!(
            "Copy it to every machine of the group as group.key beside drayd.toml, with rights 0600 for the daemon's user, and set\n  \
             [peers]\n  group = {name:?}\nthere. Whoever has this key is in the group."
        ));
    }
    Exit::Done
}
