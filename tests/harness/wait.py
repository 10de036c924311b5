"""Waiting for what another process does in its own time."""

import time


def wait_until(condition, seconds=15, otherwise=lambda: "it did not happen in time"):
    """What condition() gave when it first held; otherwise() is what to say when it never does."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.01)
    return result
