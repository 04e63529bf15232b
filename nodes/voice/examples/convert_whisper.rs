//! Converts Whisper weights: `convert_whisper MODEL_BIN VOCABULARY OUT`. What set-up does for the passport `whisper_tiny_en`.

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, vocabulary, out] = args.as_slice() else {
        eprintln!("usage: convert_whisper MODEL_BIN VOCABULARY OUT");
        return ExitCode::from(2);
    };
    match troika_voice::whisper_ggml::convert(Path::new(model), Path::new(vocabulary), Path::new(out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
