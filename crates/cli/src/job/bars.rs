//! A bar for each job whose bytes move, at the foot of the terminal.

use std::collections::BTreeMap;

use dray_api::v1::JobState;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::track::Tracked;

/// More bars than this are no help to anyone.
const MAX_BARS: usize = 20;

pub(super) struct Bars {
    /// `None` where nobody would see them.
    shown: Option<MultiProgress>,
    bars: BTreeMap<String, ProgressBar>,
}

impl Bars {
    pub(super) fn new(shown: bool) -> Self {
        Self { shown: shown.then(MultiProgress::new), bars: BTreeMap::new() }
    }

    /// Prints while the bars are out of the way.
    pub(super) fn above(&self, print: impl FnOnce()) {
        match &self.shown {
            Some(shown) => shown.suspend(print),
            None => print(),
        }
    }

    pub(super) fn update(&mut self, id: &str, job: Option<&Tracked>) {
        let Some(shown) = &self.shown else { return };
        let Some(job) = job.filter(|job| moves(job.state)) else {
            if let Some(bar) = self.bars.remove(id) {
                bar.finish_and_clear();
                shown.remove(&bar);
            }
            return;
        };
        if !self.bars.contains_key(id) {
            if self.bars.len() >= MAX_BARS {
                return;
            }
            let bar = shown.add(ProgressBar::new(0));
            bar.set_style(style(job.progress.bytes_total.is_some()));
            bar.set_message(job.name.clone());
            self.bars.insert(id.to_owned(), bar);
        }
        let Some(bar) = self.bars.get(id) else { return };
        if bar.length().unwrap_or(0) == 0 && job.progress.bytes_total.is_some() {
            bar.set_style(style(true));
        }
        bar.set_length(job.progress.bytes_total.unwrap_or(0));
        bar.set_position(job.progress.bytes_transferred);
    }

    pub(super) fn clear(&mut self) {
        if let Some(shown) = &self.shown {
            // The terminal may be gone; the answer is not on it.
            let _ = shown.clear();
        }
    }
}

fn moves(state: JobState) -> bool {
    matches!(state, JobState::Connecting | JobState::Transferring)
}

fn style(sized: bool) -> ProgressStyle {
    let template = if sized {
        "{bar:30} {binary_bytes:>10} of {binary_total_bytes:<10} {binary_bytes_per_sec:>12} {eta:>4}  {wide_msg}"
    } else {
        "{spinner} {binary_bytes:>10} {binary_bytes_per_sec:>12}  {wide_msg}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
