//! Who is there, as a node sees it.

use std::ffi::{CStr, c_char};

use r2r_rcl as rcl;

use super::{
    context::{Node, text},
    error::{Code, RclError, check, ended},
    types::hash_text,
};

/// Names of topics or services, each with its types.
pub(crate) type NamesAndTypes = Vec<(String, Vec<String>)>;

/// A publisher or subscription.
#[derive(Debug, Clone)]
pub(crate) struct EndpointInfo {
    /// Namespace and name; none while the RMW has not heard whose it is.
    pub(crate) node: Option<(String, String)>,
    pub(crate) type_name: String,
    /// Empty when the peer gave none.
    pub(crate) type_hash: String,
}

/// rmw_dds_common's name for the node of an endpoint that came before the word whose it is.
const UNKNOWN: &str = "_NODE_NAME_UNKNOWN_";

impl Node {
    /// Namespaces and names of all nodes.
    pub(crate) fn nodes(&self) -> Result<Vec<(String, String)>, RclError> {
        let (mut names, mut namespaces) = (no_strings(), no_strings());
        // SAFETY: the node is there; the arrays are zero-initialised, filled by the call and finalised after.
        unsafe {
            let got = check(rcl::rcl_get_node_names(
                self.raw(),
                rcl::rcutils_get_default_allocator(),
                &raw mut names,
                &raw mut namespaces,
            ));
            let all = strings(&namespaces).into_iter().zip(strings(&names)).collect();
            ended("node names", rcl::rcutils_string_array_fini(&raw mut names));
            ended("namespaces", rcl::rcutils_string_array_fini(&raw mut namespaces));
            got.map(|()| all)
        }
    }

    /// All topics.
    pub(crate) fn topics(&self) -> Result<NamesAndTypes, RclError> {
        names_and_types(|into| {
            // SAFETY: the node is there; `into` is zero-initialised.
            unsafe {
                let mut allocator = rcl::rcutils_get_default_allocator();
                rcl::rcl_get_topic_names_and_types(self.raw(), &raw mut allocator, false, into)
            }
        })
    }

    /// Services that a node serves, or asks; nothing when it is gone.
    pub(crate) fn services_of(
        &self,
        namespace: &str,
        name: &str,
        serves: bool,
    ) -> Result<NamesAndTypes, RclError> {
        let (name, namespace) = (text(name)?, text(namespace)?);
        let get = match serves {
            true => rcl::rcl_get_service_names_and_types_by_node,
            false => rcl::rcl_get_client_names_and_types_by_node,
        };
        let got = names_and_types(|into| {
            // SAFETY: the node is there; the texts end with a NUL; `into` is zero-initialised.
            unsafe {
                let mut allocator = rcl::rcutils_get_default_allocator();
                get(self.raw(), &raw mut allocator, name.as_ptr(), namespace.as_ptr(), into)
            }
        });
        match got {
            Err(error) if error.code == Code::Nothing => Ok(Vec::new()),
            got => got,
        }
    }

    /// A topic's publishers, or subscriptions.
    pub(crate) fn endpoints(&self, topic: &str, publishes: bool) -> Result<Vec<EndpointInfo>, RclError> {
        let topic = text(topic)?;
        let get = match publishes {
            true => rcl::rcl_get_publishers_info_by_topic,
            false => rcl::rcl_get_subscriptions_info_by_topic,
        };
        let mut found = rcl::rcl_topic_endpoint_info_array_t { size: 0, info_array: std::ptr::null_mut() };
        // SAFETY: the node is there; the array is zero-initialised, filled by the call, read within its size and finalised after.
        unsafe {
            let mut allocator = rcl::rcutils_get_default_allocator();
            check(get(self.raw(), &raw mut allocator, topic.as_ptr(), false, &raw mut found))?;
            let all = (0..found.size).map(|place| endpoint(&*found.info_array.add(place))).collect();
            ended("endpoints", rcl::rmw_topic_endpoint_info_array_fini(&raw mut found, &raw mut allocator));
            Ok(all)
        }
    }
}

/// # Safety
/// The texts are null or end with a NUL.
unsafe fn endpoint(info: &rcl::rmw_topic_endpoint_info_t) -> EndpointInfo {
    // SAFETY: as the caller says.
    let (namespace, name, type_name) =
        unsafe { (owned(info.node_namespace), owned(info.node_name), owned(info.topic_type)) };
    let node = (name != UNKNOWN).then_some((namespace, name));
    EndpointInfo { node, type_name, type_hash: hash_text(&info.topic_type_hash) }
}

fn names_and_types(
    get: impl FnOnce(*mut rcl::rcl_names_and_types_t) -> rcl::rcl_ret_t,
) -> Result<NamesAndTypes, RclError> {
    let mut found = rcl::rcl_names_and_types_t { names: no_strings(), types: std::ptr::null_mut() };
    check(get(&raw mut found))?;
    // SAFETY: filled by the call: as many arrays of types as names.
    unsafe {
        let types = |place| strings(&*found.types.add(place));
        let all =
            strings(&found.names).into_iter().zip(0..).map(|(name, place)| (name, types(place))).collect();
        ended("names and types", rcl::rcl_names_and_types_fini(&raw mut found));
        Ok(all)
    }
}

fn no_strings() -> rcl::rcutils_string_array_t {
    // SAFETY: takes nothing.
    unsafe { rcl::rcutils_get_zero_initialized_string_array() }
}

/// # Safety
/// An array of rcutils: zero-initialised or filled.
unsafe fn strings(array: &rcl::rcutils_string_array_t) -> Vec<String> {
    // SAFETY: it has `size` texts, each null or with a NUL at its end.
    (0..array.size).map(|place| unsafe { owned(*array.data.add(place)) }).collect()
}

/// # Safety
/// Null, or a text that ends with a NUL.
unsafe fn owned(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller says.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
