//! Transport over zenoh that rmw_zenoh peers understand.
