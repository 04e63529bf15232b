//! Message types made from the .msg files, their CDR and their hashes.
