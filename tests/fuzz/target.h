#pragma once
// What a fuzzer drives: a parser of files and messages that nobody vouches for.
//
// A target is one file, NAME_target.cpp: the function declared below, with good inputs from which a
// fuzzer starts. To add one, write it, declare it here and name it in CMakeLists.txt.

#include <string>
#include <vector>

namespace lingua::testing {

struct FuzzTarget {
  std::string name;
  // Does with the bytes all that the program would, and reads all that they promise.
  // Errors: InputError when it refuses them; anything else is a bug.
  void (*run)(const std::string& bytes);
  std::vector<std::string> (*samples)();
};

FuzzTarget cluster_target();
FuzzTarget event_log_target();
FuzzTarget gguf_target();
FuzzTarget jinja_target();
FuzzTarget journal_target();
FuzzTarget json_target();
FuzzTarget npy_target();
FuzzTarget program_target();
FuzzTarget safetensors_target();
FuzzTarget sentencepiece_target();
FuzzTarget supply_target();
FuzzTarget sweep_target();
FuzzTarget tokenizer_gguf_target();
FuzzTarget tokenizer_json_target();
FuzzTarget trace_target();
FuzzTarget trust_target();
FuzzTarget wire_target();

// Runs a target: true when it took the bytes, false when it refused them in one clear line.
// Errors: BugError for a refusal that is not one printable line; what `run` throws otherwise.
bool takes(const FuzzTarget& target, const std::string& bytes);

}  // namespace lingua::testing
