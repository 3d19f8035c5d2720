#pragma once
// What the operations of this LibTorch, and ours, take and give.
//
// Threads: any. Internal to torch/.

#include <optional>
#include <string>

#include "runtime/torch/bytecode_check.h"

namespace lingua {

// A FindOperation.
std::optional<OperationShape> find_operation(const std::string& name, const std::string& overload);

}  // namespace lingua
