"""What the cluster does not always do: answer. Nothing acknowledged is lost, whoever fails is told
that it may pass, and when it has, nobody needs to start anything again.

Behind `make test-cluster`, as it takes minutes: all but the first of the file.
"""

import os
import threading
import time

import pytest

from harness.server import message

long = pytest.mark.skipif(not os.environ.get("CHAPAR_LONG"), reason="make test-cluster runs it")
