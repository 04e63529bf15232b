//! CDR in rcl's buffers.

use std::slice;

use r2r_rcl as rcl;

use super::error::ended;

/// A growing buffer of rcl's allocator. Used again from message to message.
pub(crate) struct Serialized {
    inner: rcl::rcl_serialized_message_t,
}

// SAFETY: it owns its memory, and the default allocator is the C library's.
unsafe impl Send for Serialized {}

impl Serialized {
    /// An empty one, which owns nothing yet.
    pub(crate) fn new() -> Serialized {
        Serialized {
            inner: rcl::rcutils_uint8_array_t {
                buffer: std::ptr::null_mut(),
                buffer_length: 0,
                buffer_capacity: 0,
                // SAFETY: takes nothing.
                allocator: unsafe { rcl::rcutils_get_default_allocator() },
            },
        }
    }

    /// What is in it.
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.inner.buffer.is_null() || self.inner.buffer_length == 0 {
            return &[];
        }
        // SAFETY: rcl filled the first `buffer_length` bytes of its buffer, which is borrowed as long as `self` is.
        unsafe { slice::from_raw_parts(self.inner.buffer, self.inner.buffer_length) }
    }

    pub(super) fn raw(&mut self) -> *mut rcl::rcl_serialized_message_t {
        &raw mut self.inner
    }
}

impl Drop for Serialized {
    fn drop(&mut self) {
        if !self.inner.buffer.is_null() {
            // SAFETY: the buffer is of the allocator beside it.
            ended("a buffer", unsafe { rcl::rcutils_uint8_array_fini(self.raw()) });
        }
    }
}

/// Lends bytes to rcl, which reads them during `call` alone.
pub(super) fn lend<T>(cdr: &[u8], call: impl FnOnce(*const rcl::rcl_serialized_message_t) -> T) -> T {
    let lent = rcl::rcutils_uint8_array_t {
        buffer: cdr.as_ptr().cast_mut(),
        buffer_length: cdr.len(),
        buffer_capacity: cdr.len(),
        // SAFETY: takes nothing.
        allocator: unsafe { rcl::rcutils_get_default_allocator() },
    };
    call(&raw const lent)
}
