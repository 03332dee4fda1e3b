"""Benchmarks side by side with peers: `make bench`. Ratios of one run; absolute times are noise."""
