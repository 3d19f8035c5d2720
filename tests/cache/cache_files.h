#pragma once
// A cache folder as what is on disk, for tests that look at it and spoil it.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "runtime/base/files.h"
#include "runtime/cache/content_folder.h"

namespace lingua::testing {

namespace fs = std::filesystem;

inline std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

// Another byte in the middle: the file is as large as before.
inline void spoil(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  const auto middle = static_cast<std::streamoff>(fs::file_size(file) / 2);
  stream.seekg(middle);
  const char was = static_cast<char>(stream.get());
  stream.seekp(middle);
  stream.put(static_cast<char>(was ^ 1));
  ASSERT_TRUE(stream.good());
}

inline void put(ContentFolder& folder, const std::string& content) {
  ContentWriter writer(folder);
  writer.append(content.data(), content.size());
  writer.finish(digest_of(content));
}

inline bool holds(const ContentFolder& folder, const std::string& content) {
  return fs::exists(folder.folder() / digest_of(content).text());
}

}  // namespace lingua::testing
