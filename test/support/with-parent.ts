// Loaded before a program under test: it ends in good order when the test that started it is gone.
const parent = process.ppid
setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM') }, 500).unref()
