"""Somebody else's router: eclipse-zenoh's, as the router of a ROS system would be."""

import sys

from lines import commands, say, session

router = session(int(sys.argv[1]), mode="router")
say(event="ready")
for _ in commands():
    pass
router.close()
