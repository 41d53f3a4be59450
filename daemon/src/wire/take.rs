//! What a client sends, as the types of the job machine. Text becomes a type here or is refused here.

use std::path::Path;

use dray_api::v1;
use dray_content::Digest;
use dray_jobs::{
    AclFlags, Code, Failure, JobId, JobType, LocalName, NewFile, NotifyCommand, NotifyFlags, PathRules,
    PeerFlags, Priority, Property, RemoteName, Setting,
};
use dray_ranges::RangeSpec;

/// Characters of a wrong id that a sentence repeats.
const MAX_SHOWN_ID: usize = 40;

/// Files in one call.
pub(crate) const MAX_FILES_PER_CALL: usize = 1000;

/// How local names look on this machine.
pub(crate) const PATHS: PathRules = if cfg!(windows) { PathRules::Windows } else { PathRules::Unix };

pub(crate) fn job_id(text: &str) -> Result<JobId, Failure> {
    text.parse().map_err(|_| {
        // What is no id is the id of no job. It may be anything, so only the start of it is repeated.
        let start: String = text.chars().take(MAX_SHOWN_ID).flat_map(char::escape_debug).collect();
        Failure::new(Code::BG_E_NOT_FOUND, format!("There is no job \"{start}\": that is not the id of any."))
    })
}

/// The same failure, with the id where it says that there is no such job.
pub(crate) fn naming(job: JobId, failure: Failure) -> Failure {
    if failure.code != Code::BG_E_NOT_FOUND {
        return failure;
    }
    let sentence = format!("There is no job {job} in the queue; it may have been completed or cancelled.");
    Failure::new(failure.code, sentence)
}

/// The type of a new job; not given is a download.
pub(crate) fn job_type(value: i32) -> Result<JobType, Failure> {
    let unknown = || Failure::wrong_value(format!("There is no job type {value}."));
    match v1::JobType::try_from(value).map_err(|_| unknown())?.bits() {
        None => Ok(JobType::Download),
        Some(bits) => JobType::from_value(bits),
    }
}

/// The settings that are present.
pub(crate) fn settings(properties: v1::JobProperties) -> Result<Vec<Setting>, Failure> {
    let mut settings = Vec::new();
    settings.extend(properties.display_name.map(Setting::DisplayName));
    settings.extend(properties.description.map(Setting::Description));
    if let Some(value) = properties.priority {
        let unknown = || Failure::wrong_value(format!("There is no priority {value}."));
        let given = v1::JobPriority::try_from(value).map_err(|_| unknown())?;
        if let Some(bits) = given.bits() {
            settings.push(Setting::Priority(Priority::from_value(bits)?));
        }
    }
    settings.extend(properties.minimum_retry_delay_s.map(Setting::MinimumRetryDelay));
    settings.extend(properties.no_progress_timeout_s.map(Setting::NoProgressTimeout));
    settings.extend(properties.maximum_download_time_s.map(Setting::MaximumDownloadTime));
    let flags = properties.notify_flags.map(NotifyFlags::from_bits).transpose()?;
    settings.extend(flags.map(Setting::NotifyFlags));
    settings.extend(properties.notify_command.map(notify_command).transpose()?.map(Setting::NotifyCommand));
    let flags = properties.peer_caching_flags.map(PeerFlags::from_bits).transpose()?;
    settings.extend(flags.map(Setting::PeerCachingFlags));
    let flags = properties.file_acl_flags.map(AclFlags::from_bits).transpose()?;
    settings.extend(flags.map(Setting::FileAclFlags));
    settings.extend(properties.files_at_once.map(Setting::FilesAtOnce));
    let generic = [
        properties.cost_flags.map(Property::CostFlags),
        properties.dynamic_content.map(Property::DynamicContent),
        properties.high_performance.map(Property::HighPerformance),
        properties.max_download_size_bytes.map(Property::MaxDownloadSize),
        properties.minimum_notification_interval_ms.map(Property::MinimumNotificationIntervalMs),
        properties.on_demand_mode.map(Property::OnDemandMode),
    ];
    settings.extend(generic.into_iter().flatten().map(Setting::Property));
    Ok(settings)
}

/// A command to run; without a program none is run any more.
fn notify_command(command: v1::NotifyCommand) -> Result<Option<NotifyCommand>, Failure> {
    let v1::NotifyCommand { program, parameters } = command;
    match (program.is_empty(), parameters.is_empty()) {
        (true, true) => Ok(None),
        (true, false) => {
            let sentence =
                "The notify command has parameters and no program; give both, or neither to clear it.";
            Err(Failure::new(Code::E_INVALIDARG, sentence))
        }
        _ => Ok(Some(NotifyCommand { program, parameters })),
    }
}

/// Ranges as they were asked for; whether they can be had is the machine's to say. A length of u64::MAX is BG_LENGTH_TO_EOF.
pub(crate) fn ranges(ranges: &[v1::FileRange]) -> Vec<RangeSpec> {
    let length = |range: &v1::FileRange| range.length.unwrap_or(RangeSpec::LENGTH_TO_EOF);
    ranges.iter().map(|range| RangeSpec::from_bits(range.offset, length(range))).collect()
}

/// The files of one AddFiles.
pub(crate) fn new_files(files: Vec<v1::NewFile>) -> Result<Vec<NewFile>, Failure> {
    if files.is_empty() {
        return Err(Failure::new(Code::E_INVALIDARG, "No file is given; name at least one."));
    }
    if files.len() > MAX_FILES_PER_CALL {
        let sentence = format!(
            "{} files are given; add at most {MAX_FILES_PER_CALL} in one call, and the rest in another.",
            files.len()
        );
        return Err(Failure::new(Code::E_INVALIDARG, sentence));
    }
    files.into_iter().map(new_file).collect()
}

fn new_file(file: v1::NewFile) -> Result<NewFile, Failure> {
    let remote = RemoteName::parse(&file.remote_url)?;
    let local = LocalName::parse(&file.local_path, PATHS)?;
    let ranges = ranges(&file.ranges);
    let digest = match file.digest.as_str() {
        "" => None,
        text => {
            let digest: Digest =
                text.parse().map_err(|error| Failure::new(Code::E_INVALIDARG, format!("{error}")))?;
            Some(digest.to_string())
        }
    };
    Ok(NewFile { remote, local, ranges: (!ranges.is_empty()).then_some(ranges), digest })
}

/// Whether files can be made where these shall go: each directory exists and takes a file of this daemon.
pub(crate) fn check_destinations(files: &[NewFile]) -> Result<(), Failure> {
    let mut checked = std::collections::BTreeSet::new();
    for file in files {
        let path = Path::new(file.local.as_str());
        if path.is_dir() {
            let sentence = format!("{} is a directory; name the file in it.", path.display());
            return Err(Failure::new(Code::ERROR_DIRECTORY, sentence));
        }
        let Some(directory) = path.parent() else { continue };
        if checked.insert(directory.to_owned()) {
            check_directory(directory, path)?;
        }
    }
    Ok(())
}

pub(crate) fn check_directory(directory: &Path, file: &Path) -> Result<(), Failure> {
    match std::fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            let sentence = format!("{} is not a directory.", directory.display());
            return Err(Failure::new(Code::ERROR_DIRECTORY, sentence));
        }
        Err(error) => {
            let code = match error.kind() {
                std::io::ErrorKind::NotFound => Code::ERROR_PATH_NOT_FOUND,
                kind => crate::runner::code_of(kind),
            };
            let sentence = format!("The directory {} cannot be used: {error}.", directory.display());
            return Err(Failure::new(code, sentence));
        }
    }
    // Rights, read-only file systems and quotas have too many rules to be foretold; a file that can be made says it all.
    match dray_platform::open::create_temp_beside(file) {
        Ok((probe, path)) => {
            drop(probe);
            // An empty file that stays is hidden, and the next one has another name.
            let _ = std::fs::remove_file(path);
            Ok(())
        }
        Err(error) => {
            let sentence = format!("No file can be made in {}: {}.", directory.display(), error.io());
            Err(Failure::new(crate::runner::code_of(error.kind()), sentence))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(url: &str, path: &str) -> v1::NewFile {
        v1::NewFile { remote_url: url.into(), local_path: path.into(), ..v1::NewFile::default() }
    }

    fn refused(file: v1::NewFile) -> Code {
        new_files(vec![file]).unwrap_err().code
    }

    #[test]
    fn what_is_no_url_no_path_or_no_digest_is_refused_at_the_call() {
        assert_eq!(refused(file("not a url", "/a")), Code::E_INVALIDARG);
        assert_eq!(refused(file("ftp://host/a", "/a")), Code::E_INVALIDARG);
        assert_eq!(refused(file("http://host/a", "relative")), Code::E_INVALIDARG);
        assert_eq!(refused(file("http://host/a", "/a/../b")), Code::E_INVALIDARG);
        let short = v1::NewFile { digest: "sha256:00".into(), ..file("http://host/a", "/a") };
        assert_eq!(refused(short), Code::E_INVALIDARG);
    }

    #[test]
    fn a_length_is_absent_or_the_largest_number_when_it_is_to_the_end_of_the_file() {
        let range = |length| v1::FileRange { offset: 7, length };
        let to_the_end = RangeSpec { offset: 7, length: None };
        let ten = RangeSpec { offset: 7, length: Some(10) };
        assert_eq!(
            ranges(&[range(Some(u64::MAX)), range(None), range(Some(10))]),
            [to_the_end, to_the_end, ten]
        );
    }

    #[test]
    fn no_files_and_too_many_are_refused() {
        assert!(new_files(Vec::new()).is_err());
        let one = file("http://host/a", "/a");
        assert!(new_files(vec![one.clone(); MAX_FILES_PER_CALL]).is_ok());
        assert!(new_files(vec![one; MAX_FILES_PER_CALL + 1]).is_err());
    }

    #[test]
    fn a_destination_must_be_a_file_in_a_directory_that_exists() {
        let folder = tempfile::tempdir().unwrap();
        let check = |path: &Path| {
            let files = new_files(vec![file("http://host/a", path.to_str().unwrap())]).unwrap();
            check_destinations(&files).map_err(|failure| failure.code)
        };
        assert_eq!(check(&folder.path().join("a")), Ok(()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
        assert_eq!(check(&folder.path().join("missing/a")), Err(Code::ERROR_PATH_NOT_FOUND));
        assert_eq!(check(folder.path()), Err(Code::ERROR_DIRECTORY));
        std::fs::write(folder.path().join("plain"), b"").unwrap();
        assert_eq!(check(&folder.path().join("plain/a")), Err(Code::ERROR_DIRECTORY));
    }

    #[test]
    fn an_enumeration_value_that_does_not_exist_is_not_implemented() {
        assert_eq!(job_type(0), Ok(JobType::Download));
        assert_eq!(job_type(77).unwrap_err().code, Code::E_NOTIMPL);
        let properties = v1::JobProperties { priority: Some(77), ..v1::JobProperties::default() };
        assert_eq!(settings(properties).unwrap_err().code, Code::E_NOTIMPL);
    }

    #[test]
    fn bits_that_are_not_defined_have_the_code_of_their_property() {
        let none = v1::JobProperties::default;
        for (properties, code) in [
            (v1::JobProperties { notify_flags: Some(0x40), ..none() }, Code::E_NOTIMPL),
            (v1::JobProperties { peer_caching_flags: Some(8), ..none() }, Code::E_NOTIMPL),
            (v1::JobProperties { file_acl_flags: Some(16), ..none() }, Code::E_INVALIDARG),
        ] {
            assert_eq!(settings(properties).unwrap_err().code, code);
        }
    }

    #[test]
    fn a_notify_command_without_a_program_clears_it_and_has_no_parameters() {
        let command = |program: &str, parameters: &str| {
            let command = v1::NotifyCommand { program: program.into(), parameters: parameters.into() };
            notify_command(command).map_err(|failure| failure.code)
        };
        assert_eq!(command("", ""), Ok(None));
        assert_eq!(command("", "x"), Err(Code::E_INVALIDARG));
        assert_eq!(command("/bin/x", "").unwrap().unwrap().program, "/bin/x");
    }
}
