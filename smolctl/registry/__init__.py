"""The remote side: a distribution client that verifies what it writes, and a read-only server."""
