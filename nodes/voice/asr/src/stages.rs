//! What understands the words.

use troika_models::Store;
use troika_vehicle::catalogue::Catalogue;
use troika_voice::{cascade::Cascade, config::VoiceConfig, intent::IntentModel, matcher::Matcher};

/// The stages that understand the language that is spoken: its templates, and the network that is named or else the project's own, if
/// there is one for it.
///
/// # Errors
/// When the network is not to be had.
pub fn cascade(config: &VoiceConfig) -> anyhow::Result<Cascade> {
    let catalogue = Catalogue::built_in();
    let network = match (&config.intent, config.spoken_language.network()) {
        (Some(path), _) => Some(IntentModel::load(path, catalogue)?),
        (None, Some(name)) => {
            let store = Store::open_in(config.models.as_deref())?;
            Some(IntentModel::from_bytes(&store.load_bytes(name)?, name, catalogue)?)
        }
        (None, None) => None,
    };
    Ok(Cascade::new(Matcher::of(config.spoken_language), network))
}
