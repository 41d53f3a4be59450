#!/usr/bin/env python3
"""A notification client as they have been written for BITS for decades, from Python.

    pip install grpcio grpcio-reflection grpcio-status
    python3 classic_client.py SOCKET JOB...

It sets the notify flags of some jobs, does what is usual when one of them calls back, and ends with the jobs. Handlers
must be idempotent: an event whose acknowledgement was lost comes again.
"""

import os
import sys
import time

import grpc

from get import Dray

# BG_NOTIFY_JOB_TRANSFERRED, JOB_ERROR, JOB_MODIFICATION and FILE_TRANSFERRED.
FLAGS = 0x01 | 0x02 | 0x08 | 0x10
BG_E_INSUFFICIENT_RANGE_SUPPORT = 0x80200013
BG_E_NOT_FOUND = 0x80200001
# The largest file that is worth fetching in one piece.
LARGEST = 2 << 30


class Client:
    def __init__(self, dray, jobs):
        self.dray = dray
        self.open = set(jobs)
        self.foreground = dray.message("JobProperties").DESCRIPTOR.file.enum_types_by_name["JobPriority"]
        self.foreground = self.foreground.values_by_name["JOB_PRIORITY_FOREGROUND"].number

    def run(self):
        for job in self.open:
            self.dray.call("UpdateJob", job_id=job, properties={"notify_flags": FLAGS})
        # In BITS: SetNotifyInterface of each job.
        for message in self.dray.call("WatchEvents", job_ids=sorted(self.open), acknowledge=True):
            event = message.event
            handler = getattr(self, event.WhichOneof("event"), None)
            rejected = False
            if handler:
                try:
                    handler(event.job_id, event)
                except (grpc.RpcError, OSError) as error:
                    print(error, file=sys.stderr)
                    rejected = True
            if event.event_id:
                # The return value of the callback. A failure brings the event again.
                self.dray.call("AcknowledgeEvent", event_id=event.event_id, rejected=rejected)
            if not self.open:
                return 0
        print("the daemon ended the stream", file=sys.stderr)
        return 1

    def file_transferred(self, job, event):
        """Looks at the bytes before anyone else may have them."""
        print("FileTransferred")
        file = event.file_transferred.file
        valid = os.stat(file.temporary_path).st_size == file.progress.bytes_total
        self.dray.call("SetValidationState", job_id=job, file_index=file.index, valid=valid)

    def job_transferred(self, job, _event):
        print("JobTransferred")
        self.end("CompleteJob", job)
        print("completed")

    def job_failed(self, job, event):
        print("JobError")
        detail = event.job_failed.error.detail
        print(f"error: {detail.name} {detail.sentence}")
        if detail.value == BG_E_INSUFFICIENT_RANGE_SUPPORT and self.is_worth_one_piece(job):
            # In the foreground a server needs no ranges.
            self.dray.call("UpdateJob", job_id=job, properties={"priority": self.foreground})
            self.dray.call("ResumeJob", job_id=job)
            print("resumed in the foreground")
        else:
            self.end("CancelJob", job)
            print("cancelled")

    def modified(self, job, _event):
        """It does not count what happened; whoever is slow here only hears of it less often."""
        print("JobModification")
        time.sleep(0.2)
        try:
            found = self.dray.call("GetJob", job_id=job).job
        except grpc.RpcError:
            return  # an old modification may come after the end of the job
        print(f"state {found.state}: {found.progress.bytes_transferred} bytes")

    def is_worth_one_piece(self, job):
        """Whether every size is known and small, and this was not tried before."""
        if self.dray.call("GetJob", job_id=job).job.properties.priority == self.foreground:
            return False
        files = self.dray.call("ListFiles", job_id=job, page_size=1000).files
        return all(f.progress.HasField("bytes_total") and f.progress.bytes_total < LARGEST for f in files)

    def end(self, method, job):
        try:
            self.dray.call(method, job_id=job)
        except grpc.RpcError as error:
            detail = self.dray.detail(error)
            # It ended before, and the acknowledgement was lost.
            if detail is None or detail.value != BG_E_NOT_FOUND:
                raise
        self.open.discard(job)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: classic_client.py SOCKET JOB...")
    sys.exit(Client(Dray(sys.argv[1]), sys.argv[2:]).run())
