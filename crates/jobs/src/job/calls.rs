//! The calls of a client that change the state or the files.

use dray_ranges::{ByteRange, Layout, RangeError, RangeSet, RangeSpec};

use super::Job;
use super::changes::Changes;
use crate::file::Phase;
use crate::limits::{MAX_FILES, MAX_RANGES, MAX_REQUESTED_RANGES};
use crate::table::{self, ClientCall};
use crate::{
    Call, Caller, Code, Effect, Failure, File, FileIndex, JobState, NewFile, Now, Outcome, RemoteName,
};

impl Job {
    /// Answers a call. Whether the caller may see the job at all is decided before.
    pub fn call(&mut self, now: Now, caller: &Caller, call: Call) -> Result<Outcome, Failure> {
        if let Call::Download(call) = call {
            return self.download_call(now, caller, call);
        }
        if self.state.is_final() {
            let sentence = format!("The job is {}; it takes no more calls.", self.state);
            return Err(Failure::new(Code::BG_E_INVALID_STATE, sentence));
        }
        if self.completing {
            let sentence = "The job is being completed; ask again in a moment.";
            return Err(Failure::new(Code::BG_E_INVALID_STATE, sentence));
        }
        let mut changes = Changes::new(self);
        let code = match call {
            Call::AddFiles(files) => self.add_files(now, caller, files, &mut changes)?,
            Call::Suspend => self.suspend(now, &mut changes)?,
            Call::Resume => self.resume(now, &mut changes)?,
            Call::Cancel => {
                self.drop_everything(&mut changes);
                self.enter(now, JobState::Cancelled, &mut changes);
                Code::S_OK
            }
            Call::Complete => self.complete(now, &mut changes)?,
            Call::Set(settings) => self.set(now, settings, &mut changes)?,
            Call::SetRemoteName { file, remote } => self.set_remote_name(file, remote)?,
            Call::ReplaceRemotePrefix { old, new } => self.replace_prefix(now, &old, &new, &mut changes)?,
            Call::SetValidationState { file, valid } => self.validate(now, file, valid, &mut changes)?,
            Call::RequestFileRanges { file, ranges } => self.request(now, file, &ranges, &mut changes)?,
            Call::UpdateDownloadPosition { file, offset } => self.position(file, offset, &mut changes)?,
            Call::TakeOwnership => self.take_ownership(caller)?,
            Call::Download(_) => return Err(Code::E_UNEXPECTED.into()), // answered above
        };
        self.touch(now);
        if code != Code::S_FALSE {
            changes.persist();
            changes.modified();
        }
        Ok(Outcome { code, effects: changes.finish(self) })
    }

    fn add_files(
        &mut self,
        now: Now,
        caller: &Caller,
        files: Vec<NewFile>,
        changes: &mut Changes,
    ) -> Result<Code, Failure> {
        table::client(self.standing(), ClientCall::AddFile)?;
        let count = self.files.len().saturating_add(files.len());
        if files.is_empty() {
            return Err(Failure::new(Code::E_INVALIDARG, "No file was given; add at least one."));
        }
        if !self.job_type.is_download() && count > 1 {
            return Err(Code::BG_E_TOO_MANY_FILES.into());
        }
        let limit =
            if caller.administrator { MAX_FILES } else { self.rules.limits.files_per_job.min(MAX_FILES) };
        if count > limit {
            let sentence = format!("A job has at most {limit} files; put the others into another job.");
            return Err(Failure::new(Code::BG_E_TOO_MANY_FILES_IN_JOB, sentence));
        }
        let layouts =
            files.iter().map(|file| self.check_ranges(caller, file)).collect::<Result<Vec<_>, _>>()?;
        for (file, layout) in files.into_iter().zip(layouts) {
            self.push_file(File::new(file, layout), changes);
        }
        self.settle(now, changes);
        Ok(Code::S_OK)
    }

    pub(super) fn push_file(&mut self, file: File, changes: &mut Changes) {
        changes.persist_file(FileIndex::at(self.files.len()));
        self.tally.enter(&file.phase);
        self.files.push(file);
    }

    fn check_ranges(&self, caller: &Caller, file: &NewFile) -> Result<Layout, Failure> {
        let Some(ranges) = &file.ranges else { return Ok(Layout::whole()) };
        if !self.job_type.is_download() {
            return Err(Failure::new(Code::E_NOTIMPL, "Only files of download jobs have ranges."));
        }
        if self.properties.dynamic_content {
            let sentence = "A job with dynamic content fetches whole files; add the file without ranges.";
            return Err(Failure::new(Code::BG_E_UNSUPPORTED_JOB_CONFIGURATION, sentence));
        }
        let limit =
            if caller.administrator { MAX_RANGES } else { self.rules.limits.ranges_per_file.min(MAX_RANGES) };
        if ranges.len() > limit {
            let sentence = format!("The file has {} ranges; at most {limit} are allowed.", ranges.len());
            return Err(Failure::new(Code::BG_E_TOO_MANY_RANGES_IN_FILE, sentence));
        }
        Layout::packed(ranges.clone()).map_err(|error| range_failure(&error))
    }

    pub(super) fn suspend(&mut self, now: Now, changes: &mut Changes) -> Result<Code, Failure> {
        let (state, code) = table::client(self.standing(), ClientCall::Suspend)?;
        if state != self.state {
            self.stop_all(changes);
            self.enter(now, state, changes);
        }
        Ok(code)
    }

    pub(super) fn resume(&mut self, now: Now, changes: &mut Changes) -> Result<Code, Failure> {
        let from = self.state;
        let (state, code) = table::client(self.standing(), ClientCall::Resume)?;
        self.resumed = true;
        self.commit_remote_names(changes);
        if state != from {
            self.retry_at = None;
            self.active_spent = std::time::Duration::ZERO;
            self.retrying = from == JobState::TransientError;
            self.clear_failures(false, changes);
            self.enter(now, state, changes);
        }
        self.settle(now, changes);
        Ok(code)
    }

    /// Names set since the last Resume are kept from now on; running transfers change over to them.
    fn commit_remote_names(&mut self, changes: &mut Changes) {
        for index in self.indexes() {
            let file = &mut self.files[index.as_usize()];
            if file.recorded_remote.take().is_some() {
                changes.persist_file(index);
                if file.is_running() {
                    self.stop(index, changes);
                }
            }
        }
    }

    fn set_remote_name(&mut self, index: FileIndex, remote: RemoteName) -> Result<Code, Failure> {
        self.only_download("SetRemoteName")?;
        self.file(index)?;
        let file = &mut self.files[index.as_usize()];
        let old = std::mem::replace(&mut file.remote, remote);
        file.recorded_remote.get_or_insert(old);
        Ok(Code::S_OK)
    }

    fn replace_prefix(
        &mut self,
        now: Now,
        old: &str,
        new: &str,
        changes: &mut Changes,
    ) -> Result<Code, Failure> {
        self.only_download("ReplaceRemotePrefix")?;
        if old.is_empty() || new.is_empty() {
            return Err(Failure::new(Code::E_INVALIDARG, "Neither prefix may be empty."));
        }
        let mut names = Vec::new();
        for index in self.indexes() {
            if let Some(rest) = self.files[index.as_usize()].remote.as_str().strip_prefix(old) {
                names.push((index, RemoteName::parse(&format!("{new}{rest}"))?));
            }
        }
        let code = if names.is_empty() { Code::S_FALSE } else { Code::S_OK };
        for (index, name) in names {
            let file = &mut self.files[index.as_usize()];
            let is_other = file.remote != name;
            file.remote = name;
            file.recorded_remote = None;
            changes.persist_file(index);
            if is_other && file.phase == Phase::Running {
                self.stop(index, changes);
            }
        }
        self.settle(now, changes);
        Ok(code)
    }

    fn validate(
        &mut self,
        now: Now,
        index: FileIndex,
        valid: bool,
        changes: &mut Changes,
    ) -> Result<Code, Failure> {
        if !self.file(index)?.has_arrived() {
            let sentence = "The file has not fully arrived; validate it after FileTransferred.";
            return Err(Failure::new(Code::E_PENDING, sentence));
        }
        let file = &mut self.files[index.as_usize()];
        if file.phase == Phase::Completed {
            let sentence = "The file has its final name already; nothing can be taken back.";
            return Err(Failure::new(Code::BG_E_INVALID_STATE, sentence));
        }
        if valid {
            file.validation = Some(true);
            changes.persist_file(index);
        } else {
            self.reject_content(now, index, changes);
        }
        Ok(Code::S_OK)
    }

    fn request(
        &mut self,
        now: Now,
        index: FileIndex,
        ranges: &[RangeSpec],
        changes: &mut Changes,
    ) -> Result<Code, Failure> {
        let file = self.random_access(index)?;
        if ranges.is_empty() {
            return Err(range_failure(&RangeError::Empty));
        }
        let mut asked = RangeSet::new();
        for spec in ranges {
            asked.insert(requested_range(*spec, file.learned.size)?);
        }
        let requested = file.requested.union(&asked);
        if requested.as_slice().len() > MAX_REQUESTED_RANGES {
            let sentence =
                format!("More than {MAX_REQUESTED_RANGES} separate ranges are asked for; merge some.");
            return Err(Failure::new(Code::BG_E_TOO_MANY_RANGES_IN_FILE, sentence));
        }
        self.files[index.as_usize()].requested = requested;
        changes.persist_file(index);
        match self.files[index.as_usize()].phase {
            Phase::Parked => self.set_phase(index, Phase::Waiting),
            Phase::Running | Phase::Settling => changes.work(Effect::Prefer { file: index, ranges: asked }),
            _ => {}
        }
        self.settle(now, changes);
        Ok(Code::S_OK)
    }

    fn position(&mut self, index: FileIndex, offset: u64, changes: &mut Changes) -> Result<Code, Failure> {
        let file = self.random_access(index)?;
        let rest = requested_range(RangeSpec { offset, length: None }, file.learned.size)?;
        if file.is_running() {
            changes.work(Effect::Prefer { file: index, ranges: [rest].into_iter().collect() });
        }
        Ok(Code::S_OK)
    }

    /// The file, when it allows the calls of File6 (reference 8.4).
    fn random_access(&self, index: FileIndex) -> Result<&File, Failure> {
        let file = self.file(index)?;
        let allowed = self.job_type.is_download()
            && !self.properties.dynamic_content
            && file.ranges().is_none()
            && file.learned.has_ranges != Some(false);
        if allowed { Ok(file) } else { Err(Code::BG_E_RANDOM_ACCESS_NOT_SUPPORTED.into()) }
    }

    fn take_ownership(&mut self, caller: &Caller) -> Result<Code, Failure> {
        if !caller.administrator {
            let sentence = "Only an administrator can take a job over.";
            return Err(Failure::new(Code::E_ACCESSDENIED, sentence));
        }
        self.owner = caller.owner.clone();
        self.properties.notify_command = None;
        Ok(Code::S_OK)
    }

    fn only_download(&self, call: &str) -> Result<(), Failure> {
        if self.job_type.is_download() {
            return Ok(());
        }
        Err(Failure::new(Code::E_NOTIMPL, format!("{call} works on download jobs only.")))
    }
}

/// A range of RequestFileRanges in a file whose size may not be known yet.
fn requested_range(spec: RangeSpec, size: Option<u64>) -> Result<ByteRange, Failure> {
    dray_ranges::check_request(&[spec]).map_err(|error| range_failure(&error))?;
    let end = spec.length.map_or(size.unwrap_or(u64::MAX), |length| spec.offset + length);
    let range = ByteRange::new(spec.offset, end).filter(|range| range.end() <= size.unwrap_or(u64::MAX));
    range.ok_or_else(|| range_failure(&RangeError::BeyondEnd { spec, size: size.unwrap_or(u64::MAX) }))
}

/// Reference 8.1: which code belongs to which fault of a list of ranges.
pub(super) fn range_failure(error: &RangeError) -> Failure {
    let code = match error {
        RangeError::Empty => Code::E_INVALIDARG,
        RangeError::Overlap { .. } => Code::BG_E_OVERLAPPING_RANGES,
        _ => Code::BG_E_INVALID_RANGE,
    };
    let mut sentence = format!("{error}.");
    if let Some(first) = sentence.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    Failure::new(code, sentence)
}
