//! Driver state to alerts: the timers of the driver-monitoring rules. Pure.
