//! What understands the words.

use troika_models::Store;
use troika_vehicle::catalogue::Catalogue;
use troika_voice::{cascade::Cascade, config::VoiceConfig, intent::IntentModel, matcher::Matcher};

/// The project's own network, by its name in the store.
const NETWORK: &str = "intent_slots_en";

/// The stages that understand: the templates, and the network that is named or else the project's own.
///
/// # Errors
/// When the network is not to be had.
pub fn cascade(config: &VoiceConfig) -> anyhow::Result<Cascade> {
    let catalogue = Catalogue::built_in();
    let network = match &config.intent {
        Some(path) => IntentModel::load(path, catalogue)?,
        None => {
            let store = match &config.models {
                Some(folder) => Store::open(folder)?,
                None => Store::open_default()?,
            };
            IntentModel::from_bytes(&store.load_bytes(NETWORK)?, NETWORK, catalogue)?
        }
    };
    Ok(Cascade::new(Matcher::english(), Some(network)))
}
