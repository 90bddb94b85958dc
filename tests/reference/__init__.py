"""Parity with the public reference code: ``python -m tests.reference DIR`` (see __main__)."""
