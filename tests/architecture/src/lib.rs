//! What belongs here: tests that hold the architecture. The library is empty.
