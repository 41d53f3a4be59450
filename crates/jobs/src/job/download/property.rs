//! The properties of a download: their numbers, what may be done with them here, and their values (reference 13.4).

use crate::{Code, Failure};

/// What may be done with a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyUse {
    /// Set and got.
    ReadWrite,
    /// Got only.
    ReadOnly,
    /// Set only.
    WriteOnly,
    /// It has no meaning here, and is unknown as on a Windows that is older than it.
    NotHere,
    /// A sink that is not to be had here.
    NoStream,
}

macro_rules! properties {
    ($($(#[$doc:meta])* $value:literal $name:ident $use:ident)*) => {
        /// DODownloadProperty.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum DownloadProperty {
            $($(#[$doc])* $name = $value,)*
        }

        impl DownloadProperty {
            /// All properties, in the order of their numbers.
            pub const ALL: &[DownloadProperty] = &[$(DownloadProperty::$name,)*];

            /// The number that travels in the API.
            #[must_use]
            pub const fn value(self) -> u32 {
                self as u32
            }

            /// What may be done with it.
            #[must_use]
            pub const fn usage(self) -> PropertyUse {
                match self {
                    $(DownloadProperty::$name => PropertyUse::$use,)*
                }
            }

            /// The name as DO writes it, without the prefix.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(DownloadProperty::$name => stringify!($name),)*
                }
            }
        }
    };
}

properties! {
    /// The id of the download.
    0 Id ReadOnly
    /// Where the file comes from.
    1 Uri ReadWrite
    /// The digest of the whole file.
    2 ContentId ReadWrite
    /// Name for people.
    3 DisplayName ReadWrite
    /// Where the file goes.
    4 LocalPath ReadWrite
    /// Headers of every request.
    5 HttpCustomHeaders ReadWrite
    /// On which networks it may run.
    6 CostPolicy ReadWrite
    /// What a certificate may lack: nothing, here.
    7 SecurityFlags WriteOnly
    /// A status for each such part of the whole.
    8 CallbackFreqPercent ReadWrite
    /// Least time between two statuses of progress.
    9 CallbackFreqSeconds ReadWrite
    /// Longest time without a byte.
    10 NoProgressTimeoutSeconds ReadWrite
    /// Whether somebody waits for it.
    11 ForegroundPriority ReadWrite
    /// Whether Start waits for the end.
    12 BlockingMode ReadWrite
    /// An object of Windows; the stream of statuses takes its place.
    13 CallbackInterface NotHere
    /// An object of Windows as the sink.
    14 StreamInterface NoStream
    /// A client certificate.
    15 SecurityContext NotHere
    /// The identity of a Windows network.
    16 NetworkToken NotHere
    /// Names the download in the logs of others.
    17 CorrelationVector ReadWrite
    /// How to decrypt what comes.
    18 DecryptionInfo NotHere
    /// A file of piece hashes in a form of Windows.
    19 IntegrityCheckInfo NotHere
    /// Whether it has to be checked against a digest.
    20 IntegrityCheckMandatory ReadWrite
    /// How large the file is, as far as the client knows.
    21 TotalSizeBytes ReadWrite
    /// Not on cellular networks, whatever the cost policy.
    22 DisallowOnCellular ReadWrite
    /// Headers with credentials.
    23 HttpCustomAuthHeaders ReadWrite
    /// Whether a redirect may lead from https to http.
    24 HttpAllowSecureToNonSecureRedirect ReadWrite
    /// Whether it outlives the daemon.
    25 NonVolatile ReadWrite
    /// Where the last redirect led.
    26 HttpRedirectionTarget ReadOnly
    /// The headers of the last answer.
    27 HttpResponseHeaders ReadOnly
    /// The server.
    28 HttpServerIPAddress ReadOnly
    /// The status of the last answer.
    29 HttpStatusCode ReadOnly
}

impl DownloadProperty {
    /// The property with this number; DO_E_UNKNOWN_PROPERTY_ID when there is none.
    pub fn from_value(value: u32) -> Result<DownloadProperty, Failure> {
        let found = DownloadProperty::ALL.iter().copied().find(|property| property.value() == value);
        found.ok_or_else(|| {
            Failure::new(Code::DO_E_UNKNOWN_PROPERTY_ID, format!("There is no property {value}."))
        })
    }

    /// Whether it may be set at all.
    pub(super) fn may_set(self) -> Result<(), Failure> {
        match self.usage() {
            PropertyUse::ReadWrite | PropertyUse::WriteOnly => Ok(()),
            PropertyUse::ReadOnly => {
                let sentence = format!("The property {} cannot be set.", self.name());
                Err(Failure::new(Code::DO_E_READ_ONLY_PROPERTY, sentence))
            }
            PropertyUse::NotHere => Err(self.unknown()),
            PropertyUse::NoStream => Err(Code::DO_E_MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED.into()),
        }
    }

    /// Whether it may be got at all.
    pub(super) fn may_get(self) -> Result<(), Failure> {
        match self.usage() {
            PropertyUse::ReadWrite | PropertyUse::ReadOnly | PropertyUse::NoStream => Ok(()),
            PropertyUse::WriteOnly => {
                let sentence = format!("The property {} cannot be read.", self.name());
                Err(Failure::new(Code::DO_E_WRITE_ONLY_PROPERTY, sentence))
            }
            PropertyUse::NotHere => Err(self.unknown()),
        }
    }

    fn unknown(self) -> Failure {
        let sentence = format!("The property {} has no meaning here and is not taken.", self.name());
        Failure::new(Code::DO_E_UNKNOWN_PROPERTY_ID, sentence)
    }
}

/// The value of a property: the VARIANT types that 13.4 uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadValue {
    /// VT_BSTR.
    Text(String),
    /// VT_UI4.
    Number(u32),
    /// VT_UI8.
    Long(u64),
    /// VT_BOOL.
    Flag(bool),
    /// An array of VT_UI1.
    Bytes(Vec<u8>),
}
