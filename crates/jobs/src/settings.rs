//! What a client may set on a job: values, defaults, and which of them exist.

use serde::{Deserialize, Serialize};

use crate::{Code, Failure};

/// How urgent a job is: BG_JOB_PRIORITY. Ordered: the most urgent first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum Priority {
    /// Someone waits for it: runs at once, without throttling.
    Foreground = 0,
    /// Background, before the others.
    High = 1,
    /// Background.
    #[default]
    Normal = 2,
    /// Background, after the others.
    Low = 3,
}

impl Priority {
    /// All priorities, the most urgent first.
    pub const ALL: [Priority; 4] = [Priority::Foreground, Priority::High, Priority::Normal, Priority::Low];

    /// The number that travels in the API.
    #[must_use]
    pub const fn value(self) -> u32 {
        self as u32
    }

    /// The priority with this number; E_NOTIMPL for any other (reference 3.1).
    pub fn from_value(value: u32) -> Result<Priority, Failure> {
        Priority::ALL
            .into_iter()
            .find(|priority| priority.value() == value)
            .ok_or_else(|| Failure::wrong_value(format!("There is no priority {value}; 0 to 3 exist.")))
    }
}

/// A set of bits of which only some are defined.
macro_rules! flags {
    ($(#[$doc:meta])* $name:ident, $what:literal, $unknown:ident { $($(#[$flag_doc:meta])* $flag:ident = $bit:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u32);

        impl $name {
            $($(#[$flag_doc])* pub const $flag: $name = $name($bit);)*
            const DEFINED: u32 = 0 $(| $bit)*;

            /// The set with these bits; refused when one of them is not defined.
            pub fn from_bits(bits: u32) -> Result<$name, Failure> {
                if bits & !Self::DEFINED == 0 {
                    return Ok($name(bits));
                }
                let sentence = format!(
                    concat!("The ", $what, " {:#x} are not defined; the defined ones are {:#x}."),
                    bits & !Self::DEFINED,
                    Self::DEFINED,
                );
                Err(Failure { code: Code::$unknown, ..Failure::wrong_value(sentence) })
            }

            /// The bits.
            #[must_use]
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// Whether all bits of `other` are in this set.
            #[must_use]
            pub const fn contains(self, other: $name) -> bool {
                self.0 & other.0 == other.0
            }

            /// Both sets together.
            #[must_use]
            pub const fn union(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }
        }
    };
}

flags! {
    /// Which events a client is told (reference 9.2).
    NotifyFlags, "notify flags", E_NOTIMPL {
        /// All files have arrived.
        JOB_TRANSFERRED = 0x01
        /// The job went to ERROR.
        JOB_ERROR = 0x02
        /// Nothing at all; the other bits are ignored.
        DISABLE = 0x04
        /// Anything changed.
        JOB_MODIFICATION = 0x08
        /// One file has arrived.
        FILE_TRANSFERRED = 0x10
        /// New bytes of a file are readable.
        FILE_RANGES_TRANSFERRED = 0x20
    }
}

impl NotifyFlags {
    /// What a new job has.
    pub const DEFAULT: NotifyFlags = NotifyFlags::JOB_TRANSFERRED.union(NotifyFlags::JOB_ERROR);
}

flags! {
    /// Which parts of a file's security descriptor are copied with it (reference 4.2).
    AclFlags, "file ACL flags", E_INVALIDARG {
        /// The owner.
        OWNER = 1
        /// The group.
        GROUP = 2
        /// The access list.
        DACL = 4
        /// The audit list.
        SACL = 8
    }
}

flags! {
    /// What a job may do with peers (reference 4.3).
    PeerFlags, "peer-caching flags", E_NOTIMPL {
        /// May fetch from peers.
        ENABLE_CLIENT = 1
        /// Its files may be served to peers.
        ENABLE_SERVER = 2
        /// Stays off the branch cache.
        DISABLE_BRANCH_CACHE = 4
    }
}

/// A generic property with its value: BITS_JOB_PROPERTY_ID and _VALUE (reference 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// 1, COST_FLAGS: the set of network cost states in which the job may run.
    CostFlags(u32),
    /// 3, DYNAMIC_CONTENT: the server has neither sizes nor ranges; the job runs in the foreground only.
    DynamicContent(bool),
    /// 4, HIGH_PERFORMANCE: no checkpoints, straight into the destination.
    HighPerformance(bool),
    /// 5, MAX_DOWNLOAD_SIZE: bound for the whole job, in bytes.
    MaxDownloadSize(u64),
    /// 7, USE_STORED_CREDENTIALS: a BG_AUTH_TARGET; only PROXY (2) is accepted.
    UseStoredCredentials(u32),
    /// 9, MINIMUM_NOTIFICATION_INTERVAL_MS.
    MinimumNotificationIntervalMs(u32),
    /// 10, ON_DEMAND_MODE: only what RequestFileRanges asked for is transferred.
    OnDemandMode(bool),
}

/// The ids of the generic properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum PropertyId {
    /// 1.
    CostFlags = 1,
    /// 3.
    DynamicContent = 3,
    /// 4.
    HighPerformance = 4,
    /// 5.
    MaxDownloadSize = 5,
    /// 7.
    UseStoredCredentials = 7,
    /// 9.
    MinimumNotificationIntervalMs = 9,
    /// 10.
    OnDemandMode = 10,
}

impl PropertyId {
    /// The property with this id. 2 (NOTIFICATION_CLSID) names a Windows class and is E_NOTIMPL; any other
    /// number is BG_E_UNKNOWN_PROPERTY_ID.
    pub fn from_value(value: u32) -> Result<PropertyId, Failure> {
        Ok(match value {
            1 => PropertyId::CostFlags,
            3 => PropertyId::DynamicContent,
            4 => PropertyId::HighPerformance,
            5 => PropertyId::MaxDownloadSize,
            7 => PropertyId::UseStoredCredentials,
            9 => PropertyId::MinimumNotificationIntervalMs,
            10 => PropertyId::OnDemandMode,
            2 => {
                let sentence = "dray starts no notification classes; watch events or set a notify command.";
                return Err(Failure::new(Code::E_NOTIMPL, sentence));
            }
            _ => {
                let sentence = format!("There is no property {value}.");
                return Err(Failure::new(Code::BG_E_UNKNOWN_PROPERTY_ID, sentence));
            }
        })
    }
}

/// A program to run when the job is transferred or in error (reference 9.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyCommand {
    /// Full path of the program. Not searched, not expanded.
    pub program: String,
    /// Its command line; when not empty its first token is the program again.
    pub parameters: String,
}

/// One thing to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// SetDisplayName.
    DisplayName(String),
    /// SetDescription.
    Description(String),
    /// SetPriority.
    Priority(Priority),
    /// SetNotifyFlags.
    NotifyFlags(NotifyFlags),
    /// SetNotifyCmdLine; `None` clears.
    NotifyCommand(Option<NotifyCommand>),
    /// SetMinimumRetryDelay, in seconds; less than 5 becomes 5.
    MinimumRetryDelay(u32),
    /// SetNoProgressTimeout, in seconds; 0 is "never retry".
    NoProgressTimeout(u32),
    /// SetMaximumDownloadTime, in seconds; at least 1.
    MaximumDownloadTime(u32),
    /// How many files of the job run at once; 1 is BITS's strict order. 1 to 64.
    FilesAtOnce(u32),
    /// SetFileACLFlags.
    FileAclFlags(AclFlags),
    /// SetPeerCachingFlags.
    PeerCachingFlags(PeerFlags),
    /// SetProperty.
    Property(Property),
}
