# The package that lends its API: SignalHandler1 of the Python original.
import os
import signal
import struct
import time

from daemoniker import SignalHandler1


def report(_signum=None):
    os.write(1, struct.pack('<q', time.clock_gettime_ns(time.CLOCK_MONOTONIC)))


SignalHandler1(None, sigterm=report).start()
report()  # ready
while True:
    signal.pause()
