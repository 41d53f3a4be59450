use dray_jobs::{BySource, FileIndex};

use super::*;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn job(number: u128) -> JobId {
    JobId(uuid::Uuid::from_u128(number))
}

fn story(number: u128, file: u32, at_ms: u64) -> Story {
    Story {
        job: job(number),
        file: FileIndex(file),
        owner: "0".to_owned(),
        url: format!("https://host/{number}"),
        local: "/a".to_owned(),
        at_ms,
        transferred: false,
        content: None,
        bytes: BySource::default(),
        accounts: Vec::new(),
        told: Vec::new(),
    }
}

fn files(history: &History, number: u128) -> Vec<u32> {
    history.of_job(job(number)).iter().map(|story| story.file.0).collect()
}

#[test]
fn the_latest_story_of_each_file_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path(), 0);
    for (file, transferred) in [(1, false), (0, false), (1, true)] {
        history.tell(Story { transferred, ..story(7, file, 0) });
        history.write(0);
    }
    let history = History::open(folder.path(), 0);
    assert_eq!(files(&history, 7), [0, 1]);
    assert!(history.of_job(job(7))[1].transferred);
    assert!(files(&history, 8).is_empty());
    let newest = history.find(1, |story| story.url == "https://host/7");
    assert_eq!((newest.len(), newest[0].file.0), (1, 1));
}

#[test]
fn half_a_line_costs_that_line_alone() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path(), 0);
    for number in [1, 2] {
        history.tell(story(number, 0, 0));
    }
    history.write(0);
    let path = folder.path().join(STORIES);
    let text = std::fs::read(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 5]).unwrap();
    let history = History::open(folder.path(), 0);
    history.tell(story(3, 0, 0));
    history.write(0);
    let history = History::open(folder.path(), 0);
    assert_eq!([1, 2, 3].map(|number| files(&history, number).len()), [1, 0, 1]);
}

#[test]
fn too_many_and_too_old_stories_are_forgotten_on_disk_too() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path(), 0);
    let most = u32::try_from(stories::MAX_STORIES).unwrap();
    for round in 0..3 {
        for file in 0..=most {
            history.tell(story(round, file, u64::from(file)));
            if file % 100 == 0 {
                history.write(0);
            }
        }
    }
    history.write(0);
    assert_eq!(files(&history, 2), (1..=most).collect::<Vec<_>>());
    let lines = std::fs::read_to_string(folder.path().join(STORIES)).unwrap().lines().count();
    assert!(lines <= 2 * stories::MAX_STORIES, "{lines}");
    let history = History::open(folder.path(), u64::from(most) + 7 * DAY_MS);
    assert_eq!(files(&history, 2), [most]);
}

#[test]
fn totals_go_on_after_a_restart_and_begin_anew_when_they_do_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = Bytes { origin: 5, lan_peers: 7, ..Bytes::default() };
    let history = History::open(folder.path(), 11);
    history.count(bytes);
    history.write(12);
    let history = History::open(folder.path(), 13);
    assert_eq!(history.totals(), (Bytes::default(), bytes, 11));
    history.count(bytes);
    assert_eq!((history.totals().0.origin, history.totals().1.origin), (5, 10));
    std::fs::write(folder.path().join(TOTALS), b"{").unwrap();
    assert_eq!(History::open(folder.path(), 14).totals(), (Bytes::default(), Bytes::default(), 14));
}
