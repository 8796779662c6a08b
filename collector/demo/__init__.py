"""`orphaned demo`: a simulated day whose truth is known, put through the real pipeline, and the story of it.

Nothing comes in but a clock. Log and bill files go out, and a text that lays the money found beside the truth.
The generator knows nothing of how the collector finds anything, and nothing else may import this room but the cli.
"""

from collector.demo.run import demo

__all__ = ["demo"]
