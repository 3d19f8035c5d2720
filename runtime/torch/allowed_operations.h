#pragma once
// Which operations a model, and a program of it, may use: what computes tensors and numbers from tensors and
// numbers, and nothing else. No files, no processes, no network, no global settings, no memory that another
// value did not name.
//
// The list is of names, not of patterns: what a later LibTorch adds is refused until somebody has looked at it.
// Internal to torch/.

#include <string_view>

namespace lingua {

// `name` is "aten::add" or "aten::add_", without the overload.
bool is_allowed_operation(std::string_view name);

}  // namespace lingua
