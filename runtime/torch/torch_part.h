#pragma once
// The part of the program that needs LibTorch: a module of its own (lingua-torch.so), loaded at the
// first call of one of these functions, since LibTorch's 300 shared libraries take half a second.
//
// torch_loader.cpp defines the functions for the program and calls on to the module, which has the
// ones that compute. Tests and benchmarks link the latter and load nothing. Internal to torch/, but for torch_module().
// Without LINGUA_WITH_JIT the module has the executor alone.

#include <filesystem>

#include "runtime/torch/cpu_libraries.h"
#include "runtime/torch/import.h"
#include "runtime/torch/own_dtype.h"
#include "runtime/torch/torch_executor.h"

namespace lingua {

struct TorchPart {
  decltype(&make_torch_executor) executor = nullptr;
  decltype(&slow_blas) blas = nullptr;
  std::string (*onednn)() = nullptr;  // onednn_trouble
  decltype(&import_model) import = nullptr;
  decltype(&own_dtype) dtype = nullptr;
  decltype(&generate_reference) generate = nullptr;
  decltype(&run_reference) pass = nullptr;
};

// The file, whether or not it is loaded.
std::filesystem::path torch_module();

}  // namespace lingua

// All that the module gives.
extern "C" const lingua::TorchPart* lingua_torch_part();
