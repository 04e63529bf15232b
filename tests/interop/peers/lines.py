"""Commands in, events out: one JSON object a line."""

import json
import sys
import threading

_lock = threading.Lock()


def say(**event):
    """One event to the test."""
    with _lock:
        sys.stdout.write(json.dumps(event, allow_nan=False) + "\n")
        sys.stdout.flush()


def commands():
    """The test's commands, until it hangs up."""
    for line in sys.stdin:
        yield json.loads(line)


def session(port, mode="peer"):
    """A zenoh session as rmw_zenoh opens one, at the test's router."""
    # Here, because not every peer has it.
    import zenoh

    config = zenoh.Config()
    config.insert_json5("mode", json.dumps(mode))
    if mode == "router":
        config.insert_json5("listen/endpoints", f'["tcp/127.0.0.1:{port}"]')
    else:
        config.insert_json5("connect/endpoints", f'["tcp/127.0.0.1:{port}"]')
        config.insert_json5("listen/endpoints", '["tcp/127.0.0.1:0"]')
    config.insert_json5("scouting/multicast/enabled", "false")
    return zenoh.open(config)
