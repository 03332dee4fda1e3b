"""The local cache: an OCI image layout on disk, with locks, atomic replacement and removal."""
