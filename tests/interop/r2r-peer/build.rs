//! Shows the loader the two objects that libraries below the wheels' `librcl` ask Python for (`src/wheels.rs`).

fn main() {
    for object in ["PyExc_RuntimeError", "_Py_TrueStruct"] {
        println!("cargo:rustc-link-arg-bins=-Wl,--export-dynamic-symbol={object}");
    }
}
