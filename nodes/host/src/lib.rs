//! The one impure room: threads, clocks, scheduling, memory locking, slots, lateness.
