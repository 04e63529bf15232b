//! A video file, decoded by ffmpeg as a child process that writes PPM or PGM pictures into a pipe: each has its size in its
//! header, so a rotated or odd file cannot be read as something else.

use core::time::Duration;
use std::{
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread::JoinHandle,
};

use super::{Camera, Frame, FrameSource, SourceError};
use crate::config::Video;

/// Pictures larger than this are refused before anything is allocated: four times 8192 x 8192 in colour.
const MOST_BYTES: u64 = 4 * 8192 * 8192 * 3;

/// Room that is made for a picture before it is there, bytes: more than 1080 rows of colour have.
const AT_ONCE: u64 = 8 << 20;

/// A video file.
pub(crate) struct File {
    pub(crate) settings: Video,
    pub(crate) path: PathBuf,
}

struct Open {
    child: Child,
    pictures: BufReader<ChildStdout>,
    /// What ffmpeg complained of, its last words.
    complaints: Option<JoinHandle<String>>,
    pace: Duration,
}

impl Camera for File {
    fn open(&mut self) -> Result<Box<dyn FrameSource>, SourceError> {
        let what = || format!("the video {}", self.path.display());
        // ffmpeg's own message for it is longer and names no folder.
        std::fs::File::open(&self.path).map_err(|error| SourceError::open(what(), error))?;
        let rate = match self.settings.rate {
            Some(rate) => rate,
            None => rate_of(&self.path).map_err(|reason| SourceError::open(what(), reason))?,
        };
        let (codec, format) = if self.settings.grey { ("pgm", "gray") } else { ("ppm", "rgb24") };
        let mut child = Command::new("ffmpeg")
            .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-i"])
            .arg(&self.path)
            .args(["-map", "0:v:0", "-r", &rate.to_string(), "-f", "image2pipe"])
            .args(["-c:v", codec, "-pix_fmt", format, "pipe:1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| SourceError::open(what(), no_program("ffmpeg", &error)))?;
        let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(SourceError::open(what(), "ffmpeg has no pipes"));
        };
        Ok(Box::new(Open {
            child,
            pictures: BufReader::with_capacity(1 << 20, out),
            complaints: Some(std::thread::spawn(move || last_words(err))),
            pace: Duration::from_secs_f64(1.0 / rate),
        }))
    }

    fn repeats(&self) -> bool {
        self.settings.repeat
    }
}

fn no_program(name: &str, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        format!("{name} is not installed: apt-get install ffmpeg")
    } else {
        format!("{name}: {error}")
    }
}

/// The file's own frames a second.
fn rate_of(path: &Path) -> Result<f64, String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-show_entries", "stream=avg_frame_rate"])
        .args(["-of", "csv=p=0"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| no_program("ffprobe", &error))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    rate(text.lines().next().unwrap_or_default())
        .ok_or_else(|| format!("its frame rate '{}' cannot be used: set rate", text.trim()))
}

/// `30000/1001` or `30`.
fn rate(text: &str) -> Option<f64> {
    let (over, under) = text.trim().trim_end_matches(',').split_once('/').unwrap_or((text.trim(), "1"));
    let rate = over.parse::<f64>().ok()? / under.parse::<f64>().ok()?;
    (1.0..=240.0).contains(&rate).then_some(rate)
}

/// Reads to the end, so that the writer never blocks, and keeps the last line.
fn last_words(err: impl Read) -> String {
    let lines = BufReader::new(err).split(b'\n').map_while(Result::ok);
    let line = lines.filter(|line| !line.is_empty()).last().unwrap_or_default();
    String::from_utf8_lossy(&line).chars().take(300).collect()
}

impl FrameSource for Open {
    fn next_frame(&mut self) -> Result<Frame, SourceError> {
        match picture(&mut self.pictures) {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) => {
                let status = self.child.wait();
                let said = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
                if status.is_ok_and(|status| status.success()) {
                    return Err(SourceError::End);
                }
                Err(SourceError::Lost(format!("ffmpeg: {said}")))
            }
            Err(error) => Err(SourceError::Lost(format!("ffmpeg's pictures cannot be read: {error}"))),
        }
    }

    fn pace(&self) -> Option<Duration> {
        Some(self.pace)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Ours alone; it may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One binary PGM or PPM picture; none at the end.
///
/// # Errors
/// What is neither, of another depth, too large or cut; and the reader's.
pub fn picture(from: &mut impl BufRead) -> io::Result<Option<Frame>> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    if from.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let magic = word(from)?;
    let (encoding, channels) = match magic.as_str() {
        "P5" => ("mono8", 1),
        "P6" => ("rgb8", 3),
        _ => return Err(bad("no PGM or PPM picture")),
    };
    let mut number = || word(from)?.parse::<u32>().map_err(|_| bad("a header that is no PGM or PPM"));
    let (width, height, most) = (number()?, number()?, number()?);
    let bytes = u64::from(width).saturating_mul(height.into()).saturating_mul(channels);
    if most != 255 || bytes == 0 || bytes > MOST_BYTES {
        return Err(bad("a picture of another depth, or too large"));
    }
    // Room for what comes, not for what is claimed.
    let mut data = Vec::with_capacity(bytes.min(AT_ONCE) as usize);
    if from.take(bytes).read_to_end(&mut data)? as u64 != bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(Frame { width, height, encoding, step: width * channels as u32, data }))
}

/// The bytes to the next white space, which is taken too.
fn word(from: &mut impl BufRead) -> io::Result<String> {
    let mut word = String::new();
    let mut byte = [0];
    loop {
        from.read_exact(&mut byte)?;
        match byte[0] {
            space if space.is_ascii_whitespace() => return Ok(word),
            byte if byte.is_ascii_graphic() && word.len() < 16 => word.push(char::from(byte)),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "no PGM or PPM header")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_read_to_the_end_and_each_has_its_own_size() {
        let mut bytes: &[u8] = b"P5\n2 1\n255\nabP6\n1 1\n255\nrgb";
        let first = picture(&mut bytes).expect("a picture").expect("not the end");
        assert_eq!(
            (first.encoding, first.width, first.step, first.data.as_slice()),
            ("mono8", 2, 2, &b"ab"[..])
        );
        let second = picture(&mut bytes).expect("a picture").expect("not the end");
        assert_eq!((second.encoding, second.step, second.data.as_slice()), ("rgb8", 3, &b"rgb"[..]));
        assert_eq!(picture(&mut bytes).expect("the end"), None);
    }

    #[test]
    fn garbage_and_floods_are_errors_and_allocate_nothing() {
        for garbage in [
            &b"P7\n1 1\n255\n"[..],
            b"P6\n1 1\n65535\nxxxxxx",
            b"P6\n4000000000 4000000000\n255\n",
            b"P6\n0 1\n255\n",
            b"P6\n1 1\n255\nrg",
            b"P6",
            b"\x89PNG",
            b"P6\n11111111111111111111111111 1\n255\n",
        ] {
            assert!(picture(&mut &garbage[..]).is_err(), "{}", String::from_utf8_lossy(garbage));
        }
    }

    #[test]
    fn rates_are_read_as_ffprobe_writes_them() {
        assert_eq!(rate("30/1"), Some(30.0));
        assert!((rate("30000/1001").expect("a rate") - 29.97).abs() < 0.001);
        assert_eq!(rate("25"), Some(25.0));
        for odd in ["0/0", "1/0", "", "N/A", "100000/1"] {
            assert_eq!(rate(odd), None, "{odd}");
        }
    }
}
