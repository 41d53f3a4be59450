//! Which Debian packages the build, the tests and the benches need, and which of them are missing.

use std::path::Path;

use crate::command;

/// How to see that a package is there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Proof {
    /// A program of this name can be found.
    Program(&'static str),
    /// This file exists.
    File(&'static str),
}

/// One Debian package and the reason it is needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) proof: Proof,
    pub(crate) reason: &'static str,
    /// The system service that Debian would start with it.
    pub(crate) service: Option<&'static str>,
}

const fn tool(name: &'static str, program: &'static str, reason: &'static str) -> Package {
    Package { name, proof: Proof::Program(program), reason, service: None }
}

const fn server(
    name: &'static str,
    program: &'static str,
    reason: &'static str,
    service: &'static str,
) -> Package {
    Package { name, proof: Proof::Program(program), reason, service: Some(service) }
}

/// Everything. A package that is not in this list is not needed.
pub(crate) const NEEDED: &[Package] = &[
    tool("gcc", "gcc", "aws-lc-rs is built from C"),
    Package {
        name: "libc6-dev",
        proof: Proof::File("/usr/include/stdio.h"),
        reason: "aws-lc-rs is built from C",
        service: None,
    },
    server("nginx-light", "nginx", "origin in the tests and benches, also over TLS", "nginx"),
    server("apache2", "apache2", "origin in the tests", "apache2"),
    server("lighttpd", "lighttpd", "origin in the tests", "lighttpd"),
    server("caddy", "caddy", "origin in the tests", "caddy"),
    tool("busybox", "busybox", "its httpd is an origin that knows very little HTTP"),
    tool("curl", "curl", "what the benches compare with"),
    tool("b3sum", "b3sum", "an independent BLAKE3"),
    tool("openssl", "openssl", "makes the certificate authority of the TLS tests"),
    tool("strace", "strace", "faults and order of system calls in the tests"),
    tool("time", "time", "CPU seconds and peak memory in the benches"),
    tool("python3-venv", "python3", "the examples in Python, run by the tests"),
    tool("iproute2", "ip", "the lab's network namespaces, bridges and rates"),
    tool("nftables", "nft", "lost packets and partitions in the lab"),
    tool("procps", "sysctl", "the lab's router"),
    tool("util-linux", "setpriv", "tests as another user, and on a full disk"),
];

/// What the lab compares dray with. Only `cargo xtask lab` asks for them, and does without those that are not there.
pub(crate) const COMPARED: &[Package] = &[
    tool("aria2", "aria2c", "BitTorrent in the lab"),
    Package {
        name: "python3-libtorrent",
        proof: Proof::File("/usr/lib/python3/dist-packages/libtorrent.egg-info"),
        reason: "BitTorrent in the lab",
        service: None,
    },
    server("squid", "squid", "a cache box in the lab", "squid"),
];

/// What of `needed` is not on this machine.
pub(crate) fn missing(needed: &[Package]) -> Vec<Package> {
    needed.iter().copied().filter(|package| !present(package.proof)).collect()
}

fn present(proof: Proof) -> bool {
    match proof {
        Proof::Program(program) => command::find(program).is_some(),
        Proof::File(path) => Path::new(path).exists(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_no_one_has_makes_its_package_missing() {
        let nowhere = tool("nowhere", "no-such-program-of-dray", "test");
        let shell = tool("dash", "sh", "test");
        let names: Vec<_> = missing(&[nowhere, shell]).iter().map(|package| package.name).collect();
        assert_eq!(names, ["nowhere"]);
    }
}
