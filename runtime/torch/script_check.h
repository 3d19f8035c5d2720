#pragma once
// What a TorchScript file may hold: looked at before LibTorch loads it, and before anything of it runs.
//
// A TorchScript file is code. To load it is to run some: __setstate__ of its classes, and the defaults of
// arguments. Files have neither here (defaults are literals), hold nothing but tensors and plain values, and call
// operations of the list only (allowed_operations.h).
// Errors: InputError names the file and what of it is refused. Internal to torch/.

#include <torch/csrc/jit/api/module.h>

#include <string>

namespace lingua {

void check_script_file(const std::string& file);

// Of what has been loaded. REQUIRES: it has a method forward.
void check_script_operations(const std::string& file, const torch::jit::Module& module);

}  // namespace lingua
