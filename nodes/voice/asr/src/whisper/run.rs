//! One run of whisper.cpp that can be broken off: the one place of this crate that hands a pointer to C++.

use std::ffi::c_void;

use troika_host::StopToken;
use whisper_rs::{FullParams, WhisperError, WhisperState};

/// Called by ggml between two nodes of its graph, on the threads that compute it.
unsafe extern "C" fn stopped(token: *mut c_void) -> bool {
    // SAFETY: `run` alone registers this, with a token that outlives the run; a token may be read from any thread.
    unsafe { &*token.cast::<StopToken>() }.is_stopped()
}

/// As [`WhisperState::full`], until `stop` at most. whisper-rs's own safe way to do it keeps a box for each run for ever.
pub(super) fn run(
    state: &mut WhisperState,
    mut params: FullParams<'_, '_>,
    samples: &[f32],
    stop: &StopToken,
) -> Result<(), WhisperError> {
    // SAFETY: `stopped` reads a `StopToken`, and that is what it is given; `params` is used up by the run below, which ends
    // before `stop` does.
    unsafe {
        params.set_abort_callback(Some(stopped));
        params.set_abort_callback_user_data(std::ptr::from_ref(stop).cast_mut().cast());
    }
    state.full(params, samples)
}
