#include "tests/support/program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace lingua::testing {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void redirect(const fs::path& file, int descriptor) {
  const int to = ::open(file.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
  ::dup2(to, descriptor);
}

// The processes of this machine, from /proc.
template <class Visit>
void for_each_process(Visit visit) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") == std::string::npos)
      visit(static_cast<pid_t>(std::stol(name)));
  }
}

// The fields of /proc/PID/stat after the command's name.
std::pair<char, pid_t> state_and_parent(pid_t pid) {
  const std::string stat = text_of("/proc/" + std::to_string(pid) + "/stat");
  const auto end = stat.rfind(')');
  if (end == std::string::npos) return {'?', -1};
  std::istringstream fields(stat.substr(end + 1));
  char state = '?';
  pid_t parent = -1;
  fields >> state >> parent;
  return {state, parent};
}

}  // namespace

Program::Program(const std::vector<std::string>& argv) {
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) {
    redirect(folder_.path() / "out", STDOUT_FILENO);
    redirect(folder_.path() / "err", STDERR_FILENO);
    ::setpgid(0, 0);
    std::vector<char*> arguments;
    for (const std::string& argument : argv)
      arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
}

Program::~Program() {
  if (running()) {
    ::kill(-pid_, SIGKILL);  // and what it started
    ::waitpid(pid_, &status_, 0);
  }
}

bool Program::running() {
  if (!ended_) ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
  return !ended_;
}

std::string Program::out() const { return text_of(folder_.path() / "out"); }
std::string Program::err() const { return text_of(folder_.path() / "err"); }

Outcome Program::wait(std::chrono::seconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (running()) {
    if (std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error("a program did not end in time; it said: " + err());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return {WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_), out(), err()};
}

Outcome run_program(const std::vector<std::string>& argv, std::chrono::seconds timeout) {
  return Program(argv).wait(timeout);
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  for_each_process([&](pid_t other) {
    const auto [state, parent] = state_and_parent(other);
    if (parent == pid && state != 'Z') children.push_back(other);
  });
  return children;
}

int count_group(pid_t group) {
  int count = 0;
  for_each_process([&](pid_t pid) {
    if (::getpgid(pid) == group && state_and_parent(pid).first != 'Z') ++count;
  });
  return count;
}

}  // namespace lingua::testing
