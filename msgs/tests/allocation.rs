//! What decoding and encoding allocate: a small multiple of the bytes given, whatever they claim; and nothing when a buffer
//! is used again. The allocator counts for each thread by itself, so that tests beside one another do not mix.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use troika_kit::Message;
use troika_msgs::{
    diagnostic_msgs::{DiagnosticArray, DiagnosticStatus, KeyValue},
    dynamic,
    protect::Protected,
    sensor_msgs::Image,
    std_msgs::Header,
    troika::{DriverState, VehicleCommand},
};

struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    CALLS.with(|c| c.set(c.get() + 1));
    BYTES.with(|b| b.set(b.get() + bytes));
}

// SAFETY: every call goes on to the system's allocator as it came; the counters are plain cells of the thread, which need
// no allocation themselves.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise is the one that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size);
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls and bytes that this thread allocates while `f` runs.
fn counted<T>(f: impl FnOnce() -> T) -> (T, usize, usize) {
    let (calls, bytes) = (CALLS.get(), BYTES.get());
    let value = f();
    (value, CALLS.get() - calls, BYTES.get() - bytes)
}

/// Of all that decoding allocates, never given back counted in, over the bytes given. The worst element is a structure of
/// strings: 24 bytes in memory for 4 on the wire, and 6 again for what is in them.
const MOST: usize = 12;

/// A little-endian header and zeros, with `fill` written over every aligned 4 bytes from `from` on, as a length that lies.
fn lying(len: usize, from: usize, fill: u32) -> Vec<u8> {
    let mut bytes = vec![0; len];
    bytes[1] = 1;
    for word in bytes[from..].chunks_exact_mut(4) {
        word.copy_from_slice(&fill.to_le_bytes());
    }
    bytes
}

#[test]
fn a_length_that_lies_allocates_no_more_than_its_message_could_hold() {
    troika_safety::verifies![SR_DAT_005];
    let len = 4096;
    for entry in dynamic::all() {
        let mut out = Vec::with_capacity(1 << 20);
        for from in (4..400).step_by(4) {
            for fill in [0, 1, 4, 20, 100, 500, 1000, 0x7fff_ffff, u32::MAX] {
                let bytes = lying(len, from, fill);
                let (result, _, allocated) = counted(|| entry.recode(&bytes, &mut out));
                assert!(
                    allocated <= MOST * len,
                    "{}: {allocated} bytes for {len}, lengths of {fill} from {from}: {result:?}",
                    entry.info().name
                );
            }
        }
    }
}

#[test]
fn a_message_made_of_the_smallest_elements_allocates_a_small_multiple() {
    troika_safety::verifies![SR_DAT_005];
    let status = DiagnosticStatus { values: vec![KeyValue::default(); 3], ..Default::default() };
    let array = DiagnosticArray { status: vec![status; 500], ..Default::default() };
    let command = VehicleCommand { slots: vec![Default::default(); 5000], ..Default::default() };
    let mut bytes = Vec::new();
    array.encode(&mut bytes).expect("it encodes");
    let (decoded, _, allocated) = counted(|| DiagnosticArray::decode(&bytes));
    assert_eq!(decoded.as_ref(), Ok(&array));
    assert!(allocated <= MOST * bytes.len(), "{allocated} for {}", bytes.len());
    command.encode(&mut bytes).expect("it encodes");
    let (decoded, _, allocated) = counted(|| VehicleCommand::decode(&bytes));
    assert_eq!(decoded.as_ref(), Ok(&command));
    assert!(allocated <= MOST * bytes.len(), "{allocated} for {}", bytes.len());
}

#[test]
fn encoding_into_a_used_buffer_allocates_nothing() {
    let image = Image {
        header: Header { frame_id: "cabin_camera".to_owned(), ..Default::default() },
        encoding: "mono8".to_owned(),
        data: vec![7; 640 * 480],
        ..Default::default()
    };
    let state = DriverState { landmarks: vec![0.5; 956], model: "mesh".to_owned(), ..Default::default() };
    let command =
        VehicleCommand { id: "1".to_owned(), slots: vec![Default::default(); 3], ..Default::default() };
    let mut out = Vec::new();
    image.encode(&mut out).expect("it encodes");
    let ((), calls, _) = counted(|| {
        for _ in 0..3 {
            image.encode(&mut out).expect("it encodes");
            state.encode(&mut out).expect("it encodes");
            command.canonical(&mut out).expect("it has a canonical form");
        }
    });
    assert_eq!(calls, 0);
}

#[test]
fn an_image_is_decoded_with_one_allocation_a_field() {
    let image = Image { encoding: "mono8".to_owned(), data: vec![7; 1 << 20], ..Default::default() };
    let mut bytes = Vec::new();
    image.encode(&mut bytes).expect("it encodes");
    let (decoded, calls, _) = counted(|| Image::decode(&bytes));
    assert_eq!(decoded.as_ref(), Ok(&image));
    assert_eq!(calls, 2, "encoding and data; the frame id is empty");
}
