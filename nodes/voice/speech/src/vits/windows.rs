//! The decoder works on a fixed number of frames: a network of fixed shape is compiled once and is the fastest. A longer sentence is
//! decoded window by window, each with neighbours enough that its middle is what the whole sentence would have given. Pure.

/// Where a window lies and which of its frames are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Its first frame in the sentence.
    pub from: usize,
    /// The first frame of the sentence that is taken from it.
    pub keep_from: usize,
    /// The frame after the last one.
    pub keep_to: usize,
}

/// The windows of `length` frames that a sentence of `frames` is decoded in, each with `context` frames beside what is kept of it but
/// at the sentence's ends. The last one ends where the sentence does; a sentence that is shorter than a window is one, and goes
/// on in silence.
pub(super) fn windows(frames: usize, length: usize, context: usize) -> Vec<Window> {
    let mut all = Vec::new();
    let mut done = 0;
    while done < frames {
        let from = done.saturating_sub(context).min(frames.saturating_sub(length));
        let keep_to = if from + length >= frames { frames } else { from + length - context };
        all.push(Window { from, keep_from: done, keep_to });
        done = keep_to;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_is_kept_once_with_its_neighbours() {
        let (length, context) = (64, 12);
        for frames in 0..400 {
            let mut done = 0;
            for window in windows(frames, length, context) {
                assert_eq!(window.keep_from, done, "{frames}");
                assert!(window.keep_to > done && window.keep_to <= window.from + length);
                assert!(window.from + length <= frames.max(length));
                assert!(
                    window.from == 0 || window.keep_from >= window.from + context,
                    "{frames}: {window:?}"
                );
                let to = window.from + length;
                assert!(to >= frames || window.keep_to + context <= to, "{frames}: {window:?}");
                done = window.keep_to;
            }
            assert_eq!(done, frames);
        }
    }
}
