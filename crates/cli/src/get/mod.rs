//! `dray get URL`: one file, with the engine in this process or through the daemon.

mod arrived;
mod destination;
mod embedded;
mod progress;
mod summary;
mod through_daemon;

use std::path::PathBuf;

use clap::Args;
use dray_content::Digest;
use dray_origin::{SafeName, parse_url};
use dray_ranges::{Layout, RangeSpec, check_request};
use url::Url;

use crate::exit::Exit;
use crate::printer::Printer;
use destination::Destination;

/// What `dray get` is given.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// What to download; http or https.
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// Where to put it. Default: the name in the URL, in this folder; without a daemon, the name that the server proposes.
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,

    /// What the file must hash to, as in `sha256:HEX`; also sha512 and blake3.
    #[arg(long, value_name = "ALGORITHM:HEX")]
    pub(crate) digest: Option<String>,

    /// Only these bytes, counted from 0, both ends included; `FIRST-` for the rest. Several are put back to back in the given order.
    #[arg(long = "range", value_name = "FIRST-LAST", conflicts_with = "digest")]
    pub(crate) ranges: Vec<String>,

    /// Replace a file that exists.
    #[arg(short, long)]
    pub(crate) force: bool,

    /// Download in this process, even when a daemon is running.
    #[arg(long, conflicts_with = "daemon")]
    pub(crate) embedded: bool,

    /// Download through the daemon, and fail when there is none.
    #[arg(long)]
    pub(crate) daemon: bool,

    /// Neither look in the content cache nor add to it.
    #[arg(long)]
    pub(crate) no_cache: bool,

    /// Where the content cache is.
    #[arg(long, value_name = "DIR", env = "DRAY_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,

    /// A file of further certificate authorities (PEM) to trust.
    #[arg(long, value_name = "FILE", env = "DRAY_CA")]
    pub(crate) ca: Vec<PathBuf>,

    /// A header to send with every request, as in `Name: value`. It stays with the host of the URL, and what comes with it is not cached.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,

    /// How often to try again when nothing comes; a daemon tries for a minute.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) retries: u32,
}

/// A request whose every part was checked.
pub(crate) struct Request {
    pub(crate) url: Url,
    pub(crate) digest: Option<Digest>,
    pub(crate) layout: Layout,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) destination: Destination,
}

/// Runs `dray get`.
pub(crate) async fn run(args: GetArgs, socket: Option<PathBuf>, printer: &Printer) -> Exit {
    let request = match request(&args) {
        Ok(request) => request,
        Err((exit, sentence)) => return printer.failure(exit, &sentence),
    };
    if let Err(sentence) = request.destination.check_free(&request.destination.path) {
        return printer.failure(Exit::Failed, &sentence);
    }
    // What only this process knows how to send keeps the download in it.
    let needs_this_process =
        !args.headers.is_empty() || !args.ca.is_empty() || args.no_cache || args.cache_dir.is_some();
    if !args.embedded && (args.daemon || !needs_this_process) {
        match through_daemon::connect(socket).await {
            Ok(channel) => {
                if let Some(exit) = through_daemon::run(channel, &request, args.daemon, printer).await {
                    return exit;
                }
            }
            Err((exit, sentence)) if args.daemon => return printer.failure(exit, &sentence),
            Err((_, sentence)) => tracing::debug!("{sentence}; downloading in this process"),
        }
    }
    embedded::run(&args, request, printer).await
}

/// Turns text into types; the error says which exit code and why.
fn request(args: &GetArgs) -> Result<Request, (Exit, String)> {
    let usage = |sentence: String| (Exit::Usage, sentence);
    let url = parse_url(&args.url).map_err(|error| usage(error.to_string()))?;
    let digest = args
        .digest
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|error| usage(format!("--digest: {error}")))?;
    let headers = args
        .headers
        .iter()
        .map(|line| match line.split_once(':') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok((name.trim().to_owned(), value.trim().to_owned()))
            }
            _ => Err(usage(format!("--header {line:?}: a header is written `Name: value`"))),
        })
        .collect::<Result<_, _>>()?;
    let layout = layout(&args.ranges).map_err(usage)?;
    let named = args.output.clone().map_or_else(
        || Destination::from_url(SafeName::from_url(&url), args.force),
        |path| Destination::from_path(path, args.force),
    );
    let destination = named.map_err(|sentence| (Exit::Failed, sentence))?;
    Ok(Request { url, digest, layout, headers, destination })
}

fn layout(ranges: &[String]) -> Result<Layout, String> {
    if ranges.is_empty() {
        return Ok(Layout::whole());
    }
    let specs: Vec<RangeSpec> = ranges.iter().map(|text| range(text)).collect::<Result<_, _>>()?;
    check_request(&specs).and_then(|()| Layout::packed(specs)).map_err(|error| format!("--range: {error}"))
}

fn range(text: &str) -> Result<RangeSpec, String> {
    let wrong = || format!("--range {text:?}: a range is written FIRST-LAST, as in 0-99, or FIRST-");
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let offset: u64 = first.parse().map_err(|_| wrong())?;
    let length = match last {
        "" => None,
        last => {
            let last: u64 = last.parse().map_err(|_| wrong())?;
            let length = last.checked_sub(offset).and_then(|span| span.checked_add(1));
            Some(length.ok_or_else(|| format!("--range {text:?}: the last byte comes before the first"))?)
        }
    };
    Ok(RangeSpec { offset, length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_with_both_ends_included() {
        assert_eq!(range("0-99"), Ok(RangeSpec { offset: 0, length: Some(100) }));
        assert_eq!(range("7-"), Ok(RangeSpec { offset: 7, length: None }));
        for wrong in ["", "-", "5", "-5", "9-3", "a-b", "0-18446744073709551616", "0-18446744073709551615"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
