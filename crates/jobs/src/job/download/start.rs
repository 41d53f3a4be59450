//! What a Start asks for, and what that makes of what was asked for before (reference 13.3).
//!
//! The ranges of all Starts lie packed in the local file, in the order in which they were asked for (8.1). What has
//! arrived stays; a list that did not get there gives way to the next one.

use dray_ranges::{Layout, RangeSet, RangeSpec};

use crate::{Code, Failure};

/// What a Start asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// No list: what was asked for before, and the whole file on a first Start.
    Same,
    /// An empty list: the whole file.
    Whole,
    /// These ranges.
    Ranges(Vec<RangeSpec>),
}

/// What was asked for so far.
pub(super) struct Asked<'a> {
    pub(super) layout: &'a Layout,
    /// How many of its ranges, from the first, are here.
    pub(super) arrived: usize,
    /// Size of the remote file, when it is known.
    pub(super) size: Option<u64>,
}

/// Another layout than before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Another {
    pub(super) layout: Layout,
    /// How many of its ranges are here already.
    pub(super) arrived: usize,
}

/// The layout of a first Start.
pub(super) fn first(wanted: Wanted) -> Result<Layout, Failure> {
    match wanted {
        Wanted::Same | Wanted::Whole => Ok(Layout::whole()),
        Wanted::Ranges(ranges) => packed(ranges, None),
    }
}

/// What a PAUSED download is to fetch; `None`: what it was fetching.
pub(super) fn again(asked: &Asked<'_>, wanted: Wanted) -> Result<Option<Another>, Failure> {
    let specs = asked.layout.specs();
    match wanted {
        Wanted::Same => Ok(None),
        Wanted::Whole if specs.is_none() => Ok(None),
        Wanted::Whole => Ok(Some(Another { layout: Layout::whole(), arrived: 0 })),
        Wanted::Ranges(ranges) => match specs {
            Some(specs) if specs[asked.arrived..] == ranges[..] => Ok(None),
            Some(specs) => {
                let mut all = specs[..asked.arrived].to_vec();
                all.extend(ranges);
                Ok(Some(Another { layout: packed(all, asked.size)?, arrived: asked.arrived }))
            }
            None => Ok(Some(Another { layout: packed(ranges, asked.size)?, arrived: 0 })),
        },
    }
}

/// What a TRANSFERRED download is to fetch besides; `None`: it is here already.
pub(super) fn more(asked: &Asked<'_>, wanted: Wanted) -> Result<Option<Another>, Failure> {
    let Wanted::Ranges(ranges) = wanted else { return again(asked, wanted) };
    // Checked alone first, so that a faulty list is refused whatever is here.
    let list = packed(ranges.clone(), asked.size)?;
    let Some(specs) = asked.layout.specs() else { return Ok(None) };
    let here = asked.size.and_then(|size| asked.layout.wanted(size).ok());
    let wanted: Option<RangeSet> = asked.size.and_then(|size| list.wanted(size).ok());
    if here.zip(wanted).is_some_and(|(here, wanted)| here.covers(&wanted)) {
        return Ok(None);
    }
    let arrived = specs.len();
    let all = [specs, &ranges].concat();
    Ok(Some(Another { layout: packed(all, asked.size)?, arrived }))
}

/// While it runs nothing else can be asked for.
pub(super) fn unchanged(asked: &Asked<'_>, wanted: &Wanted) -> Result<(), Failure> {
    let same = match (wanted, asked.layout.specs()) {
        (Wanted::Same, _) | (Wanted::Whole, None) => true,
        (Wanted::Ranges(ranges), Some(specs)) => specs[asked.arrived..] == ranges[..],
        _ => false,
    };
    if same {
        return Ok(());
    }
    let sentence =
        "The download is under way; wait until it is TRANSFERRED, or pause it, to ask for other ranges.";
    Err(Failure::new(Code::DO_E_DOWNLOAD_RANGES_UNEXPECTED, sentence))
}

fn packed(ranges: Vec<RangeSpec>, size: Option<u64>) -> Result<Layout, Failure> {
    let failure = |error: &_| crate::job::calls::range_failure(error).for_do();
    let layout = Layout::packed(ranges).map_err(|error| failure(&error))?;
    if let Some(size) = size {
        layout.resolve(size).map_err(|error| failure(&error))?;
    }
    Ok(layout)
}
