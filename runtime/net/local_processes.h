#pragma once
// Worker processes on this machine, as children of this one.
//
// No child survives its parent: the destructor ends them, and when the parent is killed the kernel
// kills them. Because the kernel ties this to the thread that started them, that thread must live
// as long as they. Errors: WorldError for a process that cannot be started.

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/units.h"

namespace lingua {

struct LocalProcess {
  std::string name;               // for errors: "phone2"
  std::vector<std::string> argv;  // argv[0] is the program, looked up in PATH where it has no slash
  // Where its output goes. Empty: stdout nowhere, stderr to an unnamed file that check() quotes.
  std::filesystem::path stdout_file;
  std::filesystem::path stderr_file;
};

class LocalProcesses {
 public:
  LocalProcesses();
  ~LocalProcesses();
  LocalProcesses(const LocalProcesses&) = delete;
  LocalProcesses& operator=(const LocalProcesses&) = delete;

  // Returns the process id. A program that does not exist is found by check().
  pid_t start(const LocalProcess& process);

  // Starts processes before it is known what they shall do. start() has one of them be the process that it is
  // given, unless that writes to files of its own: it gets its arguments, without the program, on its standard
  // input, each with a zero byte behind it, then the end.
  void start_ahead(const std::vector<std::string>& argv, int count);

  // Errors: WorldError when one has ended, first of all one that did not end in order:
  // "worker phone2 (pid 123) was killed by signal 9",
  // "worker phone2 (pid 123) ended with code 3: <last line of its stderr>".
  void check();

  // How one ended that did not end in order, in the words of check(); empty when none did.
  std::string failure();

  // Waits until all have ended by themselves. False when the time was over first.
  bool wait(Seconds timeout);

  // Those of this name, at once; none may be there.
  void kill(const std::string& name);

  // Asks all that still run to end (SIGTERM), and kills those that have not after `grace`.
  void stop(Seconds grace = Seconds(2));

 private:
  struct Child;
  Child& launch(const LocalProcess& process, int in);
  bool reap();  // true when none runs, but for those that wait to be told what to do

  std::vector<std::unique_ptr<Child>> children_;
};

}  // namespace lingua
