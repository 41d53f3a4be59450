//! The 32-bit result codes of BITS, as one type.
//!
//! A [`Code`] is what every call and every job error of dray answers with: the number is the one that
//! Windows programs know, the name is the one in the headers, the sentence is ours. The numbers come from
//! `bits-do-api.md` 14.1 and 14.2; the module `table` has one row per named
//! code.

mod context;
mod http;
mod table;

pub use context::Context;

use std::fmt;

use serde::{Deserialize, Serialize};

/// A result code (HRESULT): bit 31 set is a failure, clear is a success.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(u32);

/// What a job does about an error (reference 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// It may pass by itself: the job waits in TRANSIENT_ERROR and tries again.
    Transient,
    /// It will not pass without a person: the job stops in ERROR.
    Fatal,
}

/// What ends the wait after a transient error (reference 7.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The minimum retry delay of the job.
    Delay,
    /// An event: the network is back, the volume is free, the policy allows it. No timer runs.
    Event,
}

impl Code {
    /// The code with this number, known or not.
    #[must_use]
    pub const fn from_value(value: u32) -> Code {
        Code(value)
    }

    /// The 32-bit number that travels in the API.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }

    /// The code of an HTTP status that is not acceptable where it came: 0x80190000 + status.
    #[must_use]
    pub const fn http(status: u16) -> Code {
        Code(http::BASE + status as u32)
    }

    /// The HTTP status inside the code, when it is one of the 0x8019 block.
    #[must_use]
    pub fn http_status(self) -> Option<u16> {
        http::status_of(self.0)
    }

    /// Success codes (S_OK, S_FALSE, BG_S_...) are results, never errors.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 & 0x8000_0000 == 0
    }

    /// The symbolic name, `BG_E_HTTP_ERROR_404` for a status, `0x8badf00d` for a number without a name.
    #[must_use]
    pub fn name(self) -> String {
        if let Some(row) = table::find(self.0) {
            return row.name.to_owned();
        }
        match self.http_status() {
            Some(status) => format!("BG_E_HTTP_ERROR_{status}"),
            None => format!("{:#010x}", self.0),
        }
    }

    /// One sentence for a person: what happened and, where there is something to do, what.
    #[must_use]
    pub fn text(self) -> &'static str {
        if let Some(row) = table::find(self.0) {
            return row.text;
        }
        match self.http_status() {
            Some(status) => http::text(status),
            None if self.is_success() => "The call succeeded.",
            None => "An error without a description; its number is all that is known.",
        }
    }

    /// Whether a job retries after this error. Asked of a success code the answer is `Fatal`: it is not an
    /// error that waiting could cure.
    #[must_use]
    pub fn class(self) -> ErrorClass {
        if let Some(row) = table::find(self.0) {
            return row.class;
        }
        match self.http_status() {
            Some(status) => http::class(status),
            None => ErrorClass::Fatal,
        }
    }

    /// Shorthand for `class() == Transient`.
    #[must_use]
    pub fn is_transient(self) -> bool {
        self.class() == ErrorClass::Transient
    }

    /// What a job in TRANSIENT_ERROR with this code waits for.
    #[must_use]
    pub fn wait(self) -> Wait {
        if WAITS_FOR_EVENT.contains(&self) { Wait::Event } else { Wait::Delay }
    }

    /// Whether the error count of the job rises with this error (reference 7.7).
    #[must_use]
    pub fn is_counted(self) -> bool {
        !UNCOUNTED.contains(&self)
    }

    /// Every code with a row of its own, in the order of the table (statuses of 14.2 not included).
    pub fn named() -> impl Iterator<Item = Code> {
        table::ROWS.iter().map(|row| Code(row.value))
    }
}

/// Errors that the reference exempts from the error count (7.7).
const UNCOUNTED: [Code; 3] =
    [Code::BG_E_NETWORK_DISCONNECTED, Code::BG_E_DESTINATION_LOCKED, Code::BG_E_BLOCKED_BY_POLICY];

/// Errors that end with an event and not with the retry delay: the three that 7.5 names, and the blocks
/// whose message texts say that the job continues by itself when the condition ends (14.1).
const WAITS_FOR_EVENT: [Code; 10] = [
    Code::BG_E_NETWORK_DISCONNECTED,
    Code::BG_E_DESTINATION_LOCKED,
    Code::BG_E_BLOCKED_BY_POLICY,
    Code::BG_E_BLOCKED_BY_COST_TRANSFER_POLICY,
    Code::BG_E_STANDBY_MODE,
    Code::BG_E_BLOCKED_BY_BATTERY_POLICY,
    Code::BG_E_BLOCKED_BY_BATTERY_SAVER,
    Code::BG_E_BLOCKED_BY_BACKGROUND_ACCESS_POLICY,
    Code::BG_E_BLOCKED_BY_GAME_MODE,
    Code::BG_E_BLOCKED_BY_SYSTEM_POLICY,
];

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#010x})", self.name(), self.0)
    }
}
