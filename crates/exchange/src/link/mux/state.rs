//! The streams of one connection as a state machine: frames in, frames out, no socket.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Poll, Waker};

use bytes::{Bytes, BytesMut};
use dray_identity::Role;

use super::frame::{Head, Kind, MAX_DATA};
use crate::link::{CloseCode, LinkError};

/// What the opener of a stream may send before it gets credit.
const ASK_WINDOW: u32 = 64 << 10;
/// What the other end of it may send before it gets credit.
const ANSWER_WINDOW: u32 = 1 << 20;
/// A writer waits while this much of what it wrote waits too.
const SEND_QUEUE: usize = 256 << 10;
/// Data shorter than this is copied together, so that it does not keep a whole read buffer in memory.
const SMALL: usize = 1 << 10;
/// Up to this length.
const JOINED: usize = 16 << 10;

type Broken = &'static str;

pub(super) struct State {
    role: Role,
    limit: u32,
    streams: BTreeMap<u32, Stream>,
    /// Number of the next stream that we open.
    next: u32,
    /// Number of the next stream that the other end may open.
    next_theirs: u32,
    /// Streams not yet over on the wire.
    ours_open: u32,
    theirs_open: u32,
    arrived: VecDeque<u32>,
    /// Frames without data, which go first.
    heads: VecDeque<Head>,
    /// Streams that have data they may send, or an end to tell.
    ready: VecDeque<u32>,
    ended: Option<LinkError>,
}

#[derive(Default)]
struct Stream {
    send: Send,
    recv: Recv,
}

#[derive(Default)]
struct Send {
    queue: VecDeque<Bytes>,
    queued: usize,
    credit: u32,
    end: Option<Kind>,
    /// The end has gone out.
    over: bool,
    is_ready: bool,
    stopped: bool,
    released: bool,
    waker: Option<Waker>,
}

#[derive(Default)]
struct Recv {
    queue: VecDeque<Bytes>,
    /// Small data, joined; comes behind the queue.
    tail: BytesMut,
    window: u32,
    full_window: u32,
    /// Read since credit was last given.
    unreported: u32,
    end: Option<Kind>,
    released: bool,
    waker: Option<Waker>,
}

impl State {
    pub(super) fn new(role: Role, limit: u32) -> Self {
        let (next, next_theirs) = match role {
            Role::Dialer => (0, 1),
            Role::Listener => (1, 0),
        };
        Self {
            role,
            limit,
            streams: BTreeMap::new(),
            next,
            next_theirs,
            ours_open: 0,
            theirs_open: 0,
            arrived: VecDeque::new(),
            heads: VecDeque::new(),
            ready: VecDeque::new(),
            ended: None,
        }
    }

    pub(super) fn ended(&self) -> Option<LinkError> {
        self.ended.clone()
    }

    /// From here on every operation fails for this reason. What was received stays readable.
    pub(super) fn end(&mut self, why: LinkError) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(why);
        self.ready.clear();
        self.heads.clear();
        for stream in self.streams.values_mut() {
            stream.send.queue.clear();
            wake(&mut stream.send.waker);
            wake(&mut stream.recv.waker);
        }
    }

    fn alive(&self) -> Result<(), LinkError> {
        self.ended.clone().map_or(Ok(()), Err)
    }

    /// The number of a new stream; `None` while there are too many.
    pub(super) fn open(&mut self) -> Result<Option<u32>, LinkError> {
        self.alive()?;
        if self.ours_open >= self.limit {
            return Ok(None);
        }
        let id = self.next;
        self.next = id.checked_add(2).ok_or(LinkError::Violation("all stream numbers are used"))?;
        self.ours_open += 1;
        self.streams.insert(id, Stream::new(ASK_WINDOW, ANSWER_WINDOW));
        Ok(Some(id))
    }

    /// The number of a stream that the other end has opened; `None` while there is no new one.
    pub(super) fn accept(&mut self) -> Result<Option<u32>, LinkError> {
        self.alive()?;
        Ok(self.arrived.pop_front())
    }

    /// Queues bytes; `Pending` while too many wait.
    pub(super) fn poll_write(
        &mut self,
        id: u32,
        bytes: &mut Bytes,
        waker: &Waker,
    ) -> Poll<Result<(), LinkError>> {
        self.alive()?;
        let Some(stream) = self.streams.get_mut(&id) else { return Poll::Ready(Err(LinkError::Reset)) };
        let send = &mut stream.send;
        if send.stopped {
            return Poll::Ready(Err(LinkError::Stopped));
        }
        if send.queued >= SEND_QUEUE {
            send.waker = Some(waker.clone());
            return Poll::Pending;
        }
        send.queued += bytes.len();
        send.queue.push_back(std::mem::take(bytes));
        self.make_ready(id);
        Poll::Ready(Ok(()))
    }

    /// Ready when all that was written has left, or will never leave.
    pub(super) fn poll_settled(&mut self, id: u32, waker: &Waker) -> Poll<Result<(), LinkError>> {
        self.alive()?;
        let Some(stream) = self.streams.get_mut(&id) else { return Poll::Ready(Ok(())) };
        let send = &mut stream.send;
        if send.stopped {
            return Poll::Ready(Err(LinkError::Stopped));
        }
        if send.over {
            return Poll::Ready(Ok(()));
        }
        send.waker = Some(waker.clone());
        Poll::Pending
    }

    pub(super) fn finish(&mut self, id: u32) {
        self.end_send(id, Kind::Fin);
    }

    /// The user lets its sending half go.
    pub(super) fn release_send(&mut self, id: u32) {
        self.end_send(id, Kind::Reset);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.send.released = true;
            self.forget(id);
        }
    }

    fn end_send(&mut self, id: u32, how: Kind) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let send = &mut stream.send;
        if send.end.is_none() {
            send.end = Some(how);
            if how == Kind::Reset {
                send.queue.clear();
                send.queued = 0;
            }
            self.make_ready(id);
        }
    }

    /// The next bytes of a stream; `None` at its end.
    pub(super) fn poll_read(&mut self, id: u32, waker: &Waker) -> Poll<Result<Option<Bytes>, LinkError>> {
        let Some(stream) = self.streams.get_mut(&id) else { return Poll::Ready(Err(LinkError::Reset)) };
        let recv = &mut stream.recv;
        let Some(bytes) = recv.pop() else {
            return match (recv.end, &self.ended) {
                (Some(Kind::Fin), _) => Poll::Ready(Ok(None)),
                (Some(_), _) => Poll::Ready(Err(LinkError::Reset)),
                (None, Some(why)) => Poll::Ready(Err(why.clone())),
                (None, None) => {
                    recv.waker = Some(waker.clone());
                    Poll::Pending
                }
            };
        };
        recv.unreported += u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if recv.end.is_none() && recv.unreported >= recv.full_window / 2 {
            let value = std::mem::take(&mut recv.unreported);
            recv.window += value;
            self.heads.push_back(Head { kind: Kind::Credit, stream: id, value });
        }
        Poll::Ready(Ok(Some(bytes)))
    }

    /// The user lets its receiving half go.
    pub(super) fn release_recv(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let recv = &mut stream.recv;
        recv.released = true;
        recv.queue.clear();
        recv.tail = BytesMut::new();
        if recv.end.is_none() {
            self.heads.push_back(Head { kind: Kind::Stop, stream: id, value: 0 });
        }
        self.forget(id);
    }

    /// A head without data came.
    pub(super) fn received_head(&mut self, head: Head) -> Result<(), Broken> {
        match head.kind {
            Kind::Data => self.expect_data(head.stream, head.value),
            Kind::Fin | Kind::Reset => self.received_end(head.stream, head.kind),
            Kind::Stop => self.received_stop(head.stream),
            Kind::Credit => self.received_credit(head.stream, head.value),
            Kind::Close => {
                self.end(LinkError::ClosedByPeer(CloseCode::from_number(u64::from(head.value))));
                Ok(())
            }
        }
    }

    /// The head of data came; the bytes follow in [`Self::received_data`].
    fn expect_data(&mut self, id: u32, len: u32) -> Result<(), Broken> {
        if let Some(stream) = self.find_or_open(id)? {
            let recv = &mut stream.recv;
            if recv.end.is_some() {
                return Err("data behind the end of a stream");
            }
            recv.window = recv.window.checked_sub(len).ok_or("more data than there was credit for")?;
        }
        Ok(())
    }

    pub(super) fn received_data(&mut self, id: u32, bytes: Bytes) {
        if let Some(stream) = self.streams.get_mut(&id)
            && !stream.recv.released
        {
            stream.recv.push(bytes);
            wake(&mut stream.recv.waker);
        }
    }

    fn received_end(&mut self, id: u32, how: Kind) -> Result<(), Broken> {
        let Some(stream) = self.find_or_open(id)? else { return Ok(()) };
        if stream.recv.end.is_some() {
            return Err("a stream that ends twice");
        }
        stream.recv.end = Some(how);
        wake(&mut stream.recv.waker);
        self.over_on_the_wire(id);
        Ok(())
    }

    fn received_stop(&mut self, id: u32) -> Result<(), Broken> {
        let Some(stream) = self.find_or_open(id)? else { return Ok(()) };
        let send = &mut stream.send;
        if !send.over {
            send.stopped = true;
            send.end = Some(Kind::Reset);
            send.queue.clear();
            send.queued = 0;
            wake(&mut send.waker);
            self.make_ready(id);
        }
        Ok(())
    }

    fn received_credit(&mut self, id: u32, more: u32) -> Result<(), Broken> {
        if let Some(stream) = self.find_or_open(id)? {
            let send = &mut stream.send;
            send.credit = send.credit.checked_add(more).ok_or("more credit than there are numbers")?;
            self.make_ready(id);
        }
        Ok(())
    }

    /// `None` for a stream that is over here; the other end may not know yet.
    fn find_or_open(&mut self, id: u32) -> Result<Option<&mut Stream>, Broken> {
        let is_ours = id % 2 == self.next % 2;
        if is_ours {
            return if id < self.next {
                Ok(self.streams.get_mut(&id))
            } else {
                Err("a stream that was never opened")
            };
        }
        if id >= self.next_theirs {
            if id != self.next_theirs {
                return Err("a stream number out of order");
            }
            if self.theirs_open >= self.limit {
                return Err("more streams than are allowed");
            }
            if self.arrived.len() >= self.limit as usize {
                return Err("streams that end faster than they can be looked at");
            }
            self.next_theirs = id.checked_add(2).ok_or("all stream numbers are used")?;
            self.theirs_open += 1;
            self.streams.insert(id, Stream::new(ANSWER_WINDOW, ASK_WINDOW));
            self.arrived.push_back(id);
        }
        Ok(self.streams.get_mut(&id))
    }

    /// Whether there are streams to be accepted.
    pub(super) fn has_arrivals(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// Whether frames without data wait to be sent.
    pub(super) fn has_heads(&self) -> bool {
        !self.heads.is_empty()
    }

    /// Whether one more stream could be opened.
    pub(super) fn has_room(&self) -> bool {
        self.ours_open < self.limit
    }

    /// The next frame to send: heads first, then each ready stream in its turn.
    pub(super) fn next_frame(&mut self) -> Option<(Head, Bytes)> {
        if let Some(head) = self.heads.pop_front() {
            return Some((head, Bytes::new()));
        }
        while let Some(id) = self.ready.pop_front() {
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            let send = &mut stream.send;
            send.is_ready = false;
            if let Some(bytes) = send.pop() {
                let value = u32::try_from(bytes.len()).unwrap_or(0);
                if send.queued < SEND_QUEUE {
                    wake(&mut send.waker);
                }
                self.make_ready(id);
                return Some((Head { kind: Kind::Data, stream: id, value }, bytes));
            }
            if let Some(kind) = send.end.filter(|_| send.queue.is_empty() && !send.over) {
                send.over = true;
                wake(&mut send.waker);
                self.over_on_the_wire(id);
                return Some((Head { kind, stream: id, value: 0 }, Bytes::new()));
            }
        }
        None
    }

    /// Puts a stream in line if it has something to send. The first stream carries the messages, and goes before all others.
    fn make_ready(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let send = &mut stream.send;
        let has_data = !send.queue.is_empty() && send.credit > 0;
        let has_end = send.queue.is_empty() && send.end.is_some() && !send.over;
        if (has_data || has_end) && !send.is_ready && self.ended.is_none() {
            send.is_ready = true;
            if id == 0 {
                self.ready.push_front(id);
            } else {
                self.ready.push_back(id);
            }
        }
    }

    /// Counts a stream down when both of its halves have ended.
    fn over_on_the_wire(&mut self, id: u32) {
        let is_over =
            self.streams.get(&id).is_some_and(|stream| stream.send.over && stream.recv.end.is_some());
        if is_over {
            let is_dialers = id.is_multiple_of(2);
            if is_dialers == (self.role == Role::Dialer) {
                self.ours_open -= 1;
            } else {
                self.theirs_open -= 1;
            }
            self.forget(id);
        }
    }

    /// Drops what is known of a stream once it is over for everybody.
    fn forget(&mut self, id: u32) {
        let done = |stream: &Stream| {
            stream.send.over && stream.send.released && stream.recv.end.is_some() && stream.recv.released
        };
        if self.streams.get(&id).is_some_and(done) {
            self.streams.remove(&id);
        }
    }
}

impl Stream {
    fn new(credit: u32, window: u32) -> Self {
        let send = Send { credit, ..Send::default() };
        let recv = Recv { window, full_window: window, ..Recv::default() };
        Self { send, recv }
    }
}

impl Send {
    /// As much as one frame holds and credit allows.
    fn pop(&mut self) -> Option<Bytes> {
        let front = self.queue.front_mut()?;
        let len = front.len().min(MAX_DATA).min(self.credit as usize);
        if len == 0 {
            return None;
        }
        let bytes = front.split_to(len);
        if front.is_empty() {
            self.queue.pop_front();
        }
        self.queued -= len;
        self.credit -= u32::try_from(len).unwrap_or(self.credit);
        Some(bytes)
    }
}

impl Recv {
    fn push(&mut self, bytes: Bytes) {
        if bytes.len() < SMALL {
            self.tail.extend_from_slice(&bytes);
            if self.tail.len() < JOINED {
                return;
            }
        }
        if !self.tail.is_empty() {
            self.queue.push_back(self.tail.split().freeze());
        }
        if bytes.len() >= SMALL {
            self.queue.push_back(bytes);
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        let joined = || (!self.tail.is_empty()).then(|| self.tail.split().freeze());
        self.queue.pop_front().or_else(joined)
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u32 = 4;

    /// Two ends without a wire between them.
    struct Ends {
        dialer: State,
        listener: State,
    }

    impl Ends {
        fn new() -> Self {
            Self { dialer: State::new(Role::Dialer, LIMIT), listener: State::new(Role::Listener, LIMIT) }
        }

        /// Carries what either end has to send, until neither has anything; how many bytes of data that was.
        fn carry(&mut self) -> usize {
            let mut all = 0;
            loop {
                let there = carry(&mut self.dialer, &mut self.listener);
                let back = carry(&mut self.listener, &mut self.dialer);
                if there.is_none() && back.is_none() {
                    return all;
                }
                all += there.unwrap_or(0) + back.unwrap_or(0);
            }
        }
    }

    /// `None` when there was no frame at all.
    fn carry(from: &mut State, to: &mut State) -> Option<usize> {
        let mut carried = None;
        while let Some((head, data)) = from.next_frame() {
            carried = Some(carried.unwrap_or(0) + data.len());
            to.received_head(head).unwrap();
            if !data.is_empty() {
                to.received_data(head.stream, data);
            }
        }
        carried
    }

    fn write(state: &mut State, id: u32, len: usize) -> bool {
        let mut bytes = Bytes::from(vec![1; len]);
        state.poll_write(id, &mut bytes, Waker::noop()).is_ready()
    }

    fn read_all(state: &mut State, id: u32) -> usize {
        let mut read = 0;
        while let Poll::Ready(Ok(Some(bytes))) = state.poll_read(id, Waker::noop()) {
            read += bytes.len();
        }
        read
    }

    #[test]
    fn what_an_end_may_send_is_bounded_until_it_is_read() {
        let mut ends = Ends::new();
        let id = ends.dialer.open().unwrap().unwrap();
        assert!(write(&mut ends.dialer, id, 200_000));
        assert_eq!(ends.carry(), ASK_WINDOW as usize);
        assert_eq!(ends.listener.accept().unwrap(), Some(id));
        // What waits at the sender is bounded too.
        assert!(write(&mut ends.dialer, id, 200_000));
        assert!(!write(&mut ends.dialer, id, 1));
        assert_eq!(read_all(&mut ends.listener, id), ASK_WINDOW as usize);
        // Credit is given for what was read, but not for every crumb.
        let more = ends.carry();
        assert!((ASK_WINDOW as usize / 2..=ASK_WINDOW as usize).contains(&more), "{more}");
        assert!(write(&mut ends.listener, id, 3 << 20));
        assert_eq!(ends.carry(), ANSWER_WINDOW as usize);
        assert_eq!(read_all(&mut ends.dialer, id), ANSWER_WINDOW as usize);
        let more = ends.carry();
        assert!((ANSWER_WINDOW as usize / 2..=ANSWER_WINDOW as usize).contains(&more), "{more}");
    }

    #[test]
    fn streams_take_turns_and_the_first_goes_before_all() {
        let mut state = State::new(Role::Dialer, LIMIT);
        for _ in 0..3 {
            let id = state.open().unwrap().unwrap();
            state.received_credit(id, 1 << 20).unwrap();
        }
        assert!(write(&mut state, 2, 200_000) && write(&mut state, 4, 200_000));
        let next = |state: &mut State| state.next_frame().unwrap().0.stream;
        assert_eq!([next(&mut state), next(&mut state), next(&mut state)], [2, 4, 2]);
        assert!(write(&mut state, 0, 10));
        assert_eq!([next(&mut state), next(&mut state)], [0, 4]);
    }

    #[test]
    fn a_finished_stream_is_forgotten_by_both_ends_and_makes_room_for_another() {
        let mut ends = Ends::new();
        for round in 0..20 {
            let ids: Vec<u32> = std::iter::from_fn(|| ends.dialer.open().unwrap()).collect();
            assert_eq!(ids.len(), LIMIT as usize, "round {round}");
            for id in &ids {
                assert!(write(&mut ends.dialer, *id, 10));
                ends.dialer.finish(*id);
            }
            ends.carry();
            while let Some(id) = ends.listener.accept().unwrap() {
                assert_eq!(read_all(&mut ends.listener, id), 10);
                assert!(matches!(ends.listener.poll_read(id, Waker::noop()), Poll::Ready(Ok(None))));
                assert!(write(&mut ends.listener, id, 10));
                // Every second one is given up instead of finished.
                if id % 4 == 0 {
                    ends.listener.finish(id);
                }
                ends.listener.release_send(id);
                ends.listener.release_recv(id);
            }
            ends.carry();
            for id in ids {
                let is_whole = read_all(&mut ends.dialer, id) == 10;
                assert_eq!(is_whole, id % 4 == 0);
                ends.dialer.release_send(id);
                ends.dialer.release_recv(id);
            }
            ends.carry();
            assert!(ends.dialer.streams.is_empty() && ends.listener.streams.is_empty());
        }
    }

    #[test]
    fn a_stream_that_is_not_wanted_ends_at_its_sender() {
        let mut ends = Ends::new();
        let id = ends.dialer.open().unwrap().unwrap();
        assert!(write(&mut ends.dialer, id, 1));
        ends.carry();
        assert_eq!(ends.listener.accept().unwrap(), Some(id));
        assert!(write(&mut ends.listener, id, 5 << 20));
        ends.dialer.release_recv(id);
        ends.dialer.release_send(id);
        ends.carry();
        let mut bytes = Bytes::from_static(b"more");
        let written = ends.listener.poll_write(id, &mut bytes, Waker::noop());
        assert_eq!(written, Poll::Ready(Err(LinkError::Stopped)));
        ends.listener.release_send(id);
        ends.listener.release_recv(id);
        assert!(ends.dialer.streams.is_empty() && ends.listener.streams.is_empty());
        assert_eq!((ends.dialer.ours_open, ends.listener.theirs_open), (0, 0));
    }

    #[test]
    fn rules_are_rules() {
        let head = |kind, stream, value| Head { kind, stream, value };
        let broken = |frames: &[Head]| {
            let mut state = State::new(Role::Listener, LIMIT);
            frames.iter().map(|head| state.received_head(*head)).find_map(Result::err)
        };
        assert_eq!(broken(&[head(Kind::Data, 0, ASK_WINDOW), head(Kind::Fin, 0, 0)]), None);
        assert!(broken(&[head(Kind::Data, 0, ASK_WINDOW), head(Kind::Data, 0, 1)]).is_some());
        assert!(broken(&[head(Kind::Fin, 0, 0), head(Kind::Data, 0, 1)]).is_some());
        assert!(broken(&[head(Kind::Fin, 0, 0), head(Kind::Reset, 0, 0)]).is_some());
        assert!(broken(&[head(Kind::Data, 2, 1)]).is_some());
        assert!(broken(&[head(Kind::Stop, 1, 0)]).is_some());
        assert!(broken(&[head(Kind::Credit, 0, u32::MAX)]).is_some());
        let many: Vec<Head> = (0..=LIMIT).map(|index| head(Kind::Data, index * 2, 1)).collect();
        assert_eq!(broken(&many[..LIMIT as usize]), None);
        assert!(broken(&many).is_some());
        // Streams that end as soon as they begin are bounded as well.
        let mut state = State::new(Role::Listener, LIMIT);
        let refused = (0..100).find_map(|index| {
            let opened = state.received_head(head(Kind::Fin, index * 2, 0));
            let stopped = opened.and_then(|()| state.received_head(head(Kind::Stop, index * 2, 0)));
            while state.next_frame().is_some() {}
            stopped.err()
        });
        assert!(refused.is_some() && state.streams.len() <= LIMIT as usize);
    }

    #[test]
    fn crumbs_of_data_do_not_keep_large_buffers() {
        let mut recv = Recv::default();
        let large = Bytes::from(vec![7; 64 << 10]);
        for at in 0..40_000 {
            recv.push(large.slice(at..at + 1));
        }
        assert!(large.is_unique());
        assert!(recv.queue.len() <= 3);
        recv.push(large.slice(0..SMALL));
        let joined: usize = std::iter::from_fn(|| recv.pop()).map(|bytes| bytes.len()).sum();
        assert_eq!(joined, 40_000 + SMALL);
    }
}
