//! Rules about who may depend on whom, read from the manifests. A crate that is not in a manifest cannot be named in the source.

use super::{Finding, Source};

/// Our crates, from the ground up. A crate depends on lower floors only.
const FLOORS: [&[&str]; 6] = [
    &["dray-ranges"],
    &["dray-planner", "dray-content"],
    &["dray-identity", "dray-platform"],
    &["dray-cache", "dray-origin", "dray-swarm", "dray-exchange"],
    &["dray-engine", "dray-jobs", "dray-api"],
    &["dray-cli", "drayd"],
];

/// Stricter than the floor: all of ours that this crate may name.
const ONLY: [(&str, &[&str]); 3] = [
    ("dray-planner", &["dray-ranges"]), // it names no transport and no file
    ("dray-jobs", &["dray-ranges"]),    // what a job may do does not depend on how bytes come
    ("dray-api", &[]), // the wire is a contract with other languages, not a view of our types
];

/// Looser than the floor: the engine's errors are the job machine's codes, and a node's key is a file.
const ALSO: [(&str, &str); 2] = [("dray-engine", "dray-jobs"), ("dray-identity", "dray-platform")];

/// Crates of others that have one owner here, so that they can be replaced there. `crates` is matched by prefix.
const OWNED: [(&str, &str, &str); 6] = [
    ("sled", "dray-cache", "the index can be rebuilt; nothing else may live in it"),
    ("redb", "drayd", "job records are the daemon's"),
    ("reqwest", "dray-origin", "the HTTP client is one crate's choice"),
    ("quinn", "dray-exchange", "bulk transport is one crate's choice"),
    ("rustix", "dray-platform", "the operating system is named in one crate"),
    ("windows-sys", "dray-platform", "the operating system is named in one crate"),
];

/// Programs that stand outside the house: they test, measure or build it.
const OUTSIDE: [&str; 3] = ["dray-tests", "dray-benches", "xtask"];

struct Manifest<'a> {
    path: &'a str,
    name: &'a str,
    /// Line number and name of each dependency, of all kinds.
    dependencies: Vec<(usize, &'a str)>,
}

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let manifests = sources.iter().filter(|source| source.path.ends_with("/Cargo.toml"));
    manifests
        .filter_map(|source| parse(&source.path, &source.text))
        .flat_map(|manifest| judge(&manifest))
        .collect()
}

/// Reads as much of a manifest as we write: sections, `key = ...` and `key.workspace = true`.
fn parse<'a>(path: &'a str, text: &'a str) -> Option<Manifest<'a>> {
    let mut name = None;
    let mut dependencies = Vec::new();
    let mut section = "";
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
            if let Some((_, table)) = section.split_once("dependencies.") {
                dependencies.push((index + 1, table));
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        if section == "package" && key.trim() == "name" {
            name = Some(value.trim().trim_matches('"'));
        }
        if section.ends_with("dependencies") && !line.starts_with('#') {
            let dependency = key.trim().split('.').next().unwrap_or_default();
            dependencies.push((index + 1, dependency));
        }
    }
    Some(Manifest { path, name: name?, dependencies })
}

fn judge(manifest: &Manifest<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let outside = OUTSIDE.contains(&manifest.name);
    if !outside && floor(manifest.name).is_none() {
        let what =
            format!("{} has no floor in the house; give it one in xtask/src/tidy/house.rs", manifest.name);
        findings.push(Finding::in_file(manifest.path, what));
    }
    for &(line, dependency) in &manifest.dependencies {
        let breach = match floor(dependency) {
            Some(below) if !outside => breach_of_direction(manifest.name, dependency, below),
            Some(_) => None,
            None => breach_of_ownership(manifest.name, dependency),
        };
        findings.extend(breach.map(|what| Finding::at(manifest.path, line, what)));
    }
    findings
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

fn breach_of_direction(name: &str, dependency: &str, below: usize) -> Option<String> {
    if ALSO.contains(&(name, dependency)) {
        return None;
    }
    if let Some((_, allowed)) = ONLY.iter().find(|(only, _)| *only == name) {
        return (!allowed.contains(&dependency)).then(|| format!("{name} must not know {dependency}"));
    }
    let own = floor(name)?;
    (below >= own).then(|| format!("{name} must not know {dependency}: dependencies point downwards only"))
}

fn breach_of_ownership(name: &str, dependency: &str) -> Option<String> {
    let (_, owner, reason) = OWNED.iter().find(|(owned, _, _)| *owned == dependency)?;
    (*owner != name).then(|| format!("only {owner} names {dependency}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, dependencies: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n\n[dependencies]\n{dependencies}\n");
        let source = Source { path: format!("crates/{name}/Cargo.toml"), text };
        check(&[source]).iter().map(|finding| finding.what.clone()).collect()
    }

    #[test]
    fn downwards_is_allowed() {
        assert!(found("dray-engine", "dray-cache.workspace = true\ndray-ranges.workspace = true").is_empty());
        assert!(found("drayd", "dray-engine = { workspace = true }\ndray-jobs.workspace = true").is_empty());
    }

    #[test]
    fn upwards_and_sideways_are_reported() {
        assert_eq!(found("dray-ranges", "dray-content.workspace = true").len(), 1);
        assert_eq!(found("dray-swarm", "dray-exchange.workspace = true").len(), 1);
        assert_eq!(found("dray-cli", "drayd.workspace = true").len(), 1);
    }

    #[test]
    fn jobs_knows_ranges_alone_and_the_engine_may_use_its_codes() {
        assert!(found("dray-jobs", "dray-ranges.workspace = true").is_empty());
        assert_eq!(found("dray-jobs", "dray-content.workspace = true").len(), 1);
        assert!(found("dray-engine", "dray-jobs.workspace = true").is_empty());
        assert_eq!(found("dray-api", "dray-ranges.workspace = true").len(), 1);
    }

    #[test]
    fn a_crate_with_an_owner_is_reported_elsewhere_in_whatever_form_it_is_written() {
        assert!(found("dray-cache", "sled.workspace = true").is_empty());
        assert_eq!(found("drayd", "sled.workspace = true").len(), 1);
        assert_eq!(found("drayd", "[dependencies.reqwest]\nworkspace = true").len(), 1);
        assert_eq!(found("dray-cli", "[target.'cfg(unix)'.dependencies]\nrustix = \"1\"").len(), 1);
        assert_eq!(found("dray-tests", "reqwest.workspace = true").len(), 1);
    }

    #[test]
    fn a_crate_without_a_floor_is_reported() {
        assert_eq!(found("dray-util", "").len(), 1);
    }
}
