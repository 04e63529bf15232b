//! rcl's return codes with what rcl says besides.

use std::ffi::CStr;

use r2r_rcl as rcl;

/// What a caller tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// A node's, topic's or service's name is none.
    Name,
    /// A node's namespace is none.
    Namespace,
    /// There is nothing to take, or no such node any more, or the time is over.
    Nothing,
    /// The context is shut down.
    Shutdown,
    /// Anything else.
    Other,
}

/// Why a call of rcl failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RclError {
    pub(crate) code: Code,
    /// For a person.
    pub(crate) text: String,
}

impl RclError {
    pub(crate) fn new(text: impl Into<String>) -> RclError {
        RclError { code: Code::Other, text: text.into() }
    }
}

impl std::fmt::Display for RclError {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(&self.text)
    }
}

/// A call's result; takes rcl's text of this thread when it failed.
pub(super) fn check(ret: rcl::rcl_ret_t) -> Result<(), RclError> {
    let code = match ret.cast_unsigned() {
        rcl::RCL_RET_OK => return Ok(()),
        rcl::RCL_RET_NODE_INVALID_NAMESPACE => Code::Namespace,
        rcl::RCL_RET_NODE_INVALID_NAME
        | rcl::RCL_RET_TOPIC_NAME_INVALID
        | rcl::RCL_RET_UNKNOWN_SUBSTITUTION
        | rcl::RCL_RET_SERVICE_NAME_INVALID => Code::Name,
        rcl::RCL_RET_SUBSCRIPTION_TAKE_FAILED
        | rcl::RCL_RET_SERVICE_TAKE_FAILED
        | rcl::RCL_RET_CLIENT_TAKE_FAILED
        | rcl::RCL_RET_NODE_NAME_NON_EXISTENT
        | rcl::RCL_RET_TIMEOUT => Code::Nothing,
        rcl::RCL_RET_ALREADY_SHUTDOWN | rcl::RCL_RET_NOT_INIT => Code::Shutdown,
        _ => Code::Other,
    };
    // SAFETY: the text is a NUL-ended array inside the value that is returned, of this thread's last error; both calls take nothing.
    let text = unsafe {
        let told = rcl::rcutils_get_error_string();
        let text = CStr::from_ptr(told.str_.as_ptr()).to_string_lossy().into_owned();
        rcl::rcutils_reset_error();
        text
    };
    let text = match text.is_empty() || text == "error not set" {
        true => format!("rcl's code {ret}"),
        false => text,
    };
    Err(RclError { code, text })
}

/// For what is said in a drop, where nobody can be told.
pub(super) fn ended(what: &str, ret: rcl::rcl_ret_t) {
    if let Err(error) = check(ret) {
        tracing::warn!(%error, what, "rcl did not end it cleanly");
    }
}
