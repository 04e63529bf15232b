//! The service over zenoh, opened when its files are there: a vehicle whose certificate is missing answers by itself until it comes.

use crate::client::MeshUpstream;
use troika_dialogue::{
    CloudConfig, Fault, Files, FromCloud, Meter, Upstream, chat::ChatRequest, cloud::Sink,
};

/// A [`MeshUpstream`], or none yet.
pub struct OverZenoh {
    config: CloudConfig,
    files: Files,
    sink: Sink,
    meter: Meter,
    open: Option<MeshUpstream>,
    trace: Option<String>,
}

impl OverZenoh {
    /// Opens it, if that can be.
    pub fn new(config: &CloudConfig, sink: Sink, meter: Meter) -> OverZenoh {
        let files = Files::of(config);
        let mut service = OverZenoh { config: config.clone(), files, sink, meter, open: None, trace: None };
        // Why not is said when it is asked.
        let _ = service.open();
        service
    }

    /// With the files as they are now: where they are others than those of the session that is open, another one takes its place, between
    /// two answers. Files that cannot be used (a renewal that is half done) leave it as it is.
    fn open(&mut self) -> Result<&mut MeshUpstream, Fault> {
        let renewed = self.files.changed();
        let open = match (self.open.take(), renewed) {
            (Some(open), false) => open,
            (before, _) => match (MeshUpstream::new(&self.config, self.sink.clone()), before) {
                (Ok(new), _) => new.metered(self.meter.clone()),
                (Err(_), Some(before)) => before,
                (Err(error), None) => return Err(Fault::Files(error.to_string())),
            },
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
