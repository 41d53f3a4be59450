//! Who is told, in which order, how often and when again (reference 9.3, 9.4, 9.6), in virtual time.

use std::time::Duration;

use dray_jobs::delivery::{AGAIN_AFTER, ANSWER_WITHIN, MAX_COMMANDS, MAX_UNACKNOWLEDGED};
use dray_jobs::{
    Call, Caller, Code, Context, Delivery, Event, EventId, FileEvent, FileIndex, JobId, JobState, Notice,
    NotifyCommand, NotifyFlags, Owner, Places, Property, Queue, Rules, Scope, Setting, SubscriberId, Telling,
    Verdict,
};

use crate::rig::{SECOND, SIZE, alice, files, from_origin, job_id, new_job, root, start};

const ALL: u32 = 0x3b;
const MILLISECOND: Duration = Duration::from_millis(1);

/// A queue with its delivery, and a clock that stands still.
struct Desk {
    queue: Queue,
    delivery: Delivery,
    now: Duration,
}

impl Desk {
    fn new() -> Desk {
        let places = Places { background: 1000, ..Places::default() };
        Desk { queue: Queue::new(Rules::default(), places), delivery: Delivery::new(1), now: start().mono }
    }

    fn time(&self) -> dray_jobs::Now {
        dray_jobs::Now { mono: self.now, ..start() }
    }

    /// A job of `owner` with these flags, its files running.
    fn running(&mut self, number: u128, owner: &Caller, flags: u32, file_count: usize) -> JobId {
        let (now, id) = (self.time(), job_id(number));
        let _ = self.queue.create(now, owner, new_job(number)).unwrap();
        self.set(id, Setting::NotifyFlags(NotifyFlags::from_bits(flags).unwrap()));
        let _ = self.queue.call(now, owner, id, Call::AddFiles(files(file_count))).unwrap();
        let _ = self.queue.call(now, owner, id, Call::Resume).unwrap();
        while self.queue.poll(now).is_some() {}
        id
    }

    fn set(&mut self, id: JobId, setting: Setting) {
        let _ = self.queue.call(self.time(), &root(), id, Call::Set(vec![setting])).unwrap();
        self.refresh(id);
    }

    fn command(&mut self, id: JobId) {
        let command = NotifyCommand { program: "/bin/done".to_owned(), parameters: String::new() };
        self.set(id, Setting::NotifyCommand(Some(command)));
    }

    fn refresh(&mut self, id: JobId) {
        self.delivery.refresh(id, self.queue.job(id));
    }

    fn on(&mut self, id: JobId, event: Event) {
        let _ = self.queue.on(self.time(), id, event);
        self.refresh(id);
    }

    fn file(&mut self, id: JobId, index: u32, event: FileEvent) {
        let file = FileIndex(index);
        let run = self.queue.job(id).unwrap().file(file).unwrap().run();
        self.on(id, Event::File { file, run, event });
    }

    fn done(&mut self, id: JobId, index: u32) {
        self.file(id, index, FileEvent::Done { size: SIZE, sources: from_origin(SIZE) });
    }

    /// A job with one file that has arrived.
    fn transferred(&mut self, number: u128, owner: &Caller) -> JobId {
        let id = self.running(number, owner, 0x03, 1);
        self.done(id, 0);
        assert_eq!(self.queue.job(id).unwrap().state(), JobState::Transferred);
        id
    }

    fn subscribe(&mut self, number: u64, caller: &Caller) {
        let scope = Scope { caller: caller.clone(), jobs: None, all_users: false };
        self.delivery.subscribe(SubscriberId(number), scope, NotifyFlags::from_bits(ALL).unwrap());
    }

    fn all(&mut self) -> Vec<Telling> {
        std::iter::from_fn(|| self.delivery.poll(self.now, &self.queue)).take(10_000).collect()
    }

    /// The one thing that is told now.
    fn one(&mut self) -> (EventId, SubscriberId, Notice) {
        match self.all().as_slice() {
            [Telling::Event { event, to, notice, .. }] => (*event, *to, *notice),
            other => panic!("{other:?}"),
        }
    }

    fn nothing(&mut self) {
        assert_eq!(self.all(), []);
    }

    fn acknowledge(&mut self, event: EventId) {
        let verdict = self.delivery.answer(self.now, &alice(), event, false, &self.queue);
        let Verdict::Delivered(id, notice) = verdict else { panic!("{verdict:?}") };
        self.on(id, Event::Delivered(notice));
    }

    fn reject(&mut self, event: EventId) -> Verdict {
        self.delivery.answer(self.now, &alice(), event, true, &self.queue)
    }

    fn ended(&mut self, event: EventId, success: bool) {
        if let Some((id, notice)) = self.delivery.command_ended(self.now, event, success, &self.queue) {
            self.on(id, Event::Delivered(notice));
        }
    }

    fn run(&mut self) -> EventId {
        match self.all().as_slice() {
            [Telling::Command { event, .. }] => *event,
            other => panic!("{other:?}"),
        }
    }
}

fn bob() -> Caller {
    Caller::user(Owner::new("1001"))
}

#[test]
fn files_are_told_one_at_a_time_and_before_the_end_of_their_job() {
    let mut desk = Desk::new();
    desk.subscribe(1, &alice());
    let id = desk.running(1, &alice(), 0x13, 2);
    desk.done(id, 0);
    desk.done(id, 1);
    for expected in
        [Notice::FileTransferred(FileIndex(0)), Notice::FileTransferred(FileIndex(1)), Notice::JobTransferred]
    {
        let (event, _, notice) = desk.one();
        assert_eq!(notice, expected);
        desk.nothing();
        desk.acknowledge(event);
    }
    desk.nothing();
    assert_eq!(desk.queue.job(id).unwrap().undelivered(), []);
    assert_eq!(desk.delivery.timeout(), None);
}

#[test]
fn a_refused_event_comes_again_after_a_delay_under_its_number() {
    let mut desk = Desk::new();
    desk.subscribe(1, &alice());
    desk.transferred(1, &alice());
    let (event, ..) = desk.one();
    assert_eq!(desk.reject(event), Verdict::Again);
    assert_eq!(desk.reject(event), Verdict::Unknown, "it waits for no answer now");
    desk.nothing();
    assert_eq!(desk.delivery.timeout(), Some(desk.now + AGAIN_AFTER));
    desk.now += AGAIN_AFTER;
    assert_eq!(desk.one().0, event);
}

#[test]
fn whoever_subscribes_late_or_again_is_told_what_is_owed() {
    let mut desk = Desk::new();
    desk.transferred(1, &alice());
    desk.nothing();
    desk.subscribe(1, &alice());
    let (event, to, _) = desk.one();
    assert_eq!(to, SubscriberId(1));
    desk.delivery.unsubscribe(SubscriberId(1));
    desk.nothing();
    desk.subscribe(2, &alice());
    assert_eq!(desk.one(), (event, SubscriberId(2), Notice::JobTransferred));
    desk.subscribe(2, &alice());
    assert_eq!(desk.one().0, event, "it lost what it was told");
    assert_eq!(desk.reject(event), Verdict::Again);
    desk.subscribe(3, &alice());
    assert_eq!(desk.one().1, SubscriberId(3), "at once");
    desk.acknowledge(event);
    desk.subscribe(4, &alice());
    desk.nothing();
}

#[test]
fn the_last_to_subscribe_is_told_and_the_one_before_when_it_leaves() {
    let mut desk = Desk::new();
    desk.subscribe(1, &alice());
    desk.subscribe(2, &alice());
    desk.subscribe(3, &bob());
    desk.transferred(1, &alice());
    assert_eq!(desk.one().1, SubscriberId(2));
    desk.delivery.unsubscribe(SubscriberId(2));
    assert_eq!(desk.one().1, SubscriberId(1));
}

#[test]
fn a_notice_that_no_subscriber_takes_holds_nothing_up() {
    let mut desk = Desk::new();
    let scope = Scope { caller: alice(), jobs: None, all_users: false };
    desk.delivery.subscribe(SubscriberId(1), scope, NotifyFlags::DEFAULT);
    let id = desk.running(1, &alice(), 0x13, 1);
    desk.done(id, 0);
    assert_eq!(desk.one().2, Notice::JobTransferred);
}

#[test]
fn four_events_of_an_owner_wait_for_answers_and_others_are_not_held_up() {
    let mut desk = Desk::new();
    desk.subscribe(1, &alice());
    desk.subscribe(2, &bob());
    for number in 0..10 {
        desk.transferred(number, &alice());
    }
    let told = desk.all();
    assert_eq!(told.len(), MAX_UNACKNOWLEDGED);
    desk.transferred(10, &bob());
    assert_eq!(desk.one().1, SubscriberId(2));
    let Telling::Event { event, .. } = told[0] else { panic!() };
    desk.acknowledge(event);
    assert_eq!(desk.one().1, SubscriberId(1), "one place is free");
    desk.delivery.unsubscribe(SubscriberId(1));
    desk.subscribe(3, &alice());
    assert_eq!(desk.all().len(), MAX_UNACKNOWLEDGED, "the places of one that left are free");
}

#[test]
fn a_subscriber_that_never_answers_fails_in_the_end_and_may_still_answer_late() {
    let mut desk = Desk::new();
    desk.subscribe(1, &alice());
    let id = desk.transferred(1, &alice());
    let (event, ..) = desk.one();
    desk.now += ANSWER_WITHIN - MILLISECOND;
    desk.nothing();
    desk.now += MILLISECOND;
    desk.nothing();
    desk.acknowledge(event);
    assert_eq!(desk.queue.job(id).unwrap().undelivered(), []);
    assert_eq!(desk.reject(event), Verdict::Unknown);
}

#[test]
fn an_answer_by_a_stranger_or_to_an_event_of_the_past_is_no_answer() {
    let mut desk = Desk::new();
    desk.subscribe(1, &alice());
    let id = desk.running(1, &alice(), 0x03, 1);
    let failed = |code| FileEvent::Failed { code, context: Context::RemoteFile, detail: String::new() };
    desk.file(id, 0, failed(Code::http(404)));
    let (event, _, notice) = desk.one();
    assert_eq!(notice, Notice::JobError);
    let stranger = desk.delivery.answer(desk.now, &bob(), event, false, &desk.queue);
    assert_eq!(stranger, Verdict::Unknown);
    let _ = desk.queue.call(desk.time(), &alice(), id, Call::Resume).unwrap();
    desk.refresh(id);
    let _ = desk.queue.poll(desk.time());
    desk.file(id, 0, failed(Code::http(404)));
    let (second, ..) = desk.one();
    assert_ne!(second, event);
    let old = desk.delivery.answer(desk.now, &alice(), event, false, &desk.queue);
    assert_eq!(old, Verdict::Unknown, "it was another error");
    desk.acknowledge(second);
}

#[test]
fn flags_decide_also_about_what_is_owed_already() {
    let mut desk = Desk::new();
    let id = desk.transferred(1, &alice());
    desk.set(id, Setting::NotifyFlags(NotifyFlags::DISABLE));
    desk.subscribe(1, &alice());
    desk.nothing();
    desk.set(id, Setting::NotifyFlags(NotifyFlags::DEFAULT));
    assert_eq!(desk.one().2, Notice::JobTransferred);
}

#[test]
fn modifications_are_merged_within_the_interval_of_their_job() {
    let mut desk = Desk::new();
    desk.subscribe(1, &alice());
    let id = desk.running(1, &alice(), 0x0b, 1);
    let told = Telling::Modified { to: SubscriberId(1), job: id };
    let note = |desk: &mut Desk| desk.delivery.modified(desk.now, desk.queue.job(id).unwrap());
    note(&mut desk);
    note(&mut desk);
    assert_eq!(desk.all(), [told], "the first at once");
    (0..100).for_each(|_| note(&mut desk));
    desk.now += 499 * MILLISECOND;
    desk.nothing();
    desk.now += MILLISECOND;
    assert_eq!(desk.all(), [told], "the others as one");
    desk.now += SECOND;
    desk.nothing();
    assert_eq!(desk.delivery.timeout(), None);
    desk.set(id, Setting::Property(Property::MinimumNotificationIntervalMs(0)));
    note(&mut desk);
    note(&mut desk);
    assert_eq!(desk.all(), [told], "even without an interval it comes to an end");
}

#[test]
fn modifications_come_only_to_those_who_asked_for_them() {
    let mut desk = Desk::new();
    let id = desk.running(1, &alice(), 0x03, 1);
    desk.subscribe(1, &alice());
    desk.delivery.modified(desk.now, desk.queue.job(id).unwrap());
    desk.nothing();
    let id = desk.running(2, &bob(), 0x0b, 1);
    desk.delivery.modified(desk.now, desk.queue.job(id).unwrap());
    desk.nothing();
}

#[test]
fn readable_bytes_are_told_only_of_jobs_whose_flags_ask_and_that_can_be_read_anywhere() {
    let mut desk = Desk::new();
    desk.subscribe(1, &alice());
    for (number, flags, told) in [(1, 0x23, true), (2, 0x03, false), (3, 0x24, false)] {
        let id = desk.running(number, &alice(), flags, 1);
        let to = desk.delivery.told_of_ranges(desk.queue.job(id).unwrap());
        assert_eq!(to, told.then_some(SubscriberId(1)), "{flags:#x}");
    }
    let id = desk.running(4, &bob(), 0x23, 1);
    assert_eq!(desk.delivery.told_of_ranges(desk.queue.job(id).unwrap()), None, "nobody listens");
}

#[test]
fn the_command_runs_when_nobody_listens_and_again_after_the_retry_delay_when_it_fails() {
    let mut desk = Desk::new();
    let id = desk.transferred(1, &alice());
    desk.nothing();
    desk.command(id);
    let event = desk.run();
    desk.ended(event, false);
    desk.nothing();
    desk.now += Duration::from_secs(600) - MILLISECOND;
    desk.nothing();
    desk.now += MILLISECOND;
    assert_eq!(desk.run(), event);
    desk.ended(event, true);
    assert_eq!(desk.queue.job(id).unwrap().undelivered(), []);
    desk.now += SECOND * 10_000;
    desk.nothing();
}

#[test]
fn the_command_runs_after_a_refusal_and_both_are_tried_again_when_both_fail() {
    let mut desk = Desk::new();
    desk.subscribe(1, &alice());
    let id = desk.transferred(1, &alice());
    desk.command(id);
    let (event, ..) = desk.one();
    assert_eq!(desk.reject(event), Verdict::Again);
    assert_eq!(desk.run(), event);
    desk.ended(event, false);
    desk.now += Duration::from_secs(600);
    assert_eq!(desk.one().0, event, "the callback is first again");
    desk.acknowledge(event);
    desk.nothing();
}

#[test]
fn the_command_is_for_the_end_of_the_job_alone_and_files_do_not_hold_it_up() {
    let mut desk = Desk::new();
    let id = desk.running(1, &alice(), 0x13, 2);
    desk.command(id);
    desk.done(id, 0);
    desk.nothing();
    desk.done(id, 1);
    let event = desk.run();
    desk.ended(event, true);
    desk.nothing();
}

#[test]
fn a_command_whose_job_went_on_is_not_run_again() {
    let mut desk = Desk::new();
    let id = desk.transferred(1, &alice());
    desk.command(id);
    let event = desk.run();
    let _ = desk.queue.call(desk.time(), &alice(), id, Call::Cancel).unwrap();
    desk.refresh(id);
    desk.ended(event, false);
    desk.now += Duration::from_secs(6000);
    desk.nothing();
    assert_eq!(desk.delivery.timeout(), None);
}

#[test]
fn commands_run_a_few_at_a_time() {
    let mut desk = Desk::new();
    for number in 0..10 {
        let id = desk.transferred(number, &alice());
        desk.command(id);
    }
    let running = desk.all();
    assert_eq!(running.len(), MAX_COMMANDS);
    let Telling::Command { event, .. } = running[0] else { panic!() };
    desk.ended(event, true);
    assert_eq!(desk.all().len(), 1);
}

#[test]
fn a_job_that_goes_on_while_its_command_waits_for_a_place_holds_up_nobody() {
    let mut desk = Desk::new();
    for number in 0..4 {
        let id = desk.transferred(number, &alice());
        desk.command(id);
    }
    let running = desk.all();
    assert_eq!(running.len(), MAX_COMMANDS);

    // What it still owes is told to nobody, and has no command.
    let gone_on = desk.running(10, &alice(), 0x13, 2);
    desk.command(gone_on);
    desk.done(gone_on, 0);
    let (code, context) = (Code::E_ACCESSDENIED, Context::RemoteFile);
    desk.file(gone_on, 1, FileEvent::Failed { code, context, detail: String::new() });
    assert_eq!(desk.queue.job(gone_on).unwrap().state(), JobState::Error);
    desk.nothing();
    let _ = desk.queue.call(desk.time(), &alice(), gone_on, Call::Resume).unwrap();
    desk.refresh(gone_on);

    let next = desk.transferred(11, &alice());
    desk.command(next);
    let Telling::Command { event, .. } = running[0] else { panic!() };
    desk.ended(event, true);
    match desk.all().as_slice() {
        [Telling::Command { job, .. }] => assert_eq!(*job, next),
        other => panic!("{other:?}"),
    }
}
