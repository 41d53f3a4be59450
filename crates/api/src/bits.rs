//! The numbers and names that BITS gives to the enumerations of the API.
//!
//! A proto enumeration needs 0 for "not given", so each of ours is the BITS number plus one.

use crate::v1::{DownloadProperty, DownloadState, ErrorContext, JobPriority, JobState, JobType, SuccessCode};

macro_rules! numbered_like_bits {
    ($($enumeration:ident: $what:literal;)*) => {$(
        impl $enumeration {
            #[doc = concat!("The value with the number of BITS' `", $what, "`.")]
            pub fn from_bits(number: u32) -> Option<Self> {
                let number = i32::try_from(number).ok()?.checked_add(1)?;
                Self::try_from(number).ok()
            }

            #[doc = concat!("The number in BITS' `", $what, "`; `None` for \"not given\".")]
            pub fn bits(self) -> Option<u32> {
                u32::try_from(i32::from(self) - 1).ok()
            }
        }
    )*};
}

numbered_like_bits! {
    JobType: "BG_JOB_TYPE";
    JobState: "BG_JOB_STATE";
    JobPriority: "BG_JOB_PRIORITY";
    ErrorContext: "BG_ERROR_CONTEXT";
    DownloadState: "DODownloadState";
    DownloadProperty: "DODownloadProperty";
}

macro_rules! short_names {
    ($($enumeration:ident: $prefix:literal;)*) => {$(
        impl $enumeration {
            /// The name without its prefix, as BITS writes it: `"TRANSFERRED"`.
            pub fn short_name(self) -> &'static str {
                let name = self.as_str_name();
                name.strip_prefix($prefix).unwrap_or(name)
            }
        }
    )*};
}

short_names! {
    JobType: "JOB_TYPE_";
    JobState: "JOB_STATE_";
    JobPriority: "JOB_PRIORITY_";
    ErrorContext: "ERROR_CONTEXT_";
    DownloadState: "DOWNLOAD_STATE_";
    DownloadProperty: "DOWNLOAD_PROPERTY_";
    SuccessCode: "SUCCESS_CODE_";
}

impl JobState {
    /// ACKNOWLEDGED or CANCELLED: the job has left the queue.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Cancelled)
    }
}

impl SuccessCode {
    /// The HRESULT.
    pub fn value(self) -> u32 {
        match self {
            Self::Unspecified | Self::SOk => 0,
            Self::SFalse => 1,
            Self::BgSPartialComplete => 0x0020_0017,
            Self::BgSUnableToDeleteFiles => 0x0020_001A,
            Self::BgSProxyChanged => 0x0020_002A,
            Self::BgSOverriddenByPolicy => 0x0020_0055,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_reference() {
        assert_eq!(JobState::Queued.bits(), Some(0));
        assert_eq!(JobState::Cancelled.bits(), Some(8));
        assert_eq!(JobState::from_bits(6), Some(JobState::Transferred));
        assert_eq!(JobState::from_bits(9), None);
        assert_eq!(JobState::from_bits(u32::MAX), None);
        assert_eq!(JobState::Unspecified.bits(), None);
        assert_eq!(JobPriority::Normal.bits(), Some(2));
        assert_eq!(ErrorContext::ServerCertificateCallback.bits(), Some(8));
        assert_eq!(JobType::UploadReply.bits(), Some(2));
    }

    #[test]
    fn names_are_those_of_the_reference() {
        assert_eq!(JobState::TransientError.short_name(), "TRANSIENT_ERROR");
        assert_eq!(SuccessCode::BgSPartialComplete.short_name(), "BG_S_PARTIAL_COMPLETE");
        assert_eq!(SuccessCode::SOk.short_name(), "S_OK");
    }
}
