//! CycloneDDS, as far as this crate calls it: `c/troika_dds.h` declared by hand, and owners of its entities with safe methods. All
//! `unsafe` of the crate is here.
//!
//! What every `SAFETY:` below stands on: an [`Entity`] is a number that CycloneDDS checks at each call, so a stale one is an
//! error and no more; CycloneDDS's calls may come from any thread; strings and bytes that go in are copied before the call
//! returns; and those that come out live until the callback returns or the sample is released.

use std::{
    ffi::{CStr, CString, c_char, c_void},
    ptr::{NonNull, null, null_mut},
    slice,
    sync::Arc,
};

use troika_kit::{Duration, Time};

/// A participant's or an endpoint's global id, in the order of the wire.
pub(crate) type Guid = [u8; 16];

/// No limit, of a duration.
const INFINITE_NS: i64 = i64::MAX;

#[repr(C)]
#[derive(Clone, Copy)]
struct Bytes {
    data: *const u8,
    len: usize,
}

impl Bytes {
    const NONE: Bytes = Bytes { data: null(), len: 0 };

    fn of(bytes: &[u8]) -> Bytes {
        Bytes { data: bytes.as_ptr(), len: bytes.len() }
    }

    /// # Safety
    /// They must live for `'a`.
    unsafe fn get<'a>(self) -> &'a [u8] {
        if self.data.is_null() {
            return &[];
        }
        // SAFETY: the caller's, and `data` with `len` bytes is what C promises where it is not null.
        unsafe { slice::from_raw_parts(self.data, self.len) }
    }
}

#[repr(C)]
struct RawQos {
    reliable: bool,
    transient_local: bool,
    depth: i32,
    deadline_ns: i64,
    lifespan_ns: i64,
    lease_ns: i64,
    manual_by_topic: bool,
    ignore_own: bool,
    user_data: Bytes,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct RawBeside {
    has_related: bool,
    related_guid: Guid,
    related_sequence: i64,
    refusal: Bytes,
}

#[repr(C)]
struct RawSample {
    held: *mut c_void,
    data: *const u8,
    size: usize,
    source_ns: i64,
    sequence: i64,
    newest: i64,
    writer: Guid,
    beside: RawBeside,
}

#[repr(C)]
struct RawSeen {
    alive: bool,
    guid: Guid,
    participant: Guid,
    topic: *const c_char,
    type_name: *const c_char,
    user_data: Bytes,
}

#[repr(C)]
struct RawListening {
    on_data: Option<unsafe extern "C" fn(*mut c_void, i32)>,
    on_match: Option<unsafe extern "C" fn(*mut c_void, i32)>,
    arg: *mut c_void,
}

type OnSeen = unsafe extern "C" fn(*mut c_void, *const RawSeen);

/// What discovery tells of.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    Participants,
    Writers,
    Readers,
}

unsafe extern "C" {
    fn tdds_strerror(code: i32) -> *const c_char;
    fn tdds_domain(id: u32, config: *const c_char) -> i32;
    fn tdds_participant(domain: u32, user_data: Bytes) -> i32;
    fn tdds_guid(entity: i32, guid: *mut Guid) -> i32;
    fn tdds_handle(entity: i32, handle: *mut u64) -> i32;
    fn tdds_delete(entity: i32) -> i32;
    fn tdds_reader(
        participant: i32,
        topic: *const c_char,
        type_name: *const c_char,
        qos: *const RawQos,
        to: *const RawListening,
    ) -> i32;
    fn tdds_writer(
        participant: i32,
        topic: *const c_char,
        type_name: *const c_char,
        qos: *const RawQos,
        to: *const RawListening,
        sertype: *mut *const c_void,
    ) -> i32;
    fn tdds_write(
        writer: i32,
        sertype: *const c_void,
        bytes: Bytes,
        source_ns: i64,
        sequence: i64,
        beside: *const RawBeside,
    ) -> i32;
    fn tdds_take(reader: i32, sample: *mut RawSample) -> i32;
    fn tdds_release(held: *mut c_void);
    fn tdds_discovery(participant: i32, which: Builtin, to: *const RawListening) -> i32;
    fn tdds_discovered(reader: i32, which: Builtin, on_seen: OnSeen, arg: *mut c_void) -> i32;
    fn tdds_matched(entity: i32, is_reader: bool, on_seen: OnSeen, arg: *mut c_void) -> i32;
}

/// What CycloneDDS says of a failed call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Error(String);

impl Error {
    pub(crate) fn of(error: &impl ToString) -> Error {
        Error(error.to_string())
    }
}

fn checked(code: i32) -> Result<i32, Error> {
    if code >= 0 {
        return Ok(code);
    }
    // SAFETY: it returns a pointer to a constant text for every code.
    let text = unsafe { CStr::from_ptr(tdds_strerror(code)) };
    Err(Error(text.to_string_lossy().into_owned()))
}

fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error("a name holds a NUL".to_owned()))
}

/// Whom CycloneDDS tells, on its own threads and with its locks held: short, and no call of CycloneDDS but [`Reading::take`].
pub(crate) trait Listen: Send + Sync + 'static {
    /// There is something to take. `reader` takes it.
    fn on_data(&self, _reader: Reading) {}
    /// Who is matched has changed.
    fn on_match(&self) {}
}

/// Nobody wants to know.
pub(crate) struct Deaf;

impl Listen for Deaf {}

/// A reader as its listener sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading(i32);

/// What goes with a message beside its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Beside<'a> {
    /// The request that this is an answer to: its writer and its count there. Of a request: who reads the answer.
    pub(crate) related: Option<(Guid, i64)>,
    /// Why there is no answer.
    pub(crate) refusal: Option<&'a str>,
}

/// What is offered or asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quality<'a> {
    pub(crate) reliable: bool,
    pub(crate) transient_local: bool,
    /// Keep last; 0: keep all.
    pub(crate) depth: i32,
    pub(crate) deadline: Option<Duration>,
    pub(crate) lifespan: Option<Duration>,
    pub(crate) lease: Option<Duration>,
    /// Each writer shows by itself that it lives.
    pub(crate) manual_by_topic: bool,
    /// Nothing of the same participant.
    pub(crate) ignore_own: bool,
    pub(crate) user_data: &'a [u8],
}

fn nanoseconds(span: Option<Duration>) -> i64 {
    span.and_then(|span| i64::try_from(span.as_nanos()).ok()).unwrap_or(INFINITE_NS)
}

impl Quality<'_> {
    fn raw(&self) -> RawQos {
        RawQos {
            reliable: self.reliable,
            transient_local: self.transient_local,
            depth: self.depth,
            deadline_ns: nanoseconds(self.deadline),
            lifespan_ns: nanoseconds(self.lifespan),
            lease_ns: nanoseconds(self.lease),
            manual_by_topic: self.manual_by_topic,
            ignore_own: self.ignore_own,
            user_data: Bytes::of(self.user_data),
        }
    }
}

/// Anything that CycloneDDS made, with what it made inside; deleted when dropped, which waits for calls of its listener.
#[derive(Debug)]
struct Entity(i32);

impl Drop for Entity {
    fn drop(&mut self) {
        // SAFETY: a number, see above.
        if let Err(error) = checked(unsafe { tdds_delete(self.0) }) {
            tracing::debug!(%error, "a DDS entity was gone already");
        }
    }
}

impl Entity {
    fn guid(&self) -> Result<Guid, Error> {
        let mut guid = [0; 16];
        // SAFETY: `guid` has the 16 bytes that are written.
        checked(unsafe { tdds_guid(self.0, &raw mut guid) })?;
        Ok(guid)
    }
}

/// A reader or writer and whom it tells. The fields are dropped in their order: what CycloneDDS may call lives longer.
struct Told {
    entity: Entity,
    _raw: Box<RawListening>,
    _to: Box<Arc<dyn Listen>>,
}

// SAFETY: the pointers of `_raw` lead to functions and to `_to`, which is Send and Sync; CycloneDDS's calls may come from any thread.
unsafe impl Send for Told {}
// SAFETY: as above.
unsafe impl Sync for Told {}

impl Told {
    /// `make` gets the listening, which lives as long as what it makes.
    fn new(to: Arc<dyn Listen>, make: impl FnOnce(*const RawListening) -> i32) -> Result<Told, Error> {
        let to = Box::new(to);
        let arg = (&raw const *to).cast_mut().cast::<c_void>();
        let raw = Box::new(RawListening { on_data: Some(on_data), on_match: Some(on_match), arg });
        let entity = Entity(checked(make(&raw const *raw))?);
        Ok(Told { entity, _raw: raw, _to: to })
    }

    /// Who it is matched with.
    fn matched(&self, is_reader: bool, mut on_seen: impl FnMut(Seen<'_>)) -> Result<(), Error> {
        let (call, arg) = on_seen_of(&mut on_seen);
        // SAFETY: `call` takes `arg` for what it is, and is called before this returns alone.
        checked(unsafe { tdds_matched(self.entity.0, is_reader, call, arg) }).map(drop)
    }
}

/// # Safety
/// `arg` is [`Told`]'s.
unsafe extern "C" fn on_data(arg: *mut c_void, entity: i32) {
    // SAFETY: the caller's; the box lives until the entity is deleted, which waits for this call.
    let to = unsafe { &*arg.cast::<Arc<dyn Listen>>() };
    to.on_data(Reading(entity));
}

/// # Safety
/// `arg` is [`Told`]'s.
unsafe extern "C" fn on_match(arg: *mut c_void, _entity: i32) {
    // SAFETY: as in `on_data`.
    let to = unsafe { &*arg.cast::<Arc<dyn Listen>>() };
    to.on_match();
}

/// A participant, an endpoint, or its end, as discovery tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// False: it is gone, and only the ids are sound.
    pub(crate) alive: bool,
    pub(crate) guid: Guid,
    pub(crate) participant: Guid,
    pub(crate) topic: &'a str,
    pub(crate) type_name: &'a str,
    pub(crate) user_data: &'a [u8],
}

fn on_seen_of<F: FnMut(Seen<'_>)>(on_seen: &mut F) -> (OnSeen, *mut c_void) {
    /// # Safety
    /// `arg` is an `F` that nobody else uses, and `seen` is sound for the length of the call.
    unsafe extern "C" fn call<F: FnMut(Seen<'_>)>(arg: *mut c_void, seen: *const RawSeen) {
        // SAFETY: the caller's.
        let (on_seen, seen) = unsafe { (&mut *arg.cast::<F>(), &*seen) };
        // SAFETY: C gives texts that end in a NUL, never null.
        let (topic, type_name) = unsafe { (CStr::from_ptr(seen.topic), CStr::from_ptr(seen.type_name)) };
        on_seen(Seen {
            alive: seen.alive,
            guid: seen.guid,
            participant: seen.participant,
            // A name that is no UTF-8 is none of ROS.
            topic: topic.to_str().unwrap_or_default(),
            type_name: type_name.to_str().unwrap_or_default(),
            // SAFETY: they live for the length of the call.
            user_data: unsafe { seen.user_data.get() },
        });
    }
    (call::<F>, (&raw mut *on_seen).cast())
}

/// A domain of this process, which is closed when it is dropped, with all that is in it.
#[derive(Debug)]
pub(crate) struct Domain(#[allow(dead_code, reason = "held for its drop")] Entity);

impl Domain {
    /// `id` tells domains of this process apart; what peers see is in the configuration (XML).
    pub(crate) fn open(id: u32, config: &str) -> Result<Domain, Error> {
        let config = c_string(config)?;
        // SAFETY: a text that ends in a NUL.
        checked(unsafe { tdds_domain(id, config.as_ptr()) }).map(|entity| Domain(Entity(entity)))
    }
}

/// A participant of a domain.
#[derive(Debug)]
pub(crate) struct Participant(Entity);

impl Participant {
    pub(crate) fn new(domain: u32, user_data: &[u8]) -> Result<Participant, Error> {
        // SAFETY: bytes that are copied.
        checked(unsafe { tdds_participant(domain, Bytes::of(user_data)) })
            .map(|entity| Participant(Entity(entity)))
    }

    pub(crate) fn guid(&self) -> Result<Guid, Error> {
        self.0.guid()
    }

    /// A reader of what discovery tells.
    pub(crate) fn discovery(&self, which: Builtin, to: Arc<dyn Listen>) -> Result<Discovery, Error> {
        // SAFETY: the listening outlives the reader.
        let told = Told::new(to, |raw| unsafe { tdds_discovery(self.0.0, which, raw) })?;
        Ok(Discovery { told, which })
    }

    pub(crate) fn reader(
        &self,
        topic: &str,
        type_name: &str,
        quality: &Quality<'_>,
        to: Arc<dyn Listen>,
    ) -> Result<Reader, Error> {
        let (topic, type_name, qos) = (c_string(topic)?, c_string(type_name)?, quality.raw());
        let told = Told::new(to, |raw| {
            // SAFETY: texts that end in a NUL, a sound QoS, and a listening that outlives the reader.
            unsafe { tdds_reader(self.0.0, topic.as_ptr(), type_name.as_ptr(), &raw const qos, raw) }
        })?;
        let guid = told.entity.guid()?;
        Ok(Reader { told, guid })
    }

    pub(crate) fn writer(
        &self,
        topic: &str,
        type_name: &str,
        quality: &Quality<'_>,
        to: Arc<dyn Listen>,
    ) -> Result<Writer, Error> {
        let (topic, type_name, qos) = (c_string(topic)?, c_string(type_name)?, quality.raw());
        let mut sertype = null();
        let told = Told::new(to, |raw| {
            // SAFETY: as in `reader`, and a place for the type.
            unsafe {
                tdds_writer(
                    self.0.0,
                    topic.as_ptr(),
                    type_name.as_ptr(),
                    &raw const qos,
                    raw,
                    &raw mut sertype,
                )
            }
        })?;
        let guid = told.entity.guid()?;
        let mut handle = 0;
        // SAFETY: a place for the handle.
        checked(unsafe { tdds_handle(told.entity.0, &raw mut handle) })?;
        Ok(Writer { told, sertype, guid, handle, sequence: 0 })
    }
}

/// A reader of what discovery tells.
pub(crate) struct Discovery {
    told: Told,
    pub(crate) which: Builtin,
}

impl Discovery {
    /// All that is new.
    pub(crate) fn take(&self, mut on_seen: impl FnMut(Seen<'_>)) -> Result<(), Error> {
        let (call, arg) = on_seen_of(&mut on_seen);
        // SAFETY: `call` takes `arg` for what it is, and is called before this returns alone.
        checked(unsafe { tdds_discovered(self.told.entity.0, self.which, call, arg) }).map(drop)
    }
}

/// A reader of a topic; its listener takes what comes.
pub(crate) struct Reader {
    told: Told,
    pub(crate) guid: Guid,
}

impl Reader {
    /// The writers that it is matched with.
    pub(crate) fn matched(&self, on_seen: impl FnMut(Seen<'_>)) -> Result<(), Error> {
        self.told.matched(true, on_seen)
    }
}

impl Reading {
    /// The next sample, if there is one.
    pub(crate) fn take(self) -> Result<Option<Sample>, Error> {
        let mut raw = RawSample {
            held: null_mut(),
            data: null(),
            size: 0,
            source_ns: 0,
            sequence: 0,
            newest: 0,
            writer: [0; 16],
            beside: RawBeside {
                has_related: false,
                related_guid: [0; 16],
                related_sequence: 0,
                refusal: Bytes::NONE,
            },
        };
        // SAFETY: a place for the sample, which is written whole when there is one.
        let taken = checked(unsafe { tdds_take(self.0, &raw mut raw) })?;
        Ok(NonNull::new(raw.held).filter(|_| taken > 0).map(|held| Sample { held, raw }))
    }
}

/// A message that was taken; it owns its bytes.
pub(crate) struct Sample {
    held: NonNull<c_void>,
    raw: RawSample,
}

// SAFETY: its reference count is atomic, and nobody writes to it any more.
unsafe impl Send for Sample {}

impl Sample {
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: they live until the sample is released, in `drop`.
        unsafe { Bytes { data: self.raw.data, len: self.raw.size }.get() }
    }

    /// The writer's stamp.
    pub(crate) fn source_time(&self) -> Time {
        Time::from_nanos(u64::try_from(self.raw.source_ns).unwrap_or(0))
    }

    /// The writer's count, from 1.
    pub(crate) fn sequence(&self) -> i64 {
        self.raw.sequence
    }

    /// How many later messages its writer was known to have when it came.
    pub(crate) fn later(&self) -> u64 {
        u64::try_from(self.raw.newest.saturating_sub(self.raw.sequence)).unwrap_or(0)
    }

    pub(crate) fn writer(&self) -> Guid {
        self.raw.writer
    }

    pub(crate) fn related(&self) -> Option<(Guid, i64)> {
        self.raw
            .beside
            .has_related
            .then_some((self.raw.beside.related_guid, self.raw.beside.related_sequence))
    }

    /// Why there is no answer.
    pub(crate) fn refusal(&self) -> Option<String> {
        let refusal = self.raw.beside.refusal;
        // SAFETY: they live until the sample is released, in `drop`.
        (!refusal.data.is_null()).then(|| String::from_utf8_lossy(unsafe { refusal.get() }).into_owned())
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        // SAFETY: the one reference that `take` gave.
        unsafe { tdds_release(self.held.as_ptr()) };
    }
}

/// A writer on a topic.
pub(crate) struct Writer {
    told: Told,
    sertype: *const c_void,
    pub(crate) guid: Guid,
    /// CycloneDDS's number of it.
    pub(crate) handle: u64,
    sequence: i64,
}

// SAFETY: `sertype` leads to what the writer holds on to and nobody changes.
unsafe impl Send for Writer {}
// SAFETY: as above.
unsafe impl Sync for Writer {}

impl Writer {
    /// Sends one message; gives its count. CycloneDDS's keep-last writers never wait for readers. Without a stamp, it is now.
    pub(crate) fn write(
        &mut self,
        bytes: &[u8],
        stamp: Option<Time>,
        beside: Beside<'_>,
    ) -> Result<i64, Error> {
        let (guid, sequence) = beside.related.unwrap_or_default();
        let raw = RawBeside {
            has_related: beside.related.is_some(),
            related_guid: guid,
            related_sequence: sequence,
            refusal: beside.refusal.map_or(Bytes::NONE, |why| Bytes::of(why.as_bytes())),
        };
        let source_ns = stamp.map_or(-1, |stamp| i64::try_from(stamp.as_nanos()).unwrap_or(i64::MAX - 1));
        let next = self.sequence + 1;
        // SAFETY: the type is this writer's, and everything else is copied.
        checked(unsafe {
            tdds_write(self.told.entity.0, self.sertype, Bytes::of(bytes), source_ns, next, &raw const raw)
        })?;
        self.sequence = next;
        Ok(next)
    }

    /// The count that the next message will have.
    pub(crate) fn next_sequence(&self) -> i64 {
        self.sequence + 1
    }

    /// The readers that it is matched with.
    pub(crate) fn matched(&self, on_seen: impl FnMut(Seen<'_>)) -> Result<(), Error> {
        self.told.matched(false, on_seen)
    }
}
