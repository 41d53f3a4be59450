//! What a call answers with: a success code and effects, or a failure code and a sentence.

use std::fmt;

use crate::{Code, Effect};

/// A call that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the effects are still to be carried out"]
pub struct Outcome {
    /// A success code; S_OK unless said otherwise at the call.
    pub code: Code,
    /// What the caller has to do now, in this order. See [`Effect`].
    pub effects: Vec<Effect>,
}

impl Outcome {
    /// Whether the call is [`Call::Complete`](crate::Call::Complete) and waits for
    /// [`Job::renamed`](crate::Job::renamed): `code` is then not final yet.
    #[must_use]
    pub fn needs_renames(&self) -> bool {
        self.effects.iter().any(|effect| matches!(effect, Effect::Rename(_)))
    }

    /// The code for the client once the temporary files have been deleted, or not: a job that has ended
    /// but leaves some of them answers BG_S_UNABLE_TO_DELETE_FILES, which says more than
    /// BG_S_PARTIAL_COMPLETE.
    #[must_use]
    pub fn code_after_deleting(&self, all_deleted: bool) -> Code {
        if all_deleted { self.code } else { Code::BG_S_UNABLE_TO_DELETE_FILES }
    }
}

/// A call that was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A failure code.
    pub code: Code,
    /// One sentence: what is wrong and what to do about it.
    pub sentence: String,
    /// The code is E_NOTIMPL because an enumeration has no such value, and not because something is not supported
    /// (reference 16.4).
    pub is_wrong_value: bool,
}

impl Failure {
    /// A failure with its sentence.
    pub fn new(code: Code, sentence: impl Into<String>) -> Failure {
        Failure { code, sentence: sentence.into(), is_wrong_value: false }
    }

    /// E_NOTIMPL for a value that its enumeration does not have.
    pub fn wrong_value(sentence: impl Into<String>) -> Failure {
        Failure { is_wrong_value: true, ..Failure::new(Code::E_NOTIMPL, sentence) }
    }
}

/// A failure with the general sentence of its code.
impl From<Code> for Failure {
    fn from(code: Code) -> Failure {
        Failure::new(code, code.text())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Failure {}
