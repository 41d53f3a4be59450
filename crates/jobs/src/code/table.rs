//! One row per named code: number, name, class, sentence.
//!
//! The BG_ rows are the complete list of reference 14.1; the others are the general and Win32 codes that
//! its text names or that a local file or a connection can end with. Texts are ours.

use super::{Code, ErrorClass};

/// What is known about one named code.
pub(super) struct Row {
    pub(super) value: u32,
    pub(super) name: &'static str,
    pub(super) class: ErrorClass,
    pub(super) text: &'static str,
}

/// The row of a number. The table is short and looked up for people and errors only, so a scan will do.
pub(super) fn find(value: u32) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.value == value)
}

macro_rules! codes {
    ($($value:literal $name:ident $class:ident $text:literal)*) => {
        impl Code {
            $(
                #[doc = $text]
                pub const $name: Code = Code($value);
            )*
        }

        /// Every named code.
        pub(super) const ROWS: &[Row] = &[$(
            Row { value: $value, name: stringify!($name), class: ErrorClass::$class, text: $text },
        )*];
    };
}

#[rustfmt::skip]
codes! {
    0x0000_0000 S_OK Fatal "Done."
    0x0000_0001 S_FALSE Fatal "Done, with nothing to do or less than was asked for."
    0x0020_0006 BG_S_ERROR_CONTEXT_NONE Fatal "There is no error."
    0x0020_0017 BG_S_PARTIAL_COMPLETE Fatal "Only the files that had arrived were kept; the others were deleted."
    0x0020_001a BG_S_UNABLE_TO_DELETE_FILES Fatal "The job has ended, but some temporary files could not be deleted; delete them by hand."
    0x0020_002a BG_S_PROXY_CHANGED Fatal "The proxy server was changed."
    0x0020_0055 BG_S_OVERRIDDEN_BY_POLICY Fatal "The preference was stored, but a policy of the machine wins."
    0x8020_0001 BG_E_NOT_FOUND Fatal "There is no such job in the queue; it may have been completed or cancelled."
    0x8020_0002 BG_E_INVALID_STATE Fatal "The job does not allow this in its present state."
    0x8020_0003 BG_E_EMPTY Fatal "The job has no files; add one first."
    0x8020_0004 BG_E_FILE_NOT_AVAILABLE Fatal "The error does not concern a file."
    0x8020_0005 BG_E_PROTOCOL_NOT_AVAILABLE Fatal "The error does not concern a protocol."
    0x8020_0007 BG_E_ERROR_CONTEXT_UNKNOWN Fatal "The place of the error is not known."
    0x8020_0008 BG_E_ERROR_CONTEXT_GENERAL_QUEUE_MANAGER Fatal "The error happened while the queue was managed."
    0x8020_0009 BG_E_ERROR_CONTEXT_LOCAL_FILE Fatal "The error concerns the local file or its volume."
    0x8020_000a BG_E_ERROR_CONTEXT_REMOTE_FILE Fatal "The error concerns the remote file or its server."
    0x8020_000b BG_E_ERROR_CONTEXT_GENERAL_TRANSPORT Fatal "The error happened on the network."
    0x8020_000c BG_E_ERROR_CONTEXT_QUEUE_MANAGER_NOTIFICATION Fatal "The error happened while the client was notified."
    0x8020_000d BG_E_DESTINATION_LOCKED Transient "The destination volume is not available for now; the job goes on when it is."
    0x8020_000e BG_E_VOLUME_CHANGED Fatal "The destination is on another volume than before; put the original back and resume."
    0x8020_000f BG_E_ERROR_INFORMATION_UNAVAILABLE Fatal "The job is not in an error state."
    0x8020_0010 BG_E_NETWORK_DISCONNECTED Transient "There is no network; the job goes on when it is back."
    0x8020_0011 BG_E_MISSING_FILE_SIZE Fatal "The server does not tell the size of the file."
    0x8020_0012 BG_E_INSUFFICIENT_HTTP_SUPPORT Fatal "The server does not speak enough HTTP/1.1."
    0x8020_0013 BG_E_INSUFFICIENT_RANGE_SUPPORT Fatal "The server or a proxy does not honour range requests; foreground priority avoids them for small files."
    0x8020_0014 BG_E_REMOTE_NOT_SUPPORTED Fatal "The service cannot be used from another machine."
    0x8020_0015 BG_E_NEW_OWNER_DIFF_MAPPING Fatal "A drive of the job leads elsewhere for the new owner."
    0x8020_0016 BG_E_NEW_OWNER_NO_FILE_ACCESS Fatal "The new owner has no access to the temporary files of the job."
    0x8020_0018 BG_E_PROXY_LIST_TOO_LARGE Fatal "The list of proxies is too long."
    0x8020_0019 BG_E_PROXY_BYPASS_LIST_TOO_LARGE Fatal "The list of hosts without proxy is too long."
    0x8020_001b BG_E_INVALID_SERVER_RESPONSE Fatal "The answer of the server breaks the protocol; resume to try again."
    0x8020_001c BG_E_TOO_MANY_FILES Fatal "An upload job has exactly one file."
    0x8020_001d BG_E_LOCAL_FILE_CHANGED Fatal "The local file changed during the upload; make a new job."
    0x8020_001e BG_E_ERROR_CONTEXT_REMOTE_APPLICATION Fatal "The application behind the server refused the upload."
    0x8020_001f BG_E_SESSION_NOT_FOUND Transient "The server has forgotten the upload session; the upload starts again."
    0x8020_0020 BG_E_TOO_LARGE Fatal "The file or the reply is larger than the limit."
    0x8020_0021 BG_E_STRING_TOO_LONG Fatal "The text is longer than the limit."
    0x8020_0022 BG_E_CLIENT_SERVER_PROTOCOL_MISMATCH Fatal "Client and server have no upload protocol in common."
    0x8020_0023 BG_E_SERVER_EXECUTE_ENABLE Fatal "The server would execute files in this directory; uploads to it are refused."
    0x8020_0024 BG_E_NO_PROGRESS Transient "No bytes arrived for too long; it will be tried again."
    0x8020_0025 BG_E_USERNAME_TOO_LARGE Fatal "The user name is longer than 300 characters."
    0x8020_0026 BG_E_PASSWORD_TOO_LARGE Fatal "The password is longer than 65,535 characters."
    0x8020_0027 BG_E_INVALID_AUTH_TARGET Fatal "Credentials are either for the server or for the proxy."
    0x8020_0028 BG_E_INVALID_AUTH_SCHEME Fatal "The authentication scheme is not known."
    0x8020_0029 BG_E_FILE_NOT_FOUND Fatal "The job has no such file."
    0x8020_002b BG_E_INVALID_RANGE Fatal "The range is malformed or reaches beyond the end of the file."
    0x8020_002c BG_E_OVERLAPPING_RANGES Fatal "Two of the ranges overlap."
    0x8020_002d BG_E_CONNECT_FAILURE Transient "The connection to the server could not be made; it will be tried again."
    0x8020_002e BG_E_CONNECTION_CLOSED Transient "The connection was closed early; it will be tried again."
    0x8020_003e BG_E_BLOCKED_BY_POLICY Transient "The bandwidth policy allows no background transfer now; the job goes on when it does."
    0x8020_003f BG_E_INVALID_PROXY_INFO Fatal "The list of proxies cannot be used; correct it and resume."
    0x8020_0040 BG_E_INVALID_CREDENTIALS Fatal "The credentials are malformed."
    0x8020_0041 BG_E_INVALID_HASH_ALGORITHM Fatal "The hash algorithm is not supported."
    0x8020_0042 BG_E_RECORD_DELETED Fatal "The content has left the cache meanwhile; nothing was changed."
    0x8020_0043 BG_E_COMMIT_IN_PROGRESS Transient "The content is being updated by another call; try again."
    0x8020_0044 BG_E_DISCOVERY_IN_PROGRESS Transient "The search for peers is already running; try again in a few seconds."
    0x8020_0045 BG_E_UPNP_ERROR Transient "The gateway of the network had a problem; it will be tried again."
    0x8020_0046 BG_E_TEST_OPTION_BLOCKED_DOWNLOAD Fatal "A test option stopped the download after the search for peers."
    0x8020_0047 BG_E_PEERCACHING_DISABLED Fatal "Peer caching is off."
    0x8020_0048 BG_E_BUSYCACHERECORD Transient "The content is in use; try again in a few seconds."
    0x8020_0049 BG_E_TOO_MANY_JOBS_PER_USER Fatal "The owner has as many jobs as allowed; complete or cancel one."
    0x8020_0050 BG_E_TOO_MANY_JOBS_PER_MACHINE Fatal "The machine has as many jobs as allowed; complete or cancel one."
    0x8020_0051 BG_E_TOO_MANY_FILES_IN_JOB Fatal "The job has as many files as allowed; put the others into another job."
    0x8020_0052 BG_E_TOO_MANY_RANGES_IN_FILE Fatal "The file has more ranges than allowed; merge some, or split them over several files."
    0x8020_0053 BG_E_VALIDATION_FAILED Fatal "The content is not what it should be; it was not delivered."
    0x8020_0054 BG_E_MAXDOWNLOAD_TIMEOUT Fatal "The maximum download time of the job is used up; resume to start it anew."
    0x8020_0056 BG_E_TOKEN_REQUIRED Fatal "The job needs a helper token that is gone; set it again and resume."
    0x8020_0057 BG_E_UNKNOWN_PROPERTY_ID Fatal "There is no such property."
    0x8020_0058 BG_E_READ_ONLY_PROPERTY Fatal "The property cannot be written."
    0x8020_0059 BG_E_BLOCKED_BY_COST_TRANSFER_POLICY Transient "The network is too expensive for this job; it goes on when it is cheaper."
    0x8020_0060 BG_E_PROPERTY_SUPPORTED_FOR_DOWNLOAD_JOBS_ONLY Fatal "Only download jobs have this property."
    0x8020_0061 BG_E_READ_ONLY_PROPERTY_AFTER_ADDFILE Fatal "The property can be set only before the first file is added."
    0x8020_0062 BG_E_READ_ONLY_PROPERTY_AFTER_RESUME Fatal "The property can be set only before the first Resume."
    0x8020_0063 BG_E_MAX_DOWNLOAD_SIZE_INVALID_VALUE Fatal "The size limit of a job is at least 1 byte."
    0x8020_0064 BG_E_MAX_DOWNLOAD_SIZE_LIMIT_REACHED Fatal "The job exceeds its size limit."
    0x8020_0065 BG_E_STANDBY_MODE Transient "The machine is in standby; the job goes on when it wakes up."
    0x8020_0066 BG_E_USE_STORED_CREDENTIALS_NOT_SUPPORTED Fatal "Stored credentials can be used for the proxy only."
    0x8020_0067 BG_E_BLOCKED_BY_BATTERY_POLICY Transient "The machine runs on battery; the job goes on with mains power."
    0x8020_0068 BG_E_BLOCKED_BY_BATTERY_SAVER Transient "The battery saver is on; the job goes on when it ends."
    0x8020_0069 BG_E_WATCHDOG_TIMEOUT Transient "An operation took too long; it will be tried again."
    0x8020_006a BG_E_APP_PACKAGE_NOT_FOUND Fatal "No application package belongs to the owner or the caller."
    0x8020_006b BG_E_APP_PACKAGE_SCENARIO_NOT_SUPPORTED Fatal "Application packages cannot be used on this machine."
    0x8020_006c BG_E_DATABASE_CORRUPT Fatal "The stored state is damaged; it was set aside."
    0x8020_006d BG_E_RANDOM_ACCESS_NOT_SUPPORTED Fatal "The file does not allow random access: it has ranges of its own, is dynamic, or its server has no ranges."
    0x8020_006e BG_E_BLOCKED_BY_BACKGROUND_ACCESS_POLICY Transient "The application may not work in the background now; the job goes on when it may."
    0x8020_006f BG_E_BLOCKED_BY_GAME_MODE Transient "A game has the machine; the job goes on afterwards."
    0x8020_0070 BG_E_BLOCKED_BY_SYSTEM_POLICY Transient "The machine is short of resources; the job goes on by itself."
    0x8020_0071 BG_E_NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD Fatal "This cannot be combined with a custom HTTP method."
    0x8020_0072 BG_E_UNSUPPORTED_JOB_CONFIGURATION Fatal "The settings of the job conflict with the request."
    0x8020_0073 BG_E_REMOTE_FILE_CHANGED Fatal "The remote file changed during the transfer; resume if that was expected."
    0x8020_0074 BG_E_SERVER_CERT_VALIDATION_INTERFACE_REQUIRED Fatal "The client that checks certificates is gone; attach one and resume."
    0x8020_0075 BG_E_READ_ONLY_WHEN_JOB_ACTIVE Fatal "This cannot be changed while the job runs; suspend it first."
    0x8020_0076 BG_E_ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK Fatal "The client refused the certificate of the server."
    0x8000_4001 E_NOTIMPL Fatal "This value or call is not supported here."
    0x8000_4002 E_NOINTERFACE Fatal "The object does not have this interface."
    0x8000_4004 E_ABORT Fatal "The operation was aborted."
    0x8000_4005 E_FAIL Fatal "The operation failed for a reason that has no code."
    0x8000_000a E_PENDING Fatal "The file has not fully arrived yet."
    0x8000_ffff E_UNEXPECTED Fatal "An internal error; please report it."
    0x8001_0123 CO_E_FAILEDTOIMPERSONATE Fatal "The caller's rights could not be taken on."
    0x8007_0002 ERROR_FILE_NOT_FOUND Fatal "The file does not exist."
    0x8007_0003 ERROR_PATH_NOT_FOUND Fatal "The directory does not exist; create it first."
    0x8007_0004 ERROR_TOO_MANY_OPEN_FILES Transient "Too many files are open; it will be tried again."
    0x8007_0005 E_ACCESSDENIED Fatal "Access is denied."
    0x8007_0008 ERROR_NOT_ENOUGH_MEMORY Transient "Memory is short; it will be tried again."
    0x8007_000e E_OUTOFMEMORY Transient "Memory is short; it will be tried again."
    0x8007_0013 ERROR_WRITE_PROTECT Fatal "The destination is write-protected."
    0x8007_0015 ERROR_NOT_READY Transient "The device is not ready; it will be tried again."
    0x8007_001d ERROR_WRITE_FAULT Fatal "The device cannot be written to."
    0x8007_001e ERROR_READ_FAULT Fatal "The device cannot be read from."
    0x8007_0020 ERROR_SHARING_VIOLATION Transient "Another program holds the file open; it will be tried again."
    0x8007_0032 ERROR_NOT_SUPPORTED Fatal "The file system does not support the operation."
    0x8007_0050 ERROR_FILE_EXISTS Fatal "The file exists already."
    0x8007_0057 E_INVALIDARG Fatal "An argument is not valid."
    0x8007_0070 ERROR_DISK_FULL Fatal "The disk is full; make room and resume."
    0x8007_007b ERROR_INVALID_NAME Fatal "The name of the file is not valid on this file system."
    0x8007_00ce ERROR_FILENAME_EXCED_RANGE Fatal "The name of the file is too long for this file system."
    0x8007_00df ERROR_FILE_TOO_LARGE Fatal "The file is too large for this file system."
    0x8007_010b ERROR_DIRECTORY Fatal "The destination is a directory, or its parent is none; name a file."
    0x8007_0490 E_NOT_SET Fatal "The value was never set."
    0x8007_04c7 ERROR_CANCELLED Fatal "The operation was cancelled."
    0x8007_050f ERROR_DISK_QUOTA_EXCEEDED Fatal "The disk quota of the owner is used up; make room and resume."
    0x8007_0717 ERROR_RESOURCE_LANG_NOT_FOUND Fatal "There is no text in that language."
    0x8007_2ee2 ERROR_WINHTTP_TIMEOUT Transient "The server did not answer in time; it will be tried again."
    0x8007_2ee7 ERROR_WINHTTP_NAME_NOT_RESOLVED Transient "The name of the server could not be resolved; it will be tried again."
    0x8007_2f0c ERROR_WINHTTP_CLIENT_AUTH_CERT_NEEDED Fatal "The server asks for a client certificate; set one and resume."
    0x8007_2f8f ERROR_WINHTTP_SECURE_FAILURE Fatal "The secure connection failed: the certificate of the server is not trusted or does not fit its name."
    0x8007_2f9a ERROR_WINHTTP_CLIENT_CERT_NO_ACCESS_PRIVATE_KEY Fatal "The private key of the client certificate cannot be used."
    0x8009_2004 CRYPT_E_NOT_FOUND Fatal "There is no such certificate."
}
