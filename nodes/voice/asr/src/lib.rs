//! Speech recognition by whisper.cpp, in a process of its own.
