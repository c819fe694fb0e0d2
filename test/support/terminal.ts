// A program in a terminal of its own, with somebody at the keyboard.
import { Fixture } from './fixture';
import { withCommand } from './platform';

export const withTerminal = withCommand('python3', '-c', 'import pty; pty.openpty()');

// Ends as the program has ended. No echo: a `^C` would stand in the lines of the program. The `\r\n` that
// the terminal makes of each end of a line is taken back.
const PYTHON = `
import os, pty, signal, sys, termios, threading
pid, terminal = pty.fork()
if pid == 0:
    settings = termios.tcgetattr(0)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, settings)
    os.execvp(sys.argv[1], sys.argv[1:])
def type_keys():
    while keys := os.read(0, 100):
        os.write(terminal, keys)
threading.Thread(target=type_keys, daemon=True).start()
try:
    while text := os.read(terminal, 65536):
        os.write(1, text.replace(b'\\r\\n', b'\\n'))
except OSError:
    pass # EIO: nobody has it open any more
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
`;

/** Starts it; what it says on stdout and stderr is the fixture's stdout. */
export function inTerminal(command: readonly string[], cwd: string): Fixture {
  return new Fixture(['python3', '-c', PYTHON, ...command], { cwd });
}

export function pressCtrlC(terminal: Fixture): void {
  terminal.child.stdin?.write('\x03');
}
