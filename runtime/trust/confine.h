#pragma once
// What a process gives up once it holds all that it needs.
//
// A worker runs programs that came over the network. They are checked before; this is for one that
// slips through, and for a bug in what reads them. From then on the process can compute, make threads,
// use what it has open and connect over TCP. It cannot open, make, rename or remove a file, look one up,
// start a program or a process, listen, touch other processes, or win any of this back.

#include <string>

namespace lingua {

// For all threads that there are and will be:
// - the kernel refuses (EPERM) every system call that is not on a list (Linux's seccomp);
// - no new privileges, no core dumps, no debuggers but root's;
// - the working folder is one of its own, empty and gone already; standard input is empty;
// - of the environment only what libraries for numerics read is left.
// Returns why a part of it is not in force, in one line, or "".
// REQUIRES: no other thread uses the environment or the working folder meanwhile.
std::string confine_process();

}  // namespace lingua
