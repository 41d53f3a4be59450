#!/usr/bin/env python3
"""Fetches one file through drayd, from Python.

    pip install grpcio grpcio-reflection grpcio-status
    python3 get.py https://example.org/file.tar.zst file.tar.zst

Nothing is generated: the daemon describes its own API (gRPC reflection), and the messages are made from that.
"""

import argparse
import os
import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status


class Dray:
    """One service of the daemon, with a method for each call and a class for each message."""

    def __init__(self, socket, service="JobService"):
        # By default gRPC for Python names the server by its socket path, which is no host name and gets refused.
        options = [("grpc.default_authority", "localhost")]
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=options)
        self._pool = DescriptorPool(ProtoReflectionDescriptorDatabase(self._channel))
        self._service = self._pool.FindServiceByName(f"dray.v1.{service}")

    def message(self, name):
        return GetMessageClass(self._pool.FindMessageTypeByName(f"dray.v1.{name}"))

    def call(self, method, **fields):
        """Calls `method`; the answer is a message, or an iterator of messages for a stream."""
        described = self._service.methods_by_name[method]
        request, response = GetMessageClass(described.input_type), GetMessageClass(described.output_type)
        shape = self._channel.unary_stream if described.server_streaming else self._channel.unary_unary
        send = shape(
            f"/{self._service.full_name}/{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        return send(request(**fields))

    def detail(self, error):
        """The ErrorDetail of a failed call, or None when the failure is not the daemon's."""
        status = rpc_status.from_call(error)
        for packed in status.details if status else ():
            detail = self.message("ErrorDetail")()
            if packed.Unpack(detail):
                return detail
        return None


def fetch(dray, url, path, digest):
    job = dray.call("CreateJob", properties={"display_name": f"get.py {os.path.basename(path)}"}).job
    try:
        file = {"remote_url": url, "local_path": os.path.abspath(path), "digest": digest}
        dray.call("AddFiles", job_id=job.job_id, files=[file])
        # The stream opens with the job as it is, so nothing that happens after this line can be missed.
        events = dray.call("WatchEvents", job_ids=[job.job_id])
        dray.call("ResumeJob", job_id=job.job_id)
        for message in events:
            event = message.event
            kind = event.WhichOneof("event")
            if kind == "progressed":
                progress = event.progressed.progress
                total = progress.bytes_total if progress.HasField("bytes_total") else "?"
                print(f"\r{progress.bytes_transferred} of {total} bytes", end="", file=sys.stderr)
            elif kind == "job_transferred":
                # Only now does the file get its name.
                dray.call("CompleteJob", job_id=job.job_id)
                print(f"\n{path}", file=sys.stderr)
                return 0
            elif kind == "job_failed":
                detail = event.job_failed.error.detail
                print(f"\n{detail.sentence}\n  code: {detail.name} (0x{detail.value:08x})", file=sys.stderr)
                dray.call("CancelJob", job_id=job.job_id)
                return 1
    except BaseException:
        dray.call("CancelJob", job_id=job.job_id)
        raise
    print("the daemon ended the stream of events; the job goes on", file=sys.stderr)
    return 1


def main():
    parser = argparse.ArgumentParser(description="Fetch one file through drayd.")
    parser.add_argument("url")
    parser.add_argument("path")
    parser.add_argument("--digest", default="", help="sha256:HEX, sha512:HEX or blake3:HEX")
    parser.add_argument("--socket", default=os.environ.get("DRAY_SOCKET", "/run/dray/drayd.sock"))
    args = parser.parse_args()
    dray = None
    try:
        dray = Dray(args.socket)
        return fetch(dray, args.url, args.path, args.digest)
    except grpc.RpcError as error:
        detail = dray.detail(error) if dray else None
        if detail is None:
            print(f"{args.socket}: {error.details()}", file=sys.stderr)
            return 3
        print(f"{detail.sentence}\n  code: {detail.name} (0x{detail.value:08x})", file=sys.stderr)
        if detail.hint:
            print(f"  hint: {detail.hint}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
