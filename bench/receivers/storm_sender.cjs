// As many signals as asked for, as fast as one process can.
const [pid, signals] = process.argv.slice(2).map(Number);

for (let i = 0; i < signals; i++) process.kill(pid, 'SIGTERM');
