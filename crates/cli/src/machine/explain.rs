//! `dray explain`: what was decided for each file, and what to change.

use dray_api::v1::{
    BytesBySource, Decision, ExplainFilesRequest, ExplainFilesResponse, FileExplanation, SourceAccount,
    SourceKind,
};
use serde_json::{Value, json};

use super::some;
use crate::job::link::Link;
use crate::job::problem::Problem;
use crate::job::text::plain;
use crate::printer::{Printer, bytes};

/// Hexadecimal digits of a BLAKE3 root.
const CONTENT_DIGITS: usize = 64;

pub(super) async fn explain(link: &mut Link, what: &str, printer: &Printer) -> Result<(), Problem> {
    let request = asked(link, what).await?;
    let answer = link.daemon.explain_files(request).await?.into_inner();
    if printer.json {
        printer.json(&object(&answer));
        return Ok(());
    }
    for (number, file) in answer.files.iter().enumerate() {
        if number > 0 {
            printer.data("");
        }
        describe(file).iter().for_each(|line| printer.data(line));
    }
    if answer.files.is_empty() {
        printer.data("No file of yours came from there lately.");
    }
    if !answer.machine.is_empty() {
        printer.data("");
        printer.data("on this machine now");
        answer.machine.iter().flat_map(decision).for_each(|line| printer.data(&line));
    }
    Ok(())
}

async fn asked(link: &mut Link, what: &str) -> Result<ExplainFilesRequest, Problem> {
    let digits = what.strip_prefix("blake3:").unwrap_or(what);
    let nothing = ExplainFilesRequest::default();
    if what.contains("://") {
        return Ok(ExplainFilesRequest { remote_url: what.to_owned(), ..nothing });
    }
    if digits.len() == CONTENT_DIGITS && digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(ExplainFilesRequest { content_id: digits.to_owned(), ..nothing });
    }
    Ok(ExplainFilesRequest { job_id: link.resolve(what).await?, ..nothing })
}

fn describe(file: &FileExplanation) -> Vec<String> {
    let mut lines = vec![plain(&file.remote_url)];
    lines.extend(some(&file.local_path).map(|path| format!("  to {}", plain(path))));
    lines.extend(some(&file.job_id).map(|id| format!("  job {}, file {}", plain(id), file.file_index)));
    let is_there = if file.transferred { "arrived" } else { "not there yet" };
    lines.push(format!("  {is_there}: {}", origins(&file.bytes_by_source.unwrap_or_default())));
    lines.extend(file.sources.iter().map(|source| format!("    {}", account(source))));
    lines.extend(file.decisions.iter().flat_map(decision));
    if file.decisions.is_empty() {
        lines.push("  nothing is known of why; it has not been begun".to_owned());
    }
    lines
}

/// `8.10 MiB from the origin, 55.90 MiB from peers`.
fn origins(sources: &BytesBySource) -> String {
    let each = [
        (sources.local_cache_bytes, "from the cache"),
        (sources.cache_host_bytes, "from a cache host"),
        (sources.peer_bytes, "from peers"),
        (sources.origin_bytes, "from the origin"),
    ];
    let said =
        each.iter().filter(|(count, _)| *count > 0).map(|(count, from)| format!("{} {from}", bytes(*count)));
    let said = said.collect::<Vec<_>>().join(", ");
    if said.is_empty() { "no bytes".to_owned() } else { said }
}

fn account(source: &SourceAccount) -> String {
    let named = [kind(source).to_owned(), plain(&source.name), plain(&source.address)];
    let named: Vec<_> = named.into_iter().filter(|part| !part.is_empty()).collect();
    let mut line = format!("{}: {}", named.join(" "), bytes(source.bytes));
    if source.wasted_bytes > 0 {
        line += &format!(", and {} in vain", bytes(source.wasted_bytes));
    }
    if let Some(remark) = some(&source.remark) {
        line += &format!(" ({})", plain(remark));
    }
    line
}

fn decision(decision: &Decision) -> Vec<String> {
    let mark = if decision.against { "!" } else { "-" };
    let mut lines = vec![format!("  {mark} {}", plain(&decision.sentence))];
    lines.extend(some(&decision.hint).map(|hint| format!("    try: {}", plain(hint))));
    lines
}

fn kind(source: &SourceAccount) -> &'static str {
    match source.kind() {
        SourceKind::Unspecified => "source",
        SourceKind::Origin => "origin",
        SourceKind::CacheHost => "cache host",
        SourceKind::LanPeer => "LAN peer",
        SourceKind::GroupPeer => "group peer",
        SourceKind::LocalCache => "cache",
    }
}

fn object(answer: &ExplainFilesResponse) -> Value {
    let decisions = |decisions: &[Decision]| {
        let shown = decisions.iter().map(|it| {
            json!({ "name": it.name, "sentence": it.sentence, "hint": some(&it.hint), "against": it.against })
        });
        shown.collect::<Vec<Value>>()
    };
    let account = |it: &SourceAccount| {
        json!({
            "kind": kind(it).replace(' ', "_").to_ascii_uppercase(),
            "name": some(&it.name),
            "address": some(&it.address),
            "bytes": it.bytes,
            "wasted_bytes": it.wasted_bytes,
            "remark": some(&it.remark),
        })
    };
    let file = |file: &FileExplanation| {
        let sources = file.bytes_by_source.unwrap_or_default();
        json!({
            "job_id": some(&file.job_id),
            "file_index": file.file_index,
            "remote_url": file.remote_url,
            "local_path": some(&file.local_path),
            "time": file.time.map(|time| time.to_string()),
            "transferred": file.transferred,
            "bytes_by_source": {
                "origin_bytes": sources.origin_bytes,
                "peer_bytes": sources.peer_bytes,
                "cache_host_bytes": sources.cache_host_bytes,
                "local_cache_bytes": sources.local_cache_bytes,
            },
            "sources": file.sources.iter().map(account).collect::<Vec<Value>>(),
            "decisions": decisions(&file.decisions),
        })
    };
    json!({
        "files": answer.files.iter().map(file).collect::<Vec<Value>>(),
        "machine": decisions(&answer.machine),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_with_its_sources_and_each_reason_with_what_to_try() {
        let file = FileExplanation {
            remote_url: "https://host/a".to_owned(),
            transferred: true,
            bytes_by_source: Some(BytesBySource {
                origin_bytes: 1024,
                peer_bytes: 2048,
                ..BytesBySource::default()
            }),
            sources: vec![SourceAccount {
                kind: SourceKind::LanPeer.into(),
                name: "12D3".to_owned(),
                address: "192.0.2.7:7680".to_owned(),
                bytes: 2048,
                wasted_bytes: 1,
                remark: "it left".to_owned(),
            }],
            decisions: vec![Decision {
                name: "nobody-connected".to_owned(),
                sentence: "No other machine is connected.".to_owned(),
                hint: "Start one.".to_owned(),
                against: true,
            }],
            ..FileExplanation::default()
        };
        let expected = [
            "https://host/a",
            "  arrived: 2.00 KiB from peers, 1.00 KiB from the origin",
            "    LAN peer 12D3 192.0.2.7:7680: 2.00 KiB, and 1 B in vain (it left)",
            "  ! No other machine is connected.",
            "    try: Start one.",
        ];
        assert_eq!(describe(&file), expected);
    }

    #[test]
    fn a_file_that_was_not_begun_says_so() {
        let lines = describe(&FileExplanation::default());
        assert_eq!(
            lines[1..],
            ["  not there yet: no bytes", "  nothing is known of why; it has not been begun"]
        );
    }
}
