#pragma once
// Rows of cells as aligned text: the first column to the left, the others to the right.

#include <string>
#include <vector>

namespace lingua {

// REQUIRES: all rows are as long as the first.
std::string text_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace lingua
