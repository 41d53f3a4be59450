//! The world: servers, a clock that jumps from event to event, and a driver that believes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dray_planner::{
    CancelReason, Command, Failure, Has, Planner, Ranges, RequestId, Settings, SourceId, Time, Wanted,
    WantedRanges, Wish,
};
use dray_ranges::{ByteRange, RangeSet};

use crate::flow::{Fate, Flow};
use crate::scene::{Act, Scene};
use crate::server::Server;

/// More events than any run of these tests has honestly.
const MAX_EVENTS: u32 = 400_000;
/// More commands than may follow one event.
const MAX_BURST: u32 = 500;

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Stuck,
}

/// The world at one moment, and what happened so far.
pub(crate) struct World {
    pub(crate) planner: Planner,
    pub(crate) now: Time,
    pub(crate) commands: Vec<(Time, Command)>,
    /// By the order in which they joined.
    pub(crate) ids: Vec<SourceId>,
    settings: Settings,
    size: u64,
    size_is_announced: bool,
    wanted: RangeSet,
    have: RangeSet,
    kept: BTreeMap<SourceId, u64>,
    /// Bytes that servers sent, to be kept or not.
    pub(crate) sent: u64,
    waiting: Vec<Server>,
    servers: BTreeMap<SourceId, (Server, Ranges)>,
    flows: BTreeMap<RequestId, Flow>,
    seen: BTreeSet<RequestId>,
    acts: Vec<(Time, Act)>,
    dice: fastrand::Rng,
    chunk: u64,
}

impl Scene {
    pub(crate) fn build(self) -> World {
        let whole: RangeSet = ByteRange::new(0, self.size).into_iter().collect();
        let ranges = self.wanted.clone().map_or(WantedRanges::All, WantedRanges::Only);
        let size = self.size_is_known.then_some(self.size);
        let mut acts = self.acts;
        acts.sort_by_key(|(time, _)| *time);
        World {
            planner: Planner::new(self.settings.clone(), Wanted { size, ranges }, self.have.clone()),
            now: Duration::ZERO,
            commands: Vec::new(),
            ids: Vec::new(),
            settings: self.settings,
            size: self.size,
            size_is_announced: self.size_is_announced,
            wanted: self.wanted.map_or_else(|| whole.clone(), |wanted| wanted.intersection(&whole)),
            have: self.have,
            kept: BTreeMap::new(),
            sent: 0,
            waiting: self.servers,
            servers: BTreeMap::new(),
            flows: BTreeMap::new(),
            seen: BTreeSet::new(),
            acts,
            dice: fastrand::Rng::with_seed(self.seed),
            chunk: self.chunk,
        }
    }
}

impl World {
    /// Runs until all is there, or until nobody can give the rest.
    pub(crate) fn run(&mut self) -> Outcome {
        for _ in 0..MAX_EVENTS {
            self.arrivals_and_departures();
            self.acts();
            self.obey();
            self.check();
            if self.waiting.is_empty() && self.acts.is_empty() && self.flows.is_empty() {
                if self.planner.done() {
                    self.check_totals();
                    return Outcome::Done;
                }
                if self.planner.stuck() {
                    return Outcome::Stuck;
                }
            }
            self.step();
        }
        panic!("no end after {MAX_EVENTS} events, at {:?}: {:?}", self.now, self.planner);
    }

    /// Jumps to the next event and lets it happen.
    fn step(&mut self) {
        let flows = self.flows.values().filter_map(|flow| flow.due);
        let joins = self.waiting.iter().map(|server| server.joins);
        let leaves = self.servers.values().filter_map(|(server, _)| server.leaves);
        let acts = self.acts.iter().map(|(time, _)| *time);
        let outside = flows.chain(joins).chain(leaves).chain(acts).min();
        let next = outside.into_iter().chain(self.planner.timeout()).min();
        self.now = next.expect("neither done nor stuck, and nothing to wait for").max(self.now);
        if self.planner.timeout().is_some_and(|timeout| timeout <= self.now) {
            self.planner.handle_timeout(self.now);
            let timeout = self.planner.next_due();
            assert!(timeout.is_none_or(|(time, _)| time > self.now), "{timeout:?} is due for ever");
            return;
        }
        let due = self.flows.iter().find(|(_, flow)| flow.due.is_some_and(|due| due <= self.now));
        if let Some(request) = due.map(|(id, _)| *id) {
            self.deliver(request);
        }
    }

    fn arrivals_and_departures(&mut self) {
        let now = self.now;
        for server in self.waiting.extract_if(.., |server| server.joins <= now) {
            let id = self.planner.add_source(now, server.about(server.said_ranges));
            let said = server.said_ranges;
            self.servers.insert(id, (server, said));
            self.ids.push(id);
        }
        let left: Vec<SourceId> = (self.servers.iter())
            .filter(|(_, (server, _))| server.leaves.is_some_and(|time| time <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in left {
            self.planner.remove_source(now, id);
            self.servers.remove(&id);
        }
    }

    fn acts(&mut self) {
        while self.acts.first().is_some_and(|(time, _)| *time <= self.now) {
            match self.acts.remove(0).1 {
                Act::Prefer(bytes) => self.planner.prefer(self.now, bytes),
                Act::Reject(range) => {
                    self.have.remove(range);
                    self.planner.reject(self.now, range);
                }
            }
        }
    }

    /// Does what the planner says, until it has nothing more to say.
    fn obey(&mut self) {
        for _ in 0..MAX_BURST {
            let Some(command) = self.planner.poll(self.now) else { return };
            self.commands.push((self.now, command));
            match command {
                Command::Fetch { request, source, range } => self.fetch(request, source, range),
                Command::Shorten { request, end } => {
                    let flow = self.flows.get_mut(&request).expect("only a running request is shortened");
                    let known = self.planner.size().is_some();
                    assert!(end < flow.end || !known, "{request:?} ends at {} already", flow.end);
                    flow.end = flow.end.min(end);
                    if flow.next >= end {
                        flow.due = Some(self.now);
                    }
                }
                Command::Cancel { request, .. } => {
                    assert!(
                        self.flows.remove(&request).is_some(),
                        "{request:?} is cancelled but does not run"
                    );
                }
            }
        }
        panic!("{MAX_BURST} commands without an event: {:?}", self.planner);
    }

    fn fetch(&mut self, request: RequestId, source: SourceId, wish: Wish) {
        assert!(self.seen.insert(request), "{request:?} is used twice");
        let running = self.flows.values().filter(|flow| flow.source == source).count();
        let (server, said) = self.servers.get(&source).expect("only who is there is asked");
        assert!(running < usize::from(server.max_requests), "{source:?} has too many requests");
        assert!(self.flows.len() < self.settings.max_connections, "too many requests");
        let end = wish.end.unwrap_or(self.size);
        let asked = ByteRange::new(wish.start, end);
        if *said == Ranges::No {
            assert_eq!(wish, Wish { start: 0, end: None }, "{source:?} cannot start in the middle");
        } else if let Some(asked) = asked {
            assert!(
                asked.end() <= self.size && self.wanted.contains_range(&asked),
                "{asked:?} is not wanted"
            );
            assert!(!self.have.overlaps(&asked), "{asked:?} is there already");
            for other in self.flows.values().filter(|flow| self.servers[&flow.source].1 != Ranges::No) {
                let left = ByteRange::new(other.next, other.end);
                assert!(left.is_none_or(|left| !left.overlaps(&asked)), "{asked:?} is asked twice");
            }
            if let Has::Only(has) = &server.has {
                assert!(
                    has.contains_range(&asked) || !self.size_is_known_to_planner(),
                    "{source:?} lacks {asked:?}"
                );
            }
        }
        let len = asked.map_or(0, ByteRange::len);
        let fate = Fate::roll(&mut self.dice, server, wish.start, len, running);
        let chunk = server.chunk(self.chunk, running + 1);
        let first = len.min(chunk);
        let due = Some(self.now + server.latency + server.time_for(first, running + 1));
        let flow =
            Flow { source, start: wish.start, next: wish.start, end, chunk, due, answered: false, fate };
        self.flows.insert(request, flow);
    }

    fn size_is_known_to_planner(&self) -> bool {
        self.planner.size().is_some()
    }

    /// The next thing a server does for a request.
    fn deliver(&mut self, request: RequestId) {
        let now = self.now;
        let flow = &self.flows[&request];
        let (source, next, end, chunk, fate) = (flow.source, flow.next, flow.end, flow.chunk, flow.fate);
        match fate {
            Fate::Gone => {
                self.flows.retain(|id, flow| flow.source != source || *id != request);
                self.planner.failed(now, request, Failure::Gone);
                self.servers.get_mut(&source).expect("it just failed").0.leaves = Some(now);
                return;
            }
            Fate::TooMany => return self.fail(request, Failure::Retry { after: Duration::from_secs(5) }),
            Fate::NoRanges => {
                self.servers.get_mut(&source).expect("it just failed").1 = Ranges::No;
                return self.fail(request, Failure::NoRanges);
            }
            _ => {}
        }
        if !self.flows[&request].answered {
            self.answer(request);
        }
        let fate = match fate {
            // Without a size, the end of an answer is the end of the file: no driver can see that it came early.
            Fate::Early { .. } if self.planner.size().is_none() => Fate::Well,
            fate => fate,
        };
        let stop = match fate {
            Fate::Retry { at } | Fate::Silent { at } | Fate::Early { at } => at.min(end),
            _ => end,
        };
        if let Some(bytes) = ByteRange::new(next, stop.min(next + chunk)) {
            self.receive(request, bytes);
        }
        let Some(flow) = self.flows.get_mut(&request) else { return };
        flow.next = flow.next.max(stop.min(next + chunk));
        if flow.next < stop {
            let active = self.flows.values().filter(|flow| flow.source == source).count();
            let server = &self.servers[&source].0;
            let flow = self.flows.get_mut(&request).expect("it was there");
            flow.chunk = server.chunk(self.chunk, active).min(stop - flow.next);
            flow.due = Some(now + server.time_for(flow.chunk, active));
            return;
        }
        match fate {
            Fate::Retry { .. } if stop < end => self.fail(request, Failure::Retry { after: Duration::ZERO }),
            Fate::Silent { .. } if stop < end => {
                self.flows.get_mut(&request).expect("it was there").due = None
            }
            _ => {
                self.flows.remove(&request);
                self.planner.finished(now, request);
            }
        }
    }

    /// The head of an answer tells the size, and whether the server does ranges.
    fn answer(&mut self, request: RequestId) {
        let flow = self.flows.get_mut(&request).expect("it is being delivered");
        flow.answered = true;
        let source = flow.source;
        if self.size_is_announced {
            self.planner.learn_size(self.now, self.size).expect("it never changes here");
            for flow in self.flows.values_mut() {
                flow.end = flow.end.min(self.size);
            }
        }
        let (server, said) = self.servers.get_mut(&source).expect("it answers");
        if *said == Ranges::Unknown {
            *said = if server.does_ranges { Ranges::Yes } else { Ranges::No };
            let about = server.about(*said);
            self.planner.update_source(self.now, source, about);
        }
    }

    fn fail(&mut self, request: RequestId, failure: Failure) {
        self.flows.remove(&request);
        self.planner.failed(self.now, request, failure);
    }

    /// Hands over bytes as a driver does: as long as some of them are to be kept.
    fn receive(&mut self, request: RequestId, chunk: ByteRange) {
        self.sent += chunk.len();
        let flow = &self.flows[&request];
        let (source, start, end) = (flow.source, flow.start, flow.end);
        let mut rest = Some(chunk);
        while let Some(range) = rest {
            let Some(keep) = self.planner.received(self.now, request, range) else { return };
            assert!(range.contains_range(&keep), "{keep:?} did not come");
            assert!(start <= keep.start() && keep.end() <= end, "{keep:?} was not asked for");
            assert!(self.wanted.contains_range(&keep), "{keep:?} is not wanted");
            assert!(!self.have.overlaps(&keep), "{keep:?} is kept twice");
            self.have.insert(keep);
            *self.kept.entry(source).or_default() += keep.len();
            rest = ByteRange::new(keep.end(), range.end());
        }
    }

    /// What holds whenever the planner has nothing more to say.
    fn check(&self) {
        assert_eq!(self.planner.have(), &self.have);
        assert_eq!(self.planner.done(), self.have.covers(&self.wanted) && self.no_open_end());
        let missing = self.wanted.difference(&self.have);
        let could_give = |server: &Server| match &server.has {
            Has::Everything => server.max_requests > 0,
            Has::Only(has) => server.max_requests > 0 && !has.intersection(&missing).is_empty(),
        };
        if self.planner.stuck() {
            let known = self.ids.iter().filter_map(|id| self.servers.get(id));
            // Those that failed too often are out, though they are still there.
            let able: Vec<_> =
                known.filter(|(server, _)| could_give(server) && !self.may_be_given_up(server)).collect();
            assert!(able.is_empty(), "stuck, though {able:?} could give {missing:?}");
        }
        let waits = !self.flows.is_empty() || self.planner.timeout().is_some();
        assert!(waits || self.planner.done() || self.planner.stuck(), "asleep: {:?}", self.planner);
    }

    fn may_be_given_up(&self, server: &Server) -> bool {
        let faults = server.faults;
        faults.retry + faults.silent + faults.early + faults.gone > 0
    }

    /// Without a size, a whole file is never done.
    fn no_open_end(&self) -> bool {
        self.planner.missing().iter().next_back().is_none_or(|last| last.end() <= self.size)
    }

    fn check_totals(&self) {
        assert!(self.have.covers(&self.wanted));
        for id in &self.ids {
            let kept = self.kept.get(id).copied().unwrap_or(0);
            assert_eq!(self.planner.bytes_from(*id), kept, "{id:?}");
        }
    }

    /// Bytes that were kept, over all servers.
    pub(crate) fn kept(&self) -> u64 {
        self.kept.values().sum()
    }

    pub(crate) fn fetches(&self) -> Vec<(SourceId, Wish)> {
        let fetch = |(_, command): &(Time, Command)| match *command {
            Command::Fetch { source, range, .. } => Some((source, range)),
            _ => None,
        };
        self.commands.iter().filter_map(fetch).collect()
    }

    pub(crate) fn cancels(&self) -> Vec<CancelReason> {
        let cancel = |(_, command): &(Time, Command)| match *command {
            Command::Cancel { reason, .. } => Some(reason),
            _ => None,
        };
        self.commands.iter().filter_map(cancel).collect()
    }

    /// Kept bytes of the server that joined as the `n`th.
    pub(crate) fn from(&self, n: usize) -> u64 {
        self.planner.bytes_from(self.ids[n])
    }
}
