//! The local API as people use it who do not write Rust: grpcio, and nothing generated, against a real daemon.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dray_tests::{Content, Daemon, FaultServer, Home, KIB, Outcome, random_bytes};

const PATIENCE: Duration = Duration::from_secs(120);
/// The user that owns nothing.
const NOBODY: &str = "65534";

fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests are in a folder")
}

/// A Python program, with the modules of the examples beside it.
fn python(script: &str, arguments: &[&str]) -> Result<Command> {
    let python = root()?.join("target/python/bin/python3");
    ensure!(python.is_file(), "{} is not there; `cargo xtask setup` makes it", python.display());
    let mut command = Command::new(python);
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONPATH", root()?.join("examples/python"));
    command.arg(root()?.join(script)).args(arguments);
    Ok(command)
}

fn run(home: &Home, script: &str, arguments: &[&str]) -> Result<Outcome> {
    home.begin(python(script, arguments)?)?.wait(PATIENCE)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is text")
}

fn server() -> Result<(FaultServer, String, Vec<u8>)> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(340, usize::try_from(300 * KIB)?), "a");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    Ok((server, url, bytes))
}

#[test]
fn python_lives_through_jobs_events_and_downloads() -> Result<()> {
    let (_server, url, _) = server()?;
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let socket = daemon.socket();
    let outcome = run(&home, "tests/python/life.py", &[text(&socket)?, &url, text(&home.downloads())?])?;
    outcome.expect(0);
    assert_eq!(outcome.stdout, "reflected\njob\nevents\nvalues\ndownloads\n", "{outcome}");
    Ok(())
}

#[test]
fn the_example_of_delivery_optimization_fetches_a_file_and_parts_of_it() -> Result<()> {
    let (_server, url, bytes) = server()?;
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let socket = daemon.socket();
    let place = |name: &str| -> PathBuf { home.downloads().join(name) };
    let fetch = |path: &Path, more: &[&str]| -> Result<Outcome> {
        let arguments = [&[url.as_str(), text(path)?, "--socket", text(&socket)?], more].concat();
        run(&home, "examples/python/delivery.py", &arguments)
    };
    fetch(&place("whole"), &[])?.expect(0);
    assert!(std::fs::read(place("whole"))? == bytes);
    fetch(&place("parts"), &["--range", "1000+10", "--range", "0+5"])?.expect(0);
    assert_eq!(std::fs::read(place("parts"))?, [&bytes[1000..1010], &bytes[..5]].concat());
    let again = fetch(&place("whole"), &[])?;
    again.expect(1);
    assert!(again.stderr.contains("ERROR_FILE_EXISTS"), "{again}");
    Ok(())
}

#[test]
fn every_call_with_every_argument_out_of_range_has_a_typed_answer() -> Result<()> {
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let socket = daemon.socket();
    let outcome = run(&home, "tests/python/sweep.py", &[text(&socket)?, "owner"])?;
    outcome.expect(0);
    daemon.dray(&["job", "list"])?.expect(0);
    let is_root = Command::new("id").arg("-u").output()?.stdout == b"0\n";
    if !is_root {
        return Ok(()); // there is no one else to be
    }
    // Ids that exist, so that a stranger could learn something from them.
    let things: Vec<&str> = outcome.stdout.lines().next().context("no ids")?.split(' ').collect();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"]);
    let script = python("tests/python/sweep.py", &[&[text(&socket)?, "stranger"], &things[..]].concat())?;
    command.arg(script.get_program()).args(script.get_args());
    command.envs(script.get_envs().filter_map(|(key, value)| Some((key, value?))));
    home.begin(command)?.wait(PATIENCE)?.expect(0);
    daemon.dray(&["job", "list"])?.expect(0);
    Ok(())
}
