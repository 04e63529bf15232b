//! What belongs here: the dialogue's bridge as a plugin of a zenoh router, beside the program `troika-bridge`. It speaks on a session of
//! the router's own runtime: no socket lies between them.
//!
//! A router loads it that was built by the same rustc, of the same zenoh with the same features, and of the same versions of what both
//! stand on (zenoh compares the first three and refuses; the last is what one lock file gives). Settings are the `plugins/troika` of the
//! router's configuration: those of `troika-bridge`, in JSON. Names, logging and `RUST_LOG` are the router's.

mod settings;

use std::thread::JoinHandle;

use anyhow::Context as _;
use troika_bridge::{BridgeConfig, process};
use troika_host::sync::StopToken;
use troika_transport_zenoh::{ZenohOptions, ZenohTransport};
use zenoh::{
    Result as ZResult, Wait,
    internal::{
        plugins::{RunningPlugin, RunningPluginTrait, ZenohPlugin},
        runtime::DynamicRuntime,
    },
};
use zenoh_plugin_trait::{Plugin, PluginControl, plugin_long_version, plugin_version};

/// The plugin.
#[derive(Debug)]
pub struct Troika;

// zenoh's macro: functions without mangled names, which the router looks for. Compared before any other is called.
zenoh_plugin_trait::declare_plugin!(Troika);

impl ZenohPlugin for Troika {}

impl Plugin for Troika {
    type StartArgs = DynamicRuntime;
    type Instance = RunningPlugin;

    const DEFAULT_NAME: &'static str = "troika";
    const PLUGIN_VERSION: &'static str = plugin_version!();
    const PLUGIN_LONG_VERSION: &'static str = plugin_long_version!();

    fn start(name: &str, runtime: &DynamicRuntime) -> ZResult<RunningPlugin> {
        // A library has a log of its own; as the router's, it follows RUST_LOG.
        zenoh::try_init_log_from_env();
        let settings = runtime.get_config().get_plugin_config(name)?;
        let config = settings::read(settings).map_err(|error| {
            // A router that must have this plugin ends by a panic over what is returned: here it stands in words, and by itself.
            tracing::error!("plugins/{name}: {error:#}");
            format!("plugins/{name}: {error:#}")
        })?;
        Ok(Box::new(Running::start(config, runtime.clone())?))
    }
}

/// The bridge on its thread; dropping it ends both.
struct Running {
    stop: StopToken,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(config: BridgeConfig, runtime: DynamicRuntime) -> std::io::Result<Running> {
        let stop = StopToken::new();
        let ends = stop.clone();
        // The router's own threads are not waited on: the session is made where it is used.
        let work = move || {
            if let Err(error) = run(&config, runtime, &ends) {
                tracing::error!("the bridge ended: {error:#}");
            }
        };
        let thread = std::thread::Builder::new().name("troika-bridge".into()).spawn(work)?;
        Ok(Running { stop, thread: Some(thread) })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the bridge had panicked");
        }
    }
}

impl PluginControl for Running {}
impl RunningPluginTrait for Running {}

fn run(config: &BridgeConfig, runtime: DynamicRuntime, stop: &StopToken) -> anyhow::Result<()> {
    let session =
        zenoh::session::init(runtime).wait().map_err(|error| anyhow::anyhow!("no session: {error}"))?;
    let options = ZenohOptions::from_env()?;
    let domain = config.domain.unwrap_or(options.domain);
    let transport = ZenohTransport::on(session, ZenohOptions { domain, ..options });
    tracing::info!("the bridge speaks as {}{} in ROS domain {domain}", config.namespace, config.name);
    process::run_on(config, &transport, None, stop, || ()).context("bridge")
}
