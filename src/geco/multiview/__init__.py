"""Six views from one picture: networks behind one interface, schedule, sampling, guidance, the
one-step generator.
"""
