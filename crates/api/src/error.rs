//! How a failure travels: an [`ErrorDetail`] in the details of a gRPC status.
//!
//! The details of a status are a `google.rpc.Status` in the trailer `grpc-status-details-bin`, with the real detail in it
//! as an `Any`. That is what `grpc_status` in Python, `status.FromError` in Go and `grpcurl` look for. The
//! message is written down here and not as a proto: a second file under google/rpc would collide with the one that such
//! libraries bring along.

use prost::Message;
use tonic::{Code, Status};

use crate::v1::{ErrorContext, ErrorDetail};

/// Longest sentence on the wire. With it, message and details together stay well below the 8 KiB of trailers that gRPC
/// libraries accept.
pub const MAX_SENTENCE_BYTES: usize = 1024;

/// Longest hint on the wire.
pub const MAX_HINT_BYTES: usize = 512;

/// What `Any` calls the detail. The prefix is the convention; nothing is fetched from there.
const TYPE_URL: &str = "type.googleapis.com/dray.v1.ErrorDetail";

/// `google.rpc.Status`: three fields that are fixed for all time.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

impl ErrorDetail {
    /// A detail for a call that was refused: context NONE, no hint.
    pub fn new(name: impl Into<String>, value: u32, sentence: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value,
            context: ErrorContext::None.into(),
            sentence: sentence.into(),
            hint: String::new(),
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same with a context.
    #[must_use]
    pub fn with_context(mut self, context: ErrorContext) -> Self {
        self.context = context.into();
        self
    }

    /// The status that carries this detail, with the gRPC code that goes with its value.
    pub fn into_status(self) -> Status {
        let code = grpc_code(self.value);
        self.into_status_as(code)
    }

    /// The same with another gRPC code, where the value alone does not decide (`E_NOTIMPL` for a wrong value of an
    /// enumeration is `InvalidArgument`).
    pub fn into_status_as(mut self, code: Code) -> Status {
        truncate(&mut self.sentence, MAX_SENTENCE_BYTES);
        truncate(&mut self.hint, MAX_HINT_BYTES);
        let message = self.sentence.clone();
        let rich = RpcStatus {
            code: code.into(),
            message: message.clone(),
            details: vec![prost_types::Any { type_url: TYPE_URL.to_owned(), value: self.encode_to_vec() }],
        };
        Status::with_details(code, message, rich.encode_to_vec().into())
    }

    /// The detail that a status carries. `None` when the failure is the transport's, or not one of dray.
    pub fn from_status(status: &Status) -> Option<Self> {
        let rich = RpcStatus::decode(status.details()).ok()?;
        let detail = rich.details.iter().find(|any| any.type_url == TYPE_URL)?;
        Self::decode(detail.value.as_slice()).ok()
    }
}

impl From<ErrorDetail> for Status {
    fn from(detail: ErrorDetail) -> Self {
        detail.into_status()
    }
}

/// The gRPC code for a BITS code (reference 16.4). Clients decide by the BITS code; this one is for tools that know no other.
pub fn grpc_code(value: u32) -> Code {
    match value {
        // BG_E_NOT_FOUND, FILE_NOT_AVAILABLE, PROTOCOL_NOT_AVAILABLE, FILE_NOT_FOUND; file and path not found, E_NOT_SET.
        0x8020_0001 | 0x8020_0004 | 0x8020_0005 | 0x8020_0029 => Code::NotFound,
        0x8007_0002 | 0x8007_0003 | 0x8007_0490 => Code::NotFound,
        // E_ACCESSDENIED; BG_E_NEW_OWNER_NO_FILE_ACCESS.
        0x8007_0005 | 0x8020_0016 => Code::PermissionDenied,
        // E_INVALIDARG; lists, strings, names and passwords too long, authentication target and scheme, range, overlap,
        // credentials, unknown property, size limit 0.
        0x8007_0057 => Code::InvalidArgument,
        0x8020_0018 | 0x8020_0019 | 0x8020_0021 | 0x8020_0025..=0x8020_0028 => Code::InvalidArgument,
        0x8020_002B | 0x8020_002C | 0x8020_0040 | 0x8020_0057 | 0x8020_0063 => Code::InvalidArgument,
        // E_PENDING; wrong state, empty, no error information, read-only properties, conflicting configuration, no random
        // access.
        0x8000_000A | 0x8020_0002 | 0x8020_0003 | 0x8020_000F => Code::FailedPrecondition,
        0x8020_0058 | 0x8020_0060..=0x8020_0062 | 0x8020_0066 | 0x8020_006D => Code::FailedPrecondition,
        0x8020_0071 | 0x8020_0072 | 0x8020_0075 => Code::FailedPrecondition,
        // E_OUTOFMEMORY, disk full; too many files, too large, too many jobs, files, ranges.
        0x8007_000E | 0x8007_0070 | 0x8020_001C | 0x8020_0020 => Code::ResourceExhausted,
        0x8020_0049..=0x8020_0052 => Code::ResourceExhausted,
        // E_NOTIMPL.
        0x8000_4001 => Code::Unimplemented,
        // File exists, already exists.
        0x8007_0050 | 0x8007_00B7 => Code::AlreadyExists,
        // Commit, discovery, record in use: the same call succeeds a little later.
        0x8020_0043 | 0x8020_0044 | 0x8020_0048 => Code::Unavailable,
        // DO: no job, no downloads.
        0x80D0_2003 | 0x80D0_2005 => Code::NotFound,
        // DO: unknown, read-only and write-only property, content id, ranges unexpected and expected, range, overlap;
        // INET_E_INVALID_URL.
        0x80D0_2011 | 0x80D0_2012 | 0x80D0_2015 => Code::InvalidArgument,
        0x80D0_2202..=0x80D0_2204 | 0x80D0_5010 | 0x80D0_5012 | 0x800C_0002 => Code::InvalidArgument,
        // DO: empty, no path, wrong state, no error, nothing to check against, no sink, another sink, no URI, no content id.
        0x80D0_2004 | 0x80D0_200D | 0x80D0_2013 | 0x80D0_2014 | 0x80D0_2016 => Code::FailedPrecondition,
        0x80D0_2018 | 0x80D0_2019 | 0x80D0_2200 | 0x80D0_2201 => Code::FailedPrecondition,
        // DO: no memory stream.
        0x80D0_200B => Code::Unimplemented,
        // DO: no service.
        0x80D0_1001 => Code::Unavailable,
        // BG_E_DATABASE_CORRUPT.
        0x8020_006C => Code::DataLoss,
        _ => Code::Internal,
    }
}

fn truncate(text: &mut String, most: usize) {
    const MARK: &str = "...";
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most - MARK.len()));
        text.push_str(MARK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_comes_out_of_a_status_as_it_went_in() {
        let detail = ErrorDetail::new("BG_E_EMPTY", 0x8020_0003, "job 1 has no files")
            .with_hint("add a file first")
            .with_context(ErrorContext::GeneralQueueManager);
        let status = detail.clone().into_status();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(status.message(), "job 1 has no files");
        assert_eq!(ErrorDetail::from_status(&status), Some(detail));
    }

    #[test]
    fn a_status_of_someone_else_has_no_detail() {
        assert_eq!(ErrorDetail::from_status(&Status::internal("no")), None);
        let garbage = Status::with_details(Code::Internal, "no", vec![0xFF; 9].into());
        assert_eq!(ErrorDetail::from_status(&garbage), None);
    }

    #[test]
    fn a_sentence_that_is_too_long_is_cut_between_characters() {
        let status =
            ErrorDetail::new("E_INVALIDARG", 0x8007_0057, "ü".repeat(MAX_SENTENCE_BYTES)).into_status();
        assert!(status.message().len() <= MAX_SENTENCE_BYTES);
        assert!(status.message().ends_with("ü..."));
        assert!(status.details().len() < 8 * 1024);
    }

    #[test]
    fn every_limit_on_numbers_is_an_exhausted_resource() {
        for value in [0x8020_0049, 0x8020_0050, 0x8020_0051, 0x8020_0052] {
            assert_eq!(grpc_code(value), Code::ResourceExhausted);
        }
        assert_eq!(grpc_code(0x8020_0053), Code::Internal);
    }
}
