//! What was decided about the sources of one file, each with its sentence for a person.

use std::fmt;

use dray_content::Digest;

use crate::{Event, Watch};

/// How many decisions of one file are kept; the first ones say most.
pub(crate) const MAX_DECISIONS: usize = 64;

/// Something that was decided about where a file comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The machine's own cache has it.
    FromCache,
    /// Peers are not part of this process.
    PeersOff,
    /// The caller wants none for this file.
    PeersDeclined,
    /// Ranges packed into one file are no content that others know.
    Packed,
    /// Credentials are needed to get it.
    Credentials,
    /// The origin says that it is not for everyone.
    NotForEveryone,
    /// Nobody says what it must hash to.
    NoDigest {
        /// The origin.
        host: String,
    },
    /// The origin says what it must hash to, over a connection that anyone could change.
    InsecureDigest {
        /// The origin.
        host: String,
    },
    /// Too small to be worth asking around.
    TooSmall {
        /// Its size in bytes.
        size: u64,
        /// The smallest that is.
        least: u64,
    },
    /// Nobody says how long it is.
    SizeUnknown,
    /// Peers are asked for it.
    PeersAsked {
        /// By this digest.
        digest: Digest,
        /// Who says that this is its digest.
        author: String,
    },
    /// No other machine is connected.
    NobodyConnected,
    /// Those who were asked neither have it nor want it now.
    NobodyHasIt {
        /// How many are connected.
        connected: usize,
    },
    /// The first request asks for the beginning only, because others may be about to fetch the same.
    BeginningFirst,
    /// A peer takes part.
    PeerJoined {
        /// Who.
        peer: String,
        /// How it was found: `lan` or `group`.
        way: &'static str,
        /// Whether it has all of it.
        is_complete: bool,
    },
    /// As many peers take part as may.
    EnoughPeers {
        /// How many.
        limit: usize,
    },
    /// A peer takes part no longer, for a reason of ours.
    PeerDropped {
        /// Who.
        peer: String,
        /// What it did, as a clause.
        why: String,
    },
    /// Each piece is proven as it arrives.
    PiecesProven,
    /// Pieces of peers count only when the whole fits its digest.
    ProvenAtTheEnd,
    /// The whole did not fit, so what came from peers was fetched from the origin.
    PeersDistrusted {
        /// How many bytes.
        bytes: u64,
    },
    /// The origin does not answer, and the peers have what is missing.
    OriginSilent {
        /// What it said.
        why: String,
    },
    /// The size is what peers say, until the digest proves it.
    SizeFromPeers {
        /// In bytes.
        size: u64,
    },
}

impl Decision {
    /// A name for programs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::FromCache => "from-cache",
            Self::PeersOff => "peers-off",
            Self::PeersDeclined => "peers-declined",
            Self::Packed => "packed",
            Self::Credentials => "credentials",
            Self::NotForEveryone => "not-for-everyone",
            Self::NoDigest { .. } => "no-digest",
            Self::InsecureDigest { .. } => "insecure-digest",
            Self::TooSmall { .. } => "too-small",
            Self::SizeUnknown => "size-unknown",
            Self::PeersAsked { .. } => "peers-asked",
            Self::NobodyConnected => "nobody-connected",
            Self::NobodyHasIt { .. } => "nobody-has-it",
            Self::BeginningFirst => "beginning-first",
            Self::PeerJoined { .. } => "peer-joined",
            Self::EnoughPeers { .. } => "enough-peers",
            Self::PeerDropped { .. } => "peer-dropped",
            Self::PiecesProven => "pieces-proven",
            Self::ProvenAtTheEnd => "proven-at-the-end",
            Self::PeersDistrusted { .. } => "peers-distrusted",
            Self::OriginSilent { .. } => "origin-silent",
            Self::SizeFromPeers { .. } => "size-from-peers",
        }
    }

    /// Whether this is a reason why no peer gave anything.
    #[must_use]
    pub fn is_why_not_peers(&self) -> bool {
        matches!(
            self,
            Self::PeersOff
                | Self::PeersDeclined
                | Self::Packed
                | Self::Credentials
                | Self::NotForEveryone
                | Self::NoDigest { .. }
                | Self::InsecureDigest { .. }
                | Self::TooSmall { .. }
                | Self::SizeUnknown
                | Self::NobodyConnected
                | Self::NobodyHasIt { .. }
        )
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromCache => f.write_str("This machine's cache has it."),
            Self::PeersOff => f.write_str("No peers: they are switched off."),
            Self::PeersDeclined => f.write_str("No peers: none are wanted for this file."),
            Self::Packed => {
                f.write_str("No peers: only parts of the file are wanted, and others share whole files.")
            }
            Self::Credentials => f.write_str("No peers: it takes credentials to get it."),
            Self::NotForEveryone => {
                f.write_str("No peers: the origin marks it private or no-store, or it took credentials.")
            }
            Self::NoDigest { host } => write!(
                f,
                "No peers: nothing says what its digest must be; give one with the job, or let {host} publish it."
            ),
            Self::InsecureDigest { host } => write!(
                f,
                "No peers: {host} publishes a digest, but not over https, so anyone on the way could have changed it."
            ),
            Self::TooSmall { size, least } => {
                write!(f, "No peers: with {size} bytes it is below the {least} from which files are shared.")
            }
            Self::SizeUnknown => f.write_str("No peers: the origin does not say how long it is."),
            Self::PeersAsked { digest, author } => write!(f, "Peers are asked for {digest}, as {author}."),
            Self::NobodyConnected => f.write_str("No other machine is connected."),
            Self::NobodyHasIt { connected } => {
                write!(f, "None of the {connected} machines that are connected has it or wants it.")
            }
            Self::BeginningFirst => {
                f.write_str("The origin is first asked for the beginning only: others may want the same.")
            }
            Self::PeerJoined { peer, way, is_complete: true } => {
                write!(f, "{peer} ({way}) has all of it.")
            }
            Self::PeerJoined { peer, way, is_complete: false } => write!(f, "{peer} ({way}) takes part."),
            Self::EnoughPeers { limit } => write!(f, "{limit} peers take part; more are not asked."),
            Self::PeerDropped { peer, why } => write!(f, "{peer} is not asked any more: {why}."),
            Self::PiecesProven => f.write_str("Each piece is proven as it arrives."),
            Self::ProvenAtTheEnd => {
                f.write_str("Pieces of peers count only once the whole file fits its digest.")
            }
            Self::PeersDistrusted { bytes } => write!(
                f,
                "The whole did not fit its digest, so the {bytes} bytes that came from peers are fetched from the origin."
            ),
            Self::OriginSilent { why } => {
                write!(f, "The origin does not answer ({why}), and peers have what is missing.")
            }
            Self::SizeFromPeers { size } => {
                write!(f, "Peers say that it has {size} bytes; the digest will prove it.")
            }
        }
    }
}

/// The decisions of one file, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decisions(Vec<Decision>);

impl Decisions {
    /// Notes a decision, and tells it if it is news.
    pub(crate) fn decide(&mut self, decision: Decision, watch: &dyn Watch) {
        if self.note(&decision) {
            watch.event(Event::Decided(decision));
        }
    }

    /// Notes a decision. False when it is known already, or when there are too many.
    fn note(&mut self, decision: &Decision) -> bool {
        let is_news = self.0.len() < MAX_DECISIONS && !self.0.contains(decision);
        if is_news {
            self.0.push(decision.clone());
        }
        is_news
    }

    pub(crate) fn into_vec(self) -> Vec<Decision> {
        self.0
    }
}
