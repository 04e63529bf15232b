//! The service over zenoh, opened when its files are there: a vehicle whose certificate is missing answers by itself until it comes.

use troika_dialogue::{CloudConfig, Fault, FromCloud, Meter, Upstream, chat::ChatRequest, cloud::Sink};
use troika_dialogue_mesh::MeshUpstream;

/// A [`MeshUpstream`], or none yet.
pub(crate) struct OverZenoh {
    config: CloudConfig,
    sink: Sink,
    meter: Meter,
    open: Option<MeshUpstream>,
    trace: Option<String>,
}

impl OverZenoh {
    /// Opens it, if that can be.
    pub(crate) fn new(config: &CloudConfig, sink: Sink, meter: Meter) -> OverZenoh {
        let mut service = OverZenoh { config: config.clone(), sink, meter, open: None, trace: None };
        // Why not is said when it is asked.
        let _ = service.open();
        service
    }

    fn open(&mut self) -> Result<&mut MeshUpstream, Fault> {
        let open = match self.open.take() {
            Some(open) => open,
            None => MeshUpstream::new(&self.config, self.sink.clone())
                .map_err(|error| Fault::Files(error.to_string()))?
                .metered(self.meter.clone()),
        };
        Ok(self.open.insert(open))
    }
}

impl Upstream for OverZenoh {
    fn start(&mut self, stream: u64, request: ChatRequest) {
        let trace = self.trace.take();
        match self.open() {
            Ok(service) => {
                service.trace(trace);
                service.start(stream, request);
            }
            Err(fault) => (self.sink)(stream, FromCloud::Failed(fault)),
        }
    }

    fn stop(&mut self, stream: u64) {
        if let Some(service) = &mut self.open {
            service.stop(stream);
        }
    }

    fn trace(&mut self, traceparent: Option<String>) {
        self.trace = traceparent;
    }
}
