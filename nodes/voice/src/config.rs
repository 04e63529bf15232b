//! What the voice process is started with.

use std::path::PathBuf;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use troika_kit::{Duration, Ports};

use crate::{ears, tongue::Tongue, turn::Pace, wake::Mode};

/// The topic of the cabin's audio.
pub const CABIN_AUDIO: &str = <ears::Outputs as Ports>::SPECS[0].topic;

/// The process's settings, as TOML or JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VoiceConfig {
    /// Where the audio comes from.
    pub source: SourceConfig,
    /// The recogniser's model in GGML form.
    pub whisper: Option<PathBuf>,
    /// The voice activity model.
    pub vad: Option<PathBuf>,
    /// Another intent-and-slot network than the project's own.
    pub intent: Option<PathBuf>,
    /// The language that is spoken with the vehicle, by its code: `en` or `de`.
    pub spoken_language: Tongue,
    /// Whether a language model listens on /voice/language_request (a node of the kind `slm`).
    pub language: bool,
    /// Whether talk that is no vehicle function goes to /dialogue/request (nodes of the kinds `router` and `bridge`).
    pub dialogue: bool,
    /// The model store that the one which is not named is taken from; by default where `troika models pull` puts it.
    pub models: Option<PathBuf>,
    /// The recogniser's model by its passport's name: `whisper_tiny_en`, or `whisper_base`. Transcripts tell it.
    pub model: String,
    /// Seconds between the partials of an utterance; 0: none. On a core that is busy there are fewer.
    pub partials_s: f32,
    /// Whom it listens to: always whoever speaks, who says the wake word, or who holds the button.
    pub wake: Mode,
    /// The source's audio is published on /cabin/audio too.
    pub publish_audio: bool,
    /// Threads of the recogniser. On busy cores two are slower than one.
    pub threads: u8,
    /// `/` or `/car/front`.
    pub namespace: String,
    /// The node's name.
    pub name: String,
    /// Where the zenoh router is, if not as the environment says.
    pub router: Option<String>,
    /// DDS carries the messages, not zenoh.
    pub dds: bool,
    /// ROS 2's own client library carries them.
    pub ros2: bool,
    /// ROS's domain, if not as the environment says.
    pub domain: Option<u32>,
    /// Niceness of the process.
    pub nice: Option<i32>,
}

/// Where the audio comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceConfig {
    /// All WAV and FLAC files of a folder by name, played at the speed of life with silence between them, once. An utterance's
    /// id is its file's name without the ending.
    Files {
        /// The folder.
        folder: PathBuf,
        /// Silence between two files, in seconds.
        #[serde(default = "gap")]
        gap_s: f32,
        /// Silence before the first, in seconds: others want to be there.
        #[serde(default)]
        wait_s: f32,
    },
    /// One WAV or FLAC file, played once.
    Wav {
        /// The file.
        path: PathBuf,
    },
    /// `troika_msgs/AudioChunk` on a topic, of any rate and channel count.
    Topic {
        /// The topic.
        #[serde(default = "cabin_audio")]
        topic: String,
    },
    /// A microphone.
    Microphone {
        /// Its name as the operating system says it; none is the default one.
        #[serde(default)]
        device: Option<String>,
    },
}

fn cabin_audio() -> String {
    CABIN_AUDIO.to_owned()
}

fn gap() -> f32 {
    1.5
}

impl Default for VoiceConfig {
    fn default() -> Self {
        VoiceConfig {
            source: SourceConfig::Microphone { device: None },
            whisper: None,
            vad: None,
            intent: None,
            spoken_language: Tongue::English,
            language: false,
            dialogue: false,
            models: None,
            model: "whisper_tiny_en".to_owned(),
            partials_s: 0.7,
            wake: Mode::Always,
            publish_audio: false,
            threads: 1,
            namespace: "/".to_owned(),
            name: "voice".to_owned(),
            router: None,
            dds: false,
            ros2: false,
            domain: None,
            nice: None,
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: String,
        /// Why.
        why: std::io::Error,
    },
    /// It says what is not known.
    #[error("{0}")]
    Text(String),
    /// The recogniser's model does not know the language that is spoken.
    #[error(
        "`model = \"{model}\"` hears English alone: with `spoken_language = \"{tongue}\"` set `model = \"whisper_base\"` \
         (fetched by `troika models pull whisper_base`)"
    )]
    EnglishModel {
        /// The model.
        model: String,
        /// The language.
        tongue: Tongue,
    },
    /// A setting is for what understands English alone: the trained network, the language model.
    #[error("`{key}` is for English alone: with `spoken_language = \"{tongue}\"` leave it out")]
    EnglishAlone {
        /// The setting.
        key: &'static str,
        /// The language.
        tongue: Tongue,
    },
    /// A model's place is not told.
    #[error("no {0} model: name it (`{0} = FILE`)")]
    NoModel(&'static str),
}

/// Settings from JSON text (it begins with `{`), or from a file: JSON when its name ends so, else TOML.
pub(crate) fn read<T: DeserializeOwned>(text_or_file: &str) -> Result<T, ConfigError> {
    let json = |text: &str| serde_json::from_str(text).map_err(|error| ConfigError::Text(error.to_string()));
    if text_or_file.trim_start().starts_with('{') {
        return json(text_or_file);
    }
    let text = std::fs::read_to_string(text_or_file)
        .map_err(|why| ConfigError::File { path: text_or_file.to_owned(), why })?;
    if text_or_file.ends_with(".json") {
        return json(&text);
    }
    toml::from_str(&text).map_err(|error| ConfigError::Text(format!("{text_or_file}: {error}")))
}

impl VoiceConfig {
    /// From JSON text (it begins with `{`), or from a file: JSON when its name ends so, else TOML.
    ///
    /// # Errors
    /// When the file cannot be read, or says what is not known.
    pub fn load(text_or_file: &str) -> Result<VoiceConfig, ConfigError> {
        read(text_or_file)
    }

    /// Whether the models that are named know the language that is spoken.
    ///
    /// # Errors
    /// When one does not, with what to name instead.
    pub fn check_language(&self) -> Result<(), ConfigError> {
        let tongue = self.spoken_language;
        if tongue == Tongue::English {
            return Ok(());
        }
        // The passports' names tell it; a file is looked into when it is loaded.
        if self.whisper.is_none() && self.model.ends_with("_en") {
            return Err(ConfigError::EnglishModel { model: self.model.clone(), tongue });
        }
        let keys = [("intent", self.intent.is_some()), ("language", self.language)];
        match keys.into_iter().find(|(_, set)| *set) {
            Some((key, _)) => Err(ConfigError::EnglishAlone { key, tongue }),
            None => Ok(()),
        }
    }

    /// How a turn is paced.
    pub fn pace(&self) -> Pace {
        // What is no number is none.
        let every =
            Some(self.partials_s).filter(|seconds| *seconds > 0.0).map(|seconds| seconds.clamp(0.2, 60.0));
        Pace { partial_every: every.map(Duration::from_secs_f32), ..Pace::default() }
    }

    /// The recogniser's file.
    ///
    /// # Errors
    /// When it is not named.
    pub fn whisper_file(&self) -> Result<PathBuf, ConfigError> {
        self.whisper.clone().ok_or(ConfigError::NoModel("whisper"))
    }

    /// The voice activity model's file.
    ///
    /// # Errors
    /// When it is not named.
    pub fn vad_file(&self) -> Result<PathBuf, ConfigError> {
        self.vad.clone().ok_or(ConfigError::NoModel("vad"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_text_reads_and_what_is_unsaid_is_as_told() {
        let config = VoiceConfig::load(r#"{"source": {"kind": "files", "folder": "speech"}, "models": "m"}"#);
        let config = config.expect("reads");
        assert_eq!(config.source, SourceConfig::Files { folder: "speech".into(), gap_s: 1.5, wait_s: 0.0 });
        assert_eq!(config.threads, 1);
        assert_eq!(config.spoken_language, Tongue::English);
        assert_eq!(config.models, Some(PathBuf::from("m")));
    }

    #[test]
    fn another_language_wants_a_model_that_knows_it() {
        let config = |text: &str| VoiceConfig::load(text).expect("reads");
        assert!(config("{}").check_language().is_ok());
        let english = config(r#"{"spoken_language": "de"}"#).check_language().expect_err("tiny.en");
        assert!(english.to_string().contains("troika models pull whisper_base"), "{english}");
        assert!(config(r#"{"spoken_language": "de", "model": "whisper_base"}"#).check_language().is_ok());
        for (key, value) in [("intent", "\"en.onnx\""), ("language", "true")] {
            let text = format!(r#"{{"spoken_language": "de", "model": "whisper_base", "{key}": {value}}}"#);
            let error = config(&text).check_language().expect_err("English alone").to_string();
            assert!(error.contains(key) && error.contains("leave it out"), "{error}");
        }
        let unknown = VoiceConfig::load(r#"{"spoken_language": "fr"}"#).expect_err("not there").to_string();
        assert!(unknown.contains("there are en and de"), "{unknown}");
    }

    #[test]
    fn a_key_that_is_not_known_is_told() {
        let error = VoiceConfig::load(r#"{"sauce": 1}"#).expect_err("not known").to_string();
        assert!(error.contains("sauce"), "{error}");
        assert!(VoiceConfig::load("not-there.toml").is_err());
        assert!(VoiceConfig::default().vad_file().is_err());
    }
}
