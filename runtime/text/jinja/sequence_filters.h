#pragma once
// The filters that go through the items of a value.

#include <map>
#include <string>

#include "runtime/text/jinja/operations.h"

namespace lingua::jinja {

const std::map<std::string, Value (*)(const Value&, const Arguments&, Budget&)>& sequence_filters();

}  // namespace lingua::jinja
