"""Every call of every service with every argument out of range, told by the daemon's own description of itself.

    sweep.py SOCKET owner|stranger

Each answer is a result or a refusal with its code; no refusal speaks of a mistake of the daemon. A stranger, whom the
daemon does not serve, learns nothing from any of them.
"""

import sys

import grpc
from google.protobuf.descriptor import FieldDescriptor as Field

from get import Dray

SERVICES = ("JobService", "DaemonService", "DeliveryOptimizationService")
# What a stranger may know: which daemon this is, how it is, and what a code means.
OPEN = {"GetVersion", "GetStatus", "GetErrorDescription", "ListPeers"}
TEXTS = ["", "\0", "../../etc", "x" * 5000, "http://[::", "00000000-0000-0000-0000-000000000000", "\u202e\U0001f4a3"]
UNSIGNED = [0, 1, 1 << 31, (1 << 32) - 1]
LONG = [0, 1, 1 << 63, (1 << 64) - 1]
SIGNED = [0, -1, 77, (1 << 31) - 1, -(1 << 31)]
# How long a stream may take to its first message, and any call to its end, in seconds.
PATIENCE = 20

VALUES = {
    Field.CPPTYPE_STRING: TEXTS,
    Field.CPPTYPE_UINT32: UNSIGNED,
    Field.CPPTYPE_UINT64: LONG,
    Field.CPPTYPE_INT32: SIGNED,
    Field.CPPTYPE_INT64: SIGNED,
    Field.CPPTYPE_BOOL: [True, False],
    Field.CPPTYPE_ENUM: SIGNED,
}


def variants(descriptor, known, depth=0):
    """Messages as dictionaries: each field out of range in turn, the ids of things that exist elsewhere."""
    plain = {name: value for name, value in known.items() if name in descriptor.fields_by_name}
    yield plain
    for field in descriptor.fields:
        if field.cpp_type == Field.CPPTYPE_MESSAGE:
            if depth < 3 and not field.message_type.full_name.startswith("google."):
                inner = list(variants(field.message_type, known, depth + 1))
            else:
                inner = [{}]
        elif field.cpp_type == Field.CPPTYPE_STRING and field.type == Field.TYPE_BYTES:
            inner = [b"", b"\xff" * 100]
        else:
            inner = VALUES[field.cpp_type]
        is_list = field.is_repeated if hasattr(field, "is_repeated") else field.label == Field.LABEL_REPEATED
        for value in inner:
            yield {**plain, field.name: [value] * 3 if is_list else value}
        if is_list and inner:
            yield {**plain, field.name: [inner[0]] * 1500}


def sweep(socket, known, is_stranger):
    calls = refused = 0
    for name in SERVICES:
        dray = Dray(socket, name)
        for method in dray._service.methods:
            # What the call before has ended is of no use to this one.
            known = known if is_stranger else things(socket)
            for fields in variants(method.input_type, known):
                calls += 1
                try:
                    answer = dray.call(method.name, **fields)
                    if method.server_streaming:
                        first = next(answer, None)
                        answer.cancel()
                        assert not (is_stranger and first), (method.name, fields)
                    assert not is_stranger or method.name in OPEN, (method.name, fields)
                except UnicodeEncodeError:
                    continue
                except grpc.RpcError as error:
                    refused += 1
                    detail = dray.detail(error)
                    assert detail is not None, (method.name, fields, error)
                    assert detail.name and detail.sentence and detail.name != "E_UNEXPECTED", (method.name, fields, detail)
                    if is_stranger and method.name not in OPEN:
                        assert detail.name == "E_ACCESSDENIED", (method.name, fields, detail)
    return calls, refused


def things(socket):
    """A job and a download to ask about."""
    jobs, downloads = Dray(socket), Dray(socket, "DeliveryOptimizationService")
    job = jobs.call("CreateJob", properties={"display_name": "sweep"}).job.job_id
    return {"job_id": job, "download_id": downloads.call("CreateDownload").download_id}


if __name__ == "__main__":
    socket, who = sys.argv[1:3]
    known = things(socket) if who == "owner" else dict(pair.split("=") for pair in sys.argv[3:])
    if who == "owner":
        print(" ".join(f"{name}={value}" for name, value in known.items()))
    calls, refused = sweep(socket, known, who == "stranger")
    print(f"{calls} calls, {refused} refused")
