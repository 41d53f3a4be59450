"""The local API as somebody uses it who does not write Rust: job life, events, and downloads of Delivery Optimization.

    life.py SOCKET URL FOLDER

URL is a file of some hundred KiB, and URL with "-missing" behind it is none. What goes wrong ends the program.
"""

import os
import sys

import grpc

from delivery import Download, state_of
from get import Dray


class Health(Dray):
    """grpc.health.v1, described by the daemon too."""

    def __init__(self, socket):
        super().__init__(socket)
        self._service = self._pool.FindServiceByName("grpc.health.v1.Health")


def refusal(dray, call):
    """The name of the code with which a call is refused."""
    try:
        call()
    except grpc.RpcError as error:
        detail = dray.detail(error)
        assert detail is not None and detail.sentence and detail.value & 0x80000000, error
        return detail.name
    raise AssertionError("not refused")


def reflected(socket):
    """The services are described and in health."""
    health = Health(socket)
    for service in ("JobService", "DaemonService", "DeliveryOptimizationService"):
        Dray(socket, service)
        answer = health.call("Check", service=f"dray.v1.{service}")
        serving = answer.DESCRIPTOR.enum_types_by_name["ServingStatus"].values_by_name["SERVING"].number
        assert answer.status == serving, service
    print("reflected")


def job_life(dray, url, folder):
    path = os.path.join(folder, "job.bin")
    job = dray.call("CreateJob", properties={"display_name": "life", "notify_flags": 0x1B}).job.job_id
    events = dray.call("WatchEvents", job_ids=[job])
    kinds = [next(events).event.WhichOneof("event"), next(events).event.WhichOneof("event")]
    assert kinds == ["snapshot", "caught_up"], kinds
    assert refusal(dray, lambda: dray.call("ResumeJob", job_id=job)) == "BG_E_EMPTY"
    dray.call("AddFiles", job_id=job, files=[{"remote_url": url, "local_path": path}])
    dray.call("SetRemoteName", job_id=job, file_index=0, remote_url=url + "-missing")
    dray.call("ReplaceRemotePrefix", job_id=job, old_prefix=url + "-missing", new_prefix=url)
    dray.call("ResumeJob", job_id=job)
    seen = []
    for message in events:
        seen.append(message.event.WhichOneof("event"))
        if seen[-1] == "job_transferred":
            break
    # One for the file, one for each of the two new names.
    assert seen.count("modified") == 3, seen
    assert "file_transferred" in seen and "state_changed" in seen, seen
    shown = dray.call("GetJob", job_id=job).job
    assert shown.owner == str(os.getuid()) and (shown.owner_name or os.getuid() != 0), shown
    assert not os.path.exists(path)
    dray.call("CompleteJob", job_id=job)
    assert os.path.getsize(path) == shown.progress.bytes_transferred > 0
    assert refusal(dray, lambda: dray.call("GetJob", job_id=job)) == "BG_E_NOT_FOUND"
    print("job")


def acknowledged(dray, url, folder):
    """An event that is not acknowledged comes again, and one that is does not."""
    job = dray.call("CreateJob", properties={"display_name": "events"}).job.job_id
    dray.call("AddFiles", job_id=job, files=[{"remote_url": url, "local_path": os.path.join(folder, "events.bin")}])
    dray.call("ResumeJob", job_id=job)
    for _ in range(2):
        stream = dray.call("WatchEvents", job_ids=[job], acknowledge=True)
        told = next(m.event for m in stream if m.event.WhichOneof("event") == "job_transferred")
        assert told.event_id
        stream.cancel()
    dray.call("AcknowledgeEvent", event_id=told.event_id)
    again = dray.call("AcknowledgeEvent", event_id=told.event_id)
    assert again.code == again.DESCRIPTOR.fields_by_name["code"].enum_type.values_by_name["SUCCESS_CODE_S_FALSE"].number
    dray.call("CancelJob", job_id=job)
    print("events")


def wrong_values(dray):
    """A value that an enumeration does not have is an argument that is not valid; the code says more."""
    for properties in ({"priority": 77}, {"notify_flags": 0x40}):
        try:
            dray.call("CreateJob", properties={"display_name": "x", **properties})
            raise AssertionError("not refused")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
            assert dray.detail(error).name == "E_NOTIMPL", error
    print("values")


def downloads(dray, url, folder):
    path = os.path.join(folder, "do", "whole.bin")
    download = Download(dray)
    assert refusal(dray, lambda: download.start()) == "DO_E_DOWNLOAD_NO_URI"
    download.set("URI", text=url)
    download.set("LOCAL_PATH", text=path)
    download.set("FOREGROUND_PRIORITY", flag=True)
    download.set("BLOCKING_MODE", flag=True)
    assert download.get("URI") == url and download.get("NO_PROGRESS_TIMEOUT_SECONDS") == 3600
    statuses = download.statuses()
    assert state_of(dray, next(statuses)) == "CREATED"
    status = download.start()
    assert state_of(dray, status) == "TRANSFERRED" and not os.path.exists(path)
    category = {"property": "DOWNLOAD_PROPERTY_URI", "value": url}
    listed = dray.call("EnumDownloads", category=category).downloads
    assert [one.download_id for one in listed] == [download.id], listed
    assert state_of(dray, download.call("Finalize")) == "FINALIZED"
    assert [state_of(dray, status) for status in statuses][-1] == "FINALIZED"
    assert os.path.getsize(path) == status.bytes_transferred
    assert refusal(dray, lambda: download.call("Pause")) == "DO_E_INVALID_STATE"
    assert refusal(dray, lambda: dray.call("EnumDownloads")) == "DO_E_NO_DOWNLOADS"

    part = Download(dray)
    part.set("URI", text=url)
    part.set("LOCAL_PATH", text=os.path.join(folder, "part.bin"))
    part.set("BLOCKING_MODE", flag=True)
    assert part.start([(10, 20), (0, 5)]).bytes_transferred == 25
    part.call("Finalize")
    with open(path, "rb") as whole, open(os.path.join(folder, "part.bin"), "rb") as packed:
        whole = whole.read()
        assert packed.read() == whole[10:30] + whole[:5]

    lost = Download(dray)
    lost.set("URI", text=url + "-missing")
    lost.set("LOCAL_PATH", text=os.path.join(folder, "lost.bin"))
    lost.set("BLOCKING_MODE", flag=True)
    status = lost.start()
    assert (state_of(dray, status), status.error.value) == ("PAUSED", 0x80190194), status
    assert state_of(dray, lost.call("Abort")) == "ABORTED"
    print("downloads")


if __name__ == "__main__":
    socket, url, folder = sys.argv[1:]
    reflected(socket)
    jobs = Dray(socket)
    job_life(jobs, url, folder)
    acknowledged(jobs, url, folder)
    wrong_values(jobs)
    downloads(Dray(socket, "DeliveryOptimizationService"), url, folder)
