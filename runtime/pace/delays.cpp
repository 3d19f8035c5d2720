#include "runtime/pace/delays.h"

#include <algorithm>

namespace lingua {

void Delays::note(Seconds should, Seconds took) {
  add({1, took > should, should, std::max(took - should, Seconds(0)),
       std::max(took - should, Seconds(0))});
}

void Delays::add(const Delays& other) {
  count += other.count;
  late += other.late;
  modelled += other.modelled;
  late_by += other.late_by;
  most = std::max(most, other.most);
}

}  // namespace lingua
