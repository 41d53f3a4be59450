//! The lab itself: what the other cases believe of it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dray_tests::{Host, Lab, LabOrigin, Link, MIB, Mbit, random_file, system_program, until};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    ("a_link_counts_every_byte_with_its_headers", a_link_counts_every_byte_with_its_headers),
    (
        "a_router_joins_two_subnets_and_keeps_multicast_apart",
        a_router_joins_two_subnets_and_keeps_multicast_apart,
    ),
    ("hosts_that_are_parted_do_not_reach_each_other_until_it_heals", parted_hosts),
    ("a_lossy_bridge_loses_packets_and_a_pulled_cable_all_of_them", losses),
    ("nothing_stays_of_a_lab_whose_process_was_killed", nothing_stays),
];

/// Set for the process that builds a lab and waits to be killed.
const STAND_IN: &str = "DRAY_LAB_STAND_IN";
const PATIENCE: Duration = Duration::from_secs(20);

fn curl(host: &Host, arguments: &[&str]) -> Result<Command> {
    let mut curl = host.command(&system_program("curl")?)?;
    curl.args(["-q", "-s", "--max-time", "20", "--connect-timeout", "2"]).args(arguments);
    Ok(curl)
}

fn reaches(host: &Host, url: &str) -> Result<bool> {
    Ok(curl(host, &["-o", "/dev/null", url])?.status()?.success())
}

fn a_link_counts_every_byte_with_its_headers() -> Result<()> {
    let lab = Lab::new()?;
    let origin = LabOrigin::start(&lab.host(1, "origin", Link::of(Mbit(200)))?, "")?;
    let host = lab.host(1, "client", Link::LAN)?;
    let file = random_file(4 * MIB)?;
    origin.publish("a.bin", &file.path)?;
    let (sent, received) = (origin.host().sent()?, host.received()?);
    ensure!(reaches(&host, &origin.url("a.bin"))?);
    let one_copy = (file.size + file.size / 25)..=(file.size + file.size / 16);
    let (sent, received) = (origin.host().sent()? - sent, host.received()? - received);
    assert!(one_copy.contains(&sent), "{sent} bytes were sent for {}", file.size);
    assert!(one_copy.contains(&received), "{received} bytes came for {}", file.size);
    assert_eq!(origin.requests("a.bin")?.len(), 1);
    Ok(())
}

fn a_router_joins_two_subnets_and_keeps_multicast_apart() -> Result<()> {
    let lab = Lab::new()?;
    let origin = LabOrigin::start(&lab.host(1, "origin", Link::LAN)?, "")?;
    let [near, far] = [lab.host(1, "near", Link::LAN)?, lab.host(2, "far", Link::LAN)?];
    assert!(reaches(&near, &origin.url(""))?);
    assert!(!reaches(&far, &origin.url(""))?, "there is no router yet");
    lab.join(1, 2)?;
    // It has asked for the router in vain before, and does not ask again at once.
    until("the router to be found", PATIENCE, || Ok(reaches(&far, &origin.url(""))?.then_some(())))?;
    let [beside, sender] = [&near, origin.host()];
    assert!(hears(beside, sender)?, "multicast does not cross the bridge");
    assert!(!hears(&far, sender)?, "multicast crosses the router");
    Ok(())
}

/// Whether a packet of `sender` to the group of mDNS comes to `listener`.
fn hears(listener: &Host, sender: &Host) -> Result<bool> {
    const LISTEN: &str = "import socket,sys\n\
        s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.bind(('',5353));s.settimeout(3)\n\
        s.setsockopt(0,socket.IP_ADD_MEMBERSHIP,socket.inet_aton('224.0.0.251')+socket.inet_aton(sys.argv[1]))\n\
        print('ready',flush=True)\ntry: s.recv(9)\nexcept TimeoutError: sys.exit(1)\n";
    const SEND: &str = "import socket,sys\n\
        s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n\
        s.setsockopt(0,socket.IP_MULTICAST_IF,socket.inet_aton(sys.argv[1]))\ns.sendto(b'x',('224.0.0.251',5353))\n";
    let python = system_program("python3")?;
    let address = listener.address().to_string();
    let mut listening =
        listener.command(&python)?.args(["-c", LISTEN, &address]).stdout(Stdio::piped()).spawn()?;
    let mut ready = String::new();
    BufReader::new(listening.stdout.as_mut().context("stdout")?).read_line(&mut ready)?;
    let address = sender.address().to_string();
    ensure!(sender.command(&python)?.args(["-c", SEND, &address]).status()?.success());
    Ok(listening.wait()?.success())
}

fn parted_hosts() -> Result<()> {
    let lab = Lab::new()?;
    let origin = LabOrigin::start(&lab.host(1, "origin", Link::LAN)?, "")?;
    let [one, other] = [lab.host(1, "one", Link::LAN)?, lab.host(1, "other", Link::LAN)?];
    lab.part(1, &[&one], &[origin.host()])?;
    assert!(!reaches(&one, &origin.url(""))?, "a parted host still reaches the origin");
    assert!(reaches(&other, &origin.url(""))?, "a host that was not parted is cut off");
    lab.heal(1)?;
    until("it to heal", PATIENCE, || Ok(reaches(&one, &origin.url(""))?.then_some(())))
}

fn losses() -> Result<()> {
    let lab = Lab::new()?;
    let origin = LabOrigin::start(&lab.host(1, "origin", Link::of(Mbit(200)))?, "")?;
    let host = lab.host(1, "client", Link::LAN)?;
    let file = random_file(4 * MIB)?;
    origin.publish("a.bin", &file.path)?;
    lab.lose(1, 5)?;
    let (sent, received) = (origin.host().sent()?, host.received()?);
    ensure!(reaches(&host, &origin.url("a.bin"))?, "5 % of loss stops a download");
    let (sent, received) = (origin.host().sent()? - sent, host.received()? - received);
    // Five of a hundred, of some three thousand packets.
    assert!(
        sent > received + received / 50 && sent < received + received / 9,
        "{sent} sent, {received} came"
    );
    lab.lose(1, 0)?;
    host.unplug()?;
    assert!(!reaches(&host, &origin.url(""))?, "a cable that was pulled still carries");
    host.plug()?;
    until("the cable to carry again", PATIENCE, || Ok(reaches(&host, &origin.url(""))?.then_some(())))
}

/// Builds a lab and waits, when this process was started for that.
pub(crate) fn stand_in() -> Option<ExitCode> {
    std::env::var_os(STAND_IN)?;
    let wait = || -> Result<()> {
        let lab = Lab::new()?;
        let host = lab.host(1, "left-behind", Link::LAN)?;
        let _sleeper = host.command(&system_program("sleep")?)?.arg("600").spawn()?;
        writeln!(std::io::stdout(), "{}", lab.folder().display())?;
        std::thread::sleep(Duration::from_secs(600));
        Ok(())
    };
    Some(if wait().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn nothing_stays() -> Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.env(STAND_IN, "1").stdout(Stdio::piped()).spawn()?;
    let mut folder = String::new();
    BufReader::new(child.stdout.as_mut().context("stdout")?).read_line(&mut folder)?;
    let folder = folder.trim().to_owned();
    let number = child.id().to_string();
    let left = || -> Result<Vec<String>> {
        let names =
            fs::read_dir("/run/netns")?.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
        Ok(names.filter(|name| name.starts_with(&format!("dray-lab-{number}."))).collect())
    };
    ensure!(fs::exists(&folder)? && left()?.len() == 2, "the stand-in has no lab: {folder} {:?}", left()?);
    child.kill()?;
    child.wait()?;
    until("the janitor", PATIENCE, || Ok((left()?.is_empty() && !fs::exists(&folder)?).then_some(())))
        .with_context(|| format!("{folder} {:?}", left()))
}
