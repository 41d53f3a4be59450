//! One download from the origin: begun, moved, begun anew when the file changes, proven, and given to the cache.

use std::io;
use std::path::Path;
use std::sync::Arc;

use dray_content::{Algorithm, PieceTable};
use dray_origin::{Client, Response, Sharing};
use dray_planner::Ranges;
use dray_platform::{open, space, times};
use dray_ranges::{ByteRange, RangeSet, RangeSpec};

use crate::blocking::Blocking;
use crate::cached::{Cached, Proven};
use crate::opening::{self, BEGINNING, Beginning, Company, Head, Opening, Start};
use crate::patience::Patience;
use crate::peers::{Crew, Decisions, Giver, Liars, Peers};
use crate::proof::{Proof, check};
use crate::sink::{Filled, Sink, Target, Version};
use crate::source::{OPEN, Origin};
use crate::transfer::{Outcome, Transfer};
use crate::{
    BytesBySource, Checkpoint, Event, FetchError, Fetched, FileTask, Gift, GivenBy, Watch, small, source_of,
    temp,
};

/// How often a file may be begun anew because it changed at the origin while it was fetched.
const MAX_CHANGES: u32 = 3;

/// A download under way.
pub(crate) struct Download<'a> {
    pub(crate) task: &'a FileTask,
    pub(crate) origin: Origin,
    cache: Option<&'a Cached>,
    pub(crate) watch: Arc<dyn Watch>,
    pub(crate) sink: Option<Sink>,
    pub(crate) bytes: BytesBySource,
    patience: Patience,
    /// The number of the file that an earlier attempt left bytes in.
    left: Option<u64>,
    blocking: Blocking,
    /// Whether the origin serves ranges, as far as is known.
    pub(crate) ranges: Ranges,
    pub(crate) peers: Option<&'a Peers>,
    /// Who else has the file or wants it, while they may be asked.
    pub(crate) crew: Option<Crew>,
    /// Those who took part until the whole did not fit; some of them lied.
    pub(crate) accused: Option<Crew>,
    pub(crate) decisions: Decisions,
    pub(crate) gifts: Vec<Gift>,
}

impl<'a> Download<'a> {
    pub(crate) fn new(
        task: &'a FileTask,
        client: &Client,
        cache: Option<&'a Cached>,
        peers: Option<&'a Peers>,
        watch: Arc<dyn Watch>,
    ) -> Self {
        let origin = Origin {
            client: client.clone(),
            url: task.url.clone(),
            headers: task.headers.as_slice().into(),
            has_digest: task.digest.is_some(),
        };
        Self {
            task,
            origin,
            cache,
            watch,
            sink: None,
            bytes: BytesBySource::default(),
            patience: Patience::new(task.retries),
            left: None,
            blocking: Blocking::default(),
            ranges: Ranges::Unknown,
            peers,
            crew: None,
            accused: None,
            decisions: Decisions::default(),
            gifts: Vec::new(),
        }
    }

    /// Runs to the end. When the future is dropped, [`Self::close`] keeps what was reached.
    pub(crate) async fn run(&mut self, mut resume: Option<Checkpoint>) -> Result<Fetched, FetchError> {
        self.left = resume.as_ref().map(|resume| resume.sink);
        if resume.as_ref().is_some_and(|resume| self.is_enough(resume)) {
            return Err(FetchError::OnlyPart);
        }
        let mut cached =
            self.cache.filter(|_| resume.is_none()).and_then(|cache| cache.by_url(&self.task.url));
        self.await_company().await;
        self.look_for_peers();
        let (mut changes, mut breaks) = (0, 0);
        let mut again = None;
        loop {
            let is_narrow = self.is_others_business();
            let opened = async {
                match again.take() {
                    Some(start) => Ok(Opening::Origin(start)),
                    None => {
                        opening::open(
                            self.task,
                            &self.origin,
                            cached.take(),
                            resume.take(),
                            &mut self.patience,
                            &*self.watch,
                            Company { crew: self.crew.as_mut(), is_narrow },
                        )
                        .await
                    }
                }
            };
            let start = match (opened.await?, self.cache) {
                (Opening::Origin(start), _) => self.provable(*start),
                (Opening::Cache(entry, validators), Some(cache)) => {
                    match cache.take(self.task, entry, validators, &self.watch, &self.blocking).await? {
                        Some(fetched) => return Ok(fetched),
                        None => continue,
                    }
                }
                (Opening::Cache(..), None) => continue,
            };
            let head = start.head.clone();
            self.weigh(&start);
            if self.sink.is_none() && small::is_small(self.task, &start) {
                match self.fetch_small(start).await? {
                    Some(proof) => {
                        self.check(&proof, &head)?;
                        return self.accept(proof, head, !self.task.may_leave_unsynced).await;
                    }
                    None => continue,
                }
            }
            match self.transfer(start).await? {
                Outcome::Complete { size } => {
                    let proof = self.prove(size, &head).await?;
                    match self.check(&proof, &head) {
                        Ok(()) => return self.accept(proof, head, true).await,
                        Err(error) => again = Some(self.distrust(size, head, error).await?),
                    }
                }
                Outcome::OnlyPart => return Err(FetchError::OnlyPart),
                Outcome::Changed => {
                    changes += 1;
                    if changes > MAX_CHANGES {
                        return Err(FetchError::Unstable { host: self.origin.host(), times: changes });
                    }
                    // Others were told of the old version.
                    self.crew = None;
                    let why = format!("the file at {} has changed", self.origin.host());
                    self.watch.event(Event::Restarted { why });
                }
                Outcome::Unresumable => {
                    breaks += 1;
                    if breaks >= self.task.retries.attempts {
                        return Err(FetchError::Unresumable { host: self.origin.host(), times: breaks });
                    }
                    self.crew = None;
                    let why =
                        format!("{} gives nothing by which the rest could be recognised", self.origin.host());
                    self.watch.event(Event::Restarted { why });
                }
            }
        }
    }

    /// Lets the sink write what it was given, with a last checkpoint.
    pub(crate) async fn close(self) -> Result<(), FetchError> {
        self.blocking.settled().await;
        match self.sink {
            Some(sink) => sink.close().await,
            None => Ok(()),
        }
    }

    /// Without a digest of the whole nothing would ever prove what peers gave in an earlier attempt that had one: it is fetched again.
    fn provable(&self, mut start: Start) -> Start {
        if self.task.digest.is_none() && start.head.published.digests.is_empty() {
            let unproven = std::mem::take(&mut start.have.unproven);
            start.have.all = start.have.all.difference(&unproven);
        }
        start
    }

    /// Whether an earlier attempt left all that is wished for, and not the whole file.
    fn is_enough(&self, resume: &Checkpoint) -> bool {
        let whole = resume.size.and_then(|size| ByteRange::new(0, size));
        match (self.task.wishes().only, whole) {
            (Some(only), Some(whole)) => {
                let wanted = only.intersection(&whole.into());
                resume.filled.covers(&wanted) && !resume.filled.contains_range(&whole)
            }
            _ => false,
        }
    }

    /// Moves the bytes of one version into the sink.
    async fn transfer(&mut self, start: Start) -> Result<Outcome, FetchError> {
        let Start { mut response, mut have, ranges, head, way } = start;
        self.ranges = ranges;
        if way != Beginning::Again {
            self.begin(&head, have.all.len_bytes(), ranges);
        }
        let is_open = |spec: &RangeSpec| spec.length.is_none();
        if head.validators.size.is_none()
            && self.task.layout.specs().is_some_and(|specs| specs.iter().any(is_open))
        {
            // "To the end" has no meaning while nobody says where that is.
            return Err(FetchError::NoRanges { host: self.origin.host() });
        }
        // A range that no file of this size has is its own failure, not one of too little space.
        let missing = self.task.layout.wanted(head.validators.size.unwrap_or(OPEN))?.difference(&have.all);
        let is_in_parts = response.as_ref().is_none_or(|response| response.range.is_some());
        if is_in_parts
            && missing.iter().count() > 1
            && !self.origin.can_recognise(&head.validators)
            && self.task.layout.specs().is_some()
        {
            return Err(FetchError::NoValidator { host: self.origin.host() });
        }
        let version = version_of(self.task, &head);
        match &mut self.sink {
            Some(_) if way == Beginning::Again => {}
            Some(sink) => sink.restart(version).await?,
            None => self.sink = Some(self.open_sink(version, &have)?),
        }
        if let Some(beginning) = response.take_if(|response| is_beginning(response)) {
            self.take_beginning(beginning, &mut have.all).await?;
        }
        let sink = self.sink.as_mut().expect("it was opened above");
        let mut transfer = Transfer {
            origin: self.origin.clone(),
            layout: &self.task.layout,
            retries: self.task.retries,
            watch: &*self.watch,
            live: self.task.live.as_ref().filter(|_| self.task.layout.specs().is_none()),
            known: head.validators,
            ranges,
            bytes: &mut self.bytes,
            crew: self.crew.as_mut(),
            decisions: &mut self.decisions,
        };
        transfer.run(response, have.all, sink).await
    }

    /// Reads an answer that is only the beginning, so that the planner decides on all that follows.
    async fn take_beginning(&mut self, mut answer: Response, have: &mut RangeSet) -> Result<(), FetchError> {
        let sink = self.sink.as_mut().ok_or(FetchError::Interrupted)?;
        let mut offset = answer.start;
        // What does not come is asked for again, as any other bytes.
        while let Ok(Some(bytes)) = answer.chunk().await {
            let Some(range) = ByteRange::with_len(offset, bytes.len() as u64) else { continue };
            offset = range.end();
            self.bytes.origin += range.len();
            self.watch.event(Event::Received { bytes: range.len(), from: GivenBy::Origin });
            have.insert(range);
            sink.write(range.start(), bytes, Giver::Origin).await?;
        }
        answer.finish().await;
        Ok(())
    }

    fn open_sink(&self, version: Version, have: &Filled) -> Result<Sink, FetchError> {
        let path = &self.task.temp;
        if let Some((folder, free)) = folder_of(path)
            && let Some(size) = self.task.layout.local_len(version.validators.size)
        {
            let size = self.task.wishes().only.map_or(size, |only| only.len_bytes().min(size));
            let needed = size.saturating_sub(have.all.len_bytes());
            if needed > free {
                let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
                return Err(FetchError::NoSpace { path: folder, free, needed });
            }
        }
        let file = match &self.left {
            Some(number) if !have.all.is_empty() => temp::reopen(path, *number)
                .map_err(|error| FetchError::local("open", path, error))?
                .ok_or(FetchError::Interrupted)?,
            _ => {
                self.task.clear_live();
                temp::create(path, &*self.watch)?
            }
        };
        let target = Target {
            source: source_of(&self.task.url),
            temp: path.clone(),
            layout: self.task.layout.clone(),
            watch: Arc::clone(&self.watch),
            live: self.task.live.clone(),
        };
        Sink::start(target, file, version, have.clone())
    }

    /// Brings a small file into its sink; `None` when the answer broke off and the origin is to be asked again.
    async fn fetch_small(&mut self, start: Start) -> Result<Option<Proof>, FetchError> {
        let Start { response, head, .. } = start;
        self.begin(&head, 0, Ranges::Unknown);
        let Some(response) = response else { return Ok(None) };
        let bytes = match small::read(response, &*self.watch).await {
            Ok(bytes) => bytes,
            Err(error) => {
                let error = FetchError::from(error);
                let pause = self.patience.pause_after(&error).ok_or_else(|| error.clone())?;
                self.watch.event(Event::Retrying { error, pause });
                tokio::time::sleep(pause).await;
                return Ok(None);
            }
        };
        self.task.clear_live();
        self.bytes.origin = bytes.len() as u64;
        let (temp, version) = (self.task.temp.clone(), version_of(self.task, &head));
        let must_sync = !self.task.may_leave_unsynced;
        let watch = Arc::clone(&self.watch);
        let stored = self
            .blocking
            .run(move || small::store(&temp, &*watch, &bytes, &version, head.modified, must_sync));
        stored.await.unwrap_or_else(|| Err(FetchError::broken())).map(Some)
    }

    /// Tells what is known, and forgets what came of an earlier version.
    fn begin(&mut self, head: &Head, resumed: u64, ranges: Ranges) {
        self.watch.event(Event::Known {
            local_size: self.task.layout.local_len(head.validators.size),
            resumed,
            file_name: head.file_name.clone(),
            validators: head.validators.clone(),
            has_ranges: match ranges {
                Ranges::Yes => Some(true),
                Ranges::No => Some(false),
                Ranges::Unknown => None,
            },
        });
        let BytesBySource { origin, lan_peers, group_peers, cache_host, .. } = &mut self.bytes;
        let lost = [origin, lan_peers, group_peers, cache_host].map(std::mem::take);
        self.bytes.wasted += lost.iter().sum::<u64>();
        self.bytes.resumed = resumed;
    }

    /// Hashes what is left, syncs the sink, and gives it the looks of an ordinary file.
    async fn prove(&mut self, size: u64, head: &Head) -> Result<Proof, FetchError> {
        let proof = self.sink.as_mut().ok_or(FetchError::Interrupted)?.prove(size).await?;
        let temp = &self.task.temp;
        dress(temp, head)
            .map_err(|error| FetchError::local("set the rights and the time of", temp, error))?;
        Ok(Proof { remote_size: size, ..proof })
    }

    /// Holds the proof against every digest that was given.
    fn check(&self, proof: &Proof, head: &Head) -> Result<(), FetchError> {
        check(proof, self.task.digest.as_ref(), &head.published, &self.origin.host())
    }

    /// Gives the content to the cache and to whoever wants it, and says what was fetched.
    async fn accept(&mut self, proof: Proof, head: Head, is_synced: bool) -> Result<Fetched, FetchError> {
        let Proof { table, digests, remote_size, .. } = proof;
        let id = table.as_ref().map(PieceTable::root);
        let liars = match (&mut self.sink, &table) {
            (Some(sink), Some(table)) if self.crew.is_some() || self.accused.is_some() => {
                sink.liars(table.clone()).await?
            }
            _ => Liars::default(),
        };
        let is_cached = match (self.cache, table) {
            (Some(cache), Some(table)) if head.sharing == Sharing::Public => {
                let (url, validators, file) = (&self.task.url, &head.validators, self.task.temp.as_path());
                cache.adopt(Proven { table, digests: &digests, url, validators, file }, &self.blocking).await
            }
            _ => false,
        };
        if is_cached {
            self.now_cached(&digests);
        }
        self.disperse(&liars, remote_size, &digests);
        Ok(Fetched {
            size: self.task.layout.local_len(Some(remote_size)).unwrap_or(remote_size),
            remote_size,
            id,
            digests,
            bytes: self.bytes,
            validators: head.validators,
            file_name: head.file_name,
            is_cached,
            is_synced,
            decisions: std::mem::take(&mut self.decisions).into_vec(),
            gifts: self.gifts.clone(),
        })
    }
}

/// Whether an answer is only the beginning of what is wanted.
fn is_beginning(answer: &Response) -> bool {
    answer.range.is_some_and(|range| range.len() <= BEGINNING && Some(range.end()) != answer.size)
}

/// The folder that a file lies in, and how many bytes are free there, if the system tells.
pub(crate) fn folder_of(path: &Path) -> Option<(&Path, u64)> {
    let folder = path.parent().unwrap_or(path);
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    Some((folder, space::space(folder).ok()?.free))
}

/// Gives the finished file what an ordinary new file has, and the time of the origin's copy.
fn dress(temp: &Path, head: &Head) -> io::Result<()> {
    let file = open::open_nofollow_writable(temp).map_err(io::Error::other)?;
    open::share_as_usual(&file)?;
    head.modified.map_or(Ok(()), |modified| times::set_modified(&file, modified))
}

/// What the sink must know of the version that the origin serves.
fn version_of(task: &FileTask, head: &Head) -> Version {
    let digests = task.digest.iter().chain(&head.published.digests);
    let mut algorithms: Vec<Algorithm> = digests.map(dray_content::Digest::algorithm).collect();
    algorithms.dedup();
    Version {
        validators: head.validators.clone(),
        published: head.published.clone(),
        algorithms,
        for_everyone: head.sharing == Sharing::Public,
    }
}
