"""libtorrent, for one torrent: libtorrent_client.py TORRENT FOLDER DONE [--seed].

Writes the file DONE when it has everything, and goes on to give until it is ended.
"""

import pathlib
import sys
import time

import libtorrent

torrent, folder, done = sys.argv[1:4]
session = libtorrent.session(
    {
        "listen_interfaces": "0.0.0.0:6881",
        "enable_dht": False,
        # Machines that start at the same moment and hear of each other by multicast dial each other at once, and libtorrent
        # then closes both connections as duplicates and waits a minute. The tracker tells only one of two.
        "enable_lsd": False,
        # The same still happens now and then, and its minute would be all that is measured.
        "min_reconnect_time": 1,
        # Where both sides offer uTP it is taken, and it is slow without loss to measure.
        "enable_outgoing_utp": False,
        "enable_incoming_utp": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "alert_mask": libtorrent.alert.category_t.status_notification,
    }
)
wish = libtorrent.add_torrent_params()
wish.ti = libtorrent.torrent_info(torrent)
wish.save_path = folder
if "--seed" in sys.argv:
    wish.flags |= libtorrent.torrent_flags.seed_mode
handle = session.add_torrent(wish)
while not handle.status().is_seeding:
    session.wait_for_alert(20)
    session.pop_alerts()
# What it still holds in memory is written before it counts as there.
handle.flush_cache()
while not any(isinstance(alert, libtorrent.cache_flushed_alert) for alert in session.pop_alerts()):
    if "--seed" in sys.argv:
        break
    session.wait_for_alert(20)
pathlib.Path(done).touch()
while True:
    time.sleep(60)
