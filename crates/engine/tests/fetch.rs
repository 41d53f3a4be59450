//! Whole transfers against a server that answers as each test says: what must come out, and what must have been asked for.

#![allow(missing_docs, clippy::cast_possible_truncation, clippy::unwrap_used)]

mod live;
mod world;

use std::time::Duration;

use dray_engine::{Event, FetchError};
use dray_jobs::Code;
use dray_ranges::{Layout, RangeSpec};
use dray_tests::{Content, Reply};

use world::{World, pseudo_random};

const LEN: u64 = 3_000_000;

fn content(etag: &str) -> Content {
    Content::new(pseudo_random(LEN, etag), etag)
}

#[tokio::test]
async fn a_whole_file_comes_in_one_request_and_is_named_by_its_root() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask)
    });
    let fetched = world.fetch(&world.task(&url)).await.unwrap();
    assert_eq!(fetched.id.unwrap().to_string(), blake3::hash(&file.bytes).to_string());
    assert_eq!((fetched.size, fetched.bytes.origin, fetched.bytes.wasted), (LEN, LEN, 0));
    assert_eq!(world.sink(), file.bytes[..]);
    assert_eq!(world.server.asks("/f").len(), 1);
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let world = World::new();
    let url = world.serve("/f", |ask| Content::new(*b"", "e").answer(ask));
    let fetched = world.fetch(&world.task(&url)).await.unwrap();
    assert_eq!((fetched.size, world.sink().len()), (0, 0));
    assert_eq!(fetched.id.unwrap().to_string(), blake3::hash(b"").to_string());
}

#[tokio::test]
async fn a_cut_connection_goes_on_from_where_it_was_cut() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| if ask.nth < 2 { file.answer(ask).cut_after(1_000_000) } else { file.answer(ask) }
    });
    let fetched = world.fetch(&world.task(&url)).await.unwrap();
    assert_eq!(world.sink(), file.bytes[..]);
    assert_eq!(fetched.id.unwrap().to_string(), blake3::hash(&file.bytes).to_string());
    let asks = world.server.asks("/f");
    assert_eq!(asks[1].range(), Some((1_000_000, None)));
    assert_eq!(asks[2].range(), Some((2_000_000, None)));
    assert_eq!(asks[2].header("if-range"), Some("\"a\""));
    assert_eq!(fetched.bytes.wasted, 0);
}

#[tokio::test]
async fn a_small_file_that_is_cut_is_asked_for_again_whole() {
    let world = World::new();
    let file = Content::new(pseudo_random(20_000, "s"), "s");
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| if ask.nth < 2 { file.answer(ask).cut_after(5_000) } else { file.answer(ask) }
    });
    let mut task = world.task(&url);
    task.digest = Some(world.sha256(&file.bytes));
    let fetched = world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), file.bytes[..]);
    assert_eq!(fetched.id.unwrap().to_string(), blake3::hash(&file.bytes).to_string());
    assert_eq!(fetched.bytes.origin, 20_000);
    let url = world.serve("/never", move |ask| file.answer(ask).cut_after(5_000));
    let error = world.fetch(&world.task(&url)).await.unwrap_err();
    assert_eq!(error.code(), Code::BG_E_CONNECTION_CLOSED);
}

#[tokio::test]
async fn a_cut_without_any_validator_starts_over_because_nothing_would_show_a_mixture() {
    let world = World::new();
    let file = Content::anonymous(pseudo_random(LEN, "x"));
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| if ask.nth == 0 { file.answer(ask).cut_after(1_000_000) } else { file.answer(ask) }
    });
    let fetched = world.fetch(&world.task(&url)).await.unwrap();
    assert_eq!(world.sink(), file.bytes[..]);
    assert_eq!(world.server.asks("/f")[1].range(), None);
    assert_eq!(fetched.bytes.wasted, 1_000_000);
}

#[tokio::test]
async fn only_what_is_missing_is_fetched_after_a_checkpoint_with_holes() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask)
    });
    let have = [(0, 700_000), (1_000_000, 2_500_000)];
    let task = world.resumed(&url, &file, &have);
    let fetched = world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), file.bytes[..]);
    assert_eq!(fetched.id.unwrap().to_string(), blake3::hash(&file.bytes).to_string());
    assert_eq!((fetched.bytes.resumed, fetched.bytes.origin, fetched.bytes.wasted), (2_200_000, 800_000, 0));
    let ranges: Vec<_> = world.server.asks("/f").iter().map(|ask| ask.range()).collect();
    assert_eq!(ranges, [Some((700_000, Some(999_999))), Some((2_500_000, None))]);
}

#[tokio::test]
async fn a_file_that_changed_since_the_checkpoint_is_fetched_whole() {
    let world = World::new();
    let (old, new) = (content("old"), content("new"));
    let url = world.serve("/f", {
        let new = new.clone();
        move |ask| new.answer(ask)
    });
    let task = world.resumed(&url, &old, &[(0, 2_000_000)]);
    let fetched = world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), new.bytes[..]);
    assert_eq!((fetched.bytes.resumed, fetched.bytes.origin), (0, LEN));
}

#[tokio::test]
async fn a_server_that_answers_another_version_with_206_never_mixes_into_the_old_one() {
    let world = World::new();
    let (old, new) = (content("old"), content("new"));
    // It ignores If-Range: the worst that a resume can meet.
    let url = world.serve("/f", {
        let new = new.clone();
        move |ask| match ask.range() {
            Some((first, _)) => new.part(first, LEN - 1),
            None => new.whole(),
        }
    });
    let task = world.resumed(&url, &old, &[(0, 2_000_000)]);
    world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), new.bytes[..]);
}

#[tokio::test]
async fn a_server_without_ranges_sends_everything_and_what_is_there_is_kept() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        let file = file.clone();
        move |_| file.whole().without("Accept-Ranges")
    });
    let task = world.resumed(&url, &file, &[(0, 2_000_000)]);
    let fetched = world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), file.bytes[..]);
    assert_eq!(
        (fetched.bytes.resumed, fetched.bytes.origin, fetched.bytes.wasted),
        (2_000_000, 1_000_000, 2_000_000)
    );
}

#[tokio::test]
async fn damaged_bytes_of_an_earlier_attempt_are_found_by_the_digest_and_fetched_again() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask)
    });
    let mut task = world.resumed(&url, &file, &[(0, 2_000_000)]);
    task.digest = Some(world.sha256(&file.bytes));
    world.damage_sink(1_234_567);
    let fetched = world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), file.bytes[..]);
    assert!(fetched.digests.contains(&task.digest.unwrap()));
    assert!(world.watch.events().iter().any(|event| matches!(event, Event::Restarted { .. })));
}

#[tokio::test]
async fn a_wrong_digest_is_an_integrity_error_that_names_both_and_the_source() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask)
    });
    let mut task = world.task(&url);
    task.digest = Some(world.sha256(b"something else"));
    let error = world.fetch(&task).await.unwrap_err();
    assert_eq!(error.code(), Code::BG_E_VALIDATION_FAILED);
    let sentence = error.to_string();
    assert!(sentence.contains(&task.digest.unwrap().to_string()), "{sentence}");
    assert!(sentence.contains(&world.sha256(&file.bytes).to_string()), "{sentence}");
    assert!(sentence.contains("127.0.0.1"), "{sentence}");
}

#[tokio::test]
async fn a_digest_that_the_address_names_must_hold() {
    let world = World::new();
    let file = content("a");
    for (digest, is_right) in [(world.sha256(&file.bytes), true), (world.sha256(b"something else"), false)] {
        let path = format!("/v2/debian/blobs/{digest}");
        let url = world.serve(&path, {
            let file = file.clone();
            move |ask| file.answer(ask)
        });
        let result = world.fetch(&world.task(&url)).await;
        match result {
            Ok(fetched) => assert!(is_right && fetched.digests.contains(&digest)),
            Err(error) => assert!(!is_right && matches!(error, FetchError::Integrity(_)), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_digest_that_the_origin_publishes_must_hold_too() {
    let world = World::new();
    let file = content("a");
    let zero = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask).header("Repr-Digest", zero)
    });
    let error = world.fetch(&world.task(&url)).await.unwrap_err();
    assert_eq!(error.code(), Code::BG_E_VALIDATION_FAILED);
}

#[tokio::test]
async fn a_file_without_a_length_ends_where_its_chunks_end() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        let file = file.clone();
        move |_| file.whole().chunked()
    });
    let fetched = world.fetch(&world.task(&url)).await.unwrap();
    assert_eq!(world.sink(), file.bytes[..]);
    assert_eq!(fetched.id.unwrap().to_string(), blake3::hash(&file.bytes).to_string());
}

#[tokio::test]
async fn a_file_that_changes_at_every_request_is_given_up_with_its_own_code() {
    let world = World::new();
    let url = world.serve("/f", |ask| {
        let version = content(&format!("v{}", ask.nth));
        version.answer(ask).cut_after(500_000)
    });
    let error = world.fetch(&world.task(&url)).await.unwrap_err();
    assert!(matches!(error, FetchError::Unstable { .. }), "{error}");
    assert_eq!(error.code(), Code::BG_E_REMOTE_FILE_CHANGED);
}

#[tokio::test]
async fn a_complete_checkpoint_needs_no_body() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask)
    });
    let task = world.resumed(&url, &file, &[(0, LEN)]);
    let fetched = world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), file.bytes[..]);
    assert_eq!(fetched.bytes.resumed, LEN);
    assert_eq!(world.server.body_bytes("/f"), 0);
}

#[tokio::test]
async fn ranges_are_packed_in_the_order_given_and_resume_in_the_middle() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask)
    });
    let specs = [(1_000, 500), (2_999_000, u64::MAX), (0, 10), (10, 90)];
    let specs = specs.map(|(offset, length)| RangeSpec::from_bits(offset, length));
    let mut task = world.task(&url);
    task.layout = Layout::packed(specs.to_vec()).unwrap();
    let fetched = world.fetch(&task).await.unwrap();
    let bytes = &file.bytes;
    let expected = [&bytes[1_000..1_500], &bytes[2_999_000..], &bytes[..100]].concat();
    assert_eq!(world.sink(), expected);
    assert_eq!((fetched.size, fetched.remote_size, fetched.id), (1_600, LEN, None));
}

#[tokio::test]
async fn ranges_need_a_server_that_serves_them_and_a_file_that_has_them() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/whole", {
        let file = file.clone();
        move |_| file.whole()
    });
    let mut task = world.task(&url);
    task.layout = Layout::packed(vec![RangeSpec::from_bits(5, 10)]).unwrap();
    assert_eq!(world.fetch(&task).await.unwrap_err().code(), Code::BG_E_INSUFFICIENT_RANGE_SUPPORT);
    let url = world.serve("/part", move |ask| file.answer(ask));
    for beyond in [(LEN, 1), (LEN - 5, 10), (LEN + 7, u64::MAX)] {
        let mut task = world.task(&url);
        task.layout = Layout::packed(vec![RangeSpec::from_bits(beyond.0, beyond.1)]).unwrap();
        assert_eq!(world.fetch(&task).await.unwrap_err().code(), Code::BG_E_INVALID_RANGE, "{beyond:?}");
    }
}

#[tokio::test]
async fn a_range_larger_than_file_and_disk_is_refused_as_a_range() {
    let world = World::new();
    let file = Content::new(pseudo_random(1_000, "a"), "a");
    let url = world.serve("/f", move |ask| file.answer(ask));
    let mut task = world.task(&url);
    for specs in [vec![(0, 1 << 50)], vec![(0, 10), (500, 1 << 50)]] {
        let packed = specs.iter().map(|&(offset, length)| RangeSpec::from_bits(offset, length));
        task.layout = Layout::packed(packed.collect()).unwrap();
        assert_eq!(world.fetch(&task).await.unwrap_err().code(), Code::BG_E_INVALID_RANGE, "{specs:?}");
    }
}

#[tokio::test]
async fn a_range_from_the_start_to_the_end_is_the_whole_file() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask)
    });
    let mut task = world.task(&url);
    task.layout = Layout::packed(vec![RangeSpec::from_bits(0, u64::MAX)]).unwrap();
    world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), file.bytes[..]);
}

#[tokio::test]
async fn ranges_that_nothing_shows_to_be_of_one_version_are_refused_unless_one_answer_serves_them() {
    let world = World::new();
    let file = Content::anonymous(pseudo_random(LEN, "a"));
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask)
    });
    let mut task = world.task(&url);
    let packed = |specs: &[(u64, u64)]| {
        let specs = specs.iter().map(|&(offset, length)| RangeSpec::from_bits(offset, length));
        Layout::packed(specs.collect()).unwrap()
    };
    task.layout = packed(&[(100, 50), (2_000_000, 50)]);
    let error = world.fetch(&task).await.unwrap_err();
    assert_eq!(error.code(), Code::BG_E_INSUFFICIENT_RANGE_SUPPORT, "{error}");
    assert!(!error.is_transient());
    assert_eq!(world.server.asks("/f").len(), 1, "it is not tried in vain");
    task.layout = packed(&[(1_050, 50), (1_000, 50)]);
    world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), [&file.bytes[1_050..1_100], &file.bytes[1_000..1_050]].concat());
    task.layout = packed(&[(100, 50), (2_000_000, 50)]);
    task.without_ranges = true;
    world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), [&file.bytes[100..150], &file.bytes[2_000_000..2_000_050]].concat());
}

#[tokio::test]
async fn an_interrupted_transfer_leaves_a_checkpoint_that_claims_only_what_is_there() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask).stall_after(2_000_000)
    });
    let task = world.task(&url);
    let stop = world.stop.clone();
    let watch = world.watch.clone();
    let stopper = tokio::spawn(async move {
        while watch.received() < 2_000_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    });
    let error = world.fetch(&task).await.unwrap_err();
    stopper.await.unwrap();
    assert!(matches!(error, FetchError::Interrupted));
    let checkpoint = world.watch.checkpoint().unwrap();
    assert_eq!(checkpoint.filled.len_bytes(), 2_000_000);
    assert_eq!(world.sink()[..2_000_000], file.bytes[..2_000_000]);
}

#[tokio::test]
async fn a_refusal_that_may_pass_is_tried_again_and_one_that_will_not_is_not() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/busy", {
        let file = file.clone();
        move |ask| if ask.nth < 2 { Reply::status(503).header("Retry-After", "0") } else { file.answer(ask) }
    });
    world.fetch(&world.task(&url)).await.unwrap();
    assert_eq!(world.sink(), file.bytes[..]);
    let url = world.serve("/gone", |_| Reply::status(404));
    let error = world.fetch(&world.task(&url)).await.unwrap_err();
    assert_eq!(error.code(), Code::http(404));
    assert_eq!(world.server.asks("/gone").len(), 1);
}

#[tokio::test]
async fn a_whole_answer_without_validators_is_not_taken_for_the_version_that_was_cut() {
    let world = World::new();
    let (old, new) = (content("old"), content("new"));
    let url = world.serve("/f", {
        let (old, new) = (old.clone(), new.clone());
        move |ask| {
            if ask.nth == 0 { old.answer(ask).cut_after(1_500_000) } else { new.whole().without("ETag") }
        }
    });
    world.fetch(&world.task(&url)).await.unwrap();
    assert_eq!(world.sink(), new.bytes[..]);
}

#[tokio::test]
async fn a_sink_that_was_replaced_or_has_a_second_name_is_not_what_the_checkpoint_is_about() {
    let file = content("a");
    type Meddle = fn(&World);
    let meddles: [Meddle; 3] = [World::replace_sink, World::link_sink, World::open_sink_to_all];
    for meddle in meddles {
        let world = World::new();
        let url = world.serve("/f", {
            let file = file.clone();
            move |ask| file.answer(ask)
        });
        let task = world.resumed(&url, &file, &[(0, 2_000_000)]);
        meddle(&world);
        let fetched = world.fetch(&task).await.unwrap();
        assert_eq!(world.sink(), file.bytes[..]);
        assert_eq!(fetched.bytes.resumed, 0);
    }
}

#[tokio::test]
async fn the_claim_goes_before_the_bytes_it_is_about() {
    let world = World::new();
    let (old, new) = (content("old"), content("new"));
    let url = world.serve("/f", {
        let new = new.clone();
        move |ask| new.answer(ask).stall_after(100)
    });
    let task = world.resumed(&url, &old, &[(0, 2_000_000)]);
    world.watch.keep(task.resume.clone().unwrap());
    let (stop, watch) = (world.stop.clone(), world.watch.clone());
    let stopper = tokio::spawn(async move {
        while watch.received() == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // A kill now would find this.
        let claim = watch.checkpoint();
        stop.cancel();
        claim
    });
    world.fetch(&task).await.unwrap_err();
    let claim = stopper.await.unwrap();
    assert!(claim.is_none_or(|claim| claim.filled.len_bytes() <= 100 && claim.etag == new.etag));
}

#[tokio::test]
async fn progress_of_some_ranges_is_not_progress_of_others_or_of_the_whole() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| file.answer(ask)
    });
    let mut task = world.resumed(&url, &file, &[(0, 1_000)]);
    let resume = task.resume.as_mut().unwrap();
    resume.ranges = vec![RangeSpec::from_bits(0, 1_000), RangeSpec::from_bits(9_000, 1_000)];
    task.layout =
        Layout::packed(vec![RangeSpec::from_bits(9_000, 1_000), RangeSpec::from_bits(0, 1_000)]).unwrap();
    let fetched = world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), [&file.bytes[9_000..10_000], &file.bytes[..1_000]].concat());
    assert_eq!(fetched.bytes.resumed, 0);
}

#[tokio::test]
async fn a_partial_answer_does_not_say_how_long_the_file_is() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        let file = file.clone();
        move |ask| {
            let (first, last) = ask.range().unwrap_or((0, None));
            let last = last.unwrap_or(LEN - 1);
            Reply::body(206, file.slice(first, last))
                .header("Content-Range", &format!("bytes {first}-{last}/*"))
                .header("ETag", "\"a\"")
        }
    });
    let mut task = world.task(&url);
    task.layout =
        Layout::packed(vec![RangeSpec::from_bits(200, 100), RangeSpec::from_bits(500, 50)]).unwrap();
    world.fetch(&task).await.unwrap();
    assert_eq!(world.sink(), [&file.bytes[200..300], &file.bytes[500..550]].concat());
    task.layout =
        Layout::packed(vec![RangeSpec::from_bits(200, 100), RangeSpec::from_bits(LEN - 100, u64::MAX)])
            .unwrap();
    assert_eq!(world.fetch(&task).await.unwrap_err().code(), Code::BG_E_INSUFFICIENT_RANGE_SUPPORT);
}

#[tokio::test]
async fn an_answer_that_ends_properly_but_early_is_a_failure_that_counts() {
    let world = World::new();
    let file = content("a");
    let url = world.serve("/f", {
        move |ask| match ask.nth {
            0 => file.answer(ask).cut_after(1_000_000),
            _ => file.whole().with_body(&file.bytes[..1_000_000]).chunked().without("Accept-Ranges"),
        }
    });
    let mut task = world.task(&url);
    task.retries.attempts = 3;
    let error = world.fetch(&task).await.unwrap_err();
    assert_eq!(error.code(), Code::BG_E_CONNECTION_CLOSED, "{error}");
    assert!(world.server.asks("/f").len() <= 8);
}

#[tokio::test]
async fn a_file_that_shrinks_in_the_middle_is_fetched_as_the_small_one_it_is_now() {
    let world = World::new();
    let (old, new) = (content("old"), Content::new(pseudo_random(10_000, "new"), "new"));
    let url = world.serve("/f", {
        let new = new.clone();
        move |ask| if ask.nth == 0 { old.answer(ask).cut_after(1_500_000) } else { new.answer(ask) }
    });
    let fetched = world.fetch(&world.task(&url)).await.unwrap();
    assert_eq!(world.sink(), new.bytes[..]);
    assert_eq!(fetched.bytes.wasted, 1_500_000);
}

#[tokio::test]
async fn an_origin_that_always_cuts_and_gives_no_validator_is_given_up_with_a_true_sentence() {
    let world = World::new();
    let file = Content::anonymous(pseudo_random(LEN, "x"));
    let url = world.serve("/f", move |ask| file.answer(ask).cut_after(1_000_000));
    let mut task = world.task(&url);
    task.retries.attempts = 3;
    let error = world.fetch(&task).await.unwrap_err();
    assert!(matches!(error, FetchError::Unresumable { times: 3, .. }), "{error}");
    assert!(error.is_transient());
}
