#pragma once
// The archive that LibTorch keeps a program or a TorchScript file in: a ZIP file of stored and deflated
// records, all in one folder.
//
// LibTorch's reader does not compare check sums, trusts offsets, and looks for records in more than one way:
// what it is given is looked at first, and has one meaning only.
// Errors: InputError says what is wrong with the archive ("its record 'code/a.py' is damaged"), not which it is.
// Internal to torch/. Source: PKWARE's APPNOTE 6.3.3, sections 4.3.7, 4.3.12 to 4.3.16 and 4.5.3.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace lingua {

struct ArchiveRecord {
  std::uint64_t at = 0;      // in the archive
  std::uint64_t stored = 0;  // bytes there
  std::uint64_t bytes = 0;   // unpacked
  bool is_packed = false;
  std::uint32_t sum = 0;
};

// As LibTorch compares the names of records.
std::string lower_case(std::string text);

class TorchArchive {
 public:
  // Gives the bytes [at, at + count) of the archive, which has them.
  using Read = std::function<std::string(std::uint64_t at, std::uint64_t count)>;

  // Errors: a record outside of it, packed otherwise, named twice or too large; bytes that a
  // reader could take for another format.
  TorchArchive(std::uint64_t bytes, Read read);
  // REQUIRES: the bytes outlive it.
  explicit TorchArchive(std::string_view bytes);

  // By their names inside the folder: "bytecode.pkl".
  const std::map<std::string, ArchiveRecord>& records() const { return records_; }
  // Errors: there is none, or it is packed.
  std::string contents(const std::string& name) const;
  // Errors: a record that is not packed has another check sum than the directory says.
  void check_sums() const;

 private:
  void read_directory();
  void add_record(std::string_view entry, std::string_view name, std::string_view extra);
  void check_record(const std::string& full_name, ArchiveRecord* record) const;

  std::uint64_t bytes_;
  Read read_;
  std::uint64_t directory_ = 0;  // where it begins
  std::string folder_;           // "archive/"
  std::map<std::string, ArchiveRecord> records_;
};

}  // namespace lingua
