#pragma once
// What the arguments of a file's forward are, from its schema and the --input texts.
//
// Internal to torch/. A text is NAME=WHAT, where WHAT depends on the type of forward's argument:
// a tensor DIMxDIMx...:DTYPE; a list or tuple of tensors one of these each, separated by commas (the
// arguments are then NAME.0, NAME.1, ...); a number, bool, string or list of numbers its value, which
// all requests share; none where the type is Optional.
// Errors: UsageError for a text that says nothing; InputError names the file and what is missing.

#include <ATen/core/function_schema.h>

#include <string>
#include <vector>

#include "runtime/torch/script_model.h"

namespace lingua {

// Fills in arguments and constants of the model, in the order of forward. An argument that no text
// describes gets no dims where it may be guessed: one tensor, when there are no texts at all.
void describe_arguments(const c10::FunctionSchema& forward, const std::vector<std::string>& inputs,
                        ScriptModel* model);

// How many tensors a value of this type holds: -1 for a list, whose length is open; 0 when it
// holds anything else.
int tensors_in(const c10::Type& type);

}  // namespace lingua
