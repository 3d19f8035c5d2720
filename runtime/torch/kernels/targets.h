#pragma once
// For which instruction sets kernels are compiled. Include before <hwy/foreach_target.h>.
// Vectors stand in arrays, which those with vectors of unknown length do not allow.

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
