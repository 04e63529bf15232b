//! Utterance to vehicle command: voice activity, matcher, gates. Pure but for its shells.
