//! Files that are steered, and read, while they are fetched; and those that go on under another name.

use std::time::Duration;

use dray_engine::{Event, FetchError, Live, ReadError, Wishes};
use dray_jobs::Code;
use dray_ranges::{ByteRange, Layout, RangeSet, RangeSpec};
use dray_tests::{Content, Reply};

use crate::world::{World, pseudo_random};

const MIB: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

fn range(start: u64, end: u64) -> ByteRange {
    ByteRange::new(start, end).unwrap()
}

fn set(ranges: &[(u64, u64)]) -> RangeSet {
    ranges.iter().map(|&(start, end)| range(start, end)).collect()
}

fn only(ranges: &[(u64, u64)]) -> Wishes {
    Wishes { first: Vec::new(), only: Some(set(ranges)) }
}

fn first(ranges: &[(u64, u64)]) -> Wishes {
    Wishes { first: vec![set(ranges)], only: None }
}

fn file(len: u64) -> Content {
    Content::new(pseudo_random(len, "live"), "live")
}

async fn until(live: &Live, what: impl FnMut(&dray_engine::Standing) -> bool) {
    let mut standing = live.standing();
    tokio::time::timeout(PATIENCE, standing.wait_for(what)).await.expect("it comes in time").unwrap();
}

#[tokio::test]
async fn what_is_wished_for_while_a_slow_origin_sends_comes_before_the_rest_and_can_be_read_at_once() {
    let world = World::new();
    let file = file(16 * MIB);
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| if ask.range().is_some() { file.answer(ask) } else { file.answer(ask).at_rate(2 * MIB) }
    });
    let live = Live::default();
    let mut task = world.task(&url);
    task.live = Some(live.clone());
    let end = range(15 * MIB, 16 * MIB);
    let reader = async {
        until(&live, |standing| standing.written.contains(0)).await;
        live.steer(first(&[(15 * MIB, 16 * MIB)]));
        until(&live, |standing| standing.written.contains_range(&end)).await;
        let standing = live.standing().borrow().clone();
        assert!(standing.written.len_bytes() < 8 * MIB, "the end came long before the whole: {standing:?}");
        let bytes = live.read(&task.temp, standing.version, end, u64::MAX).unwrap();
        assert_eq!(bytes[..], file.bytes[15 << 20..]);
    };
    let (fetched, ()) = tokio::join!(world.fetch(&task), reader);
    assert_eq!(fetched.unwrap().id.unwrap().to_string(), blake3::hash(&file.bytes).to_string());
    assert_eq!(world.sink(), file.bytes[..]);
    assert!(live.standing().borrow().written.contains_range(&range(0, 16 * MIB)));
}

#[tokio::test]
async fn of_several_wishes_the_first_comes_first() {
    let world = World::new();
    let file = file(8 * MIB);
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask)
    });
    let live = Live::default();
    live.steer(Wishes { first: vec![set(&[(5 * MIB, 6 * MIB)]), set(&[(4 * MIB, 8 * MIB)])], only: None });
    let mut task = world.task(&url);
    task.live = Some(live);
    world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), file.bytes[..]);
    let starts: Vec<_> =
        world.server.asks("/f").iter().map(|ask| ask.range().map_or(0, |range| range.0 / MIB)).collect();
    assert_eq!(starts, [5, 4, 6, 0]);
}

#[tokio::test]
async fn a_part_is_fetched_without_the_rest_and_the_rest_follows_when_it_is_asked_for() {
    let world = World::new();
    let file = file(8 * MIB);
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask)
    });
    let live = Live::default();
    live.steer(only(&[(5 * MIB, 6 * MIB), (7 * MIB, 7 * MIB + 10)]));
    let mut task = world.task(&url);
    task.live = Some(live.clone());
    assert!(matches!(world.fetch(&task).await, Err(FetchError::OnlyPart)));
    let version = live.standing().borrow().version;
    let there = range(5 * MIB, 6 * MIB);
    assert_eq!(live.read(&task.temp, version, there, 9).unwrap()[..], file.bytes[5 << 20..][..9]);
    assert!(matches!(live.read(&task.temp, version, range(0, 9), 9), Err(ReadError::NotThere)));
    task.resume = world.watch.checkpoint();
    let filled = task.resume.as_ref().unwrap().filled.clone();
    assert_eq!(filled, set(&[(5 * MIB, 6 * MIB), (7 * MIB, 7 * MIB + 10)]));
    let asks = world.server.asks("/f").len();
    assert!(matches!(world.fetch(&task).await, Err(FetchError::OnlyPart)));
    assert_eq!(world.server.asks("/f").len(), asks, "nobody is asked for what is there");
    live.steer(Wishes::default());
    let fetched = world.fetch(&task).await.unwrap();
    assert_eq!(fetched.bytes.resumed, MIB + 10);
    assert_eq!(world.sink(), file.bytes[..]);
    assert_eq!(live.standing().borrow().version, version, "readers go on");
}

#[tokio::test]
async fn a_wish_may_change_while_only_a_part_is_fetched() {
    let world = World::new();
    let file = file(16 * MIB);
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask).at_rate(4 * MIB)
    });
    let live = Live::default();
    live.steer(only(&[(0, 12 * MIB)]));
    let mut task = world.task(&url);
    task.live = Some(live.clone());
    let reader = async {
        until(&live, |standing| standing.written.contains(0)).await;
        live.steer(only(&[(0, 1000), (15 * MIB, 15 * MIB + 1000)]));
    };
    let (fetched, ()) = tokio::join!(world.fetch(&task), reader);
    assert!(matches!(fetched, Err(FetchError::OnlyPart)));
    let there = live.standing().borrow().written.clone();
    assert!(there.covers(&set(&[(0, 1000), (15 * MIB, 15 * MIB + 1000)])), "{there:?}");
    assert!(there.len_bytes() < 8 * MIB, "{there:?}");
}

#[tokio::test]
async fn a_part_of_a_file_that_cannot_be_had_in_parts_is_refused_and_a_mere_preference_is_not() {
    let world = World::new();
    let file = file(MIB);
    let rangeless = world.serve("/rangeless", {
        let file = file.clone();
        move |_| file.whole().without("accept-ranges")
    });
    let anonymous = Content::anonymous(file.bytes.clone());
    let unrecognisable = world.serve("/anonymous", move |ask| anonymous.answer(ask));
    for url in [&rangeless, &unrecognisable] {
        let live = Live::default();
        live.steer(only(&[(1000, 2000)]));
        let mut task = world.task(url);
        task.live = Some(live.clone());
        let refused = world.fetch(&task).await.unwrap_err();
        assert_eq!(refused.code(), Code::BG_E_RANDOM_ACCESS_NOT_SUPPORTED, "{url}");
        live.steer(first(&[(1000, 2000)]));
        world.fetch(&task).await.unwrap();
        assert_eq!(world.sink(), file.bytes[..]);
    }
}

#[tokio::test]
async fn all_of_a_file_can_be_asked_for_before_anything_is_known_of_it() {
    let world = World::new();
    let file = file(MIB);
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask)
    });
    let silent = world.serve("/silent", {
        let file = file.clone();
        move |_| file.whole().without("accept-ranges")
    });
    let refusing = world.serve("/refusing", {
        let file = file.clone();
        move |_| file.whole().without("accept-ranges").header("Accept-Ranges", "none")
    });
    for (url, is_served) in [(&url, true), (&silent, true), (&refusing, false)] {
        let live = Live::default();
        live.steer(only(&[(0, u64::MAX)]));
        let mut task = world.task(url);
        task.live = Some(live);
        match world.fetch(&task).await {
            Ok(_) if is_served => assert_eq!(world.sink(), file.bytes[..]),
            Err(error) if !is_served => assert_eq!(error.code(), Code::BG_E_RANDOM_ACCESS_NOT_SUPPORTED),
            other => panic!("{url}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_lies_beyond_the_end_is_refused_when_nothing_else_is_asked_for() {
    let world = World::new();
    let file = file(MIB);
    let url = world.serve("/f", move |ask| file.answer(ask));
    let live = Live::default();
    let mut task = world.task(&url);
    task.live = Some(live.clone());
    live.steer(only(&[(2 * MIB, 3 * MIB)]));
    assert_eq!(world.fetch(&task).await.unwrap_err().code(), Code::BG_E_INVALID_RANGE);
    live.steer(first(&[(2 * MIB, 3 * MIB)]));
    world.fetch(&task).await.unwrap();
}

#[tokio::test]
async fn a_file_that_changes_is_never_read_as_one() {
    let world = World::new();
    let (old, new) = (file(4 * MIB), Content::new(pseudo_random(4 * MIB, "new"), "new"));
    let url = world.serve("/f", {
        let new = new.clone();
        move |ask| if ask.nth == 0 { old.answer(ask).cut_after(2 * MIB) } else { new.answer(ask) }
    });
    let live = Live::default();
    let mut task = world.task(&url);
    task.live = Some(live.clone());
    world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), new.bytes[..]);
    assert!(matches!(live.read(&task.temp, 0, range(0, 9), 9), Err(ReadError::OtherVersion)));
    let version = live.standing().borrow().version;
    assert_eq!(live.read(&task.temp, version, range(0, 9), 9).unwrap()[..], new.bytes[..9]);
}

fn dated(mut content: Content, date: &str) -> Content {
    content.last_modified = Some(date.to_owned());
    content
}

const DATE: &str = "Mon, 01 Jun 2020 12:00:00 GMT";

#[tokio::test]
async fn a_file_goes_on_under_another_name_when_size_and_time_stamp_are_the_same() {
    let world = World::new();
    let old = dated(file(4 * MIB), DATE);
    let other_tag = dated(Content::new(old.bytes.clone(), "of another server"), DATE);
    let no_tag = dated(Content::anonymous(old.bytes.clone()), DATE);
    for (name, there) in [("/tag", other_tag), ("/none", no_tag)] {
        let url = world.serve(name, move |ask| there.answer(ask));
        let mut task = world.resumed("http://old.example/f", &old, &[(0, 3 * MIB)]);
        task.url = url.parse().unwrap();
        task.resume.as_mut().unwrap().last_modified = Some(DATE.to_owned());
        task.resume_elsewhere = true;
        let fetched = world.fetch(&task).await.unwrap();
        assert_eq!((fetched.bytes.resumed, fetched.bytes.origin), (3 * MIB, MIB), "{name}");
        assert_eq!(world.sink(), old.bytes[..]);
        assert_eq!(world.server.asks(name)[0].range(), Some((3 * MIB, None)));
        assert_eq!(world.server.asks(name)[0].header("if-range"), None);
    }
}

#[tokio::test]
async fn a_file_under_another_name_that_is_not_the_same_for_certain_starts_over() {
    let world = World::new();
    let old = dated(file(4 * MIB), DATE);
    let new = pseudo_random(4 * MIB, "new");
    let later = "Mon, 01 Jun 2020 12:00:01 GMT";
    let cases = [
        ("/later", dated(Content::new(new.clone(), "x"), later)),
        ("/longer", dated(Content::new(pseudo_random(5 * MIB, "new"), "x"), DATE)),
        ("/shorter", dated(Content::new(pseudo_random(2 * MIB, "new"), "x"), DATE)),
        ("/unknown", Content::anonymous(new)),
    ];
    for (name, there) in cases {
        let url = world.serve(name, {
            let there = there.clone();
            move |ask| there.answer(ask)
        });
        let mut task = world.resumed("http://old.example/f", &old, &[(0, 3 * MIB)]);
        task.url = url.parse().unwrap();
        task.resume.as_mut().unwrap().last_modified = Some(DATE.to_owned());
        task.resume_elsewhere = true;
        let fetched = world.fetch(&task).await.unwrap();
        assert_eq!(fetched.bytes.resumed, 0, "{name}");
        assert_eq!(world.sink(), there.bytes[..], "{name}");
    }
}

#[tokio::test]
async fn packed_ranges_are_taken_out_of_the_whole_where_there_are_no_ranges() {
    let world = World::new();
    let file = file(MIB);
    let url = world.serve("/f", {
        let file = file.clone();
        move |_| Reply::body(200, &file.bytes)
    });
    let specs = [(900_000, 100), (100, 50), (1_000_000, u64::MAX)];
    let specs = specs.map(|(offset, length)| RangeSpec::from_bits(offset, length));
    let mut task = world.task(&url);
    task.layout = Layout::packed(specs.to_vec()).unwrap();
    let refused = world.fetch(&task).await.unwrap_err();
    assert_eq!(refused.code(), Code::BG_E_INSUFFICIENT_RANGE_SUPPORT);
    let known = world.watch.events().into_iter().find_map(|event| match event {
        Event::Known { validators, has_ranges, .. } => Some((validators.size, has_ranges)),
        _ => None,
    });
    assert_eq!(known, Some((Some(MIB), Some(false))), "how large it is can be seen");
    task.without_ranges = true;
    let fetched = world.fetch(&task).await.unwrap();
    let bytes = &file.bytes;
    let packed = [&bytes[900_000..900_100], &bytes[100..150], &bytes[1_000_000..]].concat();
    assert_eq!(world.sink(), packed);
    assert_eq!((fetched.size, fetched.remote_size), (packed.len() as u64, MIB));
    assert_eq!(world.server.asks("/f").last().unwrap().range(), None);
}
