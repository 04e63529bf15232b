//! GPT-2's vocabulary back in raw bytes. Its file holds each byte as a printable character; whisper.cpp wants the bytes,
//! and only the ordinary tokens: the special ones it numbers itself.

/// The ordinary tokens, in order. `count` is the model's number of tokens, special ones included.
pub(super) fn tokens(text: &str, count: usize) -> Result<Vec<Vec<u8>>, String> {
    // Not `lines()`: a carriage return is no end of a line here.
    let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
    if lines.len() != count {
        return Err(format!("{} tokens, the model has {count}", lines.len()));
    }
    let ordinary = lines
        .iter()
        .position(|line| *line == "<|endoftext|>")
        .ok_or_else(|| "no <|endoftext|>: not a Whisper vocabulary".to_owned())?;
    lines[..ordinary]
        .iter()
        .map(|line| {
            line.chars()
                .map(|c| byte(c).ok_or_else(|| format!("'{}' stands for no byte", c.escape_default())))
                .collect()
        })
        .collect()
}

/// The byte that a character stands for: itself where it is printable, else the n-th of those that are not is U+0100 + n.
fn byte(c: char) -> Option<u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    match u32::from(c) {
        code @ 0..=0xff => u8::try_from(code).ok().filter(|byte| printable(*byte)),
        code => (0..=u8::MAX).filter(|byte| !printable(*byte)).nth((code - 0x100) as usize),
    }
}
