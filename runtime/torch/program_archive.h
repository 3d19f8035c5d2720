#pragma once
// The archive that a program is: a ZIP file of stored and deflated records, as LibTorch writes it.
//
// LibTorch's reader does not compare checksums and trusts offsets; what it is given is looked at
// first. Internal to torch/. Source: PKWARE's APPNOTE 6.3.3, sections 4.3.7, 4.3.12 and 4.3.16.

#include <string>
#include <string_view>

namespace lingua {

// What is wrong with the archive: a record outside of it, packed otherwise, named twice, too large,
// missing, or, where it is stored as it is, with another checksum. Empty when it is whole.
std::string damage_of_archive(std::string_view bytes);

}  // namespace lingua
