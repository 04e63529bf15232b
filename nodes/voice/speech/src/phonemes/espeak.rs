//! espeak-ng as a program of its own: it is GPL-3, so it is run and never linked. One process stays and is asked for phonemes, a line
//! for a clause (starting one takes longer than the answer); another is started for each sentence that it is to speak itself.
//! Each answer has a deadline; a process that does not keep it is ended and started again.

use std::{
    io::{BufRead as _, BufReader, Cursor, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
};

use troika_kit::Duration;

/// An answer takes a millisecond; on a machine whose cores are busy with what runs at deadlines, some hundred.
const ANSWER: Duration = Duration::from_secs(2);
/// Starting it reads 12 MB of tables; speaking a sentence takes a hundredth of its length.
const START: Duration = Duration::from_secs(5);
/// Asked after each clause: when its known answer comes, the clause's own is complete, which may be several lines. Nobody says it.
const MARKER: &str = "xq zyx qxz";
/// espeak-ng's own speed.
const WORDS_A_MINUTE: f32 = 175.0;
/// Speech of a sentence that espeak-ng says itself, at most: a minute of 22,050 16-bit samples a second.
const LONGEST_AUDIO: u64 = 60 * 22_050 * 2;

/// Why espeak-ng gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum EspeakError {
    /// It cannot be run.
    #[error("{program} cannot be run ({why}): install the system package espeak-ng")]
    Run {
        /// What was to be run.
        program: String,
        /// The reason.
        why: std::io::Error,
    },
    /// It did not answer in time, or ended.
    #[error("espeak-ng did not answer within {0:?}")]
    Late(Duration),
    /// It ended by itself.
    #[error("espeak-ng ended: does it know the voice '{0}'?")]
    Ended(String),
    /// What it gave is no audio.
    #[error("espeak-ng gave no audio: {0}")]
    Audio(String),
}

/// The program with its voice.
pub struct Espeak {
    program: PathBuf,
    voice: String,
    warm: Option<Warm>,
}

/// The process that stays. Dropping it ends it.
struct Warm {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    /// The answer to [`MARKER`].
    marker: String,
}

impl Espeak {
    /// The program, found on the path unless it is a path itself, with one of its voices (`en-us`). It is started when it is asked first.
    pub fn new(program: &Path, voice: &str) -> Espeak {
        Espeak { program: program.to_owned(), voice: voice.to_owned(), warm: None }
    }

    /// The phonemes of a clause, in IPA with stress marks, words between spaces.
    ///
    /// # Errors
    /// See [`EspeakError`]; the next call starts it again.
    pub fn phonemes(&mut self, clause: &str) -> Result<String, EspeakError> {
        let mut warm = match self.warm.take() {
            Some(warm) => warm,
            None => self.start()?,
        };
        let answer = warm.ask(clause, &self.voice)?;
        self.warm = Some(warm);
        Ok(answer)
    }

    /// A sentence as espeak-ng itself says it, at a speed: samples -1..1 and their rate. For when the voice's network is not to be had.
    ///
    /// # Errors
    /// See [`EspeakError`].
    pub fn speech(&self, text: &str, speed: f32) -> Result<(Vec<f32>, u32), EspeakError> {
        let words = format!("{:.0}", WORDS_A_MINUTE * speed);
        let mut child = self.spawn(&["--stdin", "--stdout", "-s", &words])?;
        // Both ends are plain pipes: a sentence is far shorter than their buffer, so writing it first cannot block.
        if let Some(mut input) = child.stdin.take() {
            let _ended_already = input.write_all(one_line(text).as_bytes());
        }
        let (send, receive) = channel();
        let output = child.stdout.take();
        let read = move || {
            let mut bytes = Vec::new();
            let all = output.map(|output| output.take(LONGEST_AUDIO).read_to_end(&mut bytes));
            let _nobody_waits = send.send(all.map(|read| read.map(|_| bytes)));
        };
        let reader = thread::Builder::new().name("speech-espeak".into()).spawn(read);
        let bytes = reader.map(|_| receive.recv_timeout(START));
        let _ = child.kill();
        let _ = child.wait();
        let bytes = match bytes {
            Ok(Ok(Some(Ok(bytes)))) => bytes,
            Ok(Err(RecvTimeoutError::Timeout)) => return Err(EspeakError::Late(START)),
            Ok(_) => return Err(EspeakError::Ended(self.voice.clone())),
            Err(why) => return Err(EspeakError::Run { program: self.told(), why }),
        };
        if bytes.is_empty() {
            return Err(EspeakError::Ended(self.voice.clone()));
        }
        let wav =
            hound::WavReader::new(Cursor::new(bytes)).map_err(|why| EspeakError::Audio(why.to_string()))?;
        let rate = wav.spec().sample_rate;
        // On a pipe it cannot know the length when it writes the header: the samples end where the bytes do.
        let samples = wav.into_samples::<i16>().map_while(Result::ok);
        Ok((samples.map(|sample| f32::from(sample) / 32_768.0).collect(), rate))
    }

    fn told(&self) -> String {
        self.program.display().to_string()
    }

    fn spawn(&self, arguments: &[&str]) -> Result<Child, EspeakError> {
        Command::new(&self.program)
            .args(["-v", &self.voice, "-b", "1"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C is for us; when we end, so does its input, and with it the process.
            .process_group(0)
            .spawn()
            .map_err(|why| EspeakError::Run { program: self.told(), why })
    }

    fn start(&self) -> Result<Warm, EspeakError> {
        let mut child = self.spawn(&["-q", "--ipa"])?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let Some((input, output)) = pipes else { return Err(EspeakError::Ended(self.voice.clone())) };
        let (send, lines) = channel();
        let read = move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        };
        let mut warm = Warm { child, input, lines, marker: String::new() };
        thread::Builder::new()
            .name("speech-espeak".into())
            .spawn(read)
            .map_err(|why| EspeakError::Run { program: self.told(), why })?;
        warm.write(MARKER, &self.voice)?;
        warm.marker = warm.line(START, &self.voice)?;
        Ok(warm)
    }
}

impl Warm {
    fn ask(&mut self, clause: &str, voice: &str) -> Result<String, EspeakError> {
        self.write(&one_line(clause), voice)?;
        self.write(MARKER, voice)?;
        let mut phonemes = String::new();
        loop {
            let line = self.line(ANSWER, voice)?;
            if line == self.marker {
                return Ok(phonemes);
            }
            let line = without_languages(&line);
            if !phonemes.is_empty() && !line.is_empty() {
                phonemes.push(' ');
            }
            phonemes.push_str(&line);
        }
    }

    fn write(&mut self, line: &str, voice: &str) -> Result<(), EspeakError> {
        let line = format!("{line}\n");
        self.input.write_all(line.as_bytes()).map_err(|_closed| EspeakError::Ended(voice.to_owned()))
    }

    fn line(&mut self, within: Duration, voice: &str) -> Result<String, EspeakError> {
        match self.lines.recv_timeout(within) {
            Ok(line) => Ok(line.trim().to_owned()),
            Err(RecvTimeoutError::Timeout) => Err(EspeakError::Late(within)),
            Err(RecvTimeoutError::Disconnected) => Err(EspeakError::Ended(voice.to_owned())),
        }
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line break would be the end of a question.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Where a word is of another language, espeak-ng says so: "(fr)ʒ(en-us)".
fn without_languages(line: &str) -> String {
    let mut rest = line;
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once('(') {
        plain.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english() -> Espeak {
        Espeak::new(Path::new("espeak-ng"), "en-us")
    }

    #[test]
    fn clauses_become_phonemes_one_after_the_other_from_one_process() {
        let mut espeak = english();
        assert_eq!(espeak.phonemes("Hello world").expect("espeak-ng is installed"), "həlˈoʊ wˈɜːld");
        let process = espeak.warm.as_ref().map(|warm| warm.child.id());
        assert_eq!(espeak.phonemes("21.5").expect("answers"), "twˈɛnti wˈʌn pɔɪnt fˈaɪv");
        assert!(espeak.phonemes("one\ntwo").expect("answers").ends_with("tˈuː"));
        assert_eq!(espeak.phonemes("").expect("answers"), "");
        assert_eq!(espeak.warm.as_ref().map(|warm| warm.child.id()), process);
    }

    #[test]
    fn a_process_that_is_gone_is_told_and_started_again() {
        let mut espeak = english();
        espeak.phonemes("one").expect("espeak-ng is installed");
        if let Some(warm) = &mut espeak.warm {
            warm.child.kill().expect("runs");
            warm.child.wait().expect("ends");
        }
        assert!(matches!(espeak.phonemes("two"), Err(EspeakError::Ended(_))));
        assert_eq!(espeak.phonemes("two").expect("again"), "tˈuː");
    }

    #[test]
    fn a_program_that_is_missing_or_silent_or_does_not_know_the_voice_is_told() {
        let mut missing = Espeak::new(Path::new("/no/espeak-ng"), "en-us");
        let told = missing.phonemes("one").expect_err("missing").to_string();
        assert!(told.contains("install") && told.contains("/no/espeak-ng"), "{told}");
        assert!(missing.speech("one", 1.0).is_err());
        let mut unknown = Espeak::new(Path::new("espeak-ng"), "xx-none");
        let told = unknown.phonemes("one").expect_err("no such voice").to_string();
        assert!(told.contains("xx-none"), "{told}");
        assert!(unknown.speech("one", 1.0).is_err());
    }

    #[test]
    fn espeak_speaks_by_itself() {
        let (samples, rate) = english().speech("Hello world.", 1.0).expect("espeak-ng is installed");
        assert_eq!(rate, 22_050);
        let seconds = samples.len() as f32 / rate as f32;
        assert!((0.5..3.0).contains(&seconds), "{seconds}");
        assert!(samples.iter().any(|sample| sample.abs() > 0.1));
        let (quiet, _) = english().speech("--version", 1.0).expect("text, not an option");
        assert!(quiet.len() > 8_000);
    }

    #[test]
    fn marks_of_another_language_are_no_phonemes() {
        assert_eq!(without_languages("(fr)ʒ(en-us)a"), "ʒa");
        assert_eq!(without_languages("a(b"), "a");
    }
}
