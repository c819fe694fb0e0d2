# The package that lends its API: SignalHandler1 of the Python original.
import os
import signal
import struct
import time

from daemoniker import SignalHandler1


def report(_signum=None):
    os.write(1, struct.pack('<q', time.clock_gettime_ns(time.CLOCK_MONOTONIC)))


# Not signal.pause(): a signal that comes just before it would not end it.
woken, wakes = os.pipe()
os.set_blocking(wakes, False)
signal.set_wakeup_fd(wakes)
SignalHandler1(None, sigterm=report).start()
report()  # ready
while True:
    os.read(woken, 64)
