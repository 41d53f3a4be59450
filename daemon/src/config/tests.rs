mod peers;

use std::collections::BTreeMap;

use clap::Parser;

use super::*;

/// A place for configuration files, and an environment that is not the process's.
struct Given {
    folder: tempfile::TempDir,
    variables: BTreeMap<&'static str, &'static str>,
    flags: Vec<&'static str>,
}

fn given() -> Given {
    Given { folder: tempfile::tempdir().unwrap(), variables: BTreeMap::new(), flags: Vec::new() }
}

impl Given {
    fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.insert(name, value);
        self
    }

    fn flag(mut self, name: &'static str, value: &'static str) -> Self {
        self.flags.extend([name, value]);
        self
    }

    fn gather(&self) -> Result<Config, String> {
        let flags = Flags::try_parse_from(["drayd"].iter().chain(&self.flags)).map_err(|e| e.to_string())?;
        let places = Places {
            config_file: self.folder.path().join("drayd.toml"),
            state_dir: "/s".into(),
            cache_dir: "/c".into(),
            socket: "/r/drayd.sock".into(),
        };
        let variable = |name: &str| self.variables.get(name).map(OsString::from);
        Config::gather(flags, &variable, &places).map_err(|e| e.to_string())
    }

    fn error(&self) -> String {
        self.gather().unwrap_err().replace(&self.folder.path().display().to_string(), "")
    }
}

#[test]
fn with_nothing_said_every_value_is_a_default() {
    let config = given().gather().unwrap();
    assert_eq!(config.state_dir, Setting { value: "/s".into(), from: Source::Default });
    assert_eq!(config.metrics.value, "127.0.0.1:7681".parse().unwrap());
    assert_eq!(config.files_at_once.value, Count(6));
}

#[test]
fn a_flag_beats_a_variable_beats_a_drop_in_beats_the_file() {
    let mut given = given().file("drayd.toml", "\n[log]\nfilter = \"warn\"\n");
    let from = |given: &Given| {
        let log = given.gather().unwrap().log_filter;
        (log.value.0, log.from.to_string().replace(&given.folder.path().display().to_string(), ""))
    };
    assert_eq!(from(&given), ("warn".into(), "/drayd.toml, line 3".into()));
    given = given
        .file("drayd.d/10-a.toml", "log.filter = \"error\"")
        .file("drayd.d/20-b.toml", "log.format = \"json\"");
    assert_eq!(from(&given), ("error".into(), "/drayd.d/10-a.toml, line 1".into()));
    given = given.variable("DRAY_LOG", "debug");
    assert_eq!(from(&given), ("debug".into(), "environment variable DRAY_LOG".into()));
    given = given.flag("--log", "trace");
    assert_eq!(from(&given), ("trace".into(), "flag --log".into()));
    assert_eq!(given.gather().unwrap().log_format.value, LogFormat::Json);
}

#[test]
fn an_unknown_key_is_one_sentence_with_its_line() {
    let error = given().file("drayd.toml", "socket = \"/a\"\n\n[log]\nfliter = \"info\"\n").error();
    assert_eq!(error, "/drayd.toml, line 4: unknown field `fliter`, expected `filter` or `format`");
}

#[test]
fn a_bad_value_says_what_may_stand_there() {
    let error = given().file("drayd.toml", "[metrics]\nlisten = \"here\"\n").error();
    assert_eq!(
        error,
        "/drayd.toml, line 2: \"here\" is not an address for metrics; write one such as 127.0.0.1:7681, or off"
    );
    let error = given().variable("DRAY_FILES_AT_ONCE", "0").error();
    assert_eq!(
        error,
        "environment variable DRAY_FILES_AT_ONCE: \"0\" is not a whole number from 1 to 100000"
    );
    assert!(given().flag("--log-format", "xml").error().contains("write text or json"));
    assert!(given().variable("DRAY_STATE_DIR", "").error().contains("an empty path"));
}

#[test]
fn text_that_is_not_toml_is_one_sentence_with_its_line() {
    let error = given().file("drayd.toml", "a = 1\nb = = 2\n").error();
    assert!(error.starts_with("/drayd.toml, line "), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn a_named_file_must_exist() {
    let error = given().flag("--config", "/nowhere/drayd.toml").error();
    assert!(error.starts_with("cannot read the configuration file /nowhere/drayd.toml"), "{error}");
}

#[test]
fn a_relative_path_in_the_file_counts_from_the_file() {
    let given = given().file("drayd.toml", "state_dir = \"state\"\n");
    assert_eq!(given.gather().unwrap().state_dir.value, given.folder.path().join("state"));
}

#[test]
fn sizes_are_numbers_or_have_units() {
    let limit = |text: &str| given().file("drayd.toml", &format!("[cache]\nmax_bytes = {text}")).gather();
    assert_eq!(limit("4096").unwrap().cache_max_bytes.value, CacheLimit::Bytes(4096));
    assert_eq!(limit("\"2 GiB\"").unwrap().cache_max_bytes.value, CacheLimit::Bytes(2 << 30));
    assert_eq!(limit("\"500MB\"").unwrap().cache_max_bytes.value, CacheLimit::Bytes(500_000_000));
    assert_eq!(limit("\"off\"").unwrap().cache_max_bytes.value, CacheLimit::Off);
    assert!(limit("\"99999999 TiB\"").is_err());
    assert!(limit("-1").is_err());
}

#[test]
fn a_socket_path_the_kernel_cannot_take_is_refused_before_anything_starts() {
    let long = format!("socket = \"/{}\"", "x".repeat(MAX_SOCKET_PATH_BYTES));
    assert!(given().file("drayd.toml", &long).error().contains("longer than 107 bytes"));
    let fits = format!("socket = \"/{}\"", "x".repeat(MAX_SOCKET_PATH_BYTES - 1));
    assert!(given().file("drayd.toml", &fits).gather().is_ok());
}

#[test]
fn the_administrators_are_a_group_by_name_or_number_or_none() {
    let group = |text: &'static str| {
        given().variable("DRAY_ADMINISTRATORS", text).gather().map(|config| config.administrators.value)
    };
    assert_eq!(group("adm"), Ok(Administrators::Name("adm".to_owned())));
    assert_eq!(group("27"), Ok(Administrators::Number(27)));
    assert_eq!(group("none"), Ok(Administrators::Root));
    assert!(group("").is_err() && group("a:b").is_err());
    let file = given().file("drayd.toml", "administrators = 27");
    assert_eq!(file.gather().unwrap().administrators.value, Administrators::Number(27));
}

#[test]
fn a_proxy_password_is_not_repeated_in_the_error() {
    let error = given().variable("DRAY_PROXY", "http//user:secret@proxy").error();
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn the_example_file_names_every_key_with_its_default() {
    let example = include_str!("../../../deploy/drayd.toml");
    let given_nothing = given();
    let default = given_nothing.gather().unwrap();
    let commented = given_nothing.file("drayd.toml", example).gather().unwrap();
    assert!(commented == default, "the example changes nothing as it stands");

    let is_key = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && line.contains(" = ");
    let keys = example.lines().filter(is_key).count();
    let uncommented: String = example
        .lines()
        .map(|line| if is_key(&line) { &line[1..] } else { line })
        .flat_map(|line| [line, "\n"])
        .collect();
    let said = given().file("drayd.toml", &uncommented).gather().unwrap();
    let debug = format!("{said:?}");
    assert_eq!(debug.matches("from: File").count(), keys, "{debug}");
    assert_eq!(debug.matches("from: Default").count(), 0, "{debug}");
    assert_eq!(said.cache_max_bytes.value, default.cache_max_bytes.value);
    assert_eq!(said.metrics.value, default.metrics.value);
    assert_eq!(said.proxy.value, default.proxy.value);
}
