#pragma once

#include <cmath>

namespace morphobench {

// exp and log to about one unit in the last place from IEEE +, -, *, / alone: the C library's differ between
// platforms in that last place, and a draw must not.

inline double portable_exp(double x) {
    constexpr double reciprocals[] = {0,       1.0,     1.0 / 2, 1.0 / 3,  1.0 / 4,  1.0 / 5,  1.0 / 6,
                                      1.0 / 7, 1.0 / 8, 1.0 / 9, 1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13};
    constexpr double log2_high = 0x1.62e42fee00000p-1, log2_low = 0x1.a39ef35793c76p-33;
    if (x > 709.0) return HUGE_VAL;
    if (x < -700.0) return 0.0;
    const double n = std::nearbyint(x * 0x1.71547652b82fep+0);
    const double r = (x - n * log2_high) - n * log2_low; // |r| <= log(2) / 2
    double sum = 1.0;
    for (int k = 13; k > 0; --k)
        sum = 1.0 + sum * r * reciprocals[k];
    return std::ldexp(sum, static_cast<int>(n));
}

// For finite x > 0: x = m 2^n with m in [sqrt(1/2), sqrt(2)), log m = 2 atanh((m - 1) / (m + 1)).
inline double portable_log(double x) {
    int n = 0;
    double m = std::frexp(x, &n);
    if (m < 0x1.6a09e667f3bcdp-1) {
        m *= 2.0;
        --n;
    }
    const double s = (m - 1.0) / (m + 1.0), s2 = s * s;
    double sum = 0.0;
    for (int k = 23; k > 0; k -= 2)
        sum = 1.0 / k + sum * s2;
    return n * 0x1.62e42fefa39efp-1 + 2.0 * s * sum;
}

} // namespace morphobench
