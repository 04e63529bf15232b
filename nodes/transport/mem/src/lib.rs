//! Transport inside one process; deterministic under a virtual clock.
