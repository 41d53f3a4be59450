//! Digests that are part of a file's address: stores that name their files by content, and fragments that say what to expect.
//!
//! Whoever asks for such an address has named the bytes, so the digest holds over any transport. Each rule is as narrow as its
//! source: an address that only looks like one must not make a right file fail. Adding a rule is a function and a row of [`RULES`].

use super::Named;
use crate::digest::parse_hex;
use crate::{Algorithm, Digest};

/// The parts of a URL that rules look at, as they stand there (percent-encoded).
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// The host name, in lower case, without a port.
    pub host: &'a str,
    /// From the first slash to the query.
    pub path: &'a str,
    /// What stands after `#`.
    pub fragment: Option<&'a str>,
}

/// A rule: its name for people, and how a digest is read by it.
type Rule = (&'static str, fn(&Address<'_>) -> Option<Digest>);

/// All rules; the first that applies wins. What the caller added by hand stands first.
const RULES: [Rule; 10] = [
    ("the fragment of the address", fragment),
    ("the address of a registry blob or manifest", registry),
    ("the address of a registry's stored blob", registry_storage),
    ("the by-hash address of a package index", by_hash),
    ("the name of repository metadata", repository_metadata),
    ("the address of a large file in a model store", model_store),
    ("the address of a git-LFS object", git_lfs),
    ("the name of a Nix archive", nix_archive),
    ("the address of a content-addressed source file", guix_file),
    ("the key of an annexed file", annexed),
];

/// What the address says of the file's digest.
#[must_use]
pub fn read(address: &Address<'_>) -> Option<Named> {
    RULES.iter().find_map(|(rule, find)| find(address).map(|digest| Named { digest, rule }))
}

/// `#sha256=HEX`, also among others as in `#egg=name&sha256=HEX`: the form of Python's package indexes (PEP 503).
fn fragment(address: &Address<'_>) -> Option<Digest> {
    let members = address.fragment?.split('&').filter_map(|member| member.split_once('='));
    members.filter_map(|(name, value)| hex(algorithm(name)?, value)).next()
}

/// `/v2/NAME/blobs/sha256:HEX` and `/v2/NAME/manifests/sha256:HEX` (OCI distribution specification, "Pulling").
fn registry(address: &Address<'_>) -> Option<Digest> {
    let (folder, name) = address.path.strip_prefix("/v2/")?.rsplit_once('/')?;
    let (_, kind) = folder.rsplit_once('/')?;
    let (function, value) = name.split_once(':').or_else(|| name.split_once("%3A"))?;
    matches!(kind, "blobs" | "manifests").then(|| hex(algorithm(function)?, value))?
}

/// `…/docker/registry/v2/blobs/sha256/ab/HEX/data`: where a registry's redirects lead.
fn registry_storage(address: &Address<'_>) -> Option<Digest> {
    let (_, rest) = address.path.split_once("/docker/registry/v2/blobs/")?;
    match rest.split('/').collect::<Vec<_>>()[..] {
        [function, start, value, "data"] if value.starts_with(start) => hex(algorithm(function)?, value),
        _ => None,
    }
}

/// `…/by-hash/SHA256/HEX` (Debian's repository format, "by-hash").
fn by_hash(address: &Address<'_>) -> Option<Digest> {
    let (_, rest) = address.path.rsplit_once("/by-hash/")?;
    let (function, value) = rest.split_once('/')?;
    hex(algorithm(function)?, value)
}

/// `…/repodata/HEX-primary.xml.gz`: createrepo names each metadata file by its own digest.
fn repository_metadata(address: &Address<'_>) -> Option<Digest> {
    let (folder, name) = address.path.rsplit_once('/')?;
    let (value, _) = name.split_once('-').filter(|_| folder.ends_with("/repodata"))?;
    match value.len() {
        64 => hex(Algorithm::Sha256, value),
        128 => hex(Algorithm::Sha512, value),
        _ => None,
    }
}

/// `https://cdn-lfs.huggingface.co/…/HEX` and its regional hosts: the last part of the path is the file's SHA-256.
fn model_store(address: &Address<'_>) -> Option<Digest> {
    let label =
        address.host.strip_suffix(".huggingface.co").or_else(|| address.host.strip_suffix(".hf.co"))?;
    let (_, value) = address.path.rsplit_once('/')?;
    label.starts_with("cdn-lfs").then(|| hex(Algorithm::Sha256, value))?
}

/// `…/lfs/objects/HEX` and `…/lfs/objects/ab/cd/HEX`: an LFS object's name is its SHA-256 (git-LFS specification).
fn git_lfs(address: &Address<'_>) -> Option<Digest> {
    let objects = ["/lfs/objects/", "/gitlab-lfs/objects/"];
    let rest = objects.iter().find_map(|folder| Some(address.path.rsplit_once(folder)?.1))?;
    match rest.split('/').collect::<Vec<_>>()[..] {
        [value] => hex(Algorithm::Sha256, value),
        [first, second, value] if value.strip_prefix(first)?.starts_with(second) => {
            hex(Algorithm::Sha256, value)
        }
        _ => None,
    }
}

/// `/nar/BASE32.nar.xz`: a Nix binary cache names an archive by the SHA-256 of the file as it is served.
fn nix_archive(address: &Address<'_>) -> Option<Digest> {
    let (folder, name) = address.path.rsplit_once('/')?;
    let (value, ending) = name.split_once('.').filter(|_| folder.ends_with("/nar"))?;
    let is_archive = ending.strip_prefix("nar").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    is_archive.then(|| nix_base32(value))?
}

/// `/file/NAME/sha256/BASE32`: Guix publishes source files by their content.
fn guix_file(address: &Address<'_>) -> Option<Digest> {
    match address.path.rsplitn(4, '/').collect::<Vec<_>>()[..] {
        [value, "sha256", _, folder] if folder == "/file" || folder.ends_with("/file") => nix_base32(value),
        _ => None,
    }
}

/// `…/SHA256E-s123--HEX.iso`: the key of a git-annex backend that hashes with SHA-2.
fn annexed(address: &Address<'_>) -> Option<Digest> {
    let (_, name) = address.path.rsplit_once('/')?;
    let (backend, rest) = name.split_once("-s")?;
    let (size, value) = rest.split_once("--")?;
    if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match backend {
        "SHA256" => hex(Algorithm::Sha256, value),
        "SHA512" => hex(Algorithm::Sha512, value),
        "SHA256E" => hex(Algorithm::Sha256, value.get(..64).filter(|_| ends_or_dot(&value[64..]))?),
        "SHA512E" => hex(Algorithm::Sha512, value.get(..128).filter(|_| ends_or_dot(&value[128..]))?),
        _ => None,
    }
}

fn ends_or_dot(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('.')
}

/// SHA-2 by its usual names. Weaker functions are evidence of nothing.
fn algorithm(name: &str) -> Option<Algorithm> {
    match name.to_ascii_lowercase().as_str() {
        "sha256" => Some(Algorithm::Sha256),
        "sha512" => Some(Algorithm::Sha512),
        "blake3" => Some(Algorithm::Blake3),
        _ => None,
    }
}

fn hex(algorithm: Algorithm, value: &str) -> Option<Digest> {
    let is_right_length = value.len() == algorithm.digest_len() * 2;
    Digest::from_bytes(algorithm, &parse_hex(value).filter(|_| is_right_length)?).ok()
}

/// Nix's own base 32: its own alphabet, the digits in reverse order.
fn nix_base32(text: &str) -> Option<Digest> {
    const ALPHABET: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";
    const DIGITS: usize = 52;
    if text.len() != DIGITS {
        return None;
    }
    let mut bytes = [0_u8; 33];
    for (place, digit) in text.bytes().rev().enumerate() {
        let value = u16::try_from(ALPHABET.iter().position(|known| *known == digit)?).ok()?;
        let [low, high] = (value << (place * 5 % 8)).to_le_bytes();
        bytes[place * 5 / 8] |= low;
        bytes[place * 5 / 8 + 1] |= high;
    }
    // 52 digits hold four bits more than the digest has; they are zero in what Nix writes.
    let [digest @ .., 0] = bytes else { return None };
    Some(Digest::Sha256(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of nothing, in hex and in Nix's base 32.
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const EMPTY_NIX: &str = "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";

    fn at(host: &str, path: &str) -> Option<Digest> {
        read(&Address { host, path, fragment: None }).map(|named| named.digest)
    }

    fn empty() -> Option<Digest> {
        Some(format!("sha256:{EMPTY}").parse().unwrap())
    }

    #[test]
    fn each_store_s_addresses_name_their_files() {
        let cases = [
            ("ghcr.io", "/v2/homebrew/core/wget/blobs/sha256:HEX"),
            ("registry-1.docker.io", "/v2/library/debian/manifests/sha256:HEX"),
            ("registry-1.docker.io", "/v2/library/debian/blobs/sha256%3AHEX"),
            ("store.example", "/bucket/docker/registry/v2/blobs/sha256/e3/HEX/data"),
            ("deb.debian.org", "/debian/dists/trixie/main/binary-amd64/by-hash/SHA256/HEX"),
            ("mirror.example", "/fedora/linux/releases/42/Everything/x86_64/os/repodata/HEX-primary.xml.zst"),
            ("cdn-lfs-us-1.hf.co", "/repos/5a/1c/aaaa/HEX"),
            ("cdn-lfs.huggingface.co", "/repos/5a/1c/aaaa/HEX"),
            ("git.example", "/group/project.git/gitlab-lfs/objects/HEX"),
            ("git.example", "/group/project.git/info/lfs/objects/e3/b0/HEX"),
            ("cache.nixos.org", "/nar/NIX.nar.xz"),
            ("cache.nixos.org", "/nar/NIX.nar"),
            ("ci.guix.gnu.org", "/file/hello-2.12.tar.gz/sha256/NIX"),
            ("data.example", "/annex/objects/SHA256E-s0--HEX.iso"),
            ("data.example", "/annex/objects/SHA256-s0--HEX"),
        ];
        for (host, shape) in cases {
            let path = shape.replace("HEX", EMPTY).replace("NIX", EMPTY_NIX);
            assert_eq!(at(host, &path), empty(), "{host}{path}");
        }
    }

    #[test]
    fn a_fragment_says_what_to_expect() {
        let with = |fragment: &str| {
            read(&Address { host: "h", path: "/file.whl", fragment: Some(fragment) }).map(|n| n.digest)
        };
        assert_eq!(with(&format!("sha256={EMPTY}")), empty());
        assert_eq!(with(&format!("egg=name&sha256={EMPTY}")), empty());
        assert_eq!(with("md5=d41d8cd98f00b204e9800998ecf8427e"), None);
        assert_eq!(with("sha256="), None);
    }

    #[test]
    fn what_only_looks_like_such_an_address_is_not_believed() {
        let cases = [
            ("h", "/v2/x/tags/sha256:HEX"),
            ("h", "/v1/x/blobs/sha256:HEX"),
            ("h", "/v2/x/blobs/md5:d41d8cd98f00b204e9800998ecf8427e"),
            ("h", "/v2/x/blobs/sha256:HEX/part"),
            ("h", "/docker/registry/v2/blobs/sha256/ff/HEX/data"),
            ("h", "/dists/by-hash/SHA1/da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("h", "/dists/by-hash/SHA256/HEX.gz"),
            ("h", "/files/HEX-primary.xml"),
            ("hf.co.evil.example", "/repos/x/HEX"),
            ("cdn-lfs.evil-hf.co", "/repos/x/HEX"),
            ("h", "/objects/HEX"),
            ("h", "/info/lfs/objects/ff/b0/HEX"),
            ("h", "/nar/HEX.nar.xz"),
            ("h", "/other/NIX.nar.xz"),
            ("h", "/nar/NIX.narrow"),
            ("h", "/SHA256E-s--HEX.iso"),
            ("h", "/SHA256E-sx--HEX.iso"),
            ("h", "/SHA256E-s1--HEXff.iso"),
            ("h", "/MD5E-s1--d41d8cd98f00b204e9800998ecf8427e.iso"),
            ("h", "/HEX"),
            ("h", ""),
        ];
        for (host, shape) in cases {
            let path = shape.replace("HEX", EMPTY).replace("NIX", EMPTY_NIX);
            assert_eq!(at(host, &path), None, "{host}{path}");
        }
    }

    #[test]
    fn nix_digits_beyond_the_digest_are_refused() {
        let too_large = format!("z{}", &EMPTY_NIX[1..]);
        assert_eq!(nix_base32(&too_large), None);
        assert_eq!(nix_base32("é".repeat(26).as_str()), None);
    }

    proptest::proptest! {
        #[test]
        fn no_address_makes_it_fail(host in ".{0,40}", path in ".{0,200}", fragment in proptest::option::of(".{0,100}")) {
            let _ = read(&Address { host: &host, path: &path, fragment: fragment.as_deref() });
        }
    }
}
