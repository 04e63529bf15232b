#!/usr/bin/env python3
"""Shows that each loom test can fail: breaks one ordering (or one line) at a time in a copy of the sources and runs the test that
must see it. Prints one line for each; exit code 1 when a break went unseen.

    python3 tests/loom/can_fail.py [WORD]      only those whose file or test has WORD
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
SYNC, ARENA = "nodes/host/src/sync/", "nodes/host/arena/src/"
LATEST = "a_latest_value_is_whole"
EVENTS = "an_event_queue_keeps_order"
COUNT = "what_was_done_before_an_announcement"
LIFE = "a_sign_of_life"
QUANTILE = "a_quantile_read"
COURIER = "a_courier"
HOME = "blocks_that_two_threads_free"
OWNER = "a_slot_has_one_owner"
ADDRESS = "an_address_of_the_systems"

# File, what stands there (once), what is put in its place, the tests that must see it.
BREAKS = [
    (SYNC + "wake.rs", "fetch_add(1, Ordering::Release)", "fetch_add(1, Ordering::Relaxed)", COUNT),
    (SYNC + "wake.rs", "load(Ordering::Acquire)", "load(Ordering::Relaxed)", COUNT),
    (SYNC + "wake.rs", "load(Ordering::Acquire)", "load(Ordering::Relaxed)", "a_stop_is_seen"),
    (SYNC + "wake.rs", "self.0.wake_all();", "", "a_node_that_waits"),
    (SYNC + "vital_cell.rs", "began.store(nanos(monotonic), Release)", "began.store(nanos(monotonic), Relaxed)", LIFE),
    (SYNC + "vital_cell.rs", "time(self.began.load(Acquire)); //", "time(self.began.load(Relaxed)); //", LIFE),
    (SYNC + "histogram.rs", "fetch_add(1, Release)", "fetch_add(1, Relaxed)", QUANTILE),
    (SYNC + "histogram.rs", "count.load(Acquire)", "count.load(Relaxed)", QUANTILE),
    (SYNC + "events.rs", "RingBuffer::new(most)", "RingBuffer::new(capacity)", EVENTS),
    (SYNC + "events.rs", "self.dropped.add(1);", "", EVENTS),
    (SYNC + "post.rs", "    queue: Producer<T>,\n    /// Below `queue`, since fields are dropped in this order: when the reader is "
     "woken for the last time, it finds the queue\n    /// abandoned.\n    wake: Farewell,\n",
     "    wake: Farewell,\n    queue: Producer<T>,\n", COURIER),
    (SYNC + "post.rs", "            if last {", "            let last = self.queue.is_abandoned();\n            if last {", COURIER),
    ("triple_buffer/src/lib.rs", ".swap(self.input_idx | BACK_DIRTY_BIT, Ordering::AcqRel)",
     ".swap(self.input_idx | BACK_DIRTY_BIT, Ordering::Acquire)", LATEST),
    ("triple_buffer/src/lib.rs", ".swap(self.input_idx | BACK_DIRTY_BIT, Ordering::AcqRel)",
     ".swap(self.input_idx | BACK_DIRTY_BIT, Ordering::Release)", LATEST),
    ("triple_buffer/src/lib.rs", ".swap(self.output_idx, Ordering::AcqRel)", ".swap(self.output_idx, Ordering::Acquire)", LATEST),
    ("triple_buffer/src/lib.rs", ".swap(self.output_idx, Ordering::AcqRel)", ".swap(self.output_idx, Ordering::Release)", LATEST),
    ("rtrb/src/lib.rs", "            self.buffer.tail.store(tail, Ordering::Release);",
     "            self.buffer.tail.store(tail, Ordering::Relaxed);", EVENTS),
    ("rtrb/src/lib.rs", "let tail = self.buffer.tail.load(Ordering::Acquire);\n            self.cached_tail",
     "let tail = self.buffer.tail.load(Ordering::Relaxed);\n            self.cached_tail", EVENTS),
    ("rtrb/src/arc_ring_buffer.rs", "fetch_or(IS_ABANDONED, Ordering::Release)", "fetch_or(IS_ABANDONED, Ordering::Relaxed)", COURIER),
    (ARENA + "remote.rs", "freed, Ordering::Release, Ordering::Relaxed", "freed, Ordering::Relaxed, Ordering::Relaxed", HOME),
    (ARENA + "remote.rs", "swap(null_mut(), Ordering::Acquire)", "swap(null_mut(), Ordering::Relaxed)", HOME),
    (ARENA + "remote.rs", "Chain(self.0.swap(null_mut(), Ordering::Acquire))",
     "let all = self.0.load(Ordering::Acquire);\n        self.0.store(null_mut(), Ordering::Release);\n        Chain(all)", HOME),
    (ARENA + "owned.rs", "store(false, Ordering::Release)", "store(false, Ordering::Relaxed)", OWNER),
    (ARENA + "owned.rs", "true, Ordering::Acquire, Ordering::Relaxed", "true, Ordering::Relaxed, Ordering::Relaxed", OWNER),
    (ARENA + "bounds.rs", "store(next + 1, Ordering::Release)", "store(next + 1, Ordering::Relaxed)", ADDRESS),
    (ARENA + "bounds.rs", "known.load(Ordering::Acquire)", "known.load(Ordering::Relaxed)", ADDRESS),
]


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    target = os.environ.get("CARGO_TARGET_DIR", str(REPO / "target/loom"))
    unseen = 0
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        for part in ["Cargo.toml", "Cargo.lock", ".cargo", "safety", "nodes/kit", "nodes/host", "tests/loom"]:
            into = copy / part
            into.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (REPO / part).is_dir() else shutil.copy)(REPO / part, into)
        libraries = own_libraries(copy)
        for file, good, bad, test in BREAKS:
            if word not in file and word not in test:
                continue
            path = libraries / file if file.split("/")[0] in ("rtrb", "triple_buffer") else copy / file
            # The libraries have their tests in the same file: the first place counts.
            text = path.read_text()
            assert good in text, f"{file} has no `{good}` any more"
            path.write_text(text.replace(good, bad, 1))
            (copy / "tests/loom/build.rs").touch()
            suite = "arena" if file.startswith(ARENA) else "slots"
            # Bounded: a break may make a model's threads run for ever.
            run = subprocess.run(
                ["timeout", "300", "cargo", "test", "--quiet", "--offline", "--test", suite, test],
                cwd=copy / "tests/loom",
                env=os.environ | {"CARGO_TARGET_DIR": target, "RUST_BACKTRACE": "0"},
                capture_output=True,
                text=True,
            )
            path.write_text(text)
            compiled = "could not compile" not in run.stderr
            # A model that fails inside a drop aborts; one that does not end (124) has shown nothing.
            seen = run.returncode not in (0, 124) and compiled
            unseen += not seen
            verdict = "seen  " if seen else ("UNSEEN" if compiled else "BROKEN")
            said = next((line for line in (run.stdout + run.stderr).splitlines() if said_why(line)), "").strip()
            print(f"{verdict} {file}: {' '.join(bad.split()) or 'line removed'}\n       by {test}: {said}", flush=True)
            if not compiled:
                print(run.stderr[-1500:])
    sys.exit(1 if unseen else 0)


def said_why(line):
    if "thread '" in line or line.startswith("test "):
        return False
    return any(word in line for word in ("ausality", "deadlock", "assert", " after ", "only", "awake at", "the way back"))


def own_libraries(copy):
    """The libraries' sources beside the copy, where they can be broken, and the copy's manifest made to use them."""
    meta = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--offline"],
        cwd=copy / "tests/loom", capture_output=True, text=True, check=True,
    ).stdout
    libraries = copy / "libraries"
    manifest = copy / "tests/loom/Cargo.toml"
    text = manifest.read_text()
    for name, version in [("rtrb", "0.4.1"), ("triple_buffer", "9.0.0")]:
        end = meta.index(f"{name}-{version}/Cargo.toml\"")
        start = meta.rindex('"', 0, end) + 1
        # The build looks for a folder of this name.
        shutil.copytree(Path(meta[start:end]) / f"{name}-{version}", libraries / f"{name}-{version}")
        (libraries / name).symlink_to(libraries / f"{name}-{version}")
        text = text.replace(f'{name} = "={version}"', f'{name} = {{ path = "../../libraries/{name}-{version}" }}')
    manifest.write_text(text)
    subprocess.run(["cargo", "update", "--quiet", "--offline", "--workspace"], cwd=copy / "tests/loom", check=True)
    return libraries


if __name__ == "__main__":
    main()
