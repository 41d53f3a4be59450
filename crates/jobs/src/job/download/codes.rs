//! Which code of Delivery Optimization stands for one of BITS. Those that have no other face stay as they are: HTTP
//! statuses, errors of the disk.

use crate::{Code, Failure};

impl Code {
    /// The code with which a client of Delivery Optimization is told of this (reference 12.2, 14.4).
    #[must_use]
    pub fn for_do(self) -> Code {
        match self {
            Code::BG_E_INVALID_STATE => Code::DO_E_INVALID_STATE,
            Code::BG_E_NOT_FOUND => Code::E_NOT_SET,
            Code::BG_E_EMPTY => Code::DO_E_JOB_EMPTY,
            Code::BG_E_FILE_NOT_AVAILABLE => Code::DO_E_FILE_NOT_AVAILABLE,
            Code::BG_E_ERROR_INFORMATION_UNAVAILABLE => Code::DO_E_ERROR_INFORMATION_UNAVAILABLE,
            Code::BG_E_UNKNOWN_PROPERTY_ID => Code::DO_E_UNKNOWN_PROPERTY_ID,
            Code::BG_E_READ_ONLY_PROPERTY => Code::DO_E_READ_ONLY_PROPERTY,
            Code::BG_E_INVALID_RANGE => Code::DO_E_INVALID_RANGE,
            Code::BG_E_OVERLAPPING_RANGES => Code::DO_E_OVERLAPPING_RANGES,
            Code::BG_E_INSUFFICIENT_RANGE_SUPPORT => Code::DO_E_INSUFFICIENT_RANGE_SUPPORT,
            Code::BG_E_VALIDATION_FAILED => Code::DO_E_BAD_PIECE_HASH,
            Code::BG_E_NETWORK_DISCONNECTED => Code::DO_E_BLOCKED_BY_NO_NETWORK,
            Code::BG_E_BLOCKED_BY_COST_TRANSFER_POLICY => Code::DO_E_BLOCKED_BY_COST_TRANSFER_POLICY,
            Code::BG_E_STANDBY_MODE
            | Code::BG_E_BLOCKED_BY_BATTERY_POLICY
            | Code::BG_E_BLOCKED_BY_BATTERY_SAVER => Code::DO_E_BLOCKED_BY_POWER_STATE,
            Code::ERROR_WINHTTP_SECURE_FAILURE => Code::DO_E_HTTP_CERT_VALIDATION,
            code => code,
        }
    }
}

impl Failure {
    /// The same refusal, as a client of Delivery Optimization is told of it.
    #[must_use]
    pub fn for_do(self) -> Failure {
        Failure { code: self.code.for_do(), ..self }
    }
}
