// Many tests write PID files, and whether send() trusts one, or another user can read it, depends on
// its mode: the same for whoever runs the tests.
process.umask(0o022);
