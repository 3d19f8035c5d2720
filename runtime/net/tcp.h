#pragma once
// What is to be known of TCP connections that ZeroMQ does not tell, and who it is that listens at
// an address where no coordinator answers.
//
// ZeroMQ's monitors say which file descriptor a connection has. A second descriptor of the same
// connection (share) stays valid when ZeroMQ closes its own.
// Units: bytes. Threads: any; a FileDescriptor belongs to one.

#include <cstdint>
#include <optional>
#include <string>

#include "runtime/base/units.h"
#include "runtime/net/address.h"

namespace lingua::internal {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

// Another descriptor of the same connection; none when there are no more, or `fd` is none.
FileDescriptor share(int fd);

struct TcpCounts {
  std::uint64_t confirmed = 0;  // sent, and the other machine's kernel has them
  std::uint64_t received = 0;
  std::uint64_t unconfirmed = 0;  // given to the kernel to send, and not yet confirmed
};
// Nothing where `fd` is no TCP connection.
std::optional<TcpCounts> tcp_counts(int fd);

// The port of this end of a connection; 0 where `fd` is none.
int local_port(int fd);

// Ends a connection at once and drops what has come over it and was not read.
void break_connection(int fd);

// Raises the soft limit of open files to the hard one, and returns it.
int raise_file_limit();

struct Listener {
  bool foreign = false;  // it speaks, and is certainly not the coordinator that is looked for
  std::string words;     // "nothing listens there (Connection refused)"
};
// How the coordinator that is looked for speaks, and what has been seen of who listens.
struct Wanted {
  bool secured = false;  // it has a key
  bool turned_away =
      false;  // connections ended, one after the other, while they were being secured
};
// Tries a plain connection and says who is there. Takes up to two seconds.
Listener who_listens(const Address& numeric, const Wanted& wanted);

}  // namespace lingua::internal
