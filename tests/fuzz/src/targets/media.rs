//! Sound, pictures, recordings.

use troika_camera::source;
use troika_record::{BagReader, Record, bag};
use troika_voice::audio;

use super::{as_file, told};
use crate::Target;

pub(super) const ALL: &[Target] = &[
    // Ten minutes at 16 kHz are 38 MB, however few samples a rate of 1 Hz makes them of.
    Target::bytes("wav", wav).cases(4_000).memory(128 << 20, 64),
    Target::bytes("flac", flac).cases(4_000).memory(128 << 20, 64),
    Target::bytes("netpbm", netpbm).memory(9 << 20, 64),
    Target::bytes("jpeg", jpeg).cases(3_000).memory(2 << 20, 64),
    Target::bytes("mcap", mcap).longest(16 << 10).cases(6_000).memory(4 << 20, 64),
    Target::bytes("mcap_mend", mend).longest(16 << 10).cases(4_000).memory(4 << 20, 64),
];

/// Mono at 16 kHz and no louder than its bits, ten minutes at most; or an error with the file's name.
fn sound(bytes: &[u8], name: &str) -> bool {
    match audio::decode(name, bytes) {
        Ok(samples) => {
            assert!(samples.len() <= 601 * audio::RATE as usize, "{} samples", samples.len());
            true
        }
        Err(error) => {
            told(&error, bytes);
            false
        }
    }
}

fn wav(bytes: &[u8]) -> bool {
    sound(bytes, "a.wav")
}

fn flac(bytes: &[u8]) -> bool {
    sound(bytes, "a.flac")
}

/// ffmpeg's pictures: each as large as it says.
fn netpbm(bytes: &[u8]) -> bool {
    let mut from = bytes;
    let mut taken = false;
    while let Ok(Some(frame)) = source::video::picture(&mut from) {
        assert_eq!(frame.data.len(), frame.step as usize * frame.height as usize);
        taken = true;
    }
    taken
}

/// A camera's picture: no larger than the camera was set to, or none.
fn jpeg(bytes: &[u8]) -> bool {
    let frame = source::v4l2::motion_jpeg((64, 48), bytes).map_err(|error| told(&error, bytes));
    frame.is_ok_and(|frame| {
        assert!(frame.width <= 64 && frame.height <= 48, "{} x {}", frame.width, frame.height);
        assert_eq!(frame.data.len(), frame.step as usize * frame.height as usize);
        true
    })
}

/// All that is read before it breaks lies in the file; its channels are those that messages name.
fn mcap(bytes: &[u8]) -> bool {
    let (_file, path) = as_file(bytes);
    let Ok(mut reader) = BagReader::open(&path).map_err(|error| told(&error, bytes)) else { return false };
    let mut messages = 0u32;
    for record in reader.by_ref() {
        if let Record::Message { channel, .. } = record {
            let _ = bag::qos_of_text(&channel.qos);
            messages += 1;
        }
    }
    let (read, length) = reader.progress();
    assert!(read <= length && length == bytes.len() as u64);
    let _ = bag::channels(&path);
    messages > 0 && reader.cut().is_none()
}

/// A file that is mended is whole: mending it again does nothing, and what could be read can be read.
fn mend(bytes: &[u8]) -> bool {
    let count = |path: &std::path::Path| {
        BagReader::open(path)
            .map_or(0, |reader| reader.filter(|one| matches!(one, Record::Message { .. })).count())
    };
    let (_file, path) = as_file(bytes);
    let before = count(&path);
    if bag::mend(&path).is_err() {
        return false;
    }
    assert!(count(&path) >= before, "mending lost messages");
    let again = bag::mend(&path).expect("what was mended is a file");
    assert_eq!(again, bag::Mended::Whole);
    true
}
