"""A BitTorrent tracker that remembers everyone: tracker.py ADDRESS PORT."""

import http.server
import socket
import socketserver
import struct
import sys
from urllib.parse import parse_qs, urlsplit

KNOWN = {}


class Tracker(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query, encoding="latin-1")
        swarm = KNOWN.setdefault(query.get("info_hash", [""])[0], {})
        own = (self.client_address[0], int(query.get("port", ["0"])[0]))
        if query.get("event") == ["stopped"]:
            swarm.pop(own, None)
        elif own[1]:
            swarm[own] = True
        peers = b"".join(
            socket.inet_aton(host) + struct.pack("!H", port) for host, port in swarm if (host, port) != own
        )
        body = b"d8:intervali10e12:min intervali2e5:peers%d:%se" % (len(peers), peers)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Not http.server's: that one asks the DNS for its own name, and the lab has none."""

    allow_reuse_address = True
    daemon_threads = True


Server((sys.argv[1], int(sys.argv[2])), Tracker).serve_forever()
