//! What a person sees while a file comes: a bar with rate and time left, and a line for every turn of events.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dray_engine::{Checkpoint, Event, Watch};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::get::destination::Destination;
use crate::printer::Printer;

const SIZED: &str = "{msg} {bar:24} {percent:>3}%  {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left";
const UNSIZED: &str = "{msg} {spinner} {binary_bytes}  {binary_bytes_per_sec}";

/// Watches one download for the user, and keeps its checkpoints beside the destination.
pub(crate) struct Progress {
    bar: ProgressBar,
    printer: Printer,
    destination: Destination,
    /// Set when the name that the server proposes is taken: the download stops, and this is why.
    refused: Mutex<Option<String>>,
    stop: CancellationToken,
}

impl Progress {
    pub(crate) fn new(destination: Destination, printer: Printer, stop: CancellationToken) -> Self {
        let bar = bar(&destination, &printer);
        Self { bar, printer, destination, refused: Mutex::default(), stop }
    }

    /// Takes the bar off the screen.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Why the download was stopped from here, if it was.
    pub(crate) fn refused(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, line: &str) {
        self.bar.suspend(|| self.printer.note(line));
    }
}

impl Watch for Progress {
    fn event(&self, event: Event) {
        match event {
            Event::Known { local_size, resumed, file_name, .. } => {
                let path = self.destination.final_path(file_name.as_ref());
                if let Err(why) = self.destination.check_free(&path) {
                    *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                    self.stop.cancel();
                }
                if let Some(size) = local_size {
                    know_size(&self.bar, size);
                }
                self.bar.set_position(resumed);
                self.bar.reset_eta();
            }
            Event::Received { bytes, .. } => self.bar.inc(bytes),
            Event::Restarted { why } => {
                self.bar.set_position(0);
                self.note(&format!("starting over: {why}"));
            }
            Event::Retrying { error, pause } => {
                self.note(&format!("{error}; trying again in {:.1} s", pause.as_secs_f64()));
            }
            Event::Verifying => self.bar.set_message(format!("{} (verifying)", name(&self.destination))),
            Event::Connecting
            | Event::NoRanges
            | Event::Dropped { .. }
            | Event::Decided(_)
            | Event::Gifts(_) => {}
        }
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> std::io::Result<()> {
        self.destination.keep(checkpoint)
    }

    fn forget(&self) -> std::io::Result<()> {
        self.destination.forget()
    }
}

/// A bar for one file; drawn only where a person looks.
pub(crate) fn bar(destination: &Destination, printer: &Printer) -> ProgressBar {
    let is_shown = printer.shows_progress();
    let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target)
        .with_style(style(UNSIZED))
        .with_message(name(destination));
    if is_shown {
        bar.enable_steady_tick(Duration::from_millis(100));
    }
    bar
}

/// Gives the bar its end.
pub(crate) fn know_size(bar: &ProgressBar, size: u64) {
    if bar.length() != Some(size) {
        bar.set_length(size);
        bar.set_style(style(SIZED));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn name(destination: &Destination) -> String {
    destination.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
