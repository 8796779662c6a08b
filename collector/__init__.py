"""orphaned-inference: finds the money that inference costs after nobody waits for it any more.

`DESIGN.md` explains the rooms of this package, and the order in which they may import each other.
"""

__version__ = "0.1.0"
