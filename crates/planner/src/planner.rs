//! The planner's state, and the events that change it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use dray_ranges::{ByteRange, RangeSet};

use crate::probe::Experiment;
use crate::request::Request;
use crate::source::SourceState;
use crate::swarm::Swarm;
use crate::table::Table;
use crate::wanted::{Target, clip};
use crate::{
    CancelReason, Command, Failure, MAX_SOURCES, RequestId, Settings, SizeError, Source, SourceId, Time,
    Wanted,
};

/// Decides which bytes of one file come from which source. See the crate's page for how to drive it.
#[derive(Debug)]
pub struct Planner {
    pub(crate) settings: Settings,
    pub(crate) target: Target,
    pub(crate) have: RangeSet,
    /// The wanted bytes that are not there, whether or not a running request will bring them.
    pub(crate) missing: RangeSet,
    /// The bytes a reader waits for.
    pub(crate) preferred: RangeSet,
    pub(crate) sources: Table<SourceId, SourceState>,
    /// Useful bytes of sources that are gone.
    departed: BTreeMap<SourceId, u64>,
    pub(crate) requests: Table<RequestId, Request>,
    /// Decided and not yet told.
    pub(crate) commands: VecDeque<Command>,
    pub(crate) experiment: Option<Experiment>,
    /// Bytes that came in answer to requests, useful or not.
    pub(crate) received: u64,
    next_source: u32,
    next_request: u64,
    /// Whether anything happened since the last plan that could lead to another one.
    pub(crate) replan: bool,
    /// The others that want or have the same file.
    pub(crate) swarm: Swarm,
}

impl Planner {
    /// A transfer of `wanted`, of which `have` is already there.
    pub fn new(settings: Settings, wanted: Wanted, have: RangeSet) -> Self {
        let target = Target::new(wanted);
        Self {
            settings: settings.sane(),
            missing: target.bytes().difference(&have),
            target,
            have,
            preferred: RangeSet::new(),
            sources: Table::default(),
            departed: BTreeMap::new(),
            requests: Table::default(),
            commands: VecDeque::new(),
            experiment: None,
            received: 0,
            next_source: 0,
            next_request: 0,
            replan: true,
            swarm: Swarm::default(),
        }
    }

    /// A source takes part from now on. Beyond [`MAX_SOURCES`] it is named but never asked.
    pub fn add_source(&mut self, now: Time, source: Source) -> SourceId {
        let id = SourceId(self.next_source);
        self.next_source = self.next_source.saturating_add(1);
        if self.sources.len() < MAX_SOURCES {
            self.sources.insert(id, SourceState::new(source));
            self.replan = true;
            self.peer_added(now, id);
        }
        id
    }

    /// A source is no longer there: its requests are cancelled.
    pub fn remove_source(&mut self, now: Time, source: SourceId) {
        let running: Vec<RequestId> = self.requests_of(source).collect();
        for request in running {
            self.cancel(now, request, CancelReason::SourceGone);
        }
        if let Some(state) = self.sources.remove(&source) {
            if state.bytes > 0 {
                self.departed.insert(source, state.bytes);
            }
            self.replan = true;
            self.peer_removed(now, state);
        }
    }

    /// Something about a source is different: it has more bytes, or its first answer told whether it does ranges.
    /// Requests that run are left alone.
    pub fn update_source(&mut self, now: Time, source: SourceId, about: Source) {
        self.replan |= self.sources.contains_key(&source);
        self.peer_updated(now, source, about);
    }

    /// Requests are divided at multiples of this many bytes from now on: the length of a piece, once it is known.
    pub fn set_alignment(&mut self, bytes: u64) {
        if bytes.max(1) != self.settings.alignment {
            self.settings.alignment = bytes.max(1);
            self.drop_board();
        }
    }

    /// The size of the file is known. An error changes nothing: the file is not what it was taken for.
    pub fn learn_size(&mut self, _now: Time, size: u64) -> Result<(), SizeError> {
        self.target.learn(size, &self.have)?;
        self.swarm.is_stale = true;
        clip(&mut self.missing, size);
        for request in self.requests.values_mut() {
            request.shorten(size);
        }
        self.replan = true;
        Ok(())
    }

    /// A reader waits for these bytes, in place of those of an earlier call: they are fetched first, and a request
    /// that would come to them much later gives way. Where the end of the file is not known, it is not looked for.
    pub fn prefer(&mut self, _now: Time, bytes: RangeSet) {
        self.preferred = bytes;
        self.replan = true;
    }

    /// The bytes `range` of a request came. What is returned is to be kept, and counts as there from now on; in the
    /// common case it is all of `range`. Bytes before it are already there. If it ends before `range` does, ask again
    /// with the rest. `None`: nothing (more) of it is needed.
    pub fn received(&mut self, now: Time, request: RequestId, range: ByteRange) -> Option<ByteRange> {
        let several = self.sources.len() > 1;
        let running = self.requests.get_mut(&request)?;
        let source = running.source;
        let state = self.sources.get_mut(&source).expect("a request ends with its source");
        let asked = running.asked(range)?;
        let keep = self.missing.iter_within(asked).next();
        let reached = keep.map_or(asked.end(), ByteRange::end);
        let came = reached - asked.start();
        let (is_first, started) = (running.is_silent(), running.started);
        running.advance(now, reached, came);
        let rate_is_news = state.meter.add(now, came) && several && self.swarm.board.is_none();
        self.received = self.received.saturating_add(came);
        if is_first {
            state.heard_after(now.saturating_sub(started));
        }
        let mut is_first_use = false;
        if let Some(keep) = keep {
            is_first_use = state.bytes == 0 && state.is_peer();
            state.credit(keep.len());
            self.have.insert(keep);
            self.missing.remove(keep);
        }
        let is_server = state.is_server();
        let is_open_question = state.active == self.requests.len() && state.is_open_question();
        self.swarm_received(keep, is_server);
        if is_first_use && self.swarm.asked_of_servers > 0 {
            self.believe(now, source);
            self.replan = true;
        }
        // A stream of bytes changes nothing that was planned, until it tells a rate by which others may be better or
        // worse, or makes them unnecessary.
        self.replan |= rate_is_news || self.missing.is_empty();
        let may_experiment = is_open_question && !self.is_in_swarm();
        match &mut self.experiment {
            Some(experiment) => experiment.heard(now, request, &self.settings),
            None if may_experiment => {
                self.experiment = Some(Experiment::new(now, source, &self.settings));
            }
            None => {}
        }
        keep
    }

    /// Bytes proved wrong: they are missing again. Who sent them is for the caller to know and to remove.
    pub fn reject(&mut self, _now: Time, range: ByteRange) {
        for wrong in self.target.bytes().intersection(&range.into()).iter() {
            self.missing.insert(wrong);
        }
        self.have.remove(range);
        self.mark_missing(range);
        self.replan = true;
    }

    /// A request gave all that it was asked for, as last shortened. If that was "to the end of the file" and nobody
    /// knows the size, this is how it becomes known. One that ends early counts as failed.
    pub fn finished(&mut self, now: Time, request: RequestId) {
        let Some(ended) = self.end_request(now, request) else { return };
        if ended.left().is_none() {
            self.learn_pace(now, &ended);
        }
        let found_the_end = ended.is_open() && self.learn_size(now, ended.next()).is_ok();
        if !found_the_end && ended.left().is_some() {
            self.blame(now, ended.source, Duration::ZERO);
        }
    }

    /// A request failed; what it did not bring is missing as before.
    pub fn failed(&mut self, now: Time, request: RequestId, failure: Failure) {
        let Some(ended) = self.end_request(now, request) else { return };
        match failure {
            Failure::Retry { after } => self.blame(now, ended.source, after),
            Failure::Gone => self.remove_source(now, ended.source),
            Failure::NoRanges => {
                self.swarm.is_stale = true;
                let known = self.sources.get_mut(&ended.source).is_some_and(SourceState::lose_ranges);
                if known {
                    // It was asked for the whole, so this is no answer.
                    self.blame(now, ended.source, Duration::ZERO);
                }
            }
        }
    }

    /// Whether all that is wanted is there.
    pub fn done(&self) -> bool {
        self.missing.is_empty()
    }

    /// Whether bytes are missing that no source could give, now or later. A source that is added or that has more
    /// than it had changes that.
    pub fn stuck(&self) -> bool {
        let could_give = |state: &SourceState| {
            state.about.max_requests > 0
                && (self.has_open_piece(state)
                    || self.missing.iter().any(|gap| state.about.has.within(gap).next().is_some()))
        };
        !self.done() && self.requests.is_empty() && !self.sources.values().any(could_give)
    }

    /// The bytes that are there.
    pub fn have(&self) -> &RangeSet {
        &self.have
    }

    /// The wanted bytes that are not there. The last range ends at [`OPEN_END`](crate::OPEN_END) while the size
    /// is not known.
    pub fn missing(&self) -> &RangeSet {
        &self.missing
    }

    /// The size of the file, if known.
    pub fn size(&self) -> Option<u64> {
        self.target.size()
    }

    /// The smoothed rate of a source over all its requests, in bytes per second; `None` until it was measured.
    pub fn rate_bytes_per_s(&self, source: SourceId) -> Option<u64> {
        self.sources.get(&source)?.meter.bytes_per_s()
    }

    /// Bytes from this source that were kept, including those that proved wrong later.
    pub fn bytes_from(&self, source: SourceId) -> u64 {
        let living = self.sources.get(&source).map(|state| state.bytes);
        living.or_else(|| self.departed.get(&source).copied()).unwrap_or(0)
    }

    pub(crate) fn requests_of(&self, source: SourceId) -> impl Iterator<Item = RequestId> + '_ {
        self.requests.iter().filter(move |(_, request)| request.source == source).map(|(id, _)| *id)
    }

    /// Starts a request for `range` and queues what is to be told about it.
    pub(crate) fn start(&mut self, now: Time, source: SourceId, range: ByteRange) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        if let Some(state) = self.sources.get_mut(&source) {
            state.active += 1;
        }
        self.requests.insert(id, Request::new(now, source, range, self.settings.stall));
        self.swarm_started(id, source, range);
        self.experiment = self.experiment.take().filter(Experiment::is_trying);
        id
    }

    /// Forgets a request, however it ended.
    pub(crate) fn end_request(&mut self, now: Time, id: RequestId) -> Option<Request> {
        let request = self.requests.remove(&id)?;
        if let Some(state) = self.sources.get_mut(&request.source) {
            state.active = state.active.saturating_sub(1);
            if state.active == 0 {
                state.meter.pause();
            }
        }
        self.disturb_experiment(request.source);
        self.swarm_ended(now, &request);
        self.replan = true;
        Some(request)
    }

    /// Drops a request and says so, unless nobody was told of it yet.
    pub(crate) fn cancel(&mut self, now: Time, id: RequestId, reason: CancelReason) -> Option<Request> {
        let request = self.end_request(now, id)?;
        if request.announced {
            self.commands.push_back(Command::Cancel { request: id, reason });
        }
        Some(request)
    }

    /// A source failed.
    pub(crate) fn blame(&mut self, now: Time, source: SourceId, after: Duration) {
        let Some(state) = self.sources.get_mut(&source) else { return };
        if !state.fail(now, after, &self.settings) {
            self.remove_source(now, source);
        }
        self.recount(now, source);
    }
}
