//! Messages and a node for the tests of the host. The CDR here is only as much as they need.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "shared by several test binaries, each of which uses a part"
)]

use troika_kit::{
    Class, Contract, ContractSpec, DecodeError, Done, Duration, EncodeError, Events, Fault, Latest, Message,
    Out, Step, Tick, TypeInfo, Wake, ports,
};

const HEADER: [u8; 4] = [0, 1, 0, 0];

/// A message that owns no heap memory.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Number(pub u64);

impl Message for Number {
    const TYPE: TypeInfo = TypeInfo { name: "test_msgs/msg/Number", hash: "RIHS01_01" };
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.clear();
        out.extend_from_slice(&HEADER);
        out.extend_from_slice(&self.0.to_le_bytes());
        Ok(())
    }
    fn decode(cdr: &[u8]) -> Result<Self, DecodeError> {
        let body = cdr.strip_prefix(&HEADER).ok_or(DecodeError::Encapsulation)?;
        let bytes = body.first_chunk().ok_or(DecodeError::Truncated)?;
        Ok(Number(u64::from_le_bytes(*bytes)))
    }
}

/// A message of any size, on the heap.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Blob(pub Vec<u8>);

impl Message for Blob {
    const TYPE: TypeInfo = TypeInfo { name: "test_msgs/msg/Blob", hash: "RIHS01_02" };
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.clear();
        out.extend_from_slice(&HEADER);
        out.extend_from_slice(&self.0);
        Ok(())
    }
    fn decode(cdr: &[u8]) -> Result<Self, DecodeError> {
        cdr.strip_prefix(&HEADER).map(|body| Blob(body.to_vec())).ok_or(DecodeError::Encapsulation)
    }
}

ports! {
    /// In.
    pub struct Inputs {
        /// Wakes the node.
        number: Latest<Number> = "/in",
        /// Rides along.
        blobs: Events<Blob, 4> = "/blobs",
    }
}

ports! {
    /// Out.
    pub struct Outputs {
        /// The number doubled, or [`FALL_BACK`].
        doubled: Out<Number> = "/out",
        /// The length of each blob.
        lengths: Out<Number, 4> = "/lengths",
    }
}

/// What the node says when it falls back.
pub const FALL_BACK: Number = Number(u64::MAX);
/// The number that it cannot use.
pub const BAD: Number = Number(666);
/// The number that makes it panic.
pub const DEADLY: Number = Number(667);
/// The number that makes both it and its fall-back panic.
pub const DEADLY_TWICE: Number = Number(668);

pub const fn contract(wake: Wake, class: Class) -> Contract {
    Contract::new(ContractSpec {
        node: "doubler",
        wake,
        period: Duration::from_millis(10),
        deadline: Duration::from_millis(8),
        budget: Duration::from_millis(2),
        class,
        requirements: &[],
    })
}

/// Doubles numbers and measures blobs.
#[derive(Default)]
pub struct Doubler {
    fatal: bool,
}

impl Doubler {
    fn work(&mut self, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        for blob in inputs.blobs.iter() {
            outputs.lengths.send(Number(blob.value.0.len() as u64));
        }
        let Some(number) = inputs.number.fresh() else { return Err(Fault::StaleInput { port: "number" }) };
        outputs.doubled.send(Number(number.value.0.wrapping_mul(2)));
        match number.value {
            BAD => Err(Fault::BadInput("666")),
            DEADLY => panic!("as the test asked"),
            DEADLY_TWICE => {
                self.fatal = true;
                panic!("as the test asked")
            }
            _ => Ok(Done::Worked),
        }
    }
}

impl Step for Doubler {
    type Inputs = Inputs;
    type Outputs = Outputs;
    const CONTRACT: Contract = contract(Wake::Input("number"), Class::Hard);

    fn step(&mut self, _: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        self.work(inputs, outputs)
    }

    fn fall_back(&mut self, _: &Tick, _: &Fault, outputs: &mut Outputs) {
        assert!(!self.fatal, "as the test asked");
        outputs.doubled.send(FALL_BACK);
    }
}

ports! {
    /// None.
    pub struct Nothing {}
}

ports! {
    /// Out.
    pub struct Counted {
        /// 0, 1, 2, …, or [`FALL_BACK`].
        count: Out<Number> = "/count",
    }
}

/// Counts its steps, every 10 ms.
#[derive(Default)]
pub struct Counting<const BEST: bool> {
    pub next: u64,
}

impl<const BEST: bool> Step for Counting<BEST> {
    type Inputs = Nothing;
    type Outputs = Counted;
    const CONTRACT: Contract = contract(Wake::Period, if BEST { Class::Best } else { Class::Hard });

    fn step(&mut self, _: &Tick, _: &Nothing, outputs: &mut Counted) -> Result<Done, Fault> {
        outputs.count.send(Number(self.next));
        self.next += 1;
        Ok(Done::Worked)
    }

    fn fall_back(&mut self, _: &Tick, _: &Fault, outputs: &mut Counted) {
        outputs.count.send(FALL_BACK);
    }
}

ports! {
    /// In.
    pub struct Queued {
        /// Each matters.
        blobs: Events<Blob, 4> = "/blobs",
    }
}

ports! {
    /// Out.
    pub struct Sent {
        /// As they came, or one empty blob as fall-back.
        blobs: Out<Blob, 4> = "/echo",
    }
}

/// Sends back each blob, every 10 ms.
pub struct Echo;

impl Step for Echo {
    type Inputs = Queued;
    type Outputs = Sent;
    const CONTRACT: Contract = contract(Wake::Period, Class::Firm);

    fn step(&mut self, _: &Tick, inputs: &Queued, outputs: &mut Sent) -> Result<Done, Fault> {
        inputs.blobs.iter().for_each(|blob| outputs.blobs.send(blob.value.clone()));
        Ok(if inputs.blobs.iter().len() > 0 { Done::Worked } else { Done::Idle })
    }

    fn fall_back(&mut self, _: &Tick, _: &Fault, outputs: &mut Sent) {
        outputs.blobs.send(Blob::default());
    }
}
