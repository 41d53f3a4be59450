//! The life of the process: start, serve, stop.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use dray_api::server;
use dray_api::transport::{BindOptions, Listener, path_for};
use dray_cache::Store;
use dray_engine::Engine;
use dray_jobs::{Limits, Places as JobPlaces, Rules};
use dray_origin::{Client, ClientConfig, ProxyChoice};
use dray_platform::open::create_private_dir;
use dray_platform::paths::{Dirs, Scope};
use dray_platform::peer;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::{
    Administrators, CacheLimit, Config, Count, Flags, MetricsAt, Mode, Places, Proxy, Seconds,
};
use crate::events::Hub;
use crate::history::History;
use crate::logging::{self, LogLevel};
use crate::metrics::{self, Metrics};
use crate::notify::Commands;
use crate::peering::Peering;
use crate::records::{self, InstanceLock};
use crate::runner::{Actor, Clock, Parts, restore, wall};
use crate::services::{About, Access, Daemon, Downloads, Jobs};
use crate::signals::{Signals, Wish};
use crate::wire::take::PATHS;
use crate::{keeper, service_manager};

/// Rights of the socket of the machine's daemon: anyone may knock, the kernel says who it is.
const MACHINE_SOCKET_MODE: u32 = 0o666;
/// Rights of the socket of a user's daemon: for that user, and for root, whom no rights hold back.
const USER_SOCKET_MODE: u32 = 0o600;
/// How long taking leave of peers may take.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);
/// How long a thread for blocking work is kept when there is none.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(3);

/// Runs the daemon to its end.
pub(crate) fn run(flags: Flags) -> Result<()> {
    let scope = Scope::of_daemon();
    let places = places(scope)?;
    let config = gather(&flags, &places)?;
    let level = logging::start(&config.log_filter.value, config.log_format.value);
    log_panics();
    // One thread moves bytes and answers calls; hashing, writing and syncing happen on threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(THREAD_KEEP_ALIVE)
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(serve(&flags, &places, scope, &config, &level));
    // Whatever still blocks holds nothing that a restart would not find again.
    runtime.shutdown_background();
    outcome
}

fn places(scope: Scope) -> Result<Places> {
    let dirs = Dirs::of(scope)?;
    Ok(Places {
        config_file: dirs.config.join("drayd.toml"),
        socket: path_for(&dirs.runtime),
        state_dir: dirs.state,
        cache_dir: dirs.cache,
    })
}

fn gather(flags: &Flags, places: &Places) -> Result<Config> {
    Ok(Config::gather(flags.clone(), &|name| std::env::var_os(name), places)?)
}

async fn serve(
    flags: &Flags,
    places: &Places,
    scope: Scope,
    config: &Config,
    level: &LogLevel,
) -> Result<()> {
    let started = wall();
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let state_dir = &config.state_dir.value;
    create_private_dir(state_dir)?;
    let _lock = InstanceLock::take(state_dir)?;
    // Before anything that takes time: who connects now waits a moment instead of being turned away.
    let listener = listen(&config.socket.value, scope)?;

    let metrics = Metrics::new().context("cannot set up metrics")?;
    let mut loaded = records::open(state_dir)?;
    let raw_jobs = std::mem::take(&mut loaded.jobs);
    let mut warnings = std::mem::take(&mut loaded.warnings);
    let measure = {
        let metrics = metrics.clone();
        move |took: Duration| metrics.commit_seconds.observe(took.as_secs_f64())
    };
    let (records, writer) = loaded.start(measure).context("cannot start the writer of the job records")?;

    let clock = Clock::start();
    let mut restored = restore(clock.now(), rules(config), job_places(config), raw_jobs, &records);
    warnings.append(&mut restored.warnings);
    let cache = open_cache(config, &mut warnings);
    let administrators = administrators(config, &mut warnings);
    let peering =
        Arc::new(Peering::start(&config.peers, state_dir, cache.clone().map(Arc::new), &mut warnings));
    for warning in &warnings {
        tracing::warn!("{warning}");
    }

    let client = Client::new(client_config(config)).context("cannot set up the HTTP client")?;
    let engine = Arc::new(Engine::new(client, cache.clone().map(Arc::new), peering.peers().cloned()));
    let hub = Hub::new(metrics.clone());
    let history = History::open(state_dir, started.unix_ms());
    let arrivals = Arc::new(Notify::new());
    let this_user = peer::this_process().context("cannot find out who runs the daemon")?.user;
    let parts = Parts {
        fetcher: engine,
        records,
        hub: hub.clone(),
        metrics: metrics.clone(),
        clock,
        transfers_at_once: count(config.transfers_at_once.value),
        arrivals: arrivals.clone(),
        commands: Commands::of_user(&this_user),
        history: history.clone(),
        peers_off: peering.why_off().cloned(),
    };
    let (runner, actor) = Actor::new(parts, restored);
    let access = Access::new(this_user).with_administrators(administrators);
    let about = Arc::new(About { started, state_dir: state_dir.clone(), warnings, settings: config.list() });
    let jobs =
        Jobs { runner: runner.clone(), hub: hub.clone(), access: access.clone(), metrics: metrics.clone() };
    let daemon = Daemon {
        about,
        runner,
        cache: cache.clone(),
        peering: peering.clone(),
        history: history.clone(),
        access,
        metrics: metrics.clone(),
    };

    let downloads = Downloads::beside(&jobs);

    if let Some(store) = cache {
        tokio::spawn(keeper::keep(store, arrivals, metrics.clone()));
    }
    serve_metrics(config.metrics.value, metrics.clone()).await;
    let stop = CancellationToken::new();
    let working = tokio::spawn(actor.run(stop.clone()));
    let watching = tokio::spawn(peering.clone().watch(metrics, history.clone(), stop.clone()));
    let remembering = tokio::spawn(history.keep(stop.clone(), || wall().unix_ms()));
    let serving =
        tokio::spawn(server::serve_all(listener, jobs, daemon, downloads, stop.clone().cancelled_owned()));
    tracing::info!(socket = %config.socket.value.display(), state = %state_dir.display(), "serving");
    service_manager::ready();

    let outcome = until_stopped(&mut signals, serving, &stop, &hub, || reload(flags, places, level)).await;
    if working.await.is_err() {
        tracing::error!("the runner ended by a mistake of the daemon; please report it");
    }
    // The others are told before the last bytes are counted. Whatever becomes of all three, nothing depends on it.
    let _ = tokio::time::timeout(LEAVE_PATIENCE, peering.stop()).await;
    let _ = watching.await;
    let _ = remembering.await;
    writer.close();
    tracing::info!("stopped");
    outcome
}

/// Waits for the end, and sees to it that everyone hears of it.
async fn until_stopped(
    signals: &mut Signals,
    mut serving: tokio::task::JoinHandle<Result<(), server::ServeError>>,
    stop: &CancellationToken,
    hub: &Hub,
    reload: impl Fn(),
) -> Result<()> {
    loop {
        tokio::select! {
            served = &mut serving => {
                stop.cancel();
                return Ok(served??);
            }
            wish = signals.next() => match wish {
                Wish::Reload => reload(),
                Wish::Stop => break,
            }
        }
    }
    tracing::info!("stopping");
    service_manager::stopping();
    stop.cancel();
    hub.close();
    serving.await??;
    Ok(())
}

fn listen(socket: &Path, scope: Scope) -> Result<Listener> {
    let mode = match scope {
        Scope::System => MACHINE_SOCKET_MODE,
        Scope::User => USER_SOCKET_MODE,
    };
    if let Some(directory) = socket.parent().filter(|directory| !directory.exists()) {
        match scope {
            Scope::System => std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot create the directory {}", directory.display()))?,
            Scope::User => create_private_dir(directory)?,
        }
    }
    #[allow(clippy::needless_update, reason = "on Windows there is more")]
    let options = BindOptions {
        mode,
        // Whoever is in no group that the kernel tells is in none.
        #[cfg(unix)]
        groups: |socket| peer::groups_of_socket(socket).unwrap_or_default(),
        ..BindOptions::default()
    };
    Ok(Listener::bind(socket, &options)?)
}

/// The number of the group of administrators. One that does not exist has no members, and the daemon starts all the same.
fn administrators(config: &Config, warnings: &mut Vec<String>) -> Option<u32> {
    let name = match &config.administrators.value {
        Administrators::Root => return None,
        Administrators::Number(number) => return Some(*number),
        Administrators::Name(name) => name,
    };
    let from = &config.administrators.from;
    match peer::group_number(name) {
        Ok(Some(number)) => return Some(number),
        Ok(None) => {
            warnings.push(format!("{from}: there is no group {name:?}; only root is an administrator"))
        }
        Err(error) => warnings.push(format!(
            "{from}: cannot look up the group {name:?} ({error}); only root is an administrator"
        )),
    }
    None
}

/// The cache is a convenience: without it every file comes from its origin.
fn open_cache(config: &Config, warnings: &mut Vec<String>) -> Option<Store> {
    let max_bytes = match config.cache_max_bytes.value {
        _ if config.peers.mode.value == Mode::Bypass => return None,
        CacheLimit::Off => return None,
        CacheLimit::Bytes(bytes) => bytes,
    };
    let cache_config =
        dray_cache::Config { max_bytes, open_index_early: true, ..dray_cache::Config::default() };
    let opened = create_private_dir(&config.cache_dir.value)
        .map_err(|error| error.to_string())
        .and_then(|()| Store::open(&config.cache_dir.value, cache_config).map_err(|error| error.to_string()));
    match opened {
        Ok(store) => Some(store),
        Err(error) => {
            warnings.push(format!("the content cache is off: {error}"));
            None
        }
    }
}

fn rules(config: &Config) -> Rules {
    Rules {
        limits: Limits {
            jobs_per_owner: count(config.jobs_per_owner.value),
            jobs_per_machine: count(config.jobs_per_machine.value),
            files_per_job: count(config.files_per_job.value),
            ranges_per_file: count(config.ranges_per_file.value),
        },
        files_at_once: config.files_at_once.value.0,
        paths: PATHS,
        ..Rules::default()
    }
}

fn job_places(config: &Config) -> JobPlaces {
    JobPlaces { background: count(config.background_at_once.value), ..JobPlaces::default() }
}

fn count(Count(count): Count) -> usize {
    count as usize
}

fn client_config(config: &Config) -> ClientConfig {
    let seconds = |Seconds(seconds): Seconds| Duration::from_secs(seconds);
    ClientConfig {
        connect_timeout: seconds(config.connect_timeout_s.value),
        first_byte_timeout: seconds(config.first_byte_timeout_s.value),
        stall_timeout: seconds(config.stall_timeout_s.value),
        proxy: match &config.proxy.value {
            Proxy::System => ProxyChoice::System,
            Proxy::Direct => ProxyChoice::None,
            Proxy::Url(url) => ProxyChoice::Explicit { proxy: url.clone(), bypass: String::new() },
        },
        extra_roots: config.extra_roots.value.0.clone(),
        ..ClientConfig::default()
    }
}

/// A monitor that finds nobody is a smaller harm than a daemon that does not start.
async fn serve_metrics(at: MetricsAt, metrics: Metrics) {
    let MetricsAt::Address(address) = at else { return };
    warn_of_strangers(address);
    match TcpListener::bind(address).await {
        Ok(listener) => {
            tokio::spawn(metrics::serve(listener, metrics));
        }
        Err(error) => {
            tracing::warn!(%address, %error, "metrics are not served; choose another address with --metrics")
        }
    }
}

fn warn_of_strangers(address: SocketAddr) {
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "metrics can be read by everyone who reaches this machine");
    }
}

fn reload(flags: &Flags, places: &Places, level: &LogLevel) {
    match gather(flags, places) {
        Ok(config) => {
            level.set(&config.log_filter.value);
            tracing::info!(filter = config.log_filter.value.0, "the log filter was read again");
        }
        Err(error) => tracing::warn!("the configuration was not read again: {error:#}"),
    }
}

/// A panic in a thread of its own ends that thread; the log has to say so.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("a mistake of the daemon, please report it: {panic}");
    }));
}
