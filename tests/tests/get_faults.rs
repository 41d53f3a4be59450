//! Servers that misbehave: the transfer ends right, or ends in a documented failure, and never in a wrong file.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use dray_tests::{Ask, Content, FaultServer, Home, KIB, Outcome, Reply, random_bytes};
use sha2::{Digest as _, Sha256};

/// Several pieces, the last one odd.
const SIZE: usize = 900_001;
const HALF: u64 = 450_000;

/// How it ended, with the requests that were made.
struct Ended {
    outcome: Outcome,
    asks: Vec<Ask>,
}

/// Gets a page and proves that a wrong file is impossible: it is `right` under its name, or nothing is.
fn get(
    right: &[u8],
    options: &[&str],
    answer: impl Fn(&Ask) -> Reply + Send + Sync + 'static,
) -> Result<Ended> {
    let server = FaultServer::start()?;
    let url = server.page("/a.bin", answer);
    let home = Home::new()?;
    let outcome = home.dray([&["get", "--embedded", &url], options].concat())?;
    let file = home.downloads().join("a.bin");
    if outcome.code == 0 {
        assert!(fs::read(&file)? == right, "a wrong file: {outcome}");
        assert_eq!(home.downloaded()?, ["a.bin"], "{outcome}");
    } else {
        assert!([1, 5].contains(&outcome.code), "{outcome}");
        assert!(!file.exists(), "a file in spite of: {outcome}");
    }
    Ok(Ended { outcome, asks: server.asks("/a.bin") })
}

impl Ended {
    #[track_caller]
    fn well(self) -> Vec<Ask> {
        self.outcome.expect(0);
        self.asks
    }

    #[track_caller]
    fn badly(self) -> Vec<Ask> {
        assert_ne!(self.outcome.code, 0, "{}", self.outcome);
        self.asks
    }
}

fn content(seed: u64) -> (Content, Vec<u8>) {
    let content = Content::new(random_bytes(seed, SIZE), &format!("v{seed}"));
    let bytes = content.bytes.to_vec();
    (content, bytes)
}

fn sha256(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[test]
fn an_honest_server_is_asked_once_and_with_get() -> Result<()> {
    let (content, bytes) = content(50);
    let asks = get(&bytes, &[], move |ask| content.answer(ask))?.well();
    assert_eq!(asks.len(), 1);
    assert_eq!(asks[0].method, "GET");
    Ok(())
}

#[test]
fn a_connection_cut_again_and_again_is_resumed_where_it_ended() -> Result<()> {
    let (content, bytes) = content(51);
    let asks = get(&bytes, &[], move |ask| content.answer(ask).cut_after(400_000))?.well();
    assert!(asks.len() >= 3, "{asks:?}");
    for ask in &asks[1..] {
        assert!(ask.range().is_some_and(|(first, _)| first > 0), "{ask:?}");
        assert_eq!(ask.header("if-range"), Some("\"v51\""), "{ask:?}");
    }
    Ok(())
}

#[test]
fn a_server_that_ignores_ranges_is_asked_for_all_of_it_again() -> Result<()> {
    let (content, bytes) = content(52);
    get(&bytes, &[], move |ask| match ask.nth {
        0 => content.whole().cut_after(HALF),
        _ => content.whole(),
    })?
    .well();
    Ok(())
}

#[test]
fn another_range_than_the_one_asked_for_is_not_taken_for_it() -> Result<()> {
    let (content, bytes) = content(53);
    for shift in [-1_i64, 1, -1000, 4096] {
        let content = content.clone();
        get(&bytes, &[], move |ask| match (ask.nth, ask.range()) {
            (0, _) | (_, None) => content.answer(ask).cut_after(HALF),
            (_, Some((first, _))) => content.part(first.saturating_add_signed(shift), SIZE as u64 - 1),
        })?;
    }
    Ok(())
}

#[test]
fn a_range_whose_header_lies_about_its_place_is_caught_by_the_digest() -> Result<()> {
    let (content, bytes) = content(54);
    let digest = sha256(&bytes);
    get(&bytes, &["--digest", &digest], move |ask| match (ask.nth, ask.range()) {
        (0, _) | (_, None) => content.answer(ask).cut_after(HALF),
        // The header says what was asked for, the bytes are others.
        (_, Some((first, _))) => content.answer(ask).with_body(content.slice(0, SIZE as u64 - 1 - first)),
    })?;
    Ok(())
}

#[test]
fn a_shorter_range_than_the_one_asked_for_is_completed() -> Result<()> {
    let (content, bytes) = content(55);
    get(&bytes, &[], move |ask| match (ask.nth, ask.range()) {
        (0, _) | (_, None) => content.answer(ask).cut_after(HALF),
        (_, Some((first, _))) => content.part(first, (first + 99_999).min(SIZE as u64 - 1)),
    })?;
    Ok(())
}

#[test]
fn a_206_without_a_content_range_is_not_believed() -> Result<()> {
    let (content, bytes) = content(56);
    get(&bytes, &[], move |ask| match ask.nth {
        0 => content.answer(ask).cut_after(HALF),
        _ => content.answer(ask).without("Content-Range"),
    })?;
    Ok(())
}

#[test]
fn a_206_that_no_one_asked_for_is_not_the_whole_file() -> Result<()> {
    let (content, bytes) = content(57);
    get(&bytes, &[], move |_| content.part(0, HALF))?;
    Ok(())
}

#[test]
fn ranges_merged_into_multipart_are_not_written_as_they_are() -> Result<()> {
    let (content, bytes) = content(58);
    let body = content.bytes.to_vec();
    get(&bytes, &[], move |ask| {
        if ask.nth == 0 {
            return content.answer(ask).cut_after(HALF);
        }
        let Some((first, _)) = ask.range() else { return content.answer(ask) };
        let first = usize::try_from(first).unwrap_or(0);
        let head = format!("\r\n--X\r\nContent-Range: bytes {first}-{}/{SIZE}\r\n\r\n", SIZE - 1);
        let multipart = [head.as_bytes(), &body[first..], b"\r\n--X--\r\n"].concat();
        Reply::body(206, &multipart)
            .header("Content-Type", "multipart/byteranges; boundary=X")
            .header("ETag", "\"v58\"")
    })?;
    Ok(())
}

#[test]
fn several_ranges_answered_with_all_of_the_file_become_the_ranges() -> Result<()> {
    let (content, bytes) = content(59);
    let wanted = [&bytes[100..200], &bytes[5000..6000]].concat();
    get(&wanted, &["--range", "100-199", "--range", "5000-5999"], move |_| content.whole())?;
    Ok(())
}

#[test]
fn a_body_that_was_compressed_unasked_is_not_the_file() -> Result<()> {
    let (content, bytes) = content(60);
    // Stored, not deflated: a valid gzip body is longer than the file, and starts with this.
    let longer = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &bytes].concat();
    let asks =
        get(&bytes, &[], move |_| content.whole().with_body(&longer).header("Content-Encoding", "gzip"))?
            .badly();
    for ask in asks {
        assert!(ask.header("accept-encoding").is_none_or(|value| !value.contains("gzip")), "{ask:?}");
    }
    Ok(())
}

#[test]
fn a_compressed_answer_to_a_resume_is_not_mixed_in() -> Result<()> {
    let (content, bytes) = content(61);
    let longer = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &bytes].concat();
    get(&bytes, &[], move |ask| match ask.nth {
        0 => content.whole().cut_after(HALF),
        _ => content.whole().with_body(&longer).header("Content-Encoding", "gzip"),
    })?
    .badly();
    Ok(())
}

#[test]
fn a_length_that_promises_more_than_comes_is_no_file() -> Result<()> {
    let (content, bytes) = content(62);
    get(&bytes, &[], move |_| content.whole().claiming(SIZE as u64 + 1000))?.badly();
    Ok(())
}

#[test]
fn a_length_that_promises_less_than_comes_is_caught_by_the_digest() -> Result<()> {
    let (content, bytes) = content(63);
    let digest = sha256(&bytes);
    get(&bytes, &["--digest", &digest], move |_| content.whole().claiming(SIZE as u64 - 1000))?.badly();
    Ok(())
}

#[test]
fn a_file_that_changes_between_requests_is_never_mixed() -> Result<()> {
    let (old, _) = content(64);
    let (new, bytes) = content(65);
    get(&bytes, &[], move |ask| match ask.nth {
        0 => old.answer(ask).cut_after(HALF),
        _ => new.answer(ask),
    })?
    .well();
    Ok(())
}

#[test]
fn a_server_that_ignores_if_range_is_noticed_by_its_etag() -> Result<()> {
    let (old, _) = content(66);
    let (new, bytes) = content(67);
    get(&bytes, &[], move |ask| match (ask.nth, ask.range()) {
        (0, _) => old.answer(ask).cut_after(HALF),
        (_, Some((first, _))) => new.part(first, SIZE as u64 - 1),
        (_, None) => new.whole(),
    })?
    .well();
    Ok(())
}

#[test]
fn a_file_without_validators_is_never_resumed_on_trust() -> Result<()> {
    let old = Content::anonymous(random_bytes(68, SIZE));
    let new = Content::anonymous(random_bytes(69, SIZE));
    let bytes = new.bytes.to_vec();
    get(&bytes, &[], move |ask| match ask.nth {
        0 => old.answer(ask).cut_after(HALF),
        _ => new.answer(ask),
    })?;
    Ok(())
}

#[test]
fn a_weak_etag_is_not_enough_to_resume() -> Result<()> {
    let weak = |seed| Content {
        etag: Some("W/\"same\"".to_owned()),
        ..Content::anonymous(random_bytes(seed, SIZE))
    };
    let (old, new) = (weak(70), weak(71));
    let bytes = new.bytes.to_vec();
    get(&bytes, &[], move |ask| match ask.nth {
        0 => old.answer(ask).cut_after(HALF),
        // An honest server compares strongly, and a weak tag never matches.
        _ => new.whole(),
    })?;
    Ok(())
}

#[test]
fn a_file_that_changes_its_size_on_the_way_is_never_mixed() -> Result<()> {
    let (old, _) = content(72);
    let new = Content::new(random_bytes(73, SIZE / 3), "v73"); // shorter than what is already there
    let bytes = new.bytes.to_vec();
    get(&bytes, &[], move |ask| match ask.nth {
        0 => old.answer(ask).cut_after(HALF),
        _ => new.answer(ask),
    })?
    .well();
    Ok(())
}

#[test]
fn a_file_that_became_shorter_than_what_is_there_starts_over_after_416() -> Result<()> {
    let (old, _) = content(81);
    let new = Content::new(random_bytes(82, SIZE / 3), "v82");
    let bytes = new.bytes.to_vec();
    get(&bytes, &[], move |ask| match (ask.nth, ask.range()) {
        (0, _) => old.answer(ask).cut_after(HALF),
        // It does not know If-Range, and has nothing at that place.
        (_, Some(_)) => Reply::status(416).header("Content-Range", &format!("bytes */{}", SIZE / 3)),
        (_, None) => new.whole(),
    })?
    .well();
    Ok(())
}

#[test]
fn a_date_of_this_very_second_is_not_enough_to_resume() -> Result<()> {
    const NOW: &str = "Fri, 20 Nov 2026 12:00:00 GMT";
    let dated = |seed| Content {
        last_modified: Some(NOW.to_owned()),
        ..Content::anonymous(random_bytes(seed, SIZE))
    };
    let (old, new) = (dated(83), dated(84)); // written twice within one second
    let bytes = new.bytes.to_vec();
    get(&bytes, &[], move |ask| match ask.nth {
        0 => old.answer(ask).cut_after(HALF).header("Date", NOW),
        _ => new.answer(ask).header("Date", NOW),
    })?;
    Ok(())
}

#[test]
fn a_range_of_a_file_of_another_size_is_not_mixed_in() -> Result<()> {
    let (content, bytes) = content(85);
    get(&bytes, &[], move |ask| match (ask.nth, ask.range()) {
        (0, _) | (_, None) => content.answer(ask).cut_after(HALF),
        (_, Some((first, _))) => {
            let header = format!("bytes {first}-{}/{}", SIZE - 1, SIZE + 5);
            content.answer(ask).without("Content-Range").header("Content-Range", &header)
        }
    })?;
    Ok(())
}

#[test]
fn a_range_in_chunks_is_as_good() -> Result<()> {
    let (content, bytes) = content(86);
    get(&bytes, &[], move |ask| match ask.nth {
        0 => content.answer(ask).cut_after(HALF),
        _ => content.answer(ask).chunked(),
    })?
    .well();
    Ok(())
}

#[test]
fn a_mirror_with_another_version_behind_the_same_redirect_is_not_mixed_in() -> Result<()> {
    let mirrors = [FaultServer::start()?, FaultServer::start()?];
    let (old, _) = content(87);
    let (new, bytes) = content(88);
    let urls = [
        mirrors[0].page("/old.bin", move |ask| old.answer(ask).cut_after(HALF)),
        mirrors[1].page("/new.bin", move |ask| new.answer(ask)),
    ];
    get(&bytes, &[], move |ask| Reply::redirect(302, &urls[ask.nth.min(1)]))?.well();
    Ok(())
}

#[test]
fn a_file_that_changes_at_every_request_ends() -> Result<()> {
    let asks = get(b"", &[], move |ask| {
        let content = Content::new(random_bytes(100 + ask.nth as u64, SIZE), &format!("n{}", ask.nth));
        content.answer(ask).cut_after(HALF)
    })?
    .badly();
    assert!(asks.len() <= 50, "{} requests", asks.len());
    Ok(())
}

#[test]
fn a_slow_server_is_waited_for() -> Result<()> {
    let content = Content::new(random_bytes(74, 48 * 1024), "v1");
    let bytes = content.bytes.to_vec();
    let asks = get(&bytes, &[], move |ask| content.answer(ask).at_rate(16 * KIB))?.well();
    assert_eq!(asks.len(), 1, "slow is not silent: {asks:?}");
    Ok(())
}

#[test]
fn a_length_that_is_not_told_is_no_obstacle() -> Result<()> {
    let (content, bytes) = content(75);
    let other = content.clone();
    get(&bytes, &[], move |_| content.whole().chunked())?.well();
    get(&bytes, &[], move |_| other.whole().until_close())?.well();
    Ok(())
}

#[test]
fn a_chunked_body_that_is_cut_is_not_the_file() -> Result<()> {
    let (content, bytes) = content(76);
    get(&bytes, &[], move |_| content.whole().chunked().cut_after(HALF))?.badly();
    Ok(())
}

#[test]
fn a_busy_server_is_asked_again_when_it_says() -> Result<()> {
    for status in [429, 503] {
        let (content, bytes) = content(77);
        let asks = get(&bytes, &[], move |ask| match ask.nth {
            0 => Reply::status(status).header("Retry-After", "2"),
            _ => content.answer(ask),
        })?
        .well();
        assert_eq!(asks.len(), 2);
        assert!(asks[1].at - asks[0].at >= Duration::from_secs(2), "{status}: {asks:?}");
    }
    Ok(())
}

#[test]
fn a_server_that_asks_for_a_year_of_patience_does_not_get_it() -> Result<()> {
    let ended = get(b"", &[], |_| Reply::status(503).header("Retry-After", "31536000"))?;
    assert!(ended.outcome.elapsed < Duration::from_secs(60), "{}", ended.outcome);
    ended.badly();
    Ok(())
}

#[test]
fn a_passing_failure_is_retried() -> Result<()> {
    for status in [500, 502, 503, 504] {
        let (content, bytes) = content(78);
        get(&bytes, &[], move |ask| if ask.nth == 0 { Reply::status(status) } else { content.answer(ask) })?
            .well();
    }
    Ok(())
}

#[test]
fn a_failure_in_the_middle_keeps_what_was_there() -> Result<()> {
    let (content, bytes) = content(79);
    let asks = get(&bytes, &[], move |ask| match ask.nth {
        0 => content.answer(ask).cut_after(HALF),
        1 => Reply::status(503),
        _ => content.answer(ask),
    })?
    .well();
    assert!(asks[2].range().is_some_and(|(first, _)| first > 0), "{asks:?}");
    Ok(())
}

#[test]
fn a_connection_closed_without_a_word_ends_in_a_failure() -> Result<()> {
    get(b"", &[], |_| Reply::status(200).claiming(10).cut_after(0))?.badly();
    Ok(())
}

#[test]
fn an_error_page_is_not_the_file() -> Result<()> {
    get(b"", &[], |_| Reply::body(404, b"<html>not here</html>"))?.badly();
    Ok(())
}

#[test]
fn a_redirect_is_followed_and_the_name_is_that_of_the_first_url() -> Result<()> {
    for status in [301, 302, 303, 307, 308] {
        let server = FaultServer::start()?;
        let (content, bytes) = content(80);
        let there = server.page("/elsewhere.bin", move |ask| content.answer(ask));
        let here = server.page("/a.bin", move |_| Reply::redirect(status, &there));
        let home = Home::new()?;
        home.dray(["get", "--embedded", "-o", "a.bin", &here])?.expect(0);
        assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "{status}: the file is wrong");
    }
    Ok(())
}

#[test]
fn headers_without_end_do_not_fill_the_memory() -> Result<()> {
    get(b"", &[], |_| {
        let mut reply = Reply::status(200);
        for number in 0..2000 {
            reply = reply.header(&format!("X-{number}"), &"x".repeat(4000));
        }
        reply
    })?
    .badly();
    Ok(())
}
