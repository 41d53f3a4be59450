//! What to change when peers were not used, for each decision of the engine that is a reason.

/// One sentence; empty when there is nothing to change.
pub(crate) fn advice(decision: &str) -> &'static str {
    match decision {
        "peers-off" => "`dray status` says why, and what to change.",
        "peers-declined" => {
            "The job says so: take `disable-branch-cache` out of its flags with `dray job set JOB --peer-caching none`."
        }
        "packed" => "Ask for the whole file; parts of it come from the origin and the cache.",
        "credentials" => {
            "What needs credentials stays between this machine and the origin; serve it without them, with a digest, to share it."
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
        "too-small" => "Lower `min_file_size` under [peers] in drayd.toml if such files shall be shared too.",
        "size-unknown" => "Let the server send a Content-Length.",
        "nobody-connected" => {
            "`dray peers` shows who is known and what is wrong; other machines need drayd with the same mode and group, \
             and port 7680 (TCP and UDP) open."
        }
        "nobody-has-it" => "Nothing: this machine is the first, and the next ones get it from here.",
        "enough-peers" | "peer-dropped" | "peers-distrusted" => {
            "`dray peers` shows each peer and what it did."
        }
        _ => "",
    }
}
