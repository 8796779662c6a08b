"""`orphaned demo`: a simulated day whose truth is known, put through the real pipeline, and the story of it.

Nothing comes in but a clock. Log and bill files go out, and a text that lays the money found beside the
truth. The generator knows nothing of how the collector finds anything, and only the cli may import this room.
"""

from collector.demo.run import demo

__all__ = ["demo"]
