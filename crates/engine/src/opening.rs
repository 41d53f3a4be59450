//! How a download begins: the first answer of the origin, held against what an earlier attempt left and what the cache has.

use std::time::{Duration, SystemTime};

use dray_cache::Entry;
use dray_content::{Digest, Published};
use dray_origin::{Answer, OriginError, Response, SafeName, Sharing, Validators, Verdict, Wish};
use dray_planner::Ranges;
use dray_ranges::ByteRange;
use tokio::time::Instant;

use crate::download::folder_of;
use crate::patience::Patience;
use crate::peers::Crew;
use crate::sink::Filled;
use crate::source::{OPEN, Origin};
use crate::{Checkpoint, Event, FetchError, FileTask, Watch, Wishes};

/// What is asked for first when others may be about to fetch the same: enough to learn what the origin says of the file.
pub(crate) const BEGINNING: u64 = 16 << 10;
/// How long the origin may keep silent before peers who have everything are begun with.
const ORIGIN_PATIENCE: Duration = Duration::from_secs(2);

/// All there is, wished for as a range: no `Range` is sent for it, so a whole answer refuses nothing.
const ALL: Wish = Wish::From(0);

/// How a download begins.
pub(crate) enum Opening {
    /// With an answer of the origin.
    Origin(Box<Start>),
    /// The origin says that the cache's copy is still its own.
    Cache(Entry, Validators),
}

/// What the transfer starts from.
pub(crate) struct Start {
    /// The open answer; `None` when all bytes are there already.
    pub(crate) response: Option<Response>,
    /// What of the sink still counts.
    pub(crate) have: Filled,
    pub(crate) ranges: Ranges,
    pub(crate) head: Head,
    pub(crate) way: Beginning,
}

/// What a start is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// The origin's answer.
    Answer,
    /// What peers say: the origin did not answer.
    Peers,
    /// The sink as it is: a part of it is fetched again.
    Again,
}

/// What the origin said about the file.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) validators: Validators,
    /// When the origin's copy was last changed; good for a time stamp, not as a proof.
    pub(crate) modified: Option<SystemTime>,
    pub(crate) published: Published,
    pub(crate) file_name: Option<SafeName>,
    pub(crate) sharing: Sharing,
    /// The digests that this very answer published, if it came over https all the way.
    pub(crate) vouched: Vec<Digest>,
    /// Whether it published digests that anyone on the way could have changed.
    pub(crate) has_unsafe_digests: bool,
}

/// Who else may be asked, while the origin is.
pub(crate) struct Company<'a> {
    pub(crate) crew: Option<&'a mut Crew>,
    /// Others may be about to fetch the same: the first request is for the beginning only.
    pub(crate) is_narrow: bool,
}

/// Asks the origin until it answers or trying is of no use any more.
pub(crate) async fn open(
    task: &FileTask,
    origin: &Origin,
    cached: Option<(Entry, Validators)>,
    mut resume: Option<Checkpoint>,
    patience: &mut Patience,
    watch: &dyn Watch,
    mut company: Company<'_>,
) -> Result<Opening, FetchError> {
    let mut wishes = task.wishes();
    loop {
        watch.event(Event::Connecting);
        let (wish, is_complete) = wish(task, resume.as_ref(), &wishes)?;
        let is_narrow = company.is_narrow && !is_complete && wishes.is_empty() && !task.without_ranges;
        let wish = if is_narrow { beginning_of(wish) } else { wish };
        // Another server's tags are its own: its answer is looked at instead.
        let known = resume.as_ref().filter(|resume| !resume.is_elsewhere(task)).map(Checkpoint::validators);
        let is_steered = resume.is_none() && wishes.opening().is_some();
        let (if_range, unless) = match (&known, &cached) {
            (Some(known), _) if is_complete => (None, Some(known)),
            (Some(known), _) => (Some(known), None),
            // Only a strong tag makes "not modified" a proof: by dates, a server may mean "not newer".
            (None, Some((_, stored))) if resume.is_none() && stored.strong_etag().is_some() => {
                (None, Some(stored))
            }
            (None, _) => (None, None),
        };
        let answer = tokio::select! {
            answer = origin.open(wish, if_range, unless) => answer,
            size = peers_have_all(company.crew.as_deref_mut(), ORIGIN_PATIENCE) => {
                match from_peers(task, resume.as_ref(), size) {
                    Some(start) => return Ok(Opening::Origin(Box::new(start))),
                    None => {
                        company.crew = None;
                        continue;
                    }
                }
            }
        };
        match answer {
            Ok(Answer::Body(response)) if resume.is_none() && is_cached(cached.as_ref(), &response) => {
                let Some((entry, validators)) = cached else { continue };
                return Ok(Opening::Cache(entry, validators));
            }
            // Bytes from the middle that nothing would tie to the rest.
            Ok(Answer::Body(response))
                if is_steered && response.start > 0 && !origin.can_recognise(&response.validators) =>
            {
                if wishes.only.is_some() {
                    return Err(FetchError::NoRandomAccess { host: origin.host() });
                }
                wishes = Wishes::default();
            }
            Ok(Answer::Body(response))
                if is_steered
                    && wishes.only.is_some()
                    && response.range.is_none()
                    && (wish != ALL || response.refuses_ranges)
                    && response.size != Some(0) =>
            {
                return Err(FetchError::NoRandomAccess { host: origin.host() });
            }
            // Nothing would tie the rest to it.
            Ok(Answer::Body(response))
                if is_narrow && response.range.is_some() && !is_recognisable(origin, &response) =>
            {
                company.is_narrow = false;
            }
            Ok(Answer::Body(response)) => {
                match begin(task, origin, resume.take(), wish, response, is_narrow, watch)? {
                    Some(start) => return Ok(Opening::Origin(Box::new(start))),
                    None => watch.event(Event::Restarted {
                        why: format!("the file at {} has changed", origin.host()),
                    }),
                }
            }
            Ok(Answer::Unchanged) => match (resume, cached) {
                (Some(checkpoint), _) => return Ok(Opening::Origin(Box::new(all_there(&checkpoint)))),
                (None, Some((entry, validators))) => return Ok(Opening::Cache(entry, validators)),
                (None, None) => return Err(origin.unasked_304().into()),
            },
            Err(error) if is_narrow && is_about_the_rest(&error) => company.is_narrow = false,
            // It may be shorter than was hoped.
            Err(error) if is_steered && is_about_the_rest(&error) => {
                if wishes.only.is_some() && matches!(error, OriginError::RangeNotSatisfiable { .. }) {
                    return Err(error.into());
                }
                wishes.first.clear();
                if wishes.only.is_some() {
                    return Err(FetchError::NoRandomAccess { host: origin.host() });
                }
            }
            // The file may have shrunk below what is there.
            Err(error) if resume.is_some() && is_about_the_rest(&error) => resume = None,
            Err(error) => {
                let error = FetchError::from(error);
                let size =
                    company.crew.as_deref().and_then(Crew::claimed_size).filter(|_| error.is_transient());
                if let Some(size) = size {
                    match from_peers(task, resume.as_ref(), size) {
                        Some(start) => return Ok(Opening::Origin(Box::new(start))),
                        // They are of no use, and the pause before the next try is not cut short for them.
                        None => company.crew = None,
                    }
                }
                let pause = patience.pause_after(&error).ok_or_else(|| error.clone())?;
                watch.event(Event::Retrying { error, pause });
                wait(pause, company.crew.as_deref_mut()).await;
            }
        }
    }
}

/// As much of a wish as shows what the origin says of the file.
fn beginning_of(wish: Wish) -> Wish {
    let (start, end) = match wish {
        Wish::Whole => (0, u64::MAX),
        Wish::From(start) => (start, u64::MAX),
        Wish::Range(range) => (range.start(), range.end()),
    };
    ByteRange::new(start, end.min(start.saturating_add(BEGINNING))).map_or(wish, Wish::Range)
}

/// Whether the rest of a file can be told to be of the version of this answer.
fn is_recognisable(origin: &Origin, response: &Response) -> bool {
    origin.can_recognise(&response.validators) || !response.published.digests.is_empty()
}

/// Waits until peers have all of the file between them, and at least that long; says what size they claim.
async fn peers_have_all(crew: Option<&mut Crew>, patience: Duration) -> u64 {
    let Some(crew) = crew else { return std::future::pending().await };
    let until = Instant::now() + patience;
    loop {
        let is_time = Instant::now() >= until;
        if let Some(size) = crew.claimed_size().filter(|_| is_time) {
            return size;
        }
        tokio::select! {
            heard = crew.heard() => crew.note(heard),
            () = tokio::time::sleep_until(until), if !is_time => {}
        }
    }
}

/// Pauses; not longer than until peers have all of the file.
async fn wait(pause: Duration, crew: Option<&mut Crew>) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        _ = peers_have_all(crew, Duration::ZERO) => {}
    }
}

/// A start without the origin: the size is what peers say, and the digest of the job will tell in the end. `None` when what an
/// earlier attempt left is of another size or not for everyone, or when there is no room for as much.
fn from_peers(task: &FileTask, resume: Option<&Checkpoint>, size: u64) -> Option<Start> {
    let mut head = Head {
        validators: Validators { size: Some(size), ..Validators::default() },
        modified: None,
        published: Published::default(),
        file_name: None,
        sharing: Sharing::Public,
        vouched: Vec::new(),
        has_unsafe_digests: false,
    };
    let mut have = Filled::default();
    if let Some(checkpoint) = resume {
        // What the origin did not give to everyone is not mixed with what others give, nor given to them.
        if checkpoint.size != Some(size) || !checkpoint.for_everyone {
            return None;
        }
        head.take_from(checkpoint, false);
        have = checkpoint.filled();
    }
    // A lie should not fill the disk, nor fail the download for want of space.
    let needed = size.saturating_sub(have.all.len_bytes());
    if folder_of(&task.temp).is_some_and(|(_, free)| needed > free) {
        return None;
    }
    Some(Start { response: None, have, ranges: Ranges::Yes, head, way: Beginning::Peers })
}

/// Whether an answer shows that the cache has this very version; its body is then not wanted.
fn is_cached(cached: Option<&(Entry, Validators)>, response: &Response) -> bool {
    cached.is_some_and(|(_, stored)| {
        response.size.is_some() && stored.same_as(&response.validators) == Verdict::Same
    })
}

/// Whether asking for the file from its start may help where asking for the rest did not: the file has shrunk or changed, or the
/// server's ranges are broken.
fn is_about_the_rest(error: &OriginError) -> bool {
    matches!(error, OriginError::Changed { .. } | OriginError::RangeNotSatisfiable { .. })
        || error.needs_whole()
}

/// What to ask for first, and whether nothing is missing.
fn wish(task: &FileTask, resume: Option<&Checkpoint>, wishes: &Wishes) -> Result<(Wish, bool), FetchError> {
    if task.without_ranges {
        return Ok((Wish::Whole, false));
    }
    let missing = match resume.and_then(|checkpoint| Some((checkpoint, checkpoint.size?))) {
        None => None,
        Some((checkpoint, size)) => {
            let mut missing = task.layout.wanted(size)?.difference(&checkpoint.filled);
            if missing.is_empty() {
                return Ok((Wish::Whole, true));
            }
            let urgent = wishes.first.iter().map(|first| missing.intersection(first));
            let only = wishes.only.iter().map(|only| missing.intersection(only));
            if let Some(wished) = urgent.chain(only).find(|wished| !wished.is_empty()) {
                missing = wished;
            }
            missing.iter().next()
        }
    };
    // Ranges that touch are asked for as one.
    let first_wanted = match task.layout.specs() {
        Some(_) => task.layout.wanted(OPEN)?.iter().next(),
        None => None,
    };
    Ok(match (missing, first_wanted) {
        (Some(gap), _) if gap.start() == 0 && task.layout.specs().is_none() && wishes.only.is_none() => {
            (Wish::Whole, false)
        }
        (Some(gap), None) if resume.and_then(|checkpoint| checkpoint.size) == Some(gap.end()) => {
            (Wish::From(gap.start()), false)
        }
        (Some(gap), _) => (Wish::Range(gap), false),
        (None, None) => (wishes.opening().unwrap_or(Wish::Whole), false),
        (None, Some(range)) if range.end() == OPEN => (Wish::From(range.start()), false),
        (None, Some(range)) => (Wish::Range(range), false),
    })
}

/// What an answer with a body makes of the earlier attempt; `None` when the file must be asked for anew, from its start.
fn begin(
    task: &FileTask,
    origin: &Origin,
    resume: Option<Checkpoint>,
    asked: Wish,
    response: Response,
    is_narrow: bool,
    watch: &dyn Watch,
) -> Result<Option<Start>, FetchError> {
    let is_packed = task.layout.specs().is_some();
    if is_packed && response.range.is_none() && !task.without_ranges && asked != ALL {
        // Nothing was missing, and the file was asked for whole to see if it is still the same: it is not.
        let was_complete = resume
            .is_some_and(|resume| matches!(wish(task, Some(&resume), &Wishes::default()), Ok((_, true))));
        if was_complete {
            return Ok(None);
        }
        // The caller may try it another way, for which it needs the size.
        watch.event(Event::Known {
            local_size: task.layout.local_len(response.size),
            resumed: 0,
            file_name: response.file_name,
            validators: response.validators,
            has_ranges: Some(false),
        });
        return Err(FetchError::NoRanges { host: origin.host() });
    }
    let is_same = resume.as_ref().is_some_and(|known| match known.is_elsewhere(task) {
        true => known.is_of(&response.validators),
        false => origin.is_same(&known.validators(), &response),
    });
    let mut head = Head {
        validators: response.validators.clone(),
        modified: response.last_modified,
        published: response.published.clone(),
        file_name: response.file_name.clone(),
        sharing: response.sharing,
        vouched: if response.is_secure { response.published.digests.clone() } else { Vec::new() },
        has_unsafe_digests: !response.is_secure && !response.published.digests.is_empty(),
    };
    let mut have = Filled::default();
    if let Some(checkpoint) = resume {
        if is_same {
            head.take_from(&checkpoint, checkpoint.is_elsewhere(task));
            have = checkpoint.filled();
        } else if response.start > 0 || is_packed {
            return Ok(None);
        }
    }
    let ranges = match (response.range, have.all.is_empty()) {
        _ if task.without_ranges => Ranges::No,
        (Some(_), _) => Ranges::Yes,
        // Asked for a part, the origin sends the whole.
        (None, _) if is_narrow => Ranges::No,
        (None, false) => Ranges::No,
        (None, true) if response.accepts_ranges => Ranges::Yes,
        (None, true) => Ranges::Unknown,
    };
    Ok(Some(Start { response: Some(response), have, ranges, head, way: Beginning::Answer }))
}

fn all_there(checkpoint: &Checkpoint) -> Start {
    let mut head = Head {
        validators: checkpoint.validators(),
        modified: None,
        published: Published::default(),
        file_name: None,
        // "Not modified" does not say it again.
        sharing: if checkpoint.for_everyone { Sharing::Public } else { Sharing::Private },
        vouched: Vec::new(),
        has_unsafe_digests: false,
    };
    head.take_from(checkpoint, false);
    let have = checkpoint.filled();
    Start { response: None, have, ranges: Ranges::Yes, head, way: Beginning::Answer }
}

impl Head {
    /// Adds what the earlier attempt was told about the same version.
    fn take_from(&mut self, checkpoint: &Checkpoint, is_elsewhere: bool) {
        let earlier = checkpoint.validators();
        let validators = &mut self.validators;
        validators.size = validators.size.or(earlier.size);
        // What another server says means nothing to this one.
        if !is_elsewhere {
            validators.etag = validators.etag.take().or(earlier.etag);
            validators.last_modified = validators.last_modified.take().or(earlier.last_modified);
        }
        for digest in checkpoint.published() {
            if !self.published.digests.contains(&digest) {
                self.published.digests.push(digest);
            }
        }
        self.published.crc32c = self.published.crc32c.or(checkpoint.crc32c);
    }
}
