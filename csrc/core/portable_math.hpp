#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/vector.hpp"

namespace morphobench {

// exp and log to about one unit in the last place from IEEE +, -, *, / alone: the C library's differ between
// platforms in that last place, and a draw must not.

// No function here has a branch where it can do without, so that it can be computed for many at once.

// To the nearest whole number, halves to the even one; |x| < 2^51.
MORPHOBENCH_INLINE double round_to_even(double x) {
    constexpr double shift = 0x1.8p52; // from here on numbers are whole
    return (x + shift) - shift;
}

MORPHOBENCH_INLINE double portable_exp(double x) {
    constexpr double reciprocals[] = {0,       1.0,     1.0 / 2, 1.0 / 3,  1.0 / 4,  1.0 / 5,  1.0 / 6,
                                      1.0 / 7, 1.0 / 8, 1.0 / 9, 1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13};
    constexpr double log2_high = 0x1.62e42fee00000p-1, log2_low = 0x1.a39ef35793c76p-33;
    constexpr double highest = 709.0, lowest = -700.0;
    const double inside = x > highest ? highest : (x < lowest ? lowest : x);
    const double n = round_to_even(inside * 0x1.71547652b82fep+0);
    const double r = (inside - n * log2_high) - n * log2_low; // |r| <= log(2) / 2
    double sum = 1.0;
    for (int k = 13; k > 0; --k)
        sum = 1.0 + sum * r * reciprocals[k];
    const std::int64_t exponent_bits = (std::int64_t{static_cast<std::int32_t>(n)} + 1023) << 52;
    double power; // 2^n
    std::memcpy(&power, &exponent_bits, sizeof power);
    const double result = sum * power;
    return x > highest ? HUGE_VAL : (x < lowest ? 0.0 : result);
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

// The standard normal number below which a share p of them lies, 0 < p < 1, to about 1e-9 relative error:
// the rational approximations of P. J. Acklam (2003), one for the middle and one for the tails. The middle's
// has no branch, so that it can be computed for many at once.

template <std::size_t count>
inline double polynomial(const double (&coefficients)[count], double x) {
    double sum = 0.0;
    for (const double coefficient : coefficients)
        sum = sum * x + coefficient;
    return sum;
}

inline bool in_normal_middle(double p) { return p >= 0.02425 && p <= 1.0 - 0.02425; }

inline double normal_quantile_middle(double p) {
    constexpr double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                            1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
    constexpr double b[] = {-5.447609879822406e+01, 1.615858368580409e+02,  -1.556989798598866e+02,
                            6.680131188771972e+01,  -1.328068155288572e+01, 1.0};
    const double q = p - 0.5, r = q * q;
    return polynomial(a, r) * q / polynomial(b, r);
}

inline double normal_quantile_tail(double p) {
    constexpr double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                            -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
    constexpr double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                            3.754408661907416e+00, 1.0};
    const double q = std::sqrt(-2.0 * portable_log(p < 0.5 ? p : 1.0 - p));
    const double x = polynomial(c, q) / polynomial(d, q);
    return p < 0.5 ? x : -x;
}

} // namespace morphobench
