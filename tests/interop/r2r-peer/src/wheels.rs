//! ROS 2 from Python wheels: there `librcl` is linked with libraries that are meant for Python's own process and ask it for two objects
//! at load time. No code of theirs runs here, so that anything of these names does.

// SAFETY: no other object of this name is in a program without Python, and none of its users runs in this one.
#[unsafe(no_mangle)]
#[used]
#[allow(non_upper_case_globals)]
pub static PyExc_RuntimeError: usize = 0;

// SAFETY: as above.
#[unsafe(no_mangle)]
#[used]
#[allow(non_upper_case_globals)]
pub static _Py_TrueStruct: [usize; 8] = [0; 8];
