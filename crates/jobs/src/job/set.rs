//! The Set methods: all of a list or none.

use super::changes::Changes;
use super::{Job, Properties};
use crate::file::Phase;
use crate::limits::{MAX_COMMAND_PARAMETERS, MAX_COMMAND_PROGRAM, MAX_FILES_AT_ONCE, MIN_RETRY_DELAY_S};
use crate::names::{check_description, check_display_name};
use crate::table::ServiceEvent;
use crate::{Code, Failure, JobState, LocalName, NotifyCommand, Now, Priority, Property, Setting};

/// BG_AUTH_TARGET_PROXY.
const AUTH_TARGET_PROXY: u32 = 2;

/// BITS_COST_STATE: the eight states, RESERVED, and the option IGNORE_CONGESTION.
const COST_STATES: u32 = 0xC000_00FF;

impl Job {
    pub(super) fn set(
        &mut self,
        now: Now,
        settings: Vec<Setting>,
        changes: &mut Changes,
    ) -> Result<Code, Failure> {
        let old_timeout = self.no_progress_timeout();
        let was_on_demand = self.properties.on_demand;
        self.properties = self.with_settings(settings)?;
        // The clock has been running since the first error; only its length is another now.
        let timeout = self.no_progress_timeout();
        self.no_progress_at = self.no_progress_at.map(|at| (at + timeout).saturating_sub(old_timeout));
        if was_on_demand && !self.properties.on_demand {
            for file in self.indexes() {
                if self.files[file.as_usize()].phase == Phase::Parked {
                    self.set_phase(file, Phase::Waiting);
                    changes.persist_file(file);
                }
            }
        }
        let held_by_bandwidth =
            self.error.as_ref().is_some_and(|error| error.code == Code::BG_E_BLOCKED_BY_POLICY);
        if held_by_bandwidth && self.properties.priority == Priority::Foreground {
            self.requeue(now, ServiceEvent::PolicyAllows, changes);
        }
        if self.properties.dynamic_content && self.properties.priority != Priority::Foreground {
            self.preempt(now, ServiceEvent::SliceEnds, changes); // it runs in the foreground only (4.4)
        }
        self.settle(now, changes);
        Ok(Code::S_OK)
    }

    /// The properties as they would be with these settings.
    pub(super) fn with_settings(&self, settings: Vec<Setting>) -> Result<Properties, Failure> {
        let mut next = self.properties.clone();
        for setting in settings {
            match setting {
                Setting::DisplayName(name) => {
                    check_display_name(&name)?;
                    next.display_name = name;
                }
                Setting::Description(text) => {
                    check_description(&text)?;
                    next.description = text;
                }
                Setting::Priority(priority) => next.priority = priority,
                Setting::NotifyFlags(flags) => next.notify_flags = flags,
                Setting::NotifyCommand(command) => {
                    next.notify_command = command.map(|command| self.check_command(command)).transpose()?;
                }
                Setting::MinimumRetryDelay(seconds) => {
                    next.minimum_retry_delay_s = seconds.max(MIN_RETRY_DELAY_S);
                }
                Setting::NoProgressTimeout(seconds) => next.no_progress_timeout_s = seconds,
                Setting::MaximumDownloadTime(seconds) => {
                    if seconds == 0 {
                        let sentence =
                            "A maximum download time of 0 lets no job run; give at least 1 second.";
                        return Err(Failure::new(Code::E_INVALIDARG, sentence));
                    }
                    next.maximum_download_time_s = Some(seconds);
                }
                Setting::FilesAtOnce(files) => {
                    if !(1..=MAX_FILES_AT_ONCE).contains(&files) {
                        let sentence = format!("Between 1 and {MAX_FILES_AT_ONCE} files can run at once.");
                        return Err(Failure::new(Code::E_INVALIDARG, sentence));
                    }
                    next.files_at_once = Some(files);
                }
                Setting::FileAclFlags(flags) => {
                    if self.state == JobState::Transferred {
                        let sentence = "The files have arrived; ACL flags are set before that.";
                        return Err(Failure::new(Code::BG_E_INVALID_STATE, sentence));
                    }
                    next.file_acl_flags = flags;
                }
                Setting::PeerCachingFlags(flags) => next.peer_flags = flags,
                Setting::Property(property) => self.set_property(&mut next, property)?,
            }
        }
        if next.dynamic_content && next.on_demand {
            let sentence = "Dynamic content has no ranges to ask for; turn on-demand mode off.";
            return Err(Failure::new(Code::BG_E_UNSUPPORTED_JOB_CONFIGURATION, sentence));
        }
        Ok(next)
    }

    /// Reference 4.4, with the codes of its second table.
    fn set_property(&self, next: &mut Properties, property: Property) -> Result<(), Failure> {
        match property {
            Property::CostFlags(states) => {
                if states & !COST_STATES != 0 {
                    let sentence = format!("The cost states {:#x} are not defined.", states & !COST_STATES);
                    return Err(Failure::new(Code::E_INVALIDARG, sentence));
                }
                next.cost_flags = Some(states);
            }
            Property::DynamicContent(on) => {
                self.for_downloads()?;
                self.before_resume()?;
                if on && self.files.iter().any(|file| file.ranges().is_some()) {
                    let sentence = "A file of the job has ranges; dynamic content is fetched whole.";
                    return Err(Failure::new(Code::BG_E_UNSUPPORTED_JOB_CONFIGURATION, sentence));
                }
                next.dynamic_content = on;
            }
            Property::HighPerformance(on) => {
                self.for_downloads()?;
                if !self.files.is_empty() {
                    return Err(Code::BG_E_READ_ONLY_PROPERTY_AFTER_ADDFILE.into());
                }
                next.high_performance = on;
            }
            Property::MaxDownloadSize(bytes) => {
                self.for_downloads()?;
                self.before_resume()?;
                if bytes == 0 {
                    return Err(Code::BG_E_MAX_DOWNLOAD_SIZE_INVALID_VALUE.into());
                }
                next.max_download_size = Some(bytes);
            }
            Property::UseStoredCredentials(target) => {
                if target != AUTH_TARGET_PROXY {
                    return Err(Code::BG_E_USE_STORED_CREDENTIALS_NOT_SUPPORTED.into());
                }
                next.use_stored_proxy_credentials = true;
            }
            Property::MinimumNotificationIntervalMs(interval) => next.notification_interval_ms = interval,
            Property::OnDemandMode(on) => {
                self.for_downloads()?;
                next.on_demand = on;
            }
        }
        Ok(())
    }

    fn for_downloads(&self) -> Result<(), Failure> {
        if self.job_type.is_download() {
            return Ok(());
        }
        Err(Code::BG_E_PROPERTY_SUPPORTED_FOR_DOWNLOAD_JOBS_ONLY.into())
    }

    fn before_resume(&self) -> Result<(), Failure> {
        if self.resumed { Err(Code::BG_E_READ_ONLY_PROPERTY_AFTER_RESUME.into()) } else { Ok(()) }
    }

    /// Reference 4.1 and 9.6.
    fn check_command(&self, command: NotifyCommand) -> Result<NotifyCommand, Failure> {
        for (what, text, limit) in [
            ("program", &command.program, MAX_COMMAND_PROGRAM),
            ("parameters", &command.parameters, MAX_COMMAND_PARAMETERS),
        ] {
            if text.chars().count() > limit {
                let sentence = format!("The {what} of the notify command: at most {limit} characters.");
                return Err(Failure::new(Code::BG_E_STRING_TOO_LONG, sentence));
            }
        }
        LocalName::parse(&command.program, self.rules.paths)
            .map_err(|failure| Failure::new(failure.code, format!("Notify command: {failure}")))?;
        let first = first_token(&command.parameters);
        if !first.is_empty() && first != command.program || command.parameters.contains('\0') {
            let sentence = "The parameters of the notify command must begin with the program again.";
            return Err(Failure::new(Code::E_INVALIDARG, sentence));
        }
        Ok(command)
    }
}

/// The first word of a command line; quotes hold a name with spaces together.
fn first_token(line: &str) -> &str {
    let line = line.trim_start();
    match line.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => line.split_whitespace().next().unwrap_or_default(),
    }
}
