//! signal-hook: a handler that writes to a socket pair, and an iterator that reads from it.
use std::io::Write;

use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

fn report() -> std::io::Result<()> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    let nanoseconds = now.tv_sec * 1_000_000_000 + now.tv_nsec;
    let mut out = std::io::stdout();
    out.write_all(&nanoseconds.to_le_bytes())?;
    out.flush()
}

fn main() -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM])?;
    report()?; // ready
    for _ in signals.forever() {
        report()?;
    }
    Ok(())
}
