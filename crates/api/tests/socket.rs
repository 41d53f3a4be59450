//! Who may have the name of a socket, and what a client hears when nobody has it.
#![cfg(unix)]

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
};

use dray_api::{
    client,
    transport::{BindError, BindOptions, ConnectError, Listener},
};

fn bind(path: &std::path::Path) -> Result<Listener, BindError> {
    Listener::bind(path, &BindOptions::default())
}

#[tokio::test]
async fn a_socket_that_a_dead_daemon_left_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    bind(&path).unwrap();
}

#[tokio::test]
async fn a_live_daemon_keeps_its_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let first = bind(&path).unwrap();
    assert!(matches!(bind(&path), Err(BindError::InUse { .. })));
    assert!(path.exists());
    drop(first);
    assert!(!path.exists());
    bind(&path).unwrap();
}

#[tokio::test]
async fn a_live_program_without_our_lock_keeps_its_socket_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let _other = UnixListener::bind(&path).unwrap();
    assert!(matches!(bind(&path), Err(BindError::InUse { .. })));
    assert!(path.exists());
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(bind(&path), Err(BindError::NotASocket { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_socket_that_another_program_put_in_our_place_outlives_us() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let ours = bind(&path).unwrap();
    fs::rename(&path, directory.path().join("away")).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(ours);
    assert!(path.exists());
}

#[tokio::test]
async fn a_path_that_is_too_long_is_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x".repeat(120));
    assert!(matches!(bind(&path), Err(BindError::TooLong { .. })));
}

#[tokio::test]
async fn the_socket_has_the_mode_that_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let _listener = Listener::bind(&path, &BindOptions { mode: 0o600, ..BindOptions::default() }).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn without_a_daemon_the_client_hears_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    assert!(matches!(client::connect(&path).await, Err(ConnectError::NoDaemon { .. })));
    drop(UnixListener::bind(&path).unwrap());
    let error = client::connect(&path).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoDaemon { .. }));
    assert_eq!(error.to_string(), format!("no daemon listens on {}", path.display()));
}
