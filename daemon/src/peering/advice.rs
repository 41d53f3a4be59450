//! What to change when peers were not used, for each decision of the engine that is a reason.

use dray_engine::Decision;

use crate::history::Told;

/// When nobody is there.
pub(super) const NOBODY: &str = "Other machines need drayd with the same mode (and group), and its port (7680, TCP and UDP) open; \
     `dray peers` shows who is known and what is wrong.";

/// A decision in words. Of peers that are off, the machine knows why.
pub(crate) fn told(decision: &Decision, why_off: Option<&Told>) -> Told {
    if let (Decision::PeersOff, Some(why)) = (decision, why_off) {
        return why.clone();
    }
    Told {
        name: decision.name().to_owned(),
        sentence: decision.to_string(),
        hint: advice(decision.name()).to_owned(),
        against: decision.is_why_not_peers(),
    }
}

/// One sentence; empty when there is nothing to change.
fn advice(decision: &str) -> &'static str {
    match decision {
        "peers-off" => "`dray status` says why.",
        "peers-declined" => {
            "The job says so: take `disable-branch-cache` out of its flags (`dray job set JOB --peer-caching none`)."
        }
        "packed" => "Ask for the whole file; parts of it come from the origin.",
        "credentials" => {
            "What needs credentials stays between this machine and the origin; serve it without them to share it."
        }
        "not-for-everyone" => {
            "Let the server send the file without `Cache-Control: private` or `no-store`, and without asking for credentials."
        }
        "no-digest" => {
            "Give the digest with the file (`dray get URL --digest sha256:HEX`), or let the server publish one over https \
             (a `Repr-Digest` header, say)."
        }
        "insecure-digest" => {
            "Use the https URL, or give the digest with the file (`dray get URL --digest sha256:HEX`)."
        }
        "too-small" => {
            "Lower `min_file_size` under [peers] in drayd.toml, if such files shall be shared too."
        }
        "size-unknown" => "Let the server send a Content-Length.",
        "nobody-connected" => NOBODY,
        "nobody-has-it" => "Nothing: this machine was the first, and the next ones get it from here.",
        "peer-dropped" | "peers-distrusted" => "`dray peers` shows each peer and what it did.",
        _ => "",
    }
}

/// What to do about a peer that is not used, by the reason.
pub(super) fn of_peer(why: &str) -> &'static str {
    if why.contains("group") {
        return "Give both machines the same `group` and the same key file; `dray status` shows the group of each.";
    }
    ""
}
