#pragma once
// Inputs from files and outputs to files: --input-file and --output-file.
//
// Formats: .npy (one array) and .safetensors (any number, by name).
// Errors: UsageError for a text or path that says nothing; InputError names file, tensor and what the
// model takes.

#include <string>
#include <vector>

#include "runtime/app/options.h"
#include "runtime/app/study.h"
#include "runtime/device/message.h"

namespace lingua {

// Reads NAME=FILE, or FILE.safetensors with every tensor in it.
std::vector<NamedTensor> read_input_files(const std::vector<std::string>& texts);

// The --input texts, with one more for each file that no text describes.
std::vector<std::string> described_inputs(const ModelOptions& options,
                                          const std::vector<NamedTensor>& inputs);

// Gives the study's inputs the dtypes of the model, and finds its number of new tokens from their
// shapes. Of a model that reads tokens they are the prompt. Errors: also what does not fit the model.
void bind_inputs(const std::string& model, Study& study);

// Whether a file of this name can take `requests` times `outputs` tensors.
void check_output_file(const std::string& path, std::size_t outputs, int requests);

// Writes the outputs of all answers: one array, or tensors "output.0", "output.1", ... (of several
// requests "request.0.output.0", ...).
void write_outputs(const std::string& path, const std::vector<Done>& answers);

}  // namespace lingua
