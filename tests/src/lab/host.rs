//! One host of a lab: a network namespace with one interface.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::Value;

use super::link::{Link, Mbit};
use super::shell::{inside, ip, ip_lines, tc};
use super::switch::Switch;
use super::{GATEWAY, Lab, PREFIX};
use crate::process;

/// A host. Its network is there as long as its lab.
#[derive(Clone, Debug)]
pub struct Host {
    pub(super) lab: Lab,
    name: String,
    address: Ipv4Addr,
    namespace: String,
    switch: Arc<Switch>,
    port: String,
    link: Link,
}

impl Host {
    pub(super) fn plug_in(
        lab: &Lab,
        name: &str,
        number: u8,
        namespace: String,
        switch: Arc<Switch>,
        link: Link,
        subnet: u8,
    ) -> Result<Host> {
        let port = format!("port{number}");
        switch.port(&port, &namespace, "eth0")?;
        let address: Ipv4Addr = format!("{PREFIX}.{subnet}.{number}").parse()?;
        ip_lines(&[
            format!("-n {namespace} address add {address}/24 brd + dev eth0"),
            format!("-n {namespace} link set eth0 up"),
            format!("-n {namespace} route add default via {PREFIX}.{subnet}.{GATEWAY}"),
        ])?;
        let host = Host { lab: lab.clone(), name: name.to_owned(), address, namespace, switch, port, link };
        for (limit, namespace, interface) in host.directions() {
            if let Some(rate) = limit {
                tc(&format!("-n {namespace} qdisc add dev {interface} root {}", rate.token_bucket()))?;
            }
        }
        Ok(host)
    }

    /// What it was called, and which host of the lab it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address on its subnet.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The lab it is part of.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    pub(super) fn port(&self) -> &str {
        &self.port
    }

    /// A command that runs `program` here. It ends at the latest with this process.
    pub fn command(&self, program: &Path) -> Result<Command> {
        self.adopt(&process::command(program)?)
    }

    /// The same command, here.
    pub(crate) fn adopt(&self, command: &Command) -> Result<Command> {
        let mut here = inside(&self.namespace, Path::new(command.get_program()))?;
        here.args(command.get_args());
        Ok(here)
    }

    /// Bytes that went out by its cable, with every packet's Ethernet header. Where there is no limit of speed, large segments
    /// are counted with one header.
    pub fn sent(&self) -> Result<u64> {
        let [up, _] = self.directions();
        match up.0 {
            Some(_) => counted_by_bucket(up.1, up.2),
            None => counted_by_interface(up.1, up.2, "tx"),
        }
    }

    /// Bytes that came in, counted alike.
    pub fn received(&self) -> Result<u64> {
        let [_, down] = self.directions();
        match down.0 {
            Some(_) => counted_by_bucket(down.1, down.2),
            None => counted_by_interface(down.1, down.2, "tx"),
        }
    }

    /// From now on its line is no faster than this, away from it; [`Host::sent`] goes on to count as before.
    pub fn slow_down(&self, rate: Mbit) -> Result<()> {
        tc(&format!("-n {} qdisc replace dev eth0 root {}", self.namespace, rate.token_bucket())).map(drop)
    }

    /// Pulls its cable.
    pub fn unplug(&self) -> Result<()> {
        ip(&format!("-n {} link set {} down", self.switch.namespace(), self.port)).map(drop)
    }

    /// Puts the cable back.
    pub fn plug(&self) -> Result<()> {
        ip(&format!("-n {} link set {} up", self.switch.namespace(), self.port)).map(drop)
    }

    /// Up and down: the limit, and the interface that sends in that direction.
    fn directions(&self) -> [(Option<Mbit>, &str, &str); 2] {
        [
            (self.link.up, self.namespace.as_str(), "eth0"),
            (self.link.down, self.switch.namespace(), self.port.as_str()),
        ]
    }
}

fn counted_by_bucket(namespace: &str, interface: &str) -> Result<u64> {
    let shown = tc(&format!("-n {namespace} -s -j qdisc show dev {interface} root"))?;
    let shown: Value = serde_json::from_str(&shown).with_context(|| shown.clone())?;
    shown.pointer("/0/bytes").and_then(Value::as_u64).with_context(|| format!("no bytes in {shown}"))
}

fn counted_by_interface(namespace: &str, interface: &str, way: &str) -> Result<u64> {
    let shown = ip(&format!("-n {namespace} -s -j link show dev {interface}"))?;
    let shown: Value = serde_json::from_str(&shown).with_context(|| shown.clone())?;
    let bytes = shown.pointer(&format!("/0/stats64/{way}/bytes")).and_then(Value::as_u64);
    bytes.with_context(|| format!("no bytes in {shown}"))
}
