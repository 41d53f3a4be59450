//! The calls on a download, and what of its life differs from that of other jobs.

use dray_ranges::{Layout, RangeSet};

use super::table::{self, ClientCall};
use super::{
    BACKGROUND_NO_PROGRESS_S, Download, DownloadCall, DownloadProperty, DownloadState, DownloadValue,
    FOREGROUND_NO_PROGRESS_S, MAX_AGE, Wanted, start,
};
use crate::file::Phase;
use crate::job::changes::Changes;
use crate::limits::MAX_RANGES;
use crate::{
    Caller, Code, Effect, Failure, File, FileIndex, Job, JobState, NewFile, NotifyFlags, Now, Outcome,
    Priority,
};

/// The one file.
const ONLY: FileIndex = FileIndex(0);

impl Job {
    /// Makes a new job a download: nothing is set, nobody is notified.
    pub(in crate::job) fn become_download(&mut self, now: Now) {
        self.download = Some(Box::default());
        self.properties.notify_flags = NotifyFlags::DISABLE;
        self.inactive_at = now.mono + MAX_AGE;
        self.take_no_progress_time();
    }

    /// Answers a call on a download. Whether the caller may see it at all is decided before.
    pub(in crate::job) fn download_call(
        &mut self,
        now: Now,
        caller: &Caller,
        call: DownloadCall,
    ) -> Result<Outcome, Failure> {
        let mut changes = Changes::new(self);
        if let DownloadCall::Set(property, _) = &call {
            self.check_settable(*property)?; // a wrong property is said before a wrong state
        }
        if self.is_completing() {
            let sentence = "The download is being finalized; ask again in a moment.";
            return Err(Failure::new(Code::DO_E_INVALID_STATE, sentence));
        }
        let code = match call {
            DownloadCall::Start(wanted) => self.start_download(now, caller, wanted, &mut changes),
            DownloadCall::Pause => self.pause(now, &mut changes),
            DownloadCall::Abort => self.abort(now, &mut changes),
            DownloadCall::Finalize => self.accept(now, &mut changes),
            DownloadCall::Set(property, value) => self.set_value(now, property, value, &mut changes),
        };
        let code = code.map_err(Failure::for_do)?;
        if !self.state.is_final() || changes.moved(self) {
            self.touch(now);
            changes.persist();
        }
        Ok(Outcome { code, effects: changes.finish(self) })
    }

    /// Row and column of table 13.2; whether anything changes.
    fn step_of(&self, call: ClientCall) -> Result<bool, Failure> {
        let state = self.download_state();
        let step = table::client(state, call).map_err(|code| {
            let sentence = format!("The download is {}; {call:?} is not possible then.", state.name());
            Failure::new(code, sentence)
        })?;
        Ok(step.is_some())
    }

    fn start_download(
        &mut self,
        now: Now,
        caller: &Caller,
        wanted: Wanted,
        changes: &mut Changes,
    ) -> Result<Code, Failure> {
        self.step_of(ClientCall::Start)?;
        self.check_start(caller, &wanted)?;
        match self.download_state() {
            DownloadState::Created => self.first_start(wanted, changes)?,
            DownloadState::Transferring => {
                start::unchanged(&self.asked(), &wanted)?;
                return Ok(Code::S_OK);
            }
            DownloadState::Transferred => {
                let Some(another) = start::more(&self.asked(), wanted)? else { return Ok(Code::S_OK) };
                self.take_layout(another, changes);
            }
            _ => {
                if let Some(another) = start::again(&self.asked(), wanted)? {
                    self.take_layout(another, changes);
                }
            }
        }
        self.error = None;
        if let Some(download) = &mut self.download {
            download.attempts = 0;
            download.extended = None;
        }
        self.resume(now, changes)
    }

    fn check_start(&self, caller: &Caller, wanted: &Wanted) -> Result<(), Failure> {
        let of = self.download_part()?;
        if of.uri.is_none() {
            let sentence = match of.content_id {
                Some(_) => "The content id says what the file is, and not where; set a URI.",
                None => Code::DO_E_DOWNLOAD_NO_URI.text(),
            };
            return Err(Failure::new(Code::DO_E_DOWNLOAD_NO_URI, sentence));
        }
        if of.local.is_none() {
            return Err(Code::DO_E_FILE_DOWNLOADSINK_UNSPECIFIED.into());
        }
        if of.check_mandatory && of.content_id.is_none() {
            return Err(Code::DO_E_INTEGRITYCHECKINFO_UNSPECIFIED.into());
        }
        let Wanted::Ranges(ranges) = wanted else { return Ok(()) };
        if of.check_mandatory {
            let sentence = "The content id proves the whole file only; ask for it without ranges.";
            return Err(Failure::new(Code::DO_E_DOWNLOAD_RANGES_UNEXPECTED, sentence));
        }
        let limit = if caller.administrator { MAX_RANGES } else { self.rules.limits.ranges_per_file };
        let count = ranges.len() + of.arrived_ranges;
        if count > limit.min(MAX_RANGES) {
            let sentence = format!("The download has {count} ranges; at most {limit} are allowed.");
            return Err(Failure::new(Code::BG_E_TOO_MANY_RANGES_IN_FILE, sentence));
        }
        Ok(())
    }

    fn first_start(&mut self, wanted: Wanted, changes: &mut Changes) -> Result<(), Failure> {
        let of = self.download_part()?;
        let (Some(remote), Some(local)) = (of.uri.clone(), of.local.clone()) else {
            return Err(Code::DO_E_DOWNLOAD_NO_URI.into()); // looked at before
        };
        let layout = start::first(wanted)?;
        let digest = digest_for(of, &layout);
        let new = NewFile { remote, local, ranges: None, digest };
        self.push_file(File::new(new, layout), changes);
        Ok(())
    }

    fn asked(&self) -> start::Asked<'_> {
        const WHOLE: &Layout = &Layout::whole();
        let file = self.files.first();
        start::Asked {
            layout: file.map_or(WHOLE, |file| &file.layout),
            arrived: self.download.as_ref().map_or(0, |download| download.arrived_ranges),
            size: file.and_then(|file| file.learned.size),
        }
    }

    /// What is here stays here, when the new layout begins with it.
    fn take_layout(&mut self, another: start::Another, changes: &mut Changes) {
        let size = self.files[0].learned.size;
        let kept: RangeSet = size
            .filter(|_| another.arrived > 0)
            .and_then(|size| {
                let specs = another.layout.specs()?.get(..another.arrived)?;
                Layout::packed(specs.to_vec()).ok()?.wanted(size).ok()
            })
            .unwrap_or_default();
        let Some(download) = &mut self.download else { return };
        download.arrived_ranges = another.arrived;
        let digest = digest_for(download, &another.layout);
        let file = &mut self.files[0];
        file.layout = another.layout;
        file.digest = digest;
        file.transferred = kept.len_bytes();
        self.set_phase(ONLY, Phase::Waiting);
        changes.persist_file(ONLY);
        match kept.is_empty() {
            true => changes.work(Effect::DeleteTemp(ONLY)),
            false => changes.work(Effect::Extend { file: ONLY, kept }),
        }
    }

    fn pause(&mut self, now: Now, changes: &mut Changes) -> Result<Code, Failure> {
        let held = self.state == JobState::TransientError;
        // What waits by itself is PAUSED already, and must not go on by itself any more.
        if self.step_of(ClientCall::Pause)? || held {
            self.suspend(now, changes)?;
        }
        Ok(Code::S_OK)
    }

    fn abort(&mut self, now: Now, changes: &mut Changes) -> Result<Code, Failure> {
        if self.step_of(ClientCall::Abort)? {
            self.error = None;
            self.drop_everything(changes);
            self.enter(now, JobState::Cancelled, changes);
        }
        Ok(Code::S_OK)
    }

    fn accept(&mut self, now: Now, changes: &mut Changes) -> Result<Code, Failure> {
        if self.step_of(ClientCall::Finalize)? { self.complete(now, changes) } else { Ok(Code::S_OK) }
    }

    fn set_value(
        &mut self,
        now: Now,
        property: DownloadProperty,
        value: DownloadValue,
        changes: &mut Changes,
    ) -> Result<Code, Failure> {
        let (mut next, priority) = self.with_value(property, value)?;
        if property == DownloadProperty::Uri {
            next.attempts = 0;
            if let Some((file, uri)) = self.files.first_mut().zip(next.uri.clone()) {
                file.remote = uri;
                changes.persist_file(ONLY);
            }
        }
        *self.download_mut() = next;
        self.properties.priority = priority;
        let old = self.no_progress_timeout();
        self.take_no_progress_time();
        let new = self.no_progress_timeout();
        self.no_progress_at = self.no_progress_at.map(|at| (at + new).saturating_sub(old));
        self.settle(now, changes);
        Ok(Code::S_OK)
    }

    fn download_mut(&mut self) -> &mut Download {
        self.download.get_or_insert_default()
    }

    fn take_no_progress_time(&mut self) {
        let default = match self.properties.priority {
            Priority::Foreground => FOREGROUND_NO_PROGRESS_S,
            _ => BACKGROUND_NO_PROGRESS_S,
        };
        let own = self.download.as_ref().and_then(|download| download.no_progress_s);
        self.properties.no_progress_timeout_s = own.unwrap_or(default);
    }

    /// Everything that was asked for is here.
    pub(in crate::job) fn download_arrived(&mut self) {
        let count = self.files.first().and_then(File::ranges).map_or(0, <[_]>::len);
        if let Some(download) = &mut self.download {
            download.arrived_ranges = count;
            download.attempts = 0;
            download.extended = None;
        }
    }

    /// The daemon was away. What does not outlive it ends with it (NonVolatile); a client that wanted it finalized gets that.
    pub(in crate::job) fn after_daemon(&mut self) {
        let volatile = self.download.as_ref().is_some_and(|download| !download.non_volatile);
        self.place_lost();
        if volatile && !self.completing && !self.state.is_final() {
            self.error = None;
            self.state = JobState::Cancelled;
        }
    }
}

fn digest_for(download: &Download, layout: &Layout) -> Option<String> {
    download.content_id.clone().filter(|_| layout.specs().is_none())
}
