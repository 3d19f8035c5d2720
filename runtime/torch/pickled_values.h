#pragma once
// What LibTorch may be given to unpickle: plain values, containers of them and tensors that lie inside the
// records that hold them. A pickle can say more than that: calls, objects of any class.
//
// Errors: InputError says what of it is refused. Internal to torch/.

#include <string>
#include <string_view>

#include "runtime/torch/pickle.h"
#include "runtime/torch/torch_archive.h"

namespace lingua {

// `folder` is where its tensors' numbers stand in the archive: "constants/". With `with_objects` it may also
// hold objects of classes that the archive's own code defines, and quantised tensors.
void check_values(const Pickle& pickle, const TorchArchive& archive, std::string_view folder,
                  bool with_objects);

}  // namespace lingua
