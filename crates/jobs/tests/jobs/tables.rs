//! The tables 7.2 and 7.3, laid out as in the reference, and every cell driven through a real job.

use dray_jobs::table::{self, ClientCall, ServiceEvent};
use dray_jobs::{Call, Code, Context, Event, FileEvent, FileIndex, JobState, JobType, Setting};

use crate::rig::{DAY, Rig, SECOND, SIZE, from_origin, new_file, new_job};

/// A cell of table 7.2.
#[derive(Clone, Copy, Debug)]
enum Cell {
    /// No change of state, S_OK.
    Keep,
    /// To this state, S_OK.
    To(JobState),
    /// ACKNOWLEDGED with this code.
    Ends(Code),
    /// The state stays, and this is the failure.
    Fails(Code),
}

/// A row of table 7.2: from, then the six columns.
struct Row {
    name: &'static str,
    make: fn(JobType) -> Rig,
    cells: [Cell; 6],
}

fn table_7_2() -> Vec<Row> {
    use Cell::{Ends, Fails, Keep as KEEP, To};
    use JobState::{
        Acknowledged, Cancelled, Connecting, Error, Queued, Suspended, Transferred, Transferring,
        TransientError,
    };
    const INV: Cell = Fails(Code::BG_E_INVALID_STATE);
    const EMPTY: Cell = Fails(Code::BG_E_EMPTY);
    const PART: Cell = Ends(Code::BG_S_PARTIAL_COMPLETE);
    const ACK: Cell = Ends(Code::S_OK);
    const SUSP: Cell = To(Suspended);
    const QUEUE: Cell = To(Queued);
    const CANC: Cell = To(Cancelled);
    fn row(name: &'static str, make: fn(JobType) -> Rig, cells: [Cell; 6]) -> Row {
        Row { name, make, cells }
    }
    #[rustfmt::skip]
    let rows = vec![
        //                                                                  AddFile* Suspend Resume Cancel Complete  Complete
        //                                                                                                 download  upload
        row("SUSPENDED, no files",   |t| Rig::with(dray_jobs::NewJob { job_type: t, ..new_job(1) }),
                                                                           [KEEP,    KEEP,   EMPTY, CANC,  ACK,      INV]),
        row("SUSPENDED, with files", |t| Rig::in_state(t, Suspended),      [KEEP,    KEEP,   QUEUE, CANC,  PART,     INV]),
        row("QUEUED",                |t| Rig::in_state(t, Queued),         [KEEP,    SUSP,   KEEP,  CANC,  PART,     INV]),
        row("CONNECTING",            |t| Rig::in_state(t, Connecting),     [KEEP,    SUSP,   KEEP,  CANC,  PART,     INV]),
        row("TRANSFERRING",          |t| Rig::in_state(t, Transferring),   [KEEP,    SUSP,   KEEP,  CANC,  PART,     INV]),
        row("TRANSIENT_ERROR",       |t| Rig::in_state(t, TransientError), [KEEP,    SUSP,   QUEUE, CANC,  PART,     INV]),
        row("ERROR",                 |t| Rig::in_state(t, Error),          [KEEP,    KEEP,   QUEUE, CANC,  PART,     INV]),
        row("TRANSFERRED",           |t| Rig::in_state(t, Transferred),    [KEEP,    KEEP,   KEEP,  CANC,  ACK,      ACK]),
        row("ACKNOWLEDGED",          |t| Rig::in_state(t, Acknowledged),   [INV,     INV,    INV,   INV,   INV,      INV]),
        row("CANCELLED",             |t| Rig::in_state(t, Cancelled),      [INV,     INV,    INV,   INV,   INV,      INV]),
    ];
    rows
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Column {
    AddFile,
    Suspend,
    Resume,
    Cancel,
    CompleteDownload,
    CompleteUpload,
}

const COLUMNS: [Column; 6] = [
    Column::AddFile,
    Column::Suspend,
    Column::Resume,
    Column::Cancel,
    Column::CompleteDownload,
    Column::CompleteUpload,
];

fn check_7_2(name: &str, mut rig: Rig, column: Column, cell: Cell) {
    let before = rig.state();
    let what = format!("{name} / {column:?}");
    let result = match column {
        Column::AddFile => rig.call(Call::AddFiles(vec![new_file(9)])),
        Column::Suspend => rig.call(Call::Suspend),
        Column::Resume => rig.call(Call::Resume),
        Column::Cancel => rig.call(Call::Cancel),
        Column::CompleteDownload | Column::CompleteUpload => rig.complete(),
    };
    let (state, expected) = match cell {
        Cell::Keep => (before, Ok(Code::S_OK)),
        Cell::To(state) => (state, Ok(Code::S_OK)),
        Cell::Ends(code) => (JobState::Acknowledged, Ok(code)),
        Cell::Fails(code) => (before, Err(code)),
    };
    assert_eq!(result.map_err(|failure| failure.code), expected, "{what}");
    assert_eq!(rig.state(), state, "{what}");
}

#[test]
fn every_cell_of_table_7_2_holds() {
    for row in table_7_2() {
        for (column, cell) in COLUMNS.into_iter().zip(row.cells) {
            let uploads = [JobType::Upload, JobType::UploadReply];
            let types: &[JobType] =
                if column == Column::CompleteUpload { &uploads } else { &[JobType::Download] };
            for job_type in types {
                check_7_2(row.name, (row.make)(*job_type), column, cell);
            }
        }
    }
}

#[test]
fn suspend_resume_and_cancel_of_uploads_are_those_of_downloads() {
    for row in table_7_2() {
        for (column, cell) in COLUMNS.into_iter().zip(row.cells).skip(1).take(3) {
            check_7_2(row.name, (row.make)(JobType::Upload), column, cell);
        }
    }
}

#[test]
fn resume_of_a_transferred_job_queues_it_when_files_were_added() {
    let mut rig = Rig::in_state(JobType::Download, JobState::Transferred);
    rig.add(1);
    assert_eq!(rig.state(), JobState::Transferred);
    rig.ok(Call::Resume);
    assert_eq!(rig.state(), JobState::Queued);
}

#[test]
fn complete_of_a_transferred_job_leaves_it_there_when_a_rename_fails() {
    let mut rig = Rig::in_state(JobType::Download, JobState::Transferred);
    let failure = rig.complete_with(|_| Err(Code::E_ACCESSDENIED.into())).unwrap_err();
    assert_eq!(failure.code, Code::E_ACCESSDENIED);
    assert_eq!(rig.state(), JobState::Transferred);
}

#[test]
fn table_7_3_is_complete_as_a_grid() {
    use ServiceEvent as E;
    const NEXT: &[(&str, JobState)] = &[
        ("QUE", JobState::Queued),
        ("CON", JobState::Connecting),
        ("TRA", JobState::Transferring),
        ("SUS", JobState::Suspended),
        ("ERR", JobState::Error),
        ("TER", JobState::TransientError),
        ("TRD", JobState::Transferred),
        ("ACK", JobState::Acknowledged),
        ("CAN", JobState::Cancelled),
    ];
    #[rustfmt::skip]
    let grid = [
        //                      from: QUE CON TRA SUS ERR TER TRD ACK CAN
        (E::Selected,                "CON  -   -   -   -   -   -   -   - "),
        (E::Connected,               " -  TRA  -   -   -   -   -   -   - "),
        (E::SliceEnds,               " -  QUE QUE  -   -   -   -   -   - "),
        (E::LastFileDone,            " -  TRD TRD  -   -   -   -   -   - "),
        (E::RequestedDone,           " -  SUS SUS  -   -   -   -   -   - "),
        (E::RecoverableError,        " -  TER TER  -   -   -   -   -   - "),
        (E::FatalError,              " -  ERR ERR  -   -   -   -   -   - "),
        (E::RetryDelayOver,          " -   -   -   -   -  QUE  -   -   - "),
        (E::NetworkBack,             " -   -   -   -   -  QUE  -   -   - "),
        (E::PolicyAllows,            " -   -   -   -   -  QUE  -   -   - "),
        (E::NoProgress,              " -   -   -   -   -  ERR  -   -   - "),
        (E::DownloadTimeOver,        " -  ERR ERR  -   -   -   -   -   - "),
        (E::NetworkLost,             "TER TER TER  -   -   -   -   -   - "),
        (E::OwnerLeaves,             " -  QUE QUE  -   -   -   -   -   - "),
        (E::PolicyBlocks,            "TER TER TER  -   -   -   -   -   - "),
        (E::TokenLost,               "ERR ERR ERR  -   -  ERR  -   -   - "),
        (E::ValidationFailed,        "ERR ERR ERR ERR ERR ERR ERR  -   - "),
        (E::PeerCopyInvalid,         " -   -   -   -   -   -  QUE  -   - "),
        (E::LocalFileChanged,        " -  ERR ERR  -   -   -   -   -   - "),
        (E::Inactive,                "CAN CAN CAN CAN CAN CAN CAN  -   - "),
    ];
    for (event, cells) in grid {
        let cells: Vec<&str> = cells.split_whitespace().collect();
        assert_eq!(cells.len(), NEXT.len());
        for ((_, from), cell) in NEXT.iter().zip(cells) {
            let expected = NEXT.iter().find(|(short, _)| *short == cell).map(|(_, state)| *state);
            assert_eq!(table::service(*from, event), expected, "{from} / {event:?}");
        }
    }
}

/// A row of table 7.3: from, what happens (as the reference puts it), to, and the code of the error.
type ServiceRow = (JobState, &'static str, fn(&mut Rig), JobState, Option<Code>);

#[test]
fn every_row_of_table_7_3_holds() {
    use JobState::{
        Cancelled, Connecting, Error, Queued, Suspended, Transferred, Transferring, TransientError,
    };
    const CLOSED: Code = Code::BG_E_CONNECTION_CLOSED;
    const POLICY: Code = Code::BG_E_BLOCKED_BY_POLICY;
    const COST: Code = Code::BG_E_BLOCKED_BY_COST_TRANSFER_POLICY;
    const OFFLINE: Code = Code::BG_E_NETWORK_DISCONNECTED;
    fn whole_job(rig: &mut Rig, code: Code) {
        rig.on(Event::Failed { code, context: Context::Unknown, detail: String::new() });
    }
    fn cut_short(rig: &mut Rig) {
        rig.set(Setting::NoProgressTimeout(0));
    }
    #[rustfmt::skip]
    let rows: &[ServiceRow] = &[
        (Queued,         "scheduler selects the job",            |r| { r.on(Event::Selected); },                    Connecting,     None),
        (Connecting,     "connection made",                      |r| { r.file(0, FileEvent::Connected); },          Transferring,   None),
        (Connecting,     "connection fails",                     |r| { r.fail(0, Code::BG_E_CONNECT_FAILURE); },    TransientError, Some(Code::BG_E_CONNECT_FAILURE)),
        (Transferring,   "time slice ends",                      |r| { r.on(Event::Preempted); },                   Queued,         None),
        (Connecting,     "a higher-priority job arrives",        |r| { r.on(Event::Preempted); },                   Queued,         None),
        (Transferring,   "last file done",                       |r| { r.done(0); },                                Transferred,    None),
        (Transferring,   "on-demand: requested ranges present",  |r| { r.file(0, FileEvent::RequestedDone); },      Suspended,      None),
        (Transferring,   "recoverable error",                    |r| { r.fail(0, CLOSED); },                        TransientError, Some(CLOSED)),
        (Transferring,   "non-recoverable error",                |r| { r.fail(0, Code::http(404)); },               Error,          Some(Code::http(404))),
        (Connecting,     "non-recoverable error",                |r| { r.fail(0, Code::http(404)); },               Error,          Some(Code::http(404))),
        (TransientError, "retry delay expired",                  |r| { r.wait_for_timer(); },                       Queued,         Some(CLOSED)),
        (TransientError, "network connectivity comes back",      |r| { r.on(Event::NetworkBack); },                 Queued,         Some(CLOSED)),
        (TransientError, "no-progress timeout expired",          |r| { r.set(Setting::NoProgressTimeout(60)); r.wait_for_timer(); }, Error, Some(CLOSED)),
        (Transferring,   "no-progress timeout is 0",             |r| { cut_short(r); r.fail(0, CLOSED); },          Error,          Some(CLOSED)),
        (Connecting,     "no-progress timeout is 0",             |r| { cut_short(r); r.fail(0, CLOSED); },          Error,          Some(CLOSED)),
        (Queued,         "no-progress timeout is 0, no network", |r| { cut_short(r); r.on(Event::NetworkLost); },   Error,          Some(OFFLINE)),
        (Transferring,   "retry delay greater than the timeout", |r| { r.set(Setting::NoProgressTimeout(599)); r.fail(0, CLOSED); }, Error, Some(CLOSED)),
        (Transferring,   "retry delay equal to the timeout",     |r| { r.set(Setting::NoProgressTimeout(600)); r.fail(0, CLOSED); }, TransientError, Some(CLOSED)),
        (Connecting,     "maximum download time used up",        |r| { r.set(Setting::MaximumDownloadTime(60)); r.wait_for_timer(); }, Error,          Some(Code::BG_E_MAXDOWNLOAD_TIMEOUT)),
        (Transferring,   "maximum download time used up",        |r| { r.set(Setting::MaximumDownloadTime(1)); r.wait(SECOND); r.on(Event::Timer); }, Error, Some(Code::BG_E_MAXDOWNLOAD_TIMEOUT)),
        (Queued,         "network lost",                         |r| { r.on(Event::NetworkLost); },                 TransientError, Some(OFFLINE)),
        (Connecting,     "network lost",                         |r| { r.on(Event::NetworkLost); },                 TransientError, Some(OFFLINE)),
        (Transferring,   "network lost",                         |r| { r.on(Event::NetworkLost); },                 TransientError, Some(OFFLINE)),
        (Transferring,   "owner logs off",                       |r| { r.on(Event::OwnerLeft); },                   Queued,         None),
        (Queued,         "bandwidth policy of 0 in force",       |r| { r.on(Event::Blocked(POLICY)); },             TransientError, Some(POLICY)),
        (Connecting,     "bandwidth policy of 0 in force",       |r| { r.on(Event::Blocked(POLICY)); },             TransientError, Some(POLICY)),
        (Transferring,   "bandwidth policy of 0 in force",       |r| { r.on(Event::Blocked(POLICY)); },             TransientError, Some(POLICY)),
        (Transferring,   "bandwidth policy: the window ends",    |r| { r.on(Event::Blocked(POLICY)); r.on(Event::Unblocked(POLICY)); }, Queued, Some(POLICY)),
        (Queued,         "cost policy",                          |r| { r.on(Event::Blocked(COST)); },               TransientError, Some(COST)),
        (Transferring,   "battery policy",                       |r| { r.on(Event::Blocked(Code::BG_E_BLOCKED_BY_BATTERY_POLICY)); }, TransientError, Some(Code::BG_E_BLOCKED_BY_BATTERY_POLICY)),
        (Transferring,   "game mode",                            |r| { r.on(Event::Blocked(Code::BG_E_BLOCKED_BY_GAME_MODE)); }, TransientError, Some(Code::BG_E_BLOCKED_BY_GAME_MODE)),
        (Connecting,     "standby",                              |r| { r.on(Event::Blocked(Code::BG_E_STANDBY_MODE)); }, TransientError, Some(Code::BG_E_STANDBY_MODE)),
        (Queued,         "helper token needed but lost",         |r| whole_job(r, Code::BG_E_TOKEN_REQUIRED),       Error,          Some(Code::BG_E_TOKEN_REQUIRED)),
        (Connecting,     "helper token needed but lost",         |r| whole_job(r, Code::BG_E_TOKEN_REQUIRED),       Error,          Some(Code::BG_E_TOKEN_REQUIRED)),
        (Transferring,   "helper token needed but lost",         |r| whole_job(r, Code::BG_E_TOKEN_REQUIRED),       Error,          Some(Code::BG_E_TOKEN_REQUIRED)),
        (TransientError, "helper token needed but lost",         |r| whole_job(r, Code::BG_E_TOKEN_REQUIRED),       Error,          Some(Code::BG_E_TOKEN_REQUIRED)),
        (Transferred,    "validation false on origin data",      |r| { r.ok(Call::SetValidationState { file: FileIndex(0), valid: false }); }, Error, Some(Code::BG_E_VALIDATION_FAILED)),
        (Transferring,   "local file of an upload changed",      |r| whole_job(r, Code::BG_E_LOCAL_FILE_CHANGED),   Error,          Some(Code::BG_E_LOCAL_FILE_CHANGED)),
        (Queued,         "no activity for the timeout",          |r| { r.wait_for_timer(); },                       Cancelled,      None),
        (Suspended,      "no activity for the timeout",          |r| { r.wait_for_timer(); },                       Cancelled,      None),
        (Error,          "no activity for the timeout",          |r| { r.wait_for_timer(); },                       Cancelled,      Some(Code::http(404))),
        (Transferred,    "no activity for the timeout",          |r| { r.wait_for_timer(); },                       Cancelled,      None),
    ];
    for (from, what, happen, to, code) in rows {
        let mut rig = Rig::in_state(JobType::Download, *from);
        happen(&mut rig);
        assert_eq!(rig.state(), *to, "{from} / {what}");
        assert_eq!(rig.job.error().ok().map(|error| error.code), *code, "{from} / {what}");
    }
}

#[test]
fn validation_false_in_an_action_state_is_an_error_too() {
    let mut rig = Rig::serial(2);
    rig.bring_to(JobState::Transferring);
    rig.done(0);
    assert_eq!(rig.state(), JobState::Transferring);
    rig.ok(Call::SetValidationState { file: FileIndex(0), valid: false });
    assert_eq!(rig.state(), JobState::Error);
}

#[test]
fn nothing_happens_to_a_job_that_has_ended() {
    for state in [JobState::Acknowledged, JobState::Cancelled] {
        let mut rig = Rig::in_state(JobType::Download, state);
        let before = rig.job.clone();
        let sources = from_origin(SIZE);
        let run = before.files()[0].run();
        for event in [
            Event::Selected,
            Event::Preempted,
            Event::Timer,
            Event::NetworkLost,
            Event::NetworkBack,
            Event::OwnerLeft,
            Event::Blocked(Code::BG_E_STANDBY_MODE),
            Event::File { file: FileIndex(0), run, event: FileEvent::Done { size: SIZE, sources } },
        ] {
            rig.wait(1000 * DAY);
            assert_eq!(rig.on(event), []);
            assert_eq!(rig.job, before);
        }
        assert_eq!(rig.job.timeout(), None);
    }
}

#[test]
fn the_pure_table_agrees_that_an_upload_is_completed_only_when_transferred() {
    for state in JobState::ALL {
        let from = table::Standing { state, job_type: JobType::Upload, has_files: true, all_arrived: true };
        let result = table::client(from, ClientCall::Complete);
        assert_eq!(result.is_ok(), state == JobState::Transferred, "{state}");
    }
}
