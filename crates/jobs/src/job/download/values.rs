//! GetProperty and SetProperty: which values are taken, and when (reference 13.4).

use super::{
    Download, DownloadProperty, DownloadState, DownloadValue, MAX_CORRELATION, MAX_HEADER_BLOCK, MAX_HEADERS,
    MIN_NO_PROGRESS_S,
};
use crate::names::check_display_name;
use crate::{Code, Failure, Job, LocalName, PathRules, Priority, RemoteName};

/// The greatest DODownloadCostPolicy.
const MAX_COST_POLICY: u32 = 5;

impl Job {
    /// GetProperty. E_NOT_SET for what was never set and has no default.
    pub fn download_property(&self, property: DownloadProperty) -> Result<DownloadValue, Failure> {
        use DownloadProperty as P;
        use DownloadValue::{Flag, Long, Number, Text};
        property.may_get()?;
        let of = self.download_part()?;
        let text = |text: &Option<String>| text.clone().map(Text);
        let value = match property {
            P::Id => Some(Text(self.id.to_string())),
            P::Uri => of.uri.as_ref().map(|uri| Text(uri.as_str().to_owned())),
            P::ContentId => text(&of.content_id),
            P::DisplayName => text(&of.display_name),
            P::LocalPath => of.local.as_ref().map(|local| Text(local.as_str().to_owned())),
            P::HttpCustomHeaders => text(&of.headers),
            P::HttpCustomAuthHeaders => text(&of.auth_headers),
            P::CostPolicy => of.cost_policy.map(Number),
            P::CallbackFreqPercent => of.callback_percent.map(Number),
            P::CallbackFreqSeconds => Some(Number(of.callback_seconds.unwrap_or(super::DEFAULT_CALLBACK_S))),
            P::NoProgressTimeoutSeconds => Some(Number(self.properties.no_progress_timeout_s)),
            P::ForegroundPriority => Some(Flag(self.properties.priority == Priority::Foreground)),
            P::BlockingMode => Some(Flag(of.blocking)),
            P::CorrelationVector => text(&of.correlation),
            P::IntegrityCheckMandatory => Some(Flag(of.check_mandatory)),
            P::TotalSizeBytes => {
                let learned = self.files.first().and_then(|file| file.learned.size);
                learned.or(of.total_size).map(Long)
            }
            P::DisallowOnCellular => Some(Flag(of.no_cellular)),
            P::HttpAllowSecureToNonSecureRedirect => Some(Flag(false)),
            P::NonVolatile => Some(Flag(of.non_volatile)),
            _ => None,
        };
        value.ok_or_else(|| {
            Failure::new(Code::E_NOT_SET, format!("The property {} was never set.", property.name()))
        })
    }

    /// The headers that go with every request of the job.
    #[must_use]
    pub fn request_headers(&self) -> Vec<(String, String)> {
        let Some(of) = &self.download else { return Vec::new() };
        let blocks = of.headers.iter().chain(&of.auth_headers);
        blocks.flat_map(|block| headers(block).unwrap_or_default()).collect()
    }

    /// How often a client is told of progress: after this many seconds, and after this many percent of the whole.
    #[must_use]
    pub fn callback_frequency(&self) -> (u32, Option<u32>) {
        let of = self.download.as_deref();
        let seconds = of.and_then(|of| of.callback_seconds).unwrap_or(super::DEFAULT_CALLBACK_S);
        (seconds, of.and_then(|of| of.callback_percent))
    }

    /// BlockingMode.
    #[must_use]
    pub fn blocks_start(&self) -> bool {
        self.download.as_ref().is_some_and(|of| of.blocking)
    }

    pub(super) fn download_part(&self) -> Result<&Download, Failure> {
        self.download.as_deref().ok_or_else(|| Failure::from(Code::E_NOT_SET))
    }

    /// Whether the property may be set in this state.
    pub fn check_settable(&self, property: DownloadProperty) -> Result<(), Failure> {
        use DownloadProperty::{ContentId, IntegrityCheckMandatory, LocalPath, Uri};
        property.may_set()?;
        let state = self.download_state();
        let may = match property {
            Uri => matches!(state, DownloadState::Created | DownloadState::Paused),
            ContentId | LocalPath | IntegrityCheckMandatory => state == DownloadState::Created,
            _ => !state.is_final(),
        };
        if may {
            return Ok(());
        }
        let sentence =
            format!("The property {} cannot be set of a download that is {}.", property.name(), state.name());
        Err(Failure::new(Code::DO_E_INVALID_STATE, sentence))
    }

    /// The download and its priority as they would be with this value.
    pub(super) fn with_value(
        &self,
        property: DownloadProperty,
        value: DownloadValue,
    ) -> Result<(Download, Priority), Failure> {
        use DownloadProperty as P;
        let mut next = self.download_part()?.clone();
        let mut priority = self.properties.priority;
        match property {
            P::Uri => next.uri = Some(uri(text(property, value)?)?),
            P::ContentId => next.content_id = Some(given(property, text(property, value)?)?),
            P::DisplayName => {
                let name = text(property, value)?;
                check_display_name(&name)
                    .map_err(|failure| Failure { code: Code::E_INVALIDARG, ..failure })?;
                next.display_name = Some(name);
            }
            P::LocalPath => next.local = Some(local(&text(property, value)?, self.rules.paths)?),
            P::HttpCustomHeaders => next.headers = Some(block(property, text(property, value)?)?),
            P::HttpCustomAuthHeaders => next.auth_headers = Some(block(property, text(property, value)?)?),
            P::CostPolicy => next.cost_policy = Some(at_most(property, value, MAX_COST_POLICY)?),
            P::SecurityFlags => drop(at_most(property, value, 0)?),
            P::CallbackFreqPercent => next.callback_percent = Some(at_most(property, value, 100)?),
            P::CallbackFreqSeconds => next.callback_seconds = Some(at_most(property, value, u32::MAX)?),
            P::NoProgressTimeoutSeconds => {
                let seconds = at_most(property, value, u32::MAX)?;
                if seconds < MIN_NO_PROGRESS_S {
                    let sentence = format!("A no-progress time has at least {MIN_NO_PROGRESS_S} seconds.");
                    return Err(Failure::new(Code::E_INVALIDARG, sentence));
                }
                next.no_progress_s = Some(seconds);
            }
            P::ForegroundPriority => {
                priority = if flag(property, value)? { Priority::Foreground } else { Priority::Normal };
            }
            P::BlockingMode => next.blocking = flag(property, value)?,
            P::CorrelationVector => {
                let vector = text(property, value)?;
                if vector.chars().count() > MAX_CORRELATION {
                    let sentence = format!("A correlation vector has at most {MAX_CORRELATION} characters.");
                    return Err(Failure::new(Code::E_INVALIDARG, sentence));
                }
                next.correlation = Some(vector);
            }
            P::IntegrityCheckMandatory => next.check_mandatory = flag(property, value)?,
            P::TotalSizeBytes => match value {
                DownloadValue::Long(bytes) => next.total_size = Some(bytes),
                _ => return Err(wrong_type(property, "a number of 64 bits")),
            },
            P::DisallowOnCellular => next.no_cellular = flag(property, value)?,
            P::HttpAllowSecureToNonSecureRedirect => {
                if flag(property, value)? {
                    let sentence = "A redirect from https to http is never followed here.";
                    return Err(Failure::new(Code::E_NOTIMPL, sentence));
                }
            }
            P::NonVolatile => next.non_volatile = flag(property, value)?,
            _ => return property.may_set().and(Err(Code::E_UNEXPECTED.into())),
        }
        let count = next.headers.iter().chain(&next.auth_headers);
        let count: usize = count.map(|block| headers(block).map_or(0, |headers| headers.len())).sum();
        if count > MAX_HEADERS {
            let sentence = format!("{count} headers are given; at most {MAX_HEADERS} go with a request.");
            return Err(Failure::new(Code::E_INVALIDARG, sentence));
        }
        Ok((next, priority))
    }
}

fn wrong_type(property: DownloadProperty, wanted: &str) -> Failure {
    Failure::new(Code::E_INVALIDARG, format!("The value of {} has to be {wanted}.", property.name()))
}

fn text(property: DownloadProperty, value: DownloadValue) -> Result<String, Failure> {
    match value {
        DownloadValue::Text(text) if text.contains('\0') => Err(wrong_type(property, "text without NUL")),
        DownloadValue::Text(text) => Ok(text),
        _ => Err(wrong_type(property, "text")),
    }
}

fn given(property: DownloadProperty, text: String) -> Result<String, Failure> {
    if text.is_empty() { Err(wrong_type(property, "text that is not empty")) } else { Ok(text) }
}

fn flag(property: DownloadProperty, value: DownloadValue) -> Result<bool, Failure> {
    match value {
        DownloadValue::Flag(flag) => Ok(flag),
        _ => Err(wrong_type(property, "true or false")),
    }
}

fn at_most(property: DownloadProperty, value: DownloadValue, most: u32) -> Result<u32, Failure> {
    match value {
        DownloadValue::Number(number) if number <= most => Ok(number),
        DownloadValue::Number(_) => Err(wrong_type(property, &format!("{most} or less"))),
        _ => Err(wrong_type(property, "a number of 32 bits")),
    }
}

/// Empty is E_INVALIDARG; anything else that is no URL, INET_E_INVALID_URL.
fn uri(text: String) -> Result<RemoteName, Failure> {
    let text = given(DownloadProperty::Uri, text)?;
    RemoteName::parse(&text).map_err(|failure| Failure { code: Code::INET_E_INVALID_URL, ..failure })
}

fn local(text: &str, rules: PathRules) -> Result<LocalName, Failure> {
    LocalName::parse(text, rules)
}

fn block(property: DownloadProperty, text: String) -> Result<String, Failure> {
    if text.len() > MAX_HEADER_BLOCK {
        let sentence = format!("A block of headers has at most {MAX_HEADER_BLOCK} bytes.");
        return Err(Failure::new(Code::E_INVALIDARG, sentence));
    }
    match headers(&text) {
        Some(_) => Ok(text),
        None => Err(wrong_type(property, "lines of the form \"Name: value\"")),
    }
}

/// The lines of a block; `None` when one of them is no header.
fn headers(block: &str) -> Option<Vec<(String, String)>> {
    let lines = block.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    lines.filter(|line| !line.is_empty()).map(header).collect()
}

fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let value = value.trim_matches([' ', '\t']);
    // RFC 9110, 5.1 and 5.5.
    let in_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let in_value = |c: char| c == '\t' || c == ' ' || c.is_ascii_graphic();
    let good = !name.is_empty() && name.chars().all(in_name) && value.chars().all(in_value);
    good.then(|| (name.to_owned(), value.to_owned()))
}
