//! The codes of Delivery Optimization against the numbers of reference 14.4.

use std::collections::BTreeSet;

use dray_jobs::{Code, ErrorClass};

/// Reference 14.4: value, name without the prefix.
#[rustfmt::skip]
const DO_CODES: &[(u32, &str)] = &[
    (0x80d0_1001, "NO_SERVICE"),
    (0x80d0_2002, "DOWNLOAD_NO_PROGRESS"),
    (0x80d0_2003, "JOB_NOT_FOUND"),
    (0x80d0_2004, "JOB_EMPTY"),
    (0x80d0_2005, "NO_DOWNLOADS"),
    (0x80d0_200b, "MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED"),
    (0x80d0_200c, "JOB_TOO_OLD"),
    (0x80d0_200d, "LOCALPATH_NOT_SET"),
    (0x80d0_2010, "FILE_NOT_AVAILABLE"),
    (0x80d0_2011, "UNKNOWN_PROPERTY_ID"),
    (0x80d0_2012, "READ_ONLY_PROPERTY"),
    (0x80d0_2013, "INVALID_STATE"),
    (0x80d0_2014, "ERROR_INFORMATION_UNAVAILABLE"),
    (0x80d0_2015, "WRITE_ONLY_PROPERTY"),
    (0x80d0_2016, "INTEGRITYCHECKINFO_UNSPECIFIED"),
    (0x80d0_2017, "INTEGRITYCHECKINFO_UNAVAILABLE"),
    (0x80d0_2018, "FILE_DOWNLOADSINK_UNSPECIFIED"),
    (0x80d0_2019, "FILE_DOWNLOADSINK_ALREADY_SET"),
    (0x80d0_201a, "FILE_SIZE_UNKNOWN_HTTP_200"),
    (0x80d0_201b, "FILE_ENCRYPTION_EXPECTED"),
    (0x80d0_201c, "FILE_SIZE_UNKNOWN_HTTP_206"),
    (0x80d0_201d, "FILE_SIZE_UNKNOWN_HTTP_2XX"),
    (0x80d0_201e, "NETWORK_ACCESS_CONSENT_NEEDED"),
    (0x80d0_2200, "DOWNLOAD_NO_URI"),
    (0x80d0_2201, "DOWNLOAD_NO_CONTENT_ID"),
    (0x80d0_2202, "INVALID_CONTENT_ID"),
    (0x80d0_2203, "DOWNLOAD_RANGES_UNEXPECTED"),
    (0x80d0_2204, "DOWNLOAD_RANGES_EXPECTED"),
    (0x80d0_3001, "NO_DOWNLOAD_PARTICIPATION"),
    (0x80d0_3002, "NO_DOWNLOAD_EXTSETTINGS"),
    (0x80d0_3801, "BLOCKED_BY_COST_TRANSFER_POLICY"),
    (0x80d0_3802, "DOWNLOADMODE_SET_BY_CP"),
    (0x80d0_3803, "BLOCKED_BY_CELLULAR_POLICY"),
    (0x80d0_3804, "BLOCKED_BY_POWER_STATE"),
    (0x80d0_3805, "BLOCKED_BY_NO_NETWORK"),
    (0x80d0_3806, "DOWNLOADMODE_SET_BY_POLICY"),
    (0x80d0_3807, "BLOCKED_BY_VPN_POLICY"),
    (0x80d0_3808, "BLOCKED_BY_CRITICAL_MEMORY_USAGE"),
    (0x80d0_3809, "DOWNLOADMODE_SET_BY_CACHE_ABSENCE"),
    (0x80d0_380a, "CLOUD_SERVICES_UNREACHABLE"),
    (0x80d0_380b, "DOWNLOADMODE_SET_FOR_UNREG_CALLER"),
    (0x80d0_380c, "DOWNLOADMODE_SET_FOR_SIMPLE_RANGES"),
    (0x80d0_380d, "UNEXPECTED_HTTP_STATUS_2XX"),
    (0x80d0_5001, "HTTP_BLOCKSIZE_MISMATCH"),
    (0x80d0_5002, "HTTP_CERT_VALIDATION"),
    (0x80d0_5010, "INVALID_RANGE"),
    (0x80d0_5011, "INSUFFICIENT_RANGE_SUPPORT"),
    (0x80d0_5012, "OVERLAPPING_RANGES"),
    (0x80d0_6800, "UPLOADING_BAD_PIECES"),
    (0x80d0_6802, "FATAL_CORE_ERROR"),
    (0x80d0_6803, "SERVICES_RESPONSE_EMPTY"),
    (0x80d0_6804, "BAD_INCOMING_DATA"),
    (0x80d0_6805, "BAD_PIECE_HASH"),
    (0x80d0_6806, "BAD_PIECE_HASH_NO_BAN"),
    (0x80d0_6807, "ALREADY_HAVE_PIECE"),
    (0x80d0_6808, "MISSING_PIECE"),
    (0x80d0_6809, "METAINFO_CONTENT"),
    (0x80d0_680a, "METAINFO_VERSION"),
    (0x80d0_680b, "SWARM_NOT_RUNNING"),
    (0x80d0_680c, "UNRECOGNIZED_CONN"),
    (0x80d0_680d, "PEER_BANNED"),
    (0x80d0_680e, "CONNECT_TO_SELF"),
    (0x80d0_680f, "ALREADY_CONNECTED"),
    (0x80d0_6810, "NO_MORE_CONNECTIONS"),
    (0x80d0_6811, "LOST_CONNECTION"),
    (0x80d0_6812, "UNRECOGNIZED_SWARM"),
    (0x80d0_6813, "INVALID_HANDSHAKE_LEN"),
    (0x80d0_6814, "SOCKET_CLOSED"),
    (0x80d0_6815, "PEER_MSG_TOO_LONG"),
    (0x80d0_6816, "INVALID_PEER_MSG"),
    (0x80d0_6817, "PEER_IS_UPLOAD"),
    (0x80d0_6818, "PIN_FAIL_NO_PEERING"),
    (0x80d0_6819, "DELETE_PINNED_SWARM"),
    (0x80d0_681a, "METAINFO_DIGEST_MATCH"),
    (0x80d0_681b, "METAINFO_HOH_MATCH"),
    (0x80d0_681c, "METAINFO_HOH_FINAL_MATCH"),
    (0x80d0_681d, "METAINFO_CONTENT_LENGTH"),
    (0x80d0_681e, "METAINFO_PIECE_SIZE"),
    (0x80d0_681f, "METAINFO_PARSE_HOH"),
    (0x80d0_6820, "METAINFO_PARSE_PIECEHASHES"),
    (0x80d0_6821, "METAINFO_PARSE_ONE_PIECEHASH"),
    (0x80d0_6822, "METAINFO_FILE_SIZE"),
];

/// What 13 names besides.
const OTHERS: &[(u32, &str)] = &[(0x800c_0002, "INET_E_INVALID_URL"), (0x8007_0490, "E_NOT_SET")];

#[test]
fn every_code_of_14_4_has_its_number_and_name() {
    let table: BTreeSet<(u32, String)> = Code::named().map(|code| (code.value(), code.name())).collect();
    for (value, name) in DO_CODES {
        assert!(table.contains(&(*value, format!("DO_E_{name}"))), "{name} {value:#010x}");
    }
    for (value, name) in OTHERS {
        assert!(table.contains(&(*value, (*name).to_owned())), "{name} {value:#010x}");
    }
    let ours = Code::named().filter(|code| code.name().starts_with("DO_")).count();
    assert_eq!(ours, DO_CODES.len(), "a DO_ code that the reference does not have");
}

#[test]
fn the_policy_block_of_the_codes_is_what_passes_by_itself() {
    for (value, name) in DO_CODES {
        let passes = value & 0xf800 == 0x3800;
        assert_eq!(Code::from_value(*value).class() == ErrorClass::Transient, passes, "{name}");
    }
}

#[test]
fn codes_of_bits_have_their_counterparts_and_statuses_stay() {
    for (bits, delivery) in [
        (Code::BG_E_INVALID_STATE, Code::DO_E_INVALID_STATE),
        (Code::BG_E_INVALID_RANGE, Code::DO_E_INVALID_RANGE),
        (Code::BG_E_OVERLAPPING_RANGES, Code::DO_E_OVERLAPPING_RANGES),
        (Code::BG_E_INSUFFICIENT_RANGE_SUPPORT, Code::DO_E_INSUFFICIENT_RANGE_SUPPORT),
        (Code::BG_E_NETWORK_DISCONNECTED, Code::DO_E_BLOCKED_BY_NO_NETWORK),
        (Code::BG_E_BLOCKED_BY_COST_TRANSFER_POLICY, Code::DO_E_BLOCKED_BY_COST_TRANSFER_POLICY),
        (Code::BG_E_NOT_FOUND, Code::E_NOT_SET),
        (Code::http(404), Code::http(404)),
        (Code::E_INVALIDARG, Code::E_INVALIDARG),
    ] {
        assert_eq!(bits.for_do(), delivery);
    }
}
