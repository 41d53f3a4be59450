//! A subnet: a namespace with a bridge, whose ports are the far ends of the hosts' cables.

use std::sync::{Mutex, PoisonError};

use anyhow::{Result, ensure};

use super::shell::{self, ip, ip_lines};

/// The longest name that the kernel takes for an interface.
const MAX_INTERFACE: usize = 15;

/// What the bridge does to passing packets, beside passing them.
#[derive(Debug, Default)]
struct Rules {
    lose_percent: u8,
    parted: Option<(Vec<String>, Vec<String>)>,
}

/// The bridge and its rules.
#[derive(Debug)]
pub(super) struct Switch {
    namespace: String,
    rules: Mutex<Rules>,
    ports: Mutex<Vec<(String, String)>>,
}

impl Switch {
    pub(super) fn build(namespace: String) -> Result<Switch> {
        // Without snooping, multicast goes to every port, as on the switches that people have at home.
        ip_lines(&[
            format!("-n {namespace} link add bridge type bridge mcast_snooping 0 forward_delay 0"),
            format!("-n {namespace} link set bridge up"),
        ])?;
        Ok(Switch { namespace, rules: Mutex::default(), ports: Mutex::default() })
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A cable from a new port of this name to `interface` of `namespace`.
    pub(super) fn port(&self, port: &str, namespace: &str, interface: &str) -> Result<()> {
        ensure!(port.len() <= MAX_INTERFACE, "{port} is too long for an interface");
        let own = &self.namespace;
        ip_lines(&[
            format!("-n {own} link add {port} type veth peer name {interface} netns {namespace}"),
            format!("-n {own} link set {port} master bridge up"),
        ])?;
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.push((namespace.to_owned(), interface.to_owned()));
        Ok(())
    }

    /// Packets are lost one by one: large segments, which count as one packet inside the kernel, are cut before they come here.
    pub(super) fn lose(&self, percent: u8) -> Result<()> {
        ensure!(percent <= 100, "{percent} of a hundred");
        let segments = if percent == 0 { 65535 } else { 1 };
        let ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (namespace, interface) in ports {
            ip(&format!("-n {namespace} link set {interface} gso_max_segs {segments}"))?;
        }
        self.change(|rules| rules.lose_percent = percent)
    }

    pub(super) fn part(&self, these: &[String], those: &[String]) -> Result<()> {
        self.change(|rules| rules.parted = Some((these.to_vec(), those.to_vec())))
    }

    pub(super) fn heal(&self) -> Result<()> {
        self.change(|rules| rules.parted = None)
    }

    fn change(&self, change: impl FnOnce(&mut Rules)) -> Result<()> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut rules);
        shell::nft(&self.namespace, &rules.text())
    }
}

impl Rules {
    /// The whole table, replaced in one transaction.
    fn text(&self) -> String {
        let mut lines = String::new();
        if self.lose_percent > 0 {
            lines.push_str(&format!("  numgen random mod 100 < {} drop\n", self.lose_percent));
        }
        if let Some((these, those)) = &self.parted {
            for (from, to) in [(these, those), (those, these)] {
                let (from, to) = (from.join(", "), to.join(", "));
                lines.push_str(&format!("  iifname {{ {from} }} oifname {{ {to} }} drop\n"));
            }
        }
        format!(
            "table bridge lab\ndelete table bridge lab\ntable bridge lab {{\n chain pass {{\n  \
             type filter hook forward priority 0; policy accept;\n{lines} }}\n}}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_cut_in_both_directions_and_nothing_else_is() {
        let rules =
            Rules { parted: Some((vec!["a".into(), "b".into()], vec!["c".into()])), ..Rules::default() };
        let text = rules.text();
        assert!(text.contains("iifname { a, b } oifname { c } drop"));
        assert!(text.contains("iifname { c } oifname { a, b } drop"));
        assert!(!text.contains("numgen"));
        assert!(!Rules::default().text().contains("drop"));
    }
}
