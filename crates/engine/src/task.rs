//! What the engine is asked for, what it answers, and what it tells on the way.

use std::path::PathBuf;
use std::time::Duration;

use dray_content::{ContentId, Digest};
use dray_origin::{SafeName, Validators};
use dray_ranges::Layout;
use dray_swarm::Way;
use url::Url;

use crate::{Checkpoint, Decision, FetchError, Live, Wishes};

/// One file to fetch.
#[derive(Clone, Debug)]
pub struct FileTask {
    /// Where the origin has it; http or https.
    pub url: Url,
    /// What the whole remote file must hash to. Not for packed layouts, whose local file is not the remote one.
    pub digest: Option<Digest>,
    /// The whole file, or ranges packed back to back.
    pub layout: Layout,
    /// The sink: a temporary file beside the destination, made when it is not there.
    pub temp: PathBuf,
    /// Where an earlier attempt stopped; it counts only for the same request, and while the sink is the
    /// very file that it was made of.
    pub resume: Option<Checkpoint>,
    /// The checkpoint may be of another URL of the same file: its bytes count when the origin shows the same size and the same
    /// `Last-Modified` or strong entity tag (BITS reference, 8.6).
    pub resume_elsewhere: bool,
    /// Where others say which bytes they need first, and learn which are there.
    pub live: Option<Live>,
    /// Asks for the file whole and takes packed ranges out of that, for an origin that serves no ranges.
    pub without_ranges: bool,
    /// Request headers that go to the origin with every request.
    pub headers: Vec<(String, String)>,
    /// How often to try again within this call.
    pub retries: Retries,
    /// Look in the cache and give the content to it.
    pub use_cache: bool,
    /// Ask other machines for it, and give it to them, as far as that is safe.
    pub use_peers: bool,
    /// The caller makes small files durable itself, many at once; see [`Fetched::is_synced`].
    pub may_leave_unsynced: bool,
}

impl FileTask {
    /// Whether the content may come from the cache and go to it: whole files only, a packed file is no content of its own.
    pub(crate) fn may_cache(&self) -> bool {
        self.use_cache && self.layout.specs().is_none()
    }

    /// Tells readers that bytes that were there no longer count. Comes before those bytes are touched.
    pub(crate) fn clear_live(&self) {
        if let Some(live) = &self.live {
            live.clear();
        }
    }

    /// What is asked of the transfer now. Packed ranges come as they come.
    pub(crate) fn wishes(&self) -> Wishes {
        let live = self.live.as_ref().filter(|_| self.layout.specs().is_none());
        live.map(|live| live.wishes().borrow().clone()).unwrap_or_default()
    }
}

/// How long the engine keeps trying by itself before it gives the error to its caller.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// Attempts in a row that bring no byte.
    pub attempts: u32,
    /// The longest pause between two of them; a `Retry-After` beyond it ends the call with the error.
    pub longest_pause: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 5, longest_pause: Duration::from_secs(30) }
    }
}

/// A file that is whole and proven in its sink.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Bytes in the sink.
    pub size: u64,
    /// Size of the remote file in bytes; differs from `size` for packed layouts.
    pub remote_size: u64,
    /// The BLAKE3 root; `None` for packed layouts.
    pub id: Option<ContentId>,
    /// The digests that were checked and hold, the BLAKE3 root among them.
    pub digests: Vec<Digest>,
    /// Where the bytes came from.
    pub bytes: BytesBySource,
    /// What the origin said to recognise this version again.
    pub validators: Validators,
    /// The file name that the origin proposes.
    pub file_name: Option<SafeName>,
    /// Whether the cache holds the content now.
    pub is_cached: bool,
    /// Whether the bytes are on disk. False only for a small file whose task allowed it: then the caller must sync it before it
    /// claims the file to anyone.
    pub is_synced: bool,
    /// What was decided about its sources, in that order.
    pub decisions: Vec<Decision>,
    /// What each peer gave.
    pub gifts: Vec<Gift>,
}

/// What one peer gave of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gift {
    /// Who.
    pub peer: String,
    /// From where.
    pub address: String,
    /// How it is reached: `lan` or `group`.
    pub way: &'static str,
    /// Bytes that were kept.
    pub bytes: u64,
    /// Bytes that were thrown away.
    pub wasted: u64,
}

/// Bytes of one file by where they came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BytesBySource {
    /// Already in the sink from an earlier attempt.
    pub resumed: u64,
    /// From the machine's own content cache.
    pub cache: u64,
    /// From the origin, and kept.
    pub origin: u64,
    /// From other machines on the LAN, and kept.
    pub lan_peers: u64,
    /// From members of the group further away, and kept.
    pub group_peers: u64,
    /// From a cache that stands in for the origin, and kept.
    pub cache_host: u64,
    /// Received and thrown away: fetched twice, or from a version that is gone.
    pub wasted: u64,
}

impl BytesBySource {
    /// Of `all` bytes that turned out to be of no use, `earlier` were given by peers of an earlier attempt and `given` by those of
    /// this one; the rest came from the origin, now or then.
    pub(crate) fn take_back(&mut self, all: u64, earlier: u64, given: impl Iterator<Item = (Way, u64)>) {
        self.resumed = self.resumed.saturating_sub(earlier);
        let mut rest = all.saturating_sub(earlier);
        for (way, bytes) in given {
            let count = self.by_way(way);
            *count = count.saturating_sub(bytes);
            self.wasted += bytes;
            rest = rest.saturating_sub(bytes);
        }
        let of_origin = rest.min(self.origin);
        self.origin -= of_origin;
        self.wasted += of_origin;
        self.resumed = self.resumed.saturating_sub(rest - of_origin);
    }

    /// What came from peers that are reached that way.
    pub(crate) fn by_way(&mut self, way: Way) -> &mut u64 {
        match way {
            Way::Lan => &mut self.lan_peers,
            Way::Group => &mut self.group_peers,
        }
    }
}

/// Whose bytes they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GivenBy {
    /// The machine's own cache.
    Cache,
    /// Another machine on the LAN.
    LanPeer,
    /// A member of the group further away.
    GroupPeer,
    /// A cache that stands in for the origin.
    CacheHost,
    /// The origin.
    Origin,
}

/// What happens to a file while it is fetched.
#[derive(Clone, Debug)]
pub enum Event {
    /// A request goes to the origin.
    Connecting,
    /// The origin answered, or the cache had it: what is known of the file now.
    Known {
        /// Length of the local file in bytes, when it is known.
        local_size: Option<u64>,
        /// Bytes of it that are already in the sink.
        resumed: u64,
        /// The file name that the origin proposes.
        file_name: Option<SafeName>,
        /// What the origin said to recognise this version.
        validators: Validators,
        /// Whether the origin serves ranges, when it has shown either.
        has_ranges: Option<bool>,
    },
    /// The origin turned out not to serve ranges.
    NoRanges,
    /// Bytes arrived and were given to the sink.
    Received {
        /// How many.
        bytes: u64,
        /// Who gave them.
        from: GivenBy,
    },
    /// Bytes that had been received turned out to be of no use, and are fetched again.
    Dropped {
        /// How many.
        bytes: u64,
    },
    /// Something was decided about where the file comes from.
    Decided(Decision),
    /// What each peer gave so far; comes at the end, however that is.
    Gifts(Vec<Gift>),
    /// What was there is of no use any more; the file starts over.
    Restarted {
        /// One sentence.
        why: String,
    },
    /// An attempt failed; another one follows.
    Retrying {
        /// What went wrong.
        error: FetchError,
        /// How long the engine waits.
        pause: Duration,
    },
    /// All bytes are there; they are being read back and proven where that is still needed.
    Verifying,
}

/// Told what happens to a file. Called from the transfer's task and from its writer; must not block for long.
pub trait Watch: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event);

    /// Everything that this checkpoint claims is on disk: keep it, so that the transfer can go on from here after any crash.
    ///
    /// # Errors
    /// Any failure to keep it. The transfer goes on; the next checkpoint tries again.
    fn checkpoint(&self, checkpoint: &Checkpoint) -> std::io::Result<()>;

    /// The sink is about to lose its bytes: drop the checkpoint that was kept, before this returns.
    ///
    /// # Errors
    /// Any failure to drop it. The sink is then left as it is, and the transfer fails.
    fn forget(&self) -> std::io::Result<()>;
}
