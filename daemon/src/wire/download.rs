//! Downloads of Delivery Optimization, as the API shows and takes them.

use dray_api::v1::{self, ErrorDetail};
use dray_content::Digest;
use dray_jobs::{
    Code, DownloadProperty, DownloadStatus, DownloadValue, Failure, Job, JobError, JobId, Wanted,
};
use dray_ranges::RangeSpec;

use super::refusal;

/// Characters of a wrong id that a sentence repeats.
const MAX_SHOWN_ID: usize = 40;

/// One of a listing.
pub(crate) fn shown(job: &Job) -> v1::Download {
    v1::Download {
        download_id: job.id().to_string(),
        display_name: text(job, DownloadProperty::DisplayName).unwrap_or_default(),
        uri: text(job, DownloadProperty::Uri).unwrap_or_default(),
        local_path: text(job, DownloadProperty::LocalPath).unwrap_or_default(),
        status: Some(status(&job.download_status())),
    }
}

/// The value of a property that is text and was set.
pub(crate) fn text(job: &Job, property: DownloadProperty) -> Option<String> {
    match job.download_property(property) {
        Ok(DownloadValue::Text(text)) => Some(text),
        _ => None,
    }
}

pub(crate) fn status(status: &DownloadStatus) -> v1::DownloadStatus {
    let detail =
        |error: &JobError| -> ErrorDetail { refusal::detail(error.code, error.context, &error.detail) };
    v1::DownloadStatus {
        bytes_total: status.bytes_total,
        bytes_transferred: status.bytes_transferred,
        state: v1::DownloadState::from_bits(status.state.value()).unwrap_or_default().into(),
        error: status.error.as_ref().map(detail),
        extended_error: status.extended_error.as_ref().map(detail),
    }
}

pub(crate) fn value(value: DownloadValue) -> v1::DownloadValue {
    use v1::download_value::Value;
    let value = match value {
        DownloadValue::Text(text) => Value::Text(text),
        DownloadValue::Number(number) => Value::Number(number),
        DownloadValue::Long(long) => Value::Long(long),
        DownloadValue::Flag(flag) => Value::Flag(flag),
        DownloadValue::Bytes(bytes) => Value::Bytes(bytes),
    };
    v1::DownloadValue { value: Some(value) }
}

pub(crate) fn take_id(text: &str) -> Result<JobId, Failure> {
    text.parse().map_err(|_| {
        let start: String = text.chars().take(MAX_SHOWN_ID).flat_map(char::escape_debug).collect();
        let sentence = format!("There is no download \"{start}\": that is not the id of any.");
        Failure::new(Code::E_NOT_SET, sentence)
    })
}

/// The same failure in the codes of Delivery Optimization, with the id where it says that there is no such download.
pub(crate) fn naming(id: JobId, failure: Failure) -> Failure {
    if failure.code != Code::BG_E_NOT_FOUND && failure.code != Code::E_NOT_SET {
        return failure.for_do();
    }
    let sentence = format!("There is no download {id}; it may have been finalized or aborted.");
    Failure::new(Code::E_NOT_SET, sentence)
}

pub(crate) fn take_property(value: i32) -> Result<DownloadProperty, Failure> {
    // Each number of ours is that of Delivery Optimization plus one; 0 is "not given".
    let number = u32::try_from(i64::from(value) - 1).unwrap_or(u32::MAX);
    DownloadProperty::from_value(number).map_err(|failure| match value {
        0 => Failure::new(failure.code, "No property is named."),
        _ => Failure::new(failure.code, format!("There is no property with the number {value}.")),
    })
}

/// The value of a property. What a content id is, is said here: the job machine takes any text for one.
pub(crate) fn take_value(
    property: DownloadProperty,
    value: Option<v1::DownloadValue>,
) -> Result<DownloadValue, Failure> {
    use v1::download_value::Value;
    let value = value.and_then(|value| value.value).ok_or_else(|| {
        Failure::new(Code::E_INVALIDARG, format!("No value is given for {}.", property.name()))
    })?;
    Ok(match value {
        Value::Text(text) if property == DownloadProperty::ContentId => {
            DownloadValue::Text(content_id(&text)?)
        }
        Value::Text(text) => DownloadValue::Text(text),
        Value::Number(number) => DownloadValue::Number(number),
        Value::Long(long) => DownloadValue::Long(long),
        Value::Flag(flag) => DownloadValue::Flag(flag),
        Value::Bytes(bytes) => DownloadValue::Bytes(bytes),
    })
}

/// A content id as it is compared.
pub(crate) fn content_id(text: &str) -> Result<String, Failure> {
    let digest: Digest = text.parse().map_err(|error| {
        let sentence = format!("A content id is a digest such as sha256:HEX: {error}.");
        Failure::new(Code::DO_E_INVALID_CONTENT_ID, sentence)
    })?;
    Ok(digest.to_string())
}

pub(crate) fn take_wanted(ranges: Option<v1::DownloadRanges>) -> Wanted {
    match ranges {
        None => Wanted::Same,
        Some(info) if info.ranges.is_empty() => Wanted::Whole,
        Some(info) => Wanted::Ranges(info.ranges.iter().map(range).collect()),
    }
}

/// A length of u64::MAX is DO_LENGTH_TO_EOF.
fn range(range: &v1::FileRange) -> RangeSpec {
    let length = range.length.unwrap_or(RangeSpec::LENGTH_TO_EOF);
    RangeSpec::from_bits(range.offset, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_properties_are_those_of_the_reference_plus_one() {
        for property in DownloadProperty::ALL {
            let ours = v1::DownloadProperty::from_bits(property.value()).unwrap();
            assert_eq!(take_property(ours.into()), Ok(*property));
            let plain = ours.short_name().replace('_', "");
            assert_eq!(plain, property.name().to_uppercase());
        }
        for number in [0, 31, -1, i32::MIN, i32::MAX] {
            assert_eq!(take_property(number).unwrap_err().code, Code::DO_E_UNKNOWN_PROPERTY_ID);
        }
    }

    #[test]
    fn a_content_id_is_a_digest() {
        let upper = format!("sha256:{}", "AB".repeat(32));
        assert_eq!(content_id(&upper).unwrap(), upper.to_lowercase());
        for bad in ["", "sha256:00", "catalogue-item-7"] {
            assert_eq!(content_id(bad).unwrap_err().code, Code::DO_E_INVALID_CONTENT_ID);
        }
    }

    #[test]
    fn no_list_an_empty_one_and_ranges_are_three_wishes() {
        let of = |offset, length| v1::FileRange { offset, length };
        assert_eq!(take_wanted(None), Wanted::Same);
        assert_eq!(take_wanted(Some(v1::DownloadRanges::default())), Wanted::Whole);
        let list = vec![of(1, Some(u64::MAX)), of(0, Some(1)), of(9, None)];
        let Wanted::Ranges(ranges) = take_wanted(Some(v1::DownloadRanges { ranges: list })) else {
            panic!("ranges")
        };
        assert_eq!(ranges.iter().map(|range| range.length).collect::<Vec<_>>(), [None, Some(1), None]);
    }
}
