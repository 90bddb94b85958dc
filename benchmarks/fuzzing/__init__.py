"""What ``benchmarks.fuzz`` tries: a module a kind of input, and what they share (see docs/fuzzing.md)."""
