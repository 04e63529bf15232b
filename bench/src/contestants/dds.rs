//! CycloneDDS (the C library that the crate `cyclonedds` brings): a message with one sequence of octets, reliable, keep last 10, as
//! ROS 2's default. Bytes are taken in the reader's listener, on CycloneDDS's thread, without copying them out.

use std::sync::{Arc, OnceLock, PoisonError};

use cyclonedds::{
    DataReader, DataWriter, DdsSequence, DdsTypeDerive, DomainParticipant, Listener, Publisher, Qos,
    QosBuilder, Subscriber, Topic,
};

use super::{Place, Receiver, Sender};
use crate::child::Shared;

#[repr(C)]
#[derive(Debug, Clone, DdsTypeDerive)]
struct Bytes {
    bytes: DdsSequence<u8>,
}

/// A domain that nothing else here uses.
const DOMAIN: u32 = 77;

fn qos() -> anyhow::Result<Qos> {
    Ok(QosBuilder::new().reliable().keep_last(10).build()?)
}

struct Dds {
    writer: DataWriter<Bytes>,
    _participant: DomainParticipant,
}

impl super::Send for Dds {
    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let message = Bytes { bytes: DdsSequence::from_slice(bytes)? };
        Ok(self.writer.write(&message)?)
    }
}

/// The sending end.
pub fn send(place: &Place) -> anyhow::Result<Sender> {
    let participant = DomainParticipant::new(DOMAIN)?;
    let topic = Topic::<Bytes>::new(&participant, &place.name())?;
    let publisher = Publisher::new(&participant)?;
    let writer = publisher.create_writer_with_qos(&topic, &qos()?)?;
    Ok(Box::new(Dds { writer, _participant: participant }))
}

/// The receiving end.
pub fn receive(place: &Place, notes: Shared) -> anyhow::Result<Receiver> {
    let participant = DomainParticipant::new(DOMAIN)?;
    let topic = Topic::<Bytes>::new(&participant, &place.name())?;
    let subscriber = Subscriber::new(&participant)?;
    let reader: Arc<OnceLock<DataReader<Bytes>>> = Arc::default();
    let here = reader.clone();
    let listener = Listener::builder()
        .on_data_available(move |_| {
            let Some(Ok(loan)) = here.get().map(DataReader::take_loan) else { return };
            for sample in loan.iter_native() {
                notes.lock().unwrap_or_else(PoisonError::into_inner).take(sample.data.bytes.as_slice());
            }
        })
        .build()?;
    let made = DataReader::with_qos_and_listener(&subscriber, &topic, Some(&qos()?), Some(&listener))?;
    anyhow::ensure!(reader.set(made).is_ok(), "one reader");
    Ok(Box::new((reader, listener, participant)))
}
