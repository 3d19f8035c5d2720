#pragma once
// The libraries that LibTorch computes with on this machine, and whether they do.
//
// Threads: one at a time, before LibTorch computes anything else.

#include <functional>
#include <string>

namespace lingua {

// The file of the BLAS that multiplies matrices, where that is an unoptimised one (20 times slower): the program
// warns. Empty where it is another, or is part of LibTorch. By what is loaded: a clock says little where others compute
// too.
std::string slow_blas();
// Whether this file is one: the reference's, in no vendor's folder. It is given without symbolic links.
bool is_slow_blas(const std::string& file);

// Why oneDNN cannot be used on this processor, in one line; empty where it can. A small product and an activation in
// bfloat16 are tried the first time; where one fails, oneDNN is switched off for this process and LibTorch computes
// with what else it has. make_torch_executor() asks.
std::string onednn_trouble();
// The same of another trial.
std::string onednn_trouble(const std::function<void()>& trial);

}  // namespace lingua
