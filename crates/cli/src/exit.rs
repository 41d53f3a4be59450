//! The exit codes that scripts may rely on.

use dray_jobs::Code;

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: failed.
    Failed,
    /// 2: the command line is wrong.
    Usage,
    /// 3: no daemon answers.
    NoDaemon,
    /// 4: not permitted.
    NotPermitted,
    /// 5: the bytes are not what was expected.
    Integrity,
    /// 130: interrupted by the user.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoDaemon => 3,
            Self::NotPermitted => 4,
            Self::Integrity => 5,
            Self::Interrupted => 130,
        }
    }

    /// The exit code that a failed transfer or call leads to.
    pub(crate) fn for_code(code: Code) -> Self {
        match code {
            code if code.is_success() => Self::Done,
            Code::BG_E_VALIDATION_FAILED => Self::Integrity,
            Code::E_ACCESSDENIED => Self::NotPermitted,
            _ => Self::Failed,
        }
    }

    /// `--help` is no failure; anything else that clap stops at is a wrong command line.
    pub(crate) fn from_clap(error: &clap::Error) -> Self {
        if error.use_stderr() { Self::Usage } else { Self::Done }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.number().into()
    }
}
