#!/bin/sh
# Gazebo with the cabin's world, and the bridge beside it: launch/gazebo/cabin.sh [arguments of the server: -s for one without a window].
# Wants a Gazebo server (`ign gazebo` of Fortress or `gz sim` of Harmonic) and target/debug/troika-gazebo, built for the same family
# (sim/gazebo/README.md). Both end together.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
bridge=${TROIKA_GAZEBO:-$top/target/debug/troika-gazebo}
if [ ! -x "$bridge" ]; then
    echo "$bridge is not there: build it as sim/gazebo/README.md says, or name it in TROIKA_GAZEBO" >&2
    exit 1
fi
# Fortress's and the later families' names.
export IGN_GAZEBO_RESOURCE_PATH="$top/sim/worlds${IGN_GAZEBO_RESOURCE_PATH:+:$IGN_GAZEBO_RESOURCE_PATH}"
export GZ_SIM_RESOURCE_PATH="$top/sim/worlds${GZ_SIM_RESOURCE_PATH:+:$GZ_SIM_RESOURCE_PATH}"
if command -v gz >/dev/null 2>&1; then
    server="gz sim"
elif command -v ign >/dev/null 2>&1; then
    server="ign gazebo"
else
    echo "neither gz nor ign is on the PATH: install Gazebo Fortress or Harmonic (https://gazebosim.org/docs)" >&2
    exit 1
fi
"$bridge" --config "$top/launch/gazebo/cabin-bridge.toml" &
pid=$!
trap 'kill -INT "$pid" 2>/dev/null || true; wait "$pid" || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# -r: running from the start.
$server -r "$@" "$top/sim/worlds/cabin.sdf"
