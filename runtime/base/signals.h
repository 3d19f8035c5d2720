#pragma once
// The program's end by a signal: SIGINT, SIGTERM, SIGHUP, or SIGPIPE when a reader has gone.

namespace lingua {

// From now on these signals end the program at once, whatever it does, with its temporary files
// removed; its parent sees the signal. One that is ignored already (nohup) stays ignored. Children
// that are tied to this process end with it.
// REQUIRES: called once, before any thread is started.
void end_on_signals();

}  // namespace lingua
