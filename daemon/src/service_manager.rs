//! What the service manager is told: that the daemon is ready, and that it stops.
//!
//! systemd hands a datagram socket over in `NOTIFY_SOCKET`; without it, and on other systems, nobody is told.

/// The API answers from now on.
pub(crate) fn ready() {
    tell("READY=1\nSTATUS=Serving the local API\n");
}

/// The daemon is on its way out.
pub(crate) fn stopping() {
    tell("STOPPING=1\nSTATUS=Letting go of transfers\n");
}

#[cfg(target_os = "linux")]
fn tell(state: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = linux::send(&name, state) {
        tracing::warn!(%error, "the service manager could not be told the daemon's state");
    }
}

#[cfg(not(target_os = "linux"))]
fn tell(_state: &str) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    pub(super) fn send(name: &OsStr, state: &str) -> std::io::Result<()> {
        // A leading @ stands for the zero byte of an abstract name.
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_manager_gets_the_state_as_one_datagram() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("notify");
            let manager = UnixDatagram::bind(&path).unwrap();
            send(path.as_os_str(), "READY=1\n").unwrap();
            let mut buffer = [0; 64];
            let length = manager.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"READY=1\n");
        }

        #[test]
        fn an_abstract_name_is_reached_too() {
            let name = format!("dray-test-{}", std::process::id());
            let address = SocketAddr::from_abstract_name(&name).unwrap();
            let manager = UnixDatagram::bind_addr(&address).unwrap();
            send(OsStr::new(&format!("@{name}")), "STOPPING=1\n").unwrap();
            let mut buffer = [0; 64];
            assert_eq!(manager.recv(&mut buffer).unwrap(), 11);
        }
    }
}
