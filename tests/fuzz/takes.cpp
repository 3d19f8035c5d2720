#include <algorithm>

#include "runtime/base/errors.h"
#include "tests/fuzz/target.h"

namespace lingua::testing {

bool takes(const FuzzTarget& target, const std::string& bytes) {
  constexpr std::size_t kLongest = 4096;
  try {
    target.run(bytes);
    return true;
  } catch (const InputError& error) {
    const std::string said = error.what();
    const bool clear =
        !said.empty() && said.size() <= kLongest &&
        std::none_of(said.begin(), said.end(), [](unsigned char c) { return c < 32 || c == 127; });
    LINGUA_CHECK(clear, "{} refuses unclearly, in {} bytes: {:.200}", target.name, said.size(),
                 said);
    return false;
  }
}

}  // namespace lingua::testing
