"""The small multi-view network: pixel space, six views at once, built to learn fast on little compute."""
