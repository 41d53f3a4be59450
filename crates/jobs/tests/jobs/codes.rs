//! The codes against the numbers of the reference: 14.1, 14.2 and the paragraph above them.

use std::collections::BTreeSet;

use dray_jobs::{Code, Context, ErrorClass, Wait};

/// Reference 14.1: value, name.
#[rustfmt::skip]
const BITS_CODES: &[(u32, &str)] = &[
    (0x0020_0006, "BG_S_ERROR_CONTEXT_NONE"),
    (0x0020_0017, "BG_S_PARTIAL_COMPLETE"),
    (0x0020_001a, "BG_S_UNABLE_TO_DELETE_FILES"),
    (0x0020_002a, "BG_S_PROXY_CHANGED"),
    (0x0020_0055, "BG_S_OVERRIDDEN_BY_POLICY"),
    (0x8020_0001, "BG_E_NOT_FOUND"),
    (0x8020_0002, "BG_E_INVALID_STATE"),
    (0x8020_0003, "BG_E_EMPTY"),
    (0x8020_0004, "BG_E_FILE_NOT_AVAILABLE"),
    (0x8020_0005, "BG_E_PROTOCOL_NOT_AVAILABLE"),
    (0x8020_0007, "BG_E_ERROR_CONTEXT_UNKNOWN"),
    (0x8020_0008, "BG_E_ERROR_CONTEXT_GENERAL_QUEUE_MANAGER"),
    (0x8020_0009, "BG_E_ERROR_CONTEXT_LOCAL_FILE"),
    (0x8020_000a, "BG_E_ERROR_CONTEXT_REMOTE_FILE"),
    (0x8020_000b, "BG_E_ERROR_CONTEXT_GENERAL_TRANSPORT"),
    (0x8020_000c, "BG_E_ERROR_CONTEXT_QUEUE_MANAGER_NOTIFICATION"),
    (0x8020_000d, "BG_E_DESTINATION_LOCKED"),
    (0x8020_000e, "BG_E_VOLUME_CHANGED"),
    (0x8020_000f, "BG_E_ERROR_INFORMATION_UNAVAILABLE"),
    (0x8020_0010, "BG_E_NETWORK_DISCONNECTED"),
    (0x8020_0011, "BG_E_MISSING_FILE_SIZE"),
    (0x8020_0012, "BG_E_INSUFFICIENT_HTTP_SUPPORT"),
    (0x8020_0013, "BG_E_INSUFFICIENT_RANGE_SUPPORT"),
    (0x8020_0014, "BG_E_REMOTE_NOT_SUPPORTED"),
    (0x8020_0015, "BG_E_NEW_OWNER_DIFF_MAPPING"),
    (0x8020_0016, "BG_E_NEW_OWNER_NO_FILE_ACCESS"),
    (0x8020_0018, "BG_E_PROXY_LIST_TOO_LARGE"),
    (0x8020_0019, "BG_E_PROXY_BYPASS_LIST_TOO_LARGE"),
    (0x8020_001b, "BG_E_INVALID_SERVER_RESPONSE"),
    (0x8020_001c, "BG_E_TOO_MANY_FILES"),
    (0x8020_001d, "BG_E_LOCAL_FILE_CHANGED"),
    (0x8020_001e, "BG_E_ERROR_CONTEXT_REMOTE_APPLICATION"),
    (0x8020_001f, "BG_E_SESSION_NOT_FOUND"),
    (0x8020_0020, "BG_E_TOO_LARGE"),
    (0x8020_0021, "BG_E_STRING_TOO_LONG"),
    (0x8020_0022, "BG_E_CLIENT_SERVER_PROTOCOL_MISMATCH"),
    (0x8020_0023, "BG_E_SERVER_EXECUTE_ENABLE"),
    (0x8020_0024, "BG_E_NO_PROGRESS"),
    (0x8020_0025, "BG_E_USERNAME_TOO_LARGE"),
    (0x8020_0026, "BG_E_PASSWORD_TOO_LARGE"),
    (0x8020_0027, "BG_E_INVALID_AUTH_TARGET"),
    (0x8020_0028, "BG_E_INVALID_AUTH_SCHEME"),
    (0x8020_0029, "BG_E_FILE_NOT_FOUND"),
    (0x8020_002b, "BG_E_INVALID_RANGE"),
    (0x8020_002c, "BG_E_OVERLAPPING_RANGES"),
    (0x8020_002d, "BG_E_CONNECT_FAILURE"),
    (0x8020_002e, "BG_E_CONNECTION_CLOSED"),
    (0x8020_003e, "BG_E_BLOCKED_BY_POLICY"),
    (0x8020_003f, "BG_E_INVALID_PROXY_INFO"),
    (0x8020_0040, "BG_E_INVALID_CREDENTIALS"),
    (0x8020_0041, "BG_E_INVALID_HASH_ALGORITHM"),
    (0x8020_0042, "BG_E_RECORD_DELETED"),
    (0x8020_0043, "BG_E_COMMIT_IN_PROGRESS"),
    (0x8020_0044, "BG_E_DISCOVERY_IN_PROGRESS"),
    (0x8020_0045, "BG_E_UPNP_ERROR"),
    (0x8020_0046, "BG_E_TEST_OPTION_BLOCKED_DOWNLOAD"),
    (0x8020_0047, "BG_E_PEERCACHING_DISABLED"),
    (0x8020_0048, "BG_E_BUSYCACHERECORD"),
    (0x8020_0049, "BG_E_TOO_MANY_JOBS_PER_USER"),
    (0x8020_0050, "BG_E_TOO_MANY_JOBS_PER_MACHINE"),
    (0x8020_0051, "BG_E_TOO_MANY_FILES_IN_JOB"),
    (0x8020_0052, "BG_E_TOO_MANY_RANGES_IN_FILE"),
    (0x8020_0053, "BG_E_VALIDATION_FAILED"),
    (0x8020_0054, "BG_E_MAXDOWNLOAD_TIMEOUT"),
    (0x8020_0056, "BG_E_TOKEN_REQUIRED"),
    (0x8020_0057, "BG_E_UNKNOWN_PROPERTY_ID"),
    (0x8020_0058, "BG_E_READ_ONLY_PROPERTY"),
    (0x8020_0059, "BG_E_BLOCKED_BY_COST_TRANSFER_POLICY"),
    (0x8020_0060, "BG_E_PROPERTY_SUPPORTED_FOR_DOWNLOAD_JOBS_ONLY"),
    (0x8020_0061, "BG_E_READ_ONLY_PROPERTY_AFTER_ADDFILE"),
    (0x8020_0062, "BG_E_READ_ONLY_PROPERTY_AFTER_RESUME"),
    (0x8020_0063, "BG_E_MAX_DOWNLOAD_SIZE_INVALID_VALUE"),
    (0x8020_0064, "BG_E_MAX_DOWNLOAD_SIZE_LIMIT_REACHED"),
    (0x8020_0065, "BG_E_STANDBY_MODE"),
    (0x8020_0066, "BG_E_USE_STORED_CREDENTIALS_NOT_SUPPORTED"),
    (0x8020_0067, "BG_E_BLOCKED_BY_BATTERY_POLICY"),
    (0x8020_0068, "BG_E_BLOCKED_BY_BATTERY_SAVER"),
    (0x8020_0069, "BG_E_WATCHDOG_TIMEOUT"),
    (0x8020_006a, "BG_E_APP_PACKAGE_NOT_FOUND"),
    (0x8020_006b, "BG_E_APP_PACKAGE_SCENARIO_NOT_SUPPORTED"),
    (0x8020_006c, "BG_E_DATABASE_CORRUPT"),
    (0x8020_006d, "BG_E_RANDOM_ACCESS_NOT_SUPPORTED"),
    (0x8020_006e, "BG_E_BLOCKED_BY_BACKGROUND_ACCESS_POLICY"),
    (0x8020_006f, "BG_E_BLOCKED_BY_GAME_MODE"),
    (0x8020_0070, "BG_E_BLOCKED_BY_SYSTEM_POLICY"),
    (0x8020_0071, "BG_E_NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD"),
    (0x8020_0072, "BG_E_UNSUPPORTED_JOB_CONFIGURATION"),
    (0x8020_0073, "BG_E_REMOTE_FILE_CHANGED"),
    (0x8020_0074, "BG_E_SERVER_CERT_VALIDATION_INTERFACE_REQUIRED"),
    (0x8020_0075, "BG_E_READ_ONLY_WHEN_JOB_ACTIVE"),
    (0x8020_0076, "BG_E_ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK"),
];

/// Reference 14.2: status, value.
#[rustfmt::skip]
const HTTP_CODES: &[(u16, u32)] = &[
    (100, 0x8019_0064),
    (101, 0x8019_0065),
    (200, 0x8019_00c8),
    (201, 0x8019_00c9),
    (202, 0x8019_00ca),
    (203, 0x8019_00cb),
    (204, 0x8019_00cc),
    (205, 0x8019_00cd),
    (206, 0x8019_00ce),
    (300, 0x8019_012c),
    (301, 0x8019_012d),
    (302, 0x8019_012e),
    (303, 0x8019_012f),
    (304, 0x8019_0130),
    (305, 0x8019_0131),
    (307, 0x8019_0133),
    (400, 0x8019_0190),
    (401, 0x8019_0191),
    (402, 0x8019_0192),
    (403, 0x8019_0193),
    (404, 0x8019_0194),
    (405, 0x8019_0195),
    (406, 0x8019_0196),
    (407, 0x8019_0197),
    (408, 0x8019_0198),
    (409, 0x8019_0199),
    (410, 0x8019_019a),
    (411, 0x8019_019b),
    (412, 0x8019_019c),
    (413, 0x8019_019d),
    (414, 0x8019_019e),
    (415, 0x8019_019f),
    (416, 0x8019_01a0),
    (417, 0x8019_01a1),
    (449, 0x8019_01c1),
    (500, 0x8019_01f4),
    (501, 0x8019_01f5),
    (502, 0x8019_01f6),
    (503, 0x8019_01f7),
    (504, 0x8019_01f8),
    (505, 0x8019_01f9),
];

/// Reference 14, second paragraph, and 4.5, 4.8.
#[rustfmt::skip]
const GENERAL_CODES: &[(u32, Code)] = &[
    (0x0000_0000, Code::S_OK),
    (0x0000_0001, Code::S_FALSE),
    (0x8007_0057, Code::E_INVALIDARG),
    (0x8007_0005, Code::E_ACCESSDENIED),
    (0x8007_000e, Code::E_OUTOFMEMORY),
    (0x8000_4001, Code::E_NOTIMPL),
    (0x8000_000a, Code::E_PENDING),
    (0x8000_4002, Code::E_NOINTERFACE),
    (0x8007_0490, Code::E_NOT_SET),
    (0x8007_0002, Code::ERROR_FILE_NOT_FOUND),
    (0x8007_0003, Code::ERROR_PATH_NOT_FOUND),
    (0x8007_0070, Code::ERROR_DISK_FULL),
    (0x8001_0123, Code::CO_E_FAILEDTOIMPERSONATE),
    (0x8007_2f0c, Code::ERROR_WINHTTP_CLIENT_AUTH_CERT_NEEDED),
];

#[test]
fn every_code_of_14_1_has_its_number_and_name() {
    let table: BTreeSet<(u32, String)> = Code::named().map(|code| (code.value(), code.name())).collect();
    for (value, name) in BITS_CODES {
        assert!(table.contains(&(*value, (*name).to_owned())), "{name} {value:#010x}");
    }
    let ours = Code::named().filter(|code| code.name().starts_with("BG_")).count();
    assert_eq!(ours, BITS_CODES.len(), "a BG_ code that the reference does not have");
}

#[test]
fn every_status_of_14_2_has_its_number_and_a_text_of_its_own() {
    let mut texts = BTreeSet::new();
    for (status, value) in HTTP_CODES {
        let code = Code::http(*status);
        assert_eq!(code.value(), *value);
        assert_eq!(code.http_status(), Some(*status));
        assert_eq!(code.name(), format!("BG_E_HTTP_ERROR_{status}"));
        assert!(texts.insert(code.text()), "{status} shares its text");
        assert!(!code.is_success());
    }
    assert_eq!(Code::http(418).name(), "BG_E_HTTP_ERROR_418");
    assert_eq!(Code::BG_E_NOT_FOUND.http_status(), None);
}

#[test]
fn the_general_codes_have_their_numbers() {
    for (value, code) in GENERAL_CODES {
        assert_eq!(code.value(), *value, "{code}");
        assert_eq!(Code::from_value(*value), *code);
    }
}

#[test]
fn every_row_is_a_sentence_and_no_number_or_name_comes_twice() {
    let mut values = BTreeSet::new();
    let mut names = BTreeSet::new();
    for code in Code::named() {
        assert!(values.insert(code.value()), "{code:?} twice");
        assert!(names.insert(code.name()), "{code:?} twice");
        let text = code.text();
        assert!(text.ends_with('.') && text.starts_with(char::is_uppercase), "{code:?}: {text}");
        let success = code.name().starts_with("S_") || code.name().starts_with("BG_S_");
        assert_eq!(code.is_success(), success, "{code:?}");
    }
}

#[test]
fn a_number_without_a_name_still_prints() {
    let code = Code::from_value(0x8bad_f00d);
    assert_eq!(code.name(), "0x8badf00d");
    assert_eq!(code.class(), ErrorClass::Fatal);
    assert_eq!(format!("{:?}", Code::BG_E_EMPTY), "BG_E_EMPTY (0x80200003)");
}

#[test]
fn errors_have_the_class_that_7_4_and_10_4_give_them() {
    use ErrorClass::{Fatal, Transient};
    #[rustfmt::skip]
    let rows = [
        // 7.4, recoverable
        (Code::BG_E_CONNECT_FAILURE,                 Transient), // server unreachable
        (Code::ERROR_WINHTTP_NAME_NOT_RESOLVED,      Transient),
        (Code::BG_E_CONNECTION_CLOSED,               Transient),
        (Code::http(500),                            Transient),
        (Code::http(503),                            Transient),
        (Code::http(408),                            Transient),
        (Code::BG_E_DESTINATION_LOCKED,              Transient), // disk check
        (Code::BG_E_NETWORK_DISCONNECTED,            Transient),
        (Code::BG_E_BLOCKED_BY_POLICY,               Transient),
        (Code::BG_E_BLOCKED_BY_COST_TRANSFER_POLICY, Transient),
        (Code::BG_E_STANDBY_MODE,                    Transient),
        // 7.4, non-recoverable
        (Code::E_ACCESSDENIED,                       Fatal),
        (Code::http(404),                            Fatal),
        (Code::http(401),                            Fatal),
        (Code::http(407),                            Fatal),
        (Code::BG_E_INVALID_PROXY_INFO,              Fatal),
        (Code::BG_E_INSUFFICIENT_RANGE_SUPPORT,      Fatal),
        (Code::BG_E_INVALID_SERVER_RESPONSE,         Fatal),
        (Code::BG_E_LOCAL_FILE_CHANGED,              Fatal),
        (Code::BG_E_VALIDATION_FAILED,               Fatal),
        (Code::ERROR_DISK_FULL,                      Fatal),
        // 10.4
        (Code::http(300),                            Fatal),
        (Code::http(305),                            Fatal),
        (Code::http(307),                            Fatal),
        (Code::http(306),                            Transient), // other 3xx
        (Code::http(409),                            Transient),
        (Code::http(410),                            Fatal),     // other 4xx
        (Code::http(416),                            Fatal),
        (Code::http(501),                            Fatal),
        (Code::http(505),                            Fatal),
        (Code::http(502),                            Transient), // other 5xx
        (Code::http(600),                            Transient), // everything else
        // Where a download differs, see `http::class`
        (Code::http(200),                            Fatal),
        (Code::http(308),                            Fatal),
        (Code::http(425),                            Transient),
        (Code::http(429),                            Transient),
    ];
    for (code, class) in rows {
        assert_eq!(code.class(), class, "{code:?}");
    }
}

#[test]
fn the_three_errors_of_7_5_wait_for_an_event_and_are_not_counted() {
    for code in [Code::BG_E_NETWORK_DISCONNECTED, Code::BG_E_DESTINATION_LOCKED, Code::BG_E_BLOCKED_BY_POLICY]
    {
        assert_eq!(code.wait(), Wait::Event);
        assert!(!code.is_counted());
    }
    assert_eq!(Code::BG_E_CONNECT_FAILURE.wait(), Wait::Delay);
    assert!(Code::BG_E_CONNECT_FAILURE.is_counted());
    assert!(Code::BG_E_BLOCKED_BY_COST_TRANSFER_POLICY.is_counted());
}

#[test]
fn the_contexts_have_the_numbers_of_1_3() {
    for (number, context) in (0u32..).zip(Context::ALL) {
        assert_eq!(context.value(), number);
        assert_eq!(Context::from_value(number), Some(context));
        assert!(context.text().ends_with('.'));
    }
    assert_eq!(Context::from_value(9), None);
    assert_eq!(Context::RemoteFile.name(), "BG_ERROR_CONTEXT_REMOTE_FILE");
}
