"""Makes a torrent of one file: make_torrent.py FILE OUT TRACKER [WEB_SEED]."""

import hashlib
import os
import sys

MIB = 1 << 20


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    pairs = sorted((key.encode(), item) for key, item in value.items())
    return b"d" + b"".join(bencode(key) + bencode(item) for key, item in pairs) + b"e"


def pieces(path, length):
    with open(path, "rb") as file:
        while part := file.read(length):
            yield hashlib.sha1(part).digest()


def main(path, out, tracker, web_seed=None):
    size = os.path.getsize(path)
    # What mktorrent takes for such sizes.
    length = MIB // 4 if size <= 256 * MIB else MIB
    info = {
        "length": size,
        "name": os.path.basename(path),
        "piece length": length,
        "pieces": b"".join(pieces(path, length)),
    }
    torrent = {"announce": tracker, "info": info}
    if web_seed:
        torrent["url-list"] = [web_seed]
    with open(out, "wb") as file:
        file.write(bencode(torrent))


main(*sys.argv[1:])
