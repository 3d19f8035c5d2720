// Each in a process of its own, for there is no way back.

#include "runtime/trust/confine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/temporary.h"
#include "runtime/net/telemetry.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string read_all(int file) {
  std::string text;
  char part[4096];
  for (ssize_t size = 0; (size = ::read(file, part, sizeof part)) > 0;) text.append(part, size);
  return text;
}

// What `work` returns in a child process; `look` is called with its id before that ends.
std::string in_child(
    const std::function<std::string()>& work,
    const std::function<void(pid_t)>& look = [](pid_t) {}) {
  int said[2];
  int leave[2];
  EXPECT_EQ(::pipe(said) + ::pipe(leave), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(leave[1]);
    const std::string text = work();
    if (::write(said[1], text.data(), text.size()) < 0) ::_exit(1);
    ::close(said[1]);
    ::close(said[0]);
    char end = 0;
    ::_exit(::read(leave[0], &end, 1) == 0 ? 0 : 1);
  }
  ::close(said[1]);
  const std::string text = read_all(said[0]);
  look(child);
  ::close(leave[1]);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << text;
  ::close(said[0]);
  ::close(leave[0]);
  return text;
}

// A system call by its own name: -1 and errno where it fails.
struct Attempt {
  std::string what;
  std::function<long()> call;
};

std::string outcomes(const std::vector<Attempt>& attempts) {
  std::string text;
  for (const Attempt& attempt : attempts) {
    errno = 0;
    const long result = attempt.call();
    text += fmt::format("{}: {}\n", attempt.what, result >= 0 ? "done" : std::strerror(errno));
  }
  return text;
}

std::string all_of(const std::vector<Attempt>& attempts, const std::string& outcome) {
  std::string text;
  for (const Attempt& attempt : attempts) text += fmt::format("{}: {}\n", attempt.what, outcome);
  return text;
}

std::string confined_outcomes(const std::vector<Attempt>& attempts) {
  const std::string missing = confine_process();
  return missing + outcomes(attempts);
}

const std::string kRefused = std::strerror(EPERM);

class Confine : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string missing = in_child(confine_process);
    if (!missing.empty()) GTEST_SKIP() << missing;
    std::ofstream(file("kept")) << "secret";
    ::setenv("TMPDIR", folder_.path().c_str(), 1);
  }
  void TearDown() override { ::unsetenv("TMPDIR"); }
  std::string file(const std::string& name) const { return folder_.file(name); }

  // In an order in which each succeeds where all may be done.
  std::vector<Attempt> with_files() const {
    const std::string kept = file("kept");
    const std::string made = file("made");
    const std::string moved = file("moved");
    const std::string inner = file("inner");
    return {
        {"open", [=] { return ::open(kept.c_str(), O_RDONLY); }},
        {"open by its number", [=] { return ::syscall(SYS_openat, AT_FDCWD, kept.c_str(), 0, 0); }},
        {"open a folder", [=] { return ::open("/", O_RDONLY | O_DIRECTORY); }},
        {"open its own memory", [=] { return ::open("/proc/self/mem", O_RDWR); }},
        {"creat", [=] { return ::creat(made.c_str(), 0600); }},
        {"stat",
         [=] {
           struct stat status;
           return ::stat(kept.c_str(), &status);
         }},
        {"access", [=] { return ::access(kept.c_str(), F_OK); }},
        {"truncate", [=] { return ::truncate(made.c_str(), 1); }},
        {"chmod", [=] { return ::chmod(made.c_str(), 0644); }},
        {"rename", [=] { return ::rename(made.c_str(), moved.c_str()); }},
        {"link", [=] { return ::link(moved.c_str(), made.c_str()); }},
        {"unlink", [=] { return ::unlink(made.c_str()); }},
        {"symlink", [=] { return ::symlink(moved.c_str(), made.c_str()); }},
        {"readlink",
         [=] {
           char target[8];
           return static_cast<long>(::readlink(made.c_str(), target, sizeof target));
         }},
        {"remove a link", [=] { return ::unlink(made.c_str()); }},
        {"remove a file", [=] { return ::unlink(moved.c_str()); }},
        {"mkdir", [=] { return ::mkdir(inner.c_str(), 0700); }},
        {"rmdir", [=] { return ::rmdir(inner.c_str()); }},
        {"chdir", [] { return ::chdir("/"); }},
        {"memfd_create", [] { return ::syscall(SYS_memfd_create, "x", 0); }},
    };
  }

  TemporaryFolder folder_;
};

std::vector<Attempt> with_processes() {
  return {
      {"fork",
       [] {
         const pid_t child = ::fork();
         if (child == 0) ::_exit(0);
         return static_cast<long>(child);
       }},
      {"posix_spawn",
       [] {
         pid_t child = 0;
         char name[] = "true";
         char* arguments[] = {name, nullptr};
         errno = ::posix_spawnp(&child, name, nullptr, nullptr, arguments, environ);
         return errno == 0 ? 0L : -1L;
       }},
      {"kill another", [] { return static_cast<long>(::kill(::getppid(), 0)); }},
      {"kill all", [] { return static_cast<long>(::kill(0, 0)); }},
      {"tgkill another", [] { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0); }},
      {"socket of the machine", [] { return long{::socket(AF_UNIX, SOCK_STREAM, 0)}; }},
      {"socket of the kernel", [] { return long{::socket(AF_NETLINK, SOCK_RAW, 0)}; }},
      {"socket for datagrams", [] { return long{::socket(AF_INET, SOCK_DGRAM, 0)}; }},
      {"listen", [] { return long{::listen(::socket(AF_INET, SOCK_STREAM, 0), 1)}; }},
  };
}

// Not all can be done even by those whom no filter stops.
std::vector<Attempt> with_the_system() {
  return {
      {"execve",
       [] {
         char name[] = "/bin/true";
         char* arguments[] = {name, nullptr};
         return static_cast<long>(::execve(name, arguments, nullptr));
       }},
      {"execveat", [] { return ::syscall(SYS_execveat, 0, "", nullptr, nullptr, AT_EMPTY_PATH); }},
      {"openat2", [] { return ::syscall(SYS_openat2, AT_FDCWD, "/", nullptr, 0); }},
      {"name_to_handle_at",
       [] { return ::syscall(SYS_name_to_handle_at, AT_FDCWD, "/", nullptr, nullptr, 0); }},
      {"be traced", [] { return ::ptrace(PTRACE_TRACEME, 0, 0, 0); }},
      {"trace another", [] { return ::ptrace(PTRACE_SEIZE, ::getppid(), 0, 0); }},
      {"process_vm_readv",
       [] {
         return static_cast<long>(::process_vm_readv(::getppid(), nullptr, 0, nullptr, 0, 0));
       }},
      {"mount", [] { return ::syscall(SYS_mount, "x", "/", "tmpfs", 0, nullptr); }},
      {"real-time priority",
       [] {
         const sched_param first{1};
         return static_cast<long>(::sched_setscheduler(0, SCHED_FIFO, &first));
       }},
      {"unshare", [] { return static_cast<long>(::unshare(CLONE_NEWUSER)); }},
      {"a thread in other namespaces",
       [] {
         const int flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWNS;
         return ::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr);
       }},
      {"bpf", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
      {"io_uring_setup", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }},
      {"userfaultfd", [] { return ::syscall(SYS_userfaultfd, 0); }},
      {"pidfd_open", [] { return ::syscall(SYS_pidfd_open, ::getppid(), 0); }},
      {"prctl", [] { return static_cast<long>(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }},
      {"type on a terminal", [] { return ::syscall(SYS_ioctl, 0, TIOCSTI, "x"); }},
      {"signals to others", [] { return static_cast<long>(::fcntl(0, F_SETOWN, ::getppid())); }},
      {"firewall",
       [] {
         return static_cast<long>(
             ::setsockopt(::socket(AF_INET, SOCK_STREAM, 0), IPPROTO_IP, 64, "", 0));
       }},
  };
}

TEST_F(Confine, NoFileIsOpenedOrChanged) {
  const auto attempts = with_files();
  EXPECT_EQ(in_child([&] { return outcomes(attempts); }), all_of(attempts, "done"))
      << "before: these can be done";
  EXPECT_EQ(in_child([&] { return confined_outcomes(attempts); }), all_of(attempts, kRefused));
  std::ifstream kept(file("kept"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(kept), {}), "secret");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(Confine, NoProcessIsStartedOrTouched) {
  EXPECT_EQ(in_child([] { return outcomes(with_processes()); }), all_of(with_processes(), "done"))
      << "before: these can be done";
  EXPECT_EQ(in_child([] { return confined_outcomes(with_processes()); }),
            all_of(with_processes(), kRefused));
  EXPECT_EQ(in_child([] { return confined_outcomes(with_the_system()); }),
            all_of(with_the_system(), kRefused));
}

TEST_F(Confine, ThreadsThatWereThereBeforeAreConfinedToo) {
  const auto attempts = with_files();
  const auto work = [&] {
    std::atomic<bool> go{false};
    std::string text;
    std::thread thread([&] {
      while (!go) std::this_thread::yield();
      text = outcomes(attempts) + outcomes(with_the_system());
    });
    const std::string missing = confine_process();
    go = true;
    thread.join();
    return missing + text;
  };
  EXPECT_EQ(in_child(work), all_of(attempts, kRefused) + all_of(with_the_system(), kRefused));
}

TEST_F(Confine, TheKernelSaysSoOfEachThread) {
  const auto work = [] {
    for (int i = 0; i < 2; ++i) std::thread([] { ::pause(); }).detach();
    return confine_process();
  };
  const auto look = [](pid_t child) {
    int threads = 0;
    for (const auto& task : fs::directory_iterator(fmt::format("/proc/{}/task", child))) {
      std::ifstream in(task.path() / "status");
      const std::string status(std::istreambuf_iterator<char>(in), {});
      EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1\n"));
      EXPECT_THAT(status, HasSubstr("Seccomp:\t2\n"));
      ++threads;
    }
    EXPECT_GE(threads, 3);
  };
  EXPECT_EQ(in_child(work, look), "");
}

TEST_F(Confine, TheWorkingFolderIsGone) {
  const auto work = [] {
    std::string text = confine_process();
    char path[4096];
    if (::getcwd(path, sizeof path) != nullptr) text += path;
    return text + std::strerror(errno);
  };
  EXPECT_EQ(in_child(work), std::strerror(ENOENT));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1) << "nothing is left";
}

TEST_F(Confine, OfTheEnvironmentWhatNumericsReadIsLeft) {
  ::setenv("LINGUA_RUN_SECRET", "abc", 1);
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  const auto work = [] {
    const char* path = ::getenv("PATH");
    std::string text = confine_process();
    if (path == nullptr || *path != '\0') text += "the path stands in memory still\n";
    for (char** variable = environ; *variable != nullptr; ++variable) {
      const std::string known(*variable);
      if (known.starts_with("LC_") || known.starts_with("LANG")) continue;
      text += known + "\n";
    }
    return text;
  };
  EXPECT_EQ(in_child(work), "OMP_WAIT_POLICY=passive\n");
  ::unsetenv("LINGUA_RUN_SECRET");
  ::unsetenv("OMP_WAIT_POLICY");
}

std::atomic<int> heard{0};

// What of a worker's own means does not work.
std::string failures_of_memory_and_threads() {
  std::string text;
  const auto need = [&](bool works, const char* what) {
    if (!works) text += fmt::format("{}: {}\n", what, std::strerror(errno));
  };
  void* page = ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need(page != MAP_FAILED, "mmap");
  std::memset(page, 1, 1 << 20);
  need(::madvise(page, 1 << 20, MADV_DONTNEED) == 0, "madvise");
  need(::mprotect(page, 1 << 20, PROT_READ | PROT_EXEC) == 0, "compile");
  page = ::mremap(page, 1 << 20, 1 << 21, MREMAP_MAYMOVE);
  need(page != MAP_FAILED, "mremap");
  need(::munmap(page, 1 << 21) == 0, "munmap");
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const std::vector<std::string> many(1000, std::string(500, 'x'));
      try {
        throw std::runtime_error(many.back());
      } catch (const std::runtime_error& error) {
        done += static_cast<int>(std::strlen(error.what()));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  need(done == 8 * 500, "threads");
  need(std::thread::hardware_concurrency() > 0, "cores");
  need(::prctl(PR_SET_NAME, "other") == 0, "names of threads");
  int policy = 0;
  sched_param priority{};
  need(::pthread_getschedparam(::pthread_self(), &policy, &priority) == 0 &&
           ::pthread_setschedparam(::pthread_self(), policy, &priority) == 0,
       "the policy that a thread has");
  std::signal(SIGUSR1, [](int) { ++heard; });
  need(::raise(SIGUSR1) == 0 && ::kill(::getpid(), SIGUSR1) == 0 && heard == 2, "own signals");
  std::ostringstream number;
  number << 1.5 << ' ' << std::strtod("2.5", nullptr);
  need(number.str() == "1.5 2.5", "numbers as text");
  return text;
}

std::string failures_of_descriptors(int listener, int memory) {
  std::string text;
  const auto need = [&](bool works, const char* what) {
    if (!works) text += fmt::format("{}: {}\n", what, std::strerror(errno));
  };
  sockaddr_in address{};
  socklen_t size = sizeof address;
  need(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  need(::connect(client, reinterpret_cast<sockaddr*>(&address), size) == 0, "connect");
  const int server = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  need(server >= 0, "accept4");
  need(::send(client, "ping", 4, 0) == 4, "send");
  const int epoll = ::epoll_create1(0);
  epoll_event event{EPOLLIN, {}};
  need(::epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event) == 0, "epoll_ctl");
  need(::epoll_wait(epoll, &event, 1, 5000) == 1, "epoll_wait");
  pollfd waiting{server, POLLIN, 0};
  need(::poll(&waiting, 1, 5000) == 1, "poll");
  char heard_text[4];
  need(::recv(server, heard_text, 4, 0) == 4, "recv");
  const int nonblocking = ::fcntl(server, F_GETFL) | O_NONBLOCK;
  need(::fcntl(server, F_SETFL, nonblocking) == 0, "fcntl");
  const std::uint64_t one = 1;
  need(::write(::eventfd(0, EFD_CLOEXEC), &one, sizeof one) == sizeof one, "eventfd");
  char now[64];
  need(::pread(memory, now, sizeof now, 0) > 0, "a file that is open");
  need(::getrandom(now, sizeof now, 0) == sizeof now, "getrandom");
  const timespec moment{0, 1000};
  need(::nanosleep(&moment, nullptr) == 0, "nanosleep");
  need(::read(STDIN_FILENO, now, 1) == 0, "standard input is empty");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  need(::getaddrinfo("192.168.1.5", "5555", &hints, &found) == 0, "addresses in numbers");
  return text;
}

TEST_F(Confine, WhatAWorkerDoesGoesOn) {
  const auto work = [] {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener, 1);
    const int memory = ::open("/proc/meminfo", O_RDONLY);
    const std::string missing = confine_process();
    return missing + failures_of_memory_and_threads() + failures_of_descriptors(listener, memory);
  };
  EXPECT_EQ(in_child(work), "");
}

TEST_F(Confine, TelemetryGoesOn) {
  const auto work = [] {
    internal::LocalTelemetry telemetry("/sys/class");
    const double before = telemetry.read().free_memory_bytes;
    const std::string missing = confine_process();
    const double after = telemetry.read().free_memory_bytes;
    return missing + (before > 0 && after > 0 ? "" : fmt::format("{}, then {}", before, after));
  };
  EXPECT_EQ(in_child(work), "");
}

}  // namespace
}  // namespace lingua
