//! The tables that a person reads.

use super::pair::{self, Pair};
use super::race::{self, Race, bytes};
use super::tools::Tool;

/// dray's targets in the race, by the largest number of machines each is for.
const MOST_OF_IDEAL: [(u8, f64); 2] = [(8, 1.05), (u8::MAX, 1.08)];
const MOST_COPIES: f64 = 1.06;
const MOST_CPU_S_PER_GIB: f64 = 4.0;
const MOST_IDLE_BYTES: f64 = 40.0 * 1024.0 * 1024.0;
/// dray beside rqbit, in the same run.
const MOST_OF_RQBIT_WALL: f64 = 0.7;
const MOST_OF_RQBIT_CPU: f64 = 0.6;

const MIB: f64 = 1024.0 * 1024.0;

/// The races, and whether dray reached its targets.
pub(super) fn races(races: &[Race], judged: bool) -> String {
    let mut text = String::from(
        "| machines | program | last has it | fastest to slowest run | of ideal | first has it | origin sent ÷ size | CPU s per GiB | peak memory | idle memory |\n\
         |---:|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for race in races.iter().filter(|race| !race.runs.is_empty()) {
        let last = race.median(|it| it.last_s);
        let (least, most) = race.spread(|it| it.last_s);
        text.push_str(&format!(
            "| {} | {} | {last:.2} s | {least:.2} to {most:.2} s | {:.3} | {:.2} s | {:.3} | {:.2} | {} | {} |\n",
            race.tool.machines(race.machines),
            race.tool.about(),
            last / race.ideal_s,
            race.median(|it| it.first_s),
            race.median(|it| it.origin_copies),
            race.median(|it| it.cpu_s_per_gib),
            memory(Some(race.median(|it| it.peak_bytes))),
            memory(idle(race)),
        ));
    }
    if let Some(race) = races.first() {
        text.push_str(&format!("\nideal = {:.2} s for {:.0} MiB\n", race.ideal_s, bytes(race.size) / MIB));
    }
    let verdicts: String =
        races.iter().filter(|race| judged && race.tool.is_ours()).flat_map(judge).collect();
    verdict_table(text, &verdicts)
}

fn idle(race: &Race) -> Option<f64> {
    race.runs.first()?.idle_bytes?;
    Some(race.median(|it: &race::Found| it.idle_bytes.unwrap_or(f64::NAN)))
}

/// Nothing is known of the memory of a program that has ended.
fn memory(bytes: Option<f64>) -> String {
    bytes.filter(|bytes| *bytes > 0.0).map_or_else(String::new, |bytes| format!("{:.1} MiB", bytes / MIB))
}

fn judge(race: &Race) -> Vec<String> {
    if race.runs.is_empty() {
        return vec![format!("| {} machines | did not end | | **no** |\n", race.machines)];
    }
    let (machines, name) = (race.machines, race.tool.name());
    let of_ideal = race.median(|it| it.last_s) / race.ideal_s;
    let most = MOST_OF_IDEAL.iter().find(|(upto, _)| machines <= *upto).map_or(f64::NAN, |(_, most)| *most);
    let copies = race.median(|it| it.origin_copies);
    let cpu = race.median(|it| it.cpu_s_per_gib);
    let mut verdicts = vec![
        verdict(&format!("{name}, last of {machines}, of ideal"), of_ideal, most, 3),
        verdict(&format!("{name}, {machines} machines, origin sent ÷ size"), copies, MOST_COPIES, 3),
        verdict(&format!("{name}, {machines} machines, CPU s per GiB"), cpu, MOST_CPU_S_PER_GIB, 2),
    ];
    if let Some(idle) = idle(race) {
        let what = format!("{name}, {} peers connected, idle, resident MiB", machines.saturating_sub(1));
        verdicts.push(verdict(&what, idle / MIB, MOST_IDLE_BYTES / MIB, 1));
    }
    verdicts
}

/// Two machines.
pub(super) fn pairs(pairs: &[Pair], judged: bool) -> String {
    let size = pairs.first().map_or(0.0, |pair| bytes(pair.size) / MIB);
    let mut text = format!(
        "| {size:.0} MiB between two machines | wall | CPU s | of giver | of taker | peak memory |\n|---|---:|---:|---:|---:|---:|\n"
    );
    for pair in pairs.iter().filter(|pair| !pair.runs.is_empty()) {
        text.push_str(&format!(
            "| {} | {:.2} s | {:.2} | {:.2} | {:.2} | {:.1} MiB |\n",
            pair.tool.about_pair(),
            pair.median(|it| it.wall_s),
            pair.median(cpu),
            pair.median(|it| it.giver_cpu_s),
            pair.median(|it| it.taker_cpu_s),
            pair.median(|it| it.peak_bytes) / MIB,
        ));
    }
    let of = |tool: Tool| pairs.iter().find(|pair| pair.tool == tool && !pair.runs.is_empty());
    let mut verdicts = String::new();
    let ours = pairs.iter().filter(|pair| judged && pair.tool.is_ours() && !pair.runs.is_empty());
    for (dray, rqbit) in ours.zip(std::iter::repeat(of(Tool::Rqbit))) {
        let (Some(rqbit), name) = (rqbit, dray.tool.name()) else { continue };
        let wall = dray.median(|it| it.wall_s) / rqbit.median(|it| it.wall_s);
        let cpu = dray.median(cpu) / rqbit.median(cpu);
        verdicts.push_str(&verdict(&format!("{name}, wall, of rqbit's"), wall, MOST_OF_RQBIT_WALL, 2));
        verdicts.push_str(&verdict(&format!("{name}, CPU, of rqbit's"), cpu, MOST_OF_RQBIT_CPU, 2));
    }
    verdict_table(text, &verdicts)
}

fn cpu(found: &pair::Found) -> f64 {
    found.giver_cpu_s + found.taker_cpu_s
}

fn verdict(what: &str, found: f64, most: f64, digits: usize) -> String {
    let reached = if found <= most { "yes" } else { "**no**" };
    format!("| {what} | {found:.digits$} | at most {most:.digits$} | {reached} |\n")
}

fn verdict_table(mut text: String, verdicts: &str) -> String {
    if !verdicts.is_empty() {
        text.push_str("\n| dray | result | target | reached |\n|---|---:|---|---|\n");
        text.push_str(verdicts);
    }
    text
}
