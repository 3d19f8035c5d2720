#include "runtime/trust/syscall_filter.h"

#ifdef LINGUA_WITH_SECCOMP
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>
#endif

namespace lingua::internal {

#ifndef LINGUA_WITH_SECCOMP

std::string filter_system_calls() {
  return "system calls are not filtered: built without libseccomp";
}

#else

namespace {

// With any arguments. Those that an architecture does not have (poll on arm64) are left out there.
constexpr const char* kAllowed[] = {
    // Memory. Also what is executable: oneDNN compiles its kernels when it first meets a shape. Without
    // that LibTorch's gelu and all that it computes in bfloat16 fail ("could not create a primitive").
    "brk", "madvise", "mbind", "membarrier", "mincore", "mlock", "mmap", "mprotect", "mremap",
    "munlock", "munmap", "get_mempolicy",
    // Threads. arch_prctl: oneDNN asks for matrix registers by it. Affinity: OpenMP's.
    "arch_prctl", "exit", "exit_group", "futex", "futex_waitv", "get_robust_list", "getcpu",
    "gettid", "restart_syscall", "rseq", "sched_get_priority_max", "sched_get_priority_min",
    "sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_setaffinity", "sched_yield",
    "set_robust_list", "set_tid_address",
    // What is open; of a folder also what is in it, as its own threads. newfstatat and statx are not
    // here: by them any path can be looked up.
    "close", "dup", "dup2", "dup3", "fstat", "ftruncate", "getdents64", "lseek", "pipe2", "pread64",
    "preadv", "pwrite64", "pwritev", "read", "readv", "write", "writev",
    // Waiting.
    "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2", "poll", "ppoll",
    "pselect6", "select",
    // Connections. A worker makes those to other workers when it first sends something to them; it
    // listens since before.
    "accept", "accept4", "connect", "getpeername", "getsockname", "getsockopt", "recvfrom",
    "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "shutdown",
    // Time.
    "clock_getres", "clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep", "time",
    // Its own signals.
    "pause", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend",
    "rt_sigtimedwait", "sigaltstack",
    // Facts.
    "getcwd", "getegid", "geteuid", "getgid", "getpid", "getppid", "getrandom", "getrusage",
    "getuid", "sysinfo", "times", "uname"};

constexpr scmp_datum_t kInt = 0xffffffff;  // what the kernel reads of an int

// Argument `index` has `value` in the bits of `mask`.
scmp_arg_cmp has(unsigned index, scmp_datum_t value, scmp_datum_t mask = kInt) {
  return {index, SCMP_CMP_MASKED_EQ, mask, value};
}

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release) {
    if (context_ == nullptr) error_ = ENOMEM;
  }

  void allow(const char* name, const std::vector<scmp_arg_cmp>& arguments = {}) {
    add(SCMP_ACT_ALLOW, name, arguments);
  }
  void refuse(const char* name, int error) { add(SCMP_ACT_ERRNO(error), name, {}); }
  void demand(scmp_filter_attr attribute, std::uint32_t value) { note(set(attribute, value)); }
  void prefer(scmp_filter_attr attribute, std::uint32_t value) { set(attribute, value); }

  // What went wrong, as errno has it, now or before; 0 when nothing.
  int load() {
    if (error_ == 0) note(seccomp_load(context_.get()));
    return error_;
  }

 private:
  int set(scmp_filter_attr attribute, std::uint32_t value) {
    return error_ != 0 ? 0 : seccomp_attr_set(context_.get(), attribute, value);
  }
  void add(std::uint32_t action, const char* name, const std::vector<scmp_arg_cmp>& arguments) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number < 0 || error_ != 0) return;
    note(seccomp_rule_add_array(context_.get(), action, number,
                                static_cast<unsigned>(arguments.size()), arguments.data()));
  }
  void note(int result) {
    if (result != 0 && error_ == 0) error_ = result < 0 ? -result : result;
  }

  std::unique_ptr<void, decltype(&seccomp_release)> context_;
  int error_ = 0;
};

// Threads of this process, in its namespaces. The flags of clone3 stand in memory, where no filter sees
// them; the C library takes clone where there is no clone3.
void allow_threads(Filter& filter) {
  constexpr scmp_datum_t kApart = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                  CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  filter.allow("clone", {has(0, CLONE_THREAD, CLONE_THREAD | kApart)});
  filter.refuse("clone3", ENOSYS);
  // ZeroMQ's threads set, as they begin, the policy that they have; one may begin late.
  filter.allow("sched_setscheduler", {has(1, static_cast<unsigned>(::sched_getscheduler(0)))});
}

void allow_own_process(Filter& filter) {
  const auto self = static_cast<scmp_datum_t>(::getpid());
  filter.allow("kill", {has(0, self)});
  filter.allow("tgkill", {has(0, self)});
  for (const scmp_datum_t pid : {scmp_datum_t{0}, self}) filter.allow("prlimit64", {has(0, pid)});
  for (const scmp_datum_t option : {PR_SET_NAME, PR_GET_NAME, PR_GET_NO_NEW_PRIVS}) {
    filter.allow("prctl", {has(0, option)});
  }
}

void allow_open_descriptors(Filter& filter) {
  for (const scmp_datum_t command :
       {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC}) {
    filter.allow("fcntl", {has(1, command)});
  }
  for (const scmp_datum_t request : {FIONREAD, FIONBIO, TIOCOUTQ, TCGETS, TIOCGWINSZ}) {
    filter.allow("ioctl", {has(1, request)});
  }
}

// TCP only: through sockets of the machine itself (AF_UNIX) its services would be in reach.
void allow_tcp(Filter& filter) {
  constexpr scmp_datum_t kTypeBits = 0xf;  // the others are flags
  for (const scmp_datum_t family : {AF_INET, AF_INET6}) {
    for (const scmp_datum_t protocol : {0, static_cast<int>(IPPROTO_TCP)}) {
      filter.allow("socket", {has(0, family), has(1, SOCK_STREAM, kTypeBits), has(2, protocol)});
    }
  }
  // Root sets firewalls by others.
  filter.allow("setsockopt", {has(1, SOL_SOCKET)});
  filter.allow("setsockopt", {has(1, IPPROTO_TCP)});
  filter.allow("setsockopt", {has(1, IPPROTO_IPV6), has(2, IPV6_V6ONLY)});
}

}  // namespace

std::string filter_system_calls() {
  const std::uint32_t machine = seccomp_arch_native();
  if (machine != SCMP_ARCH_X86_64 && machine != SCMP_ARCH_AARCH64) {
    return "system calls are not filtered: which are needed is known for x86-64 and arm64 only";
  }
  Filter filter;
  filter.demand(SCMP_FLTATR_CTL_TSYNC, 1);
  filter.prefer(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);  // 32-bit calls
  filter.prefer(SCMP_FLTATR_API_SYSRAWRC, 1);
  filter.prefer(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a search by halves
  // Kernels before 5.16 would slow all loads and stores of a filtered process down, which is for those
  // that run code of several owners.
  filter.prefer(SCMP_FLTATR_CTL_SSB, 1);
  for (const char* name : kAllowed) filter.allow(name);
  allow_threads(filter);
  allow_own_process(filter);
  allow_open_descriptors(filter);
  allow_tcp(filter);
  const int error = filter.load();
  if (error == 0) return "";
  return fmt::format("system calls are not filtered: the kernel refuses: {}", std::strerror(error));
}

#endif

}  // namespace lingua::internal
