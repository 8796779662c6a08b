"""Outside views, each a plain drawing of one frozen summary."""
