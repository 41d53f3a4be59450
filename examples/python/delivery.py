#!/usr/bin/env python3
"""Fetches one file, or parts of it, as with Delivery Optimization (IDOManager, IDODownload), from Python.

    pip install grpcio grpcio-reflection grpcio-status
    python3 delivery.py https://example.org/file.tar.zst file.tar.zst
    python3 delivery.py https://example.org/file.tar.zst head.bin --range 0+4096 --range 1048576+4096
"""

import argparse
import os
import sys

import grpc

from get import Dray


class Download:
    """IDODownload."""

    def __init__(self, dray, download_id=None):
        self.dray = dray
        self.id = download_id or dray.call("CreateDownload").download_id

    def set(self, property_name, **value):
        self.dray.call(
            "SetDownloadProperty", download_id=self.id, property=f"DOWNLOAD_PROPERTY_{property_name}", value=value
        )

    def get(self, property_name):
        answer = self.dray.call(
            "GetDownloadProperty", download_id=self.id, property=f"DOWNLOAD_PROPERTY_{property_name}"
        )
        return getattr(answer.value, answer.value.WhichOneof("value"))

    def start(self, ranges=()):
        """An empty list is the whole file; None goes on with what was asked for."""
        wanted = {} if ranges is None else {"ranges": {"ranges": [{"offset": o, "length": n} for o, n in ranges]}}
        return self.dray.call("StartDownload", download_id=self.id, **wanted).status

    def call(self, method):
        """Pause, Abort or Finalize."""
        return self.dray.call(f"{method}Download", download_id=self.id).status

    def statuses(self):
        """Each status until the download has ended."""
        for message in self.dray.call("WatchDownloads", download_ids=[self.id]):
            yield message.status


def state_of(dray, status):
    """The name of a state, such as TRANSFERRED."""
    states = dray.message("DownloadStatus").DESCRIPTOR.fields_by_name["state"].enum_type
    return states.values_by_number[status.state].name.removeprefix("DOWNLOAD_STATE_")


def fetch(dray, url, path, ranges):
    download = Download(dray)
    download.set("URI", text=url)
    download.set("LOCAL_PATH", text=os.path.abspath(path))
    download.set("FOREGROUND_PRIORITY", flag=True)
    # The stream opens with the download as it is, so nothing that happens after this line can be missed.
    statuses = download.statuses()
    try:
        download.start(ranges)
        for status in statuses:
            state = state_of(dray, status)
            total = status.bytes_total if status.HasField("bytes_total") else "?"
            print(f"{state}: {status.bytes_transferred} of {total} bytes", file=sys.stderr)
            if state == "TRANSFERRED":
                # Only now does the file get its name.
                download.call("Finalize")
                return 0
            if state == "PAUSED" and status.HasField("error"):
                print(f"{status.error.sentence}\n  code: {status.error.name}", file=sys.stderr)
                download.call("Abort")
                return 1
    except BaseException:
        download.call("Abort")
        raise
    print("the daemon ended the stream of statuses", file=sys.stderr)
    return 1


def a_range(text):
    offset, length = text.split("+")
    return int(offset), int(length)


def main():
    parser = argparse.ArgumentParser(description="Fetch one file through drayd, as with Delivery Optimization.")
    parser.add_argument("url")
    parser.add_argument("path")
    parser.add_argument("--range", type=a_range, action="append", default=[], metavar="OFFSET+LENGTH")
    parser.add_argument("--socket", default=os.environ.get("DRAY_SOCKET", "/run/dray/drayd.sock"))
    args = parser.parse_args()
    dray = None
    try:
        dray = Dray(args.socket, "DeliveryOptimizationService")
        return fetch(dray, args.url, args.path, args.range)
    except grpc.RpcError as error:
        detail = dray.detail(error) if dray else None
        print(f"{detail.sentence}\n  code: {detail.name}" if detail else error.details(), file=sys.stderr)
        return 1 if detail else 3


if __name__ == "__main__":
    sys.exit(main())
