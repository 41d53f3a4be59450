//! Free ports on loopback.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::Result;

/// Ports that nothing listened on a moment ago. Another process may take one before its user does, so who starts a server on one
/// proves that it is the one that answers, and tries again if not.
pub(crate) fn free<const COUNT: usize>() -> Result<[u16; COUNT]> {
    let mut listeners = Vec::with_capacity(COUNT);
    let mut ports = [0; COUNT];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener); // held until all are known, so that they differ
    }
    Ok(ports)
}
