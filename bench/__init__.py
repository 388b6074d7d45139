"""Benchmarks: one file per daemon, `make bench [BENCH=name]`. See frame.py and docs/benchmarks.md."""
