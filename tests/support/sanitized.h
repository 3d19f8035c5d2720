#pragma once
// Whether this program runs under AddressSanitizer, which keeps what is freed and takes ten times as long and more.

namespace lingua::testing {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace lingua::testing
