//! `dray get` with the engine in this process: nothing to install, nothing to start.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dray_cache::{Effort, Store};
use dray_engine::{Engine, FetchError, FileTask, Retries};
use dray_origin::{Client, ClientConfig};
use dray_platform::paths::{Dirs, Scope};
use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use super::summary::Summary;
use super::{Destination, GetArgs, Request};
use crate::exit::Exit;
use crate::printer::{Printer, bytes};

/// The longest pause between two attempts while a person waits.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Downloads, names the file, and says what came from where.
pub(crate) async fn run(args: &GetArgs, request: Request, printer: &Printer) -> Exit {
    let started = Instant::now();
    let config = ClientConfig { extra_roots: args.ca.clone(), ..ClientConfig::default() };
    let client = match Client::new(config) {
        Ok(client) => client,
        Err(error) => return printer.failure(Exit::Failed, &error.to_string()),
    };
    let Request { url, digest, layout, headers, destination } = request;
    let cache = if args.no_cache { None } else { open_cache(args.cache_dir.clone()) };
    let _lock = match destination.lock() {
        Ok(Some(lock)) => lock,
        Ok(None) => {
            let sentence = format!(
                "another dray is already fetching {}; wait for it, or choose another name with -o",
                destination.path.display()
            );
            return printer.failure(Exit::Failed, &sentence);
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return printer.failure(Exit::NotPermitted, &error.to_string());
        }
        Err(error) => return printer.failure(Exit::Failed, &error.to_string()),
    };
    // Another one may have finished while this one waited for nothing but the lock.
    if let Err(sentence) = destination.check_free(&destination.path) {
        return printer.failure(Exit::Failed, &sentence);
    }
    let resume = destination.checkpoint().unwrap_or_else(|why| {
        printer.note(&format!("{why}; the file starts over"));
        destination.discard();
        None
    });
    let task = FileTask {
        url: url.clone(),
        digest,
        layout,
        temp: destination.temp(),
        resume,
        resume_elsewhere: false,
        live: None,
        without_ranges: false,
        headers,
        retries: Retries { attempts: args.retries.saturating_add(1), longest_pause: LONGEST_PAUSE },
        use_cache: !args.no_cache,
        use_peers: true,
        may_leave_unsynced: false,
    };
    let stop = CancellationToken::new();
    let watch = Arc::new(Progress::new(destination.clone(), *printer, stop.clone()));
    let interrupted = stop_on_interrupt(stop.clone());
    let result = Engine::new(client, cache.clone(), None).fetch(&task, Arc::clone(&watch) as _, stop).await;
    watch.clear();
    interrupted.abort();
    if let Some(why) = watch.refused() {
        destination.discard();
        return printer.failure(Exit::Failed, &why);
    }
    let fetched = match result {
        Ok(fetched) => fetched,
        Err(error) => return fail(&error, task.resume.is_some(), &destination, printer),
    };
    let path = destination.final_path(fetched.file_name.as_ref());
    if let Err(why) = destination.publish(&path) {
        return printer.failure(Exit::Failed, &why);
    }
    let summary = Summary {
        path: &path,
        url: &url,
        size: fetched.size,
        resumed: fetched.bytes.resumed,
        cache: fetched.bytes.cache,
        origin: fetched.bytes.origin,
        cache_host: fetched.bytes.cache_host,
        lan_peers: fetched.bytes.lan_peers,
        group_peers: fetched.bytes.group_peers,
        peer_count: 0,
        wasted: fetched.bytes.wasted,
        content: fetched.id.map(|id| id.to_string()),
        digests: fetched.digests.iter().map(ToString::to_string).collect(),
        took: started.elapsed(),
    };
    summary.print(printer);
    if let Some(cache) = cache {
        keep_house(&cache);
    }
    Exit::Done
}

/// Says what went wrong. What an earlier attempt left, or another one could use, is kept; anything else is removed.
fn fail(error: &FetchError, had_some: bool, destination: &Destination, printer: &Printer) -> Exit {
    let exit = match error {
        FetchError::Interrupted => Exit::Interrupted,
        error => Exit::for_code(error.code()),
    };
    let is_worth_keeping = match error {
        FetchError::Interrupted => true,
        FetchError::Integrity(_) => false,
        error => had_some || error.is_transient(),
    };
    let kept = match destination.checkpoint() {
        Ok(Some(checkpoint)) if is_worth_keeping => checkpoint.filled.len_bytes(),
        _ => 0,
    };
    if kept == 0 {
        destination.discard();
    }
    if printer.json {
        let (code, sentence) = (error.code(), error.to_string());
        printer.json(&serde_json::json!({ "error": {
            "code": code.name(), "value": format!("{:#010x}", code.value()), "message": sentence, "kept": kept,
        }}));
    }
    match (error, kept) {
        (FetchError::Interrupted, 0) => printer.failure(exit, "interrupted"),
        (FetchError::Interrupted, kept) => printer.failure(
            exit,
            &format!("interrupted; {} are kept, and the same command goes on from there", bytes(kept)),
        ),
        (error, 0) => printer.failure(exit, &error.to_string()),
        (error, kept) => printer.failure(
            exit,
            &format!("{error} ({} are kept, and the same command goes on from there)", bytes(kept)),
        ),
    }
}

/// The user's content cache. A command goes on without it, and says so only when asked: the file is what matters.
fn open_cache(chosen: Option<PathBuf>) -> Option<Arc<Store>> {
    let dir = chosen.or_else(|| Dirs::of(Scope::User).ok().map(|dirs| dirs.cache))?;
    match Store::open(&dir, dray_cache::Config::default()) {
        Ok(store) => Some(Arc::new(store)),
        Err(error) => {
            tracing::info!(%error, "the cache is not used");
            None
        }
    }
}

/// Does the cache's housekeeping when much has come in, now that the user has the file.
fn keep_house(cache: &Store) {
    if cache.maintenance_is_due()
        && let Err(error) = cache.maintain(Effort::Brief)
    {
        tracing::info!(%error, "the cache's housekeeping waits");
    }
}

/// The first interrupt stops the download with everything kept; a second one ends the process at once.
fn stop_on_interrupt(stop: CancellationToken) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        stop.cancel();
        let _ = tokio::signal::ctrl_c().await;
        std::process::exit(i32::from(Exit::Interrupted.number()));
    })
}
