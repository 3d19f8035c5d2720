#pragma once
// Whether the instructions of a program can be run: each operand in its range, each jump to an instruction,
// never more taken from the stack than is on it, and only operations of the list.
//
// Errors: InputError says what is not. REQUIRES: its values are checked (check_values).
// Internal to torch/.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "runtime/torch/pickle.h"

namespace lingua {

// What an operation takes from the stack and puts there, as LibTorch declares it.
struct OperationShape {
  std::int64_t takes = 0;
  std::int64_t gives = 0;
  bool takes_any = false;  // more, as many as the caller says
};
// By name and overload ("aten::add", "Tensor"); nothing for one that is not there, or gives any number.
using FindOperation =
    std::function<std::optional<OperationShape>(const std::string&, const std::string&)>;

// `root`: the value of bytecode.pkl.
void check_bytecode(const PickleNode& root, const FindOperation& find);

}  // namespace lingua
