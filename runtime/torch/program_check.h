#pragma once
// Whether a program is one that make_program writes: looked at before LibTorch sees a byte of it.
//
// LibTorch's mobile interpreter trusts what it loads: indices, jumps, the height of its stack, sizes; and
// what it unpickles can name any class and run its code. A program here has one function, no attributes, no
// classes and calls operations of the list only (allowed_operations.h).
// Errors: InputError says what of it is refused, and names an operation that programs may not use.
// Threads: any. Internal to torch/. Source of the instructions: torch/csrc/jit/runtime/instruction.h and
// mobile/interpreter.cpp of LibTorch 1.13.

#include <string_view>

#include "runtime/torch/bytecode_check.h"

namespace lingua {

// `find`: LibTorch's operations (operation_shapes.h).
void check_program(std::string_view bytes, const FindOperation& find);

}  // namespace lingua
