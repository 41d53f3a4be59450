//! Why a command to the daemon fails, and how that is said.

use std::path::PathBuf;

use dray_api::{
    transport::ConnectError,
    v1::{ErrorDetail, JobError},
};
use dray_jobs::Code;
use serde_json::{Value, json};
use tonic::Status;

use super::text::plain;
use crate::{exit::Exit, printer::Printer};

#[derive(Debug)]
pub(crate) enum Problem {
    /// There is no way to the daemon.
    Connect(ConnectError),
    /// The daemon refused the call, or went away during it.
    Call(Box<Status>),
    /// No job, or more than one, has an id that begins like this.
    Prefix { text: String, found: usize },
    /// The API speaks UTF-8.
    PathNotUtf8(PathBuf),
    /// The current directory cannot be told, or the path is empty.
    PathNotAbsolute(PathBuf, std::io::Error),
    /// The answer lacks something that the API promises.
    Answer(&'static str),
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        Self::Call(Box::new(status))
    }
}

/// What every way to print it has in common.
struct Said {
    exit: Exit,
    code: Option<(String, u32)>,
    sentence: String,
    hint: Option<String>,
}

impl Problem {
    /// Prints the sentence, the code and the hint; with `--json` an object on stdout as well.
    pub(crate) fn print(&self, printer: &Printer) -> Exit {
        let said = self.said();
        let mut text = plain(&said.sentence);
        if let Some((name, value)) = &said.code {
            text.push_str(&format!("\n  code: {} ({value:#010x})", plain(name)));
        }
        if let Some(hint) = &said.hint {
            text.push_str(&format!("\n  hint: {}", plain(hint)));
        }
        if printer.json {
            printer.json(&json!({ "error": said.to_json() }));
        }
        printer.failure(said.exit, &text)
    }

    fn said(&self) -> Said {
        let simple = |exit, sentence: String, hint: Option<&str>| Said {
            exit,
            code: None,
            sentence,
            hint: hint.map(str::to_owned),
        };
        match self {
            Self::Connect(error @ ConnectError::NoDaemon { .. }) => simple(
                Exit::NoDaemon,
                error.to_string(),
                Some("start `drayd`, or say with --socket or DRAY_SOCKET where it listens"),
            ),
            Self::Connect(error @ ConnectError::NotPermitted { .. }) => simple(
                Exit::NotPermitted,
                error.to_string(),
                Some("ask the administrator for access to the socket and its directory"),
            ),
            Self::Connect(error) => simple(Exit::NoDaemon, error.to_string(), None),
            Self::Call(status) => of_status(status),
            Self::Prefix { text, found: 0 } => simple(
                Exit::Failed,
                format!("none of your jobs has an id that begins with {text:?}"),
                Some(LIST),
            ),
            Self::Prefix { text, found } => simple(
                Exit::Failed,
                format!("{found} of your jobs have ids that begin with {text:?}"),
                Some(LIST),
            ),
            Self::PathNotUtf8(path) => simple(
                Exit::Usage,
                format!("{} is not UTF-8, and the daemon takes no other names", path.display()),
                None,
            ),
            Self::PathNotAbsolute(path, error) => simple(
                Exit::Usage,
                format!("cannot make {:?} an absolute path: {error}", path.display()),
                None,
            ),
            Self::Answer(what) => simple(Exit::Failed, format!("the daemon's answer lacks {what}"), None),
        }
    }
}

const LIST: &str = "`dray job list` shows them";

fn of_status(status: &Status) -> Said {
    if let Some(detail) = ErrorDetail::from_status(status) {
        return Said {
            exit: exit_of(&detail),
            code: Some((detail.name, detail.value)),
            sentence: detail.sentence,
            hint: Some(detail.hint).filter(|hint| !hint.is_empty()),
        };
    }
    let (exit, sentence) = match status.code() {
        tonic::Code::Unavailable => (Exit::NoDaemon, format!("the daemon went away: {}", status.message())),
        tonic::Code::PermissionDenied => (Exit::NotPermitted, status.message().to_owned()),
        tonic::Code::Unimplemented => {
            (Exit::Failed, "the daemon does not know this call; it is older than this command".to_owned())
        }
        _ => (Exit::Failed, format!("the call failed: {}", status.message())),
    };
    Said { exit, code: None, sentence, hint: None }
}

impl Said {
    fn to_json(&self) -> Value {
        json!({
            "name": self.code.as_ref().map(|(name, _)| name),
            "value": self.code.as_ref().map(|(_, value)| value),
            "sentence": self.sentence,
            "hint": self.hint,
            "exit_code": self.exit.number(),
        })
    }
}

/// The exit code for a code of the API.
fn exit_of(detail: &ErrorDetail) -> Exit {
    Exit::for_code(Code::from_value(detail.value))
}

/// The exit code for a job that stopped with this error.
pub(super) fn exit_of_job(error: Option<&JobError>) -> Exit {
    error.and_then(|error| error.detail.as_ref()).map_or(Exit::Failed, exit_of)
}
