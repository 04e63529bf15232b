//! Any bytes, as any message type: a value or a typed error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use troika_msgs::dynamic;

fuzz_target!(|data: &[u8]| {
    let Some((place, cdr)) = data.split_first() else { return };
    let types = dynamic::all();
    let entry = &types[usize::from(*place) % types.len()];
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    let decoded = entry.recode(cdr, &mut once);
    assert_eq!(entry.to_json(cdr).is_ok(), decoded.is_ok());
    if decoded.is_ok() {
        entry.recode(&once, &mut twice).expect("what was encoded decodes");
        assert_eq!(once, twice);
    }
});
