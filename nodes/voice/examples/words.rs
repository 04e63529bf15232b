//! The words of lines as the matcher and the network see them, for training scripts: each line of standard input becomes the tokens,
//! separated by 0x1e (norm, is it a number, first and last spoken word, after a pause, separated by 0x1f), 0x1d, and the spoken words.

use std::io::{BufRead as _, Write as _};

use troika_voice::matcher::Matcher;

fn main() -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let words = Matcher::english().words();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let tokens: Vec<String> = words
            .split(&line)
            .into_iter()
            .map(|word| {
                let (number, pause) = (u8::from(word.number.is_some()), u8::from(word.after_break));
                format!("{}\x1f{number}\x1f{}\x1f{}\x1f{pause}", word.norm, word.from.0, word.from.1)
            })
            .collect();
        let spoken: Vec<String> = words.spoken(&line).into_iter().map(|(word, _)| word).collect();
        writeln!(out, "{}\x1d{}", tokens.join("\x1e"), spoken.join("\x1e"))?;
    }
    Ok(())
}
