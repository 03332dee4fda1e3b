"""A cache as a read-only registry for other machines."""
