//! Faults in random order: many downloads at once, each from a page that misbehaves by its own seed.

use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use dray_tests::{Ask, Content, FaultServer, Home, Reply, random_bytes};

const PATIENCE: Duration = Duration::from_secs(180);

/// Pages that misbehave at once.
const PAGES: u64 = 24;

/// So often a page misbehaves before it turns honest.
const FAULTS: usize = 6;

const SIZE: usize = 700_001;

/// What one page does: versions of its file follow each other, and every answer may be bent. It never gives bytes of one version
/// under the ETag of another: from that, only a digest could save anyone.
struct Page {
    random: fastrand::Rng,
    seed: u64,
    version: u64,
}

fn content(seed: u64, version: u64) -> Content {
    Content::new(random_bytes(seed * 1000 + version, SIZE), &format!("{seed}-{version}"))
}

impl Page {
    fn answer(&mut self, ask: &Ask) -> Reply {
        if ask.nth >= FAULTS {
            return content(self.seed, self.version).answer(ask);
        }
        if self.random.u8(..10) == 0 {
            self.version += 1;
        }
        let content = content(self.seed, self.version);
        let somewhere = self.random.u64(..SIZE as u64);
        let first = ask.range().map_or(0, |(first, _)| first);
        match self.random.u8(..11) {
            0 => Reply::status(503),
            1 => Reply::status(500).cut_after(3),
            2 => content.whole(),
            3 => content.whole().cut_after(somewhere),
            4 => content.answer(ask).chunked().cut_after(somewhere),
            5 => content.part(somewhere, SIZE as u64 - 1),
            6 => content.part(first, (first + somewhere).min(SIZE as u64 - 1)).cut_after(somewhere / 2),
            7 => content.answer(ask).without("Content-Range"),
            8 => content.answer(ask).without("ETag").cut_after(somewhere),
            9 => content.whole().header("Content-Encoding", "br").cut_after(somewhere),
            _ => content.answer(ask).cut_after(somewhere),
        }
    }
}

#[test]
fn no_order_of_faults_makes_a_wrong_file() -> Result<()> {
    let base = fastrand::u64(..1 << 32);
    let server = FaultServer::start()?;
    let home = Home::new()?;
    let mut running = Vec::new();
    for seed in base..base + PAGES {
        let page = Mutex::new(Page { random: fastrand::Rng::with_seed(seed), seed, version: 0 });
        let url = server.page(&format!("/{seed}.bin"), move |ask| match page.lock() {
            Ok(mut page) => page.answer(ask),
            Err(_) => Reply::status(500),
        });
        running.push((seed, home.start(["get", "--embedded", &url])?));
    }
    let mut arrived = 0;
    for (seed, each) in running {
        let outcome = each.wait(PATIENCE)?;
        let file = home.downloads().join(format!("{seed}.bin"));
        if outcome.code == 0 {
            let bytes = fs::read(&file)?;
            let is_a_version = (0..=FAULTS as u64).any(|version| *content(seed, version).bytes == *bytes);
            assert!(is_a_version, "seed {seed}: a file that never was: {outcome}");
            arrived += 1;
        } else {
            assert_eq!(outcome.code, 1, "seed {seed}: {outcome}");
            assert!(!file.exists(), "seed {seed}: {outcome}");
        }
    }
    assert!(arrived > 0, "not one of {PAGES} downloads arrived");
    Ok(())
}
