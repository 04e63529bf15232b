//! Type support, found at run time: `lib<package>__rosidl_typesupport_c.so` of the first prefix in `AMENT_PREFIX_PATH` that has it, as
//! rclcpp's generic publisher finds it. So every message package of the machine works, and none is compiled in. A library stays loaded
//! as long as the process: the RMW keeps pointers into it.

use std::{
    collections::BTreeMap,
    env,
    ffi::c_void,
    path::PathBuf,
    ptr::NonNull,
    sync::{Arc, Mutex, PoisonError},
};

use libloading::Library;
use r2r_rcl as rcl;

use super::{
    error::{RclError, check},
    serialized::{Serialized, lend},
};

type MessageHandle = unsafe extern "C" fn() -> *const rcl::rosidl_message_type_support_t;
type ServiceHandle = unsafe extern "C" fn() -> *const rcl::rosidl_service_type_support_t;
type Create = unsafe extern "C" fn() -> *mut c_void;
type Destroy = unsafe extern "C" fn(*mut c_void);

/// The type support of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageType {
    handle: *const rcl::rosidl_message_type_support_t,
}

/// The type support of a service, and how its messages are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServiceType {
    handle: *const rcl::rosidl_service_type_support_t,
    /// What is asked.
    pub(crate) request: CType,
    /// What is answered.
    pub(crate) response: CType,
}

/// A message as C has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CType {
    handle: *const rcl::rosidl_message_type_support_t,
    create: Create,
    destroy: Destroy,
}

// SAFETY: the handles point to constants of libraries that are never unloaded.
unsafe impl Send for MessageType {}
// SAFETY: as above.
unsafe impl Sync for MessageType {}
// SAFETY: as above.
unsafe impl Send for ServiceType {}
// SAFETY: as above.
unsafe impl Sync for ServiceType {}
// SAFETY: as above.
unsafe impl Send for CType {}
// SAFETY: as above.
unsafe impl Sync for CType {}

impl MessageType {
    /// Finds `package/msg/Name` and holds its hash against `hash`, where one is wanted.
    pub(crate) fn find(name: &str, hash: Option<&str>) -> Result<MessageType, RclError> {
        let parts = Parts::of(name)?;
        let library = library(parts.package, name)?;
        // SAFETY: by rosidl's naming this symbol is a function of this form.
        let handle = unsafe {
            let get = symbol::<MessageHandle>(&library, name, &parts.handle("message"))?;
            get()
        };
        // SAFETY: null, or a constant of the library.
        let support =
            unsafe { handle.as_ref() }.ok_or_else(|| RclError::new(format!("{name} has no type support")))?;
        let installed = support.get_type_hash_func.map(|get| {
            // SAFETY: the function is the type support's own.
            unsafe { get(handle).as_ref() }.map(hash_text).unwrap_or_default()
        });
        if let Some(hash) = hash {
            same(name, hash, installed)?;
        }
        Ok(MessageType { handle })
    }

    pub(super) fn raw(&self) -> *const rcl::rosidl_message_type_support_t {
        self.handle
    }
}

impl ServiceType {
    /// Finds `package/srv/Name` and holds its hash against `hash`.
    pub(crate) fn find(name: &str, hash: &str) -> Result<ServiceType, RclError> {
        let parts = Parts::of(name)?;
        let library = library(parts.package, name)?;
        // SAFETY: by rosidl's naming this symbol is a function of this form.
        let handle = unsafe {
            let get = symbol::<ServiceHandle>(&library, name, &parts.handle("service"))?;
            get()
        };
        // SAFETY: null, or a constant of the library.
        let support =
            unsafe { handle.as_ref() }.ok_or_else(|| RclError::new(format!("{name} has no type support")))?;
        let installed = support.get_type_hash_func.map(|get| {
            // SAFETY: the function is the type support's own.
            unsafe { get(handle).as_ref() }.map(hash_text).unwrap_or_default()
        });
        same(name, hash, installed)?;
        let message = |kind: &str, handle| -> Result<CType, RclError> {
            let of = |what: &str| format!("{}_{kind}__{what}", parts.joined());
            // SAFETY: rosidl's C generator makes these two for every message; the typesupport library is linked with them.
            unsafe {
                Ok(CType {
                    handle,
                    create: *symbol::<Create>(&library, name, &of("create"))?,
                    destroy: *symbol::<Destroy>(&library, name, &of("destroy"))?,
                })
            }
        };
        Ok(ServiceType {
            handle,
            request: message("Request", support.request_typesupport)?,
            response: message("Response", support.response_typesupport)?,
        })
    }

    pub(super) fn raw(&self) -> *const rcl::rosidl_service_type_support_t {
        self.handle
    }
}

/// A message in C's memory.
pub(crate) struct CMessage {
    ty: CType,
    at: NonNull<c_void>,
}

impl CMessage {
    /// One with its fields' defaults.
    pub(crate) fn new(ty: CType) -> Result<CMessage, RclError> {
        // SAFETY: takes nothing; null when there is no memory.
        let at =
            NonNull::new(unsafe { (ty.create)() }).ok_or_else(|| RclError::new("no memory for a message"))?;
        Ok(CMessage { ty, at })
    }

    /// Reads one from CDR.
    pub(crate) fn read(ty: CType, cdr: &[u8]) -> Result<CMessage, RclError> {
        // The RMWs' readers differ in what they do without an encapsulation header.
        if cdr.len() < 4 {
            return Err(RclError::new("CDR ends before the value does"));
        }
        let message = CMessage::new(ty)?;
        // SAFETY: the message is one of this type support; the bytes are read in the call alone.
        lend(cdr, |bytes| check(unsafe { rcl::rmw_deserialize(bytes, ty.handle, message.raw()) }))?;
        Ok(message)
    }

    /// Writes its CDR.
    pub(crate) fn write(&self, into: &mut Serialized) -> Result<(), RclError> {
        // SAFETY: the message is one of this type support; the buffer is the RMW's to grow.
        check(unsafe { rcl::rmw_serialize(self.raw(), self.ty.handle, into.raw()) })
    }

    pub(super) fn raw(&self) -> *mut c_void {
        self.at.as_ptr()
    }
}

impl Drop for CMessage {
    fn drop(&mut self) {
        // SAFETY: made by the `create` beside it.
        unsafe { (self.ty.destroy)(self.at.as_ptr()) }
    }
}

/// `RIHS01_…`, or empty where there is none.
pub(super) fn hash_text(hash: &rcl::rosidl_type_hash_t) -> String {
    if hash.version == 0 {
        return String::new();
    }
    let digits: String = hash.value.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("RIHS{:02}_{digits}", hash.version)
}

/// What is installed must be what we were built with: a peer would read our bytes by its own definition.
fn same(name: &str, ours: &str, installed: Option<String>) -> Result<(), RclError> {
    match installed {
        Some(installed) if installed != ours => Err(RclError::new(format!(
            "{name} is {ours} here and {installed} in the package that is installed: build that package from the same files (for ours: \
             `colcon build --base-paths msgs`) and source its install/setup.sh"
        ))),
        _ => Ok(()),
    }
}

/// `package/folder/Name`.
struct Parts<'a> {
    package: &'a str,
    folder: &'a str,
    name: &'a str,
}

impl<'a> Parts<'a> {
    fn of(name: &'a str) -> Result<Parts<'a>, RclError> {
        match name.split('/').collect::<Vec<_>>()[..] {
            [package, folder, name] if [package, folder, name].into_iter().all(is_identifier) => {
                Ok(Parts { package, folder, name })
            }
            _ => Err(RclError::new(format!("'{name}' is no type: package/msg/Name is one"))),
        }
    }

    fn joined(&self) -> String {
        format!("{}__{}__{}", self.package, self.folder, self.name)
    }

    fn handle(&self, kind: &str) -> String {
        format!("rosidl_typesupport_c__get_{kind}_type_support_handle__{}", self.joined())
    }
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A symbol of a library.
///
/// # Safety
/// It must be of type `T`.
unsafe fn symbol<'l, T>(
    library: &'l Library,
    ty: &str,
    name: &str,
) -> Result<libloading::Symbol<'l, T>, RclError> {
    // SAFETY: as the caller says.
    unsafe { library.get(name.as_bytes()) }
        .map_err(|_| RclError::new(format!("the package that is installed has no {ty} (no symbol {name})")))
}

/// The package's type support, loaded once.
fn library(package: &str, wanted: &str) -> Result<Arc<Library>, RclError> {
    static LOADED: Mutex<BTreeMap<String, Arc<Library>>> = Mutex::new(BTreeMap::new());
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = loaded.get(package) {
        return Ok(library.clone());
    }
    let prefixes = env::var_os("AMENT_PREFIX_PATH").unwrap_or_default();
    let file = env::split_paths(&prefixes)
        .map(|prefix: PathBuf| prefix.join("lib").join(format!("lib{package}__rosidl_typesupport_c.so")))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            let way_out = match package {
                "troika_msgs" => "build it with `colcon build --base-paths msgs` and source install/setup.sh".to_owned(),
                _ => format!("install it (on a ROS 2 machine: ros-$ROS_DISTRO-{})", package.replace('_', "-")),
            };
            RclError::new(format!(
                "{wanted}: the message package {package} is in no prefix of AMENT_PREFIX_PATH ('{}'): {way_out}",
                prefixes.display()
            ))
        })?;
    // SAFETY: a type support library's start-up code registers nothing and runs no thread; ROS itself loads it the same way.
    let library = unsafe { Library::new(&file) }.map_err(|error| {
        RclError::new(format!(
            "{wanted}: cannot load {}: {error}: source its prefix's setup.sh",
            file.display()
        ))
    })?;
    let library = Arc::new(library);
    loaded.insert(package.to_owned(), library.clone());
    Ok(library)
}
