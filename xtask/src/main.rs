//! Set-up, demo, test, bench: what the README's two commands call.
fn main() {}
