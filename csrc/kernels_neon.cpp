// Kernels for 64-bit ARM, all of which has NEON; every result equals that of kernels_scalar.cpp, see
// simd_taps.hpp for why.

#include "simd.hpp"

#if MORPHOBENCH_NEON

#include <arm_neon.h>

#include <algorithm>

#include "blur_rows.hpp"

namespace morphobench {

namespace {

// (high + rest + 64) >> 7 of eight outputs, as bytes.
MORPHOBENCH_INLINE uint8x8_t finish_two(int16x8_t high, int16x8_t rest) {
    const int16x8_t sum = vaddq_s16(high, vaddq_s16(vshrq_n_s16(rest, 7), vdupq_n_s16(64)));
    return vqmovun_s16(vshrq_n_s16(sum, 7));
}

// Eight 16-bit sums of the products of neighbours; digits in 0..127.
MORPHOBENCH_INLINE int16x8_t pair_sums(uint8x16_t pixels, const std::int8_t* digits) {
    const uint8x16_t weights = vreinterpretq_u8_s8(vld1q_s8(digits));
    return vreinterpretq_s16_u16(
        vpaddq_u16(vmull_u8(vget_low_u8(pixels), vget_low_u8(weights)), vmull_high_u8(pixels, weights)));
}

// The same; digits in -128..127.
MORPHOBENCH_INLINE int16x8_t signed_pair_sums(uint8x16_t pixels, const std::int8_t* digits) {
    const int8x16_t weights = vld1q_s8(digits);
    const int16x8_t first = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(pixels)));
    const int16x8_t second = vreinterpretq_s16_u16(vmovl_high_u8(pixels));
    return vpaddq_s16(vmulq_s16(first, vmovl_s8(vget_low_s8(weights))),
                      vmulq_s16(second, vmovl_high_s8(weights)));
}

void horizontal_two(PlaneView<const std::uint8_t> in, const TwoTaps& taps, PlaneView<std::uint8_t> out) {
    for (std::int32_t y = 0; y < in.height; ++y)
        for (std::int32_t x = 0; x < out.width; x += 8) {
            const std::size_t at = 2 * static_cast<std::size_t>(x);
            const uint8x16_t pixels =
                vqtbl1q_u8(vld1q_u8(in.row(y) + taps.bases[at / 16]), vld1q_u8(taps.shuffles.data() + at));
            int16x8_t rest = vdupq_n_s16(0);
            if (taps.digits == 3) rest = vshrq_n_s16(signed_pair_sums(pixels, taps.low.data() + at), 8);
            if (taps.digits >= 2) rest = vaddq_s16(rest, pair_sums(pixels, taps.middle.data() + at));
            vst1_u8(out.row(y) + x, finish_two(pair_sums(pixels, taps.high.data() + at), rest));
        }
}

void vertical_two(PlaneView<const std::uint8_t> in, const TwoTaps& taps, PlaneView<std::uint8_t> out) {
    for (std::int32_t o = 0; o < out.height; ++o) {
        const auto at = static_cast<std::size_t>(o);
        const std::int8_t *high = &taps.high[2 * at], *middle = &taps.middle[2 * at],
                          *low = &taps.low[2 * at];
        const std::uint8_t* above = in.row(taps.first[at]);
        const std::uint8_t* below = in.row(taps.second[at]);
        for (std::int32_t x = 0; x < in.width; x += 8) {
            const int16x8_t a = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(above + x)));
            const int16x8_t b = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(below + x)));
            int16x8_t rest = vdupq_n_s16(0);
            if (taps.digits == 3) rest = vshrq_n_s16(vmlaq_n_s16(vmulq_n_s16(a, low[0]), b, low[1]), 8);
            rest = vmlaq_n_s16(vmlaq_n_s16(rest, a, middle[0]), b, middle[1]);
            vst1_u8(out.row(o) + x, finish_two(vmlaq_n_s16(vmulq_n_s16(a, high[0]), b, high[1]), rest));
        }
    }
}

// sum >> 22, cut off at 255.
MORPHOBENCH_INLINE uint16x4_t finish_many(int32x4_t sum) {
    return vqmovn_u32(vreinterpretq_u32_s32(vshrq_n_s32(sum, weight_bits)));
}

void vertical_many(PlaneView<const std::uint8_t> in, const AxisTable& table, PlaneView<std::uint8_t> out) {
    for (std::int32_t o = 0; o < out.height; ++o) {
        const std::int32_t* weights = table.weights_of(o);
        const std::int32_t first = table.first[static_cast<std::size_t>(o)];
        for (std::int32_t x = 0; x < in.width; x += 16) {
            int32x4_t sums[4];
            for (int32x4_t& sum : sums)
                sum = vdupq_n_s32(weight_half);
            for (std::int32_t t = 0; t < table.taps; ++t) {
                const uint8x16_t pixels = vld1q_u8(in.row(first + t) + x);
                const uint16x8_t low = vmovl_u8(vget_low_u8(pixels)), high = vmovl_high_u8(pixels);
                const auto add = [&](int32x4_t& sum, uint32x4_t four) {
                    sum = vmlaq_n_s32(sum, vreinterpretq_s32_u32(four), weights[t]);
                };
                add(sums[0], vmovl_u16(vget_low_u16(low)));
                add(sums[1], vmovl_high_u16(low));
                add(sums[2], vmovl_u16(vget_low_u16(high)));
                add(sums[3], vmovl_high_u16(high));
            }
            const uint16x8_t low = vcombine_u16(finish_many(sums[0]), finish_many(sums[1]));
            const uint16x8_t high = vcombine_u16(finish_many(sums[2]), finish_many(sums[3]));
            vst1q_u8(out.row(o) + x, vcombine_u8(vqmovn_u16(low), vqmovn_u16(high)));
        }
    }
}

// One output after the other, eight of its taps at a time.
void horizontal_many(PlaneView<const std::uint8_t> in, const AxisTable& table, PlaneView<std::uint8_t> out) {
    for (std::int32_t y = 0; y < in.height; ++y)
        for (std::int32_t o = 0; o < table.out; ++o) {
            const std::uint8_t* pixels = in.row(y) + table.first[static_cast<std::size_t>(o)];
            const std::int32_t* weights = table.weights_of(o);
            int32x4_t sums = vdupq_n_s32(0);
            std::int32_t t = 0;
            for (; t + 8 <= table.taps; t += 8) {
                const uint16x8_t eight = vmovl_u8(vld1_u8(pixels + t));
                sums = vmlaq_s32(sums, vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(eight))),
                                 vld1q_s32(weights + t));
                sums =
                    vmlaq_s32(sums, vreinterpretq_s32_u32(vmovl_high_u16(eight)), vld1q_s32(weights + t + 4));
            }
            std::int32_t sum = weight_half + vaddvq_s32(sums);
            for (; t < table.taps; ++t)
                sum += pixels[t] * weights[t];
            out.row(y)[o] = static_cast<std::uint8_t>(std::min(sum >> weight_bits, 255));
        }
}

void horizontal(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
                const PlaneView<std::uint8_t>& out) {
    if (table.two.digits && !table.two.bases.empty())
        horizontal_two(in, table.two, out);
    else
        horizontal_many(in, table, out);
}

void vertical(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
              const PlaneView<std::uint8_t>& out) {
    if (table.two.digits)
        vertical_two(in, table.two, out);
    else
        vertical_many(in, table, out);
}

void to_unit(const PlaneView<const std::uint8_t>& in, float* out) {
    for (std::int32_t y = 0; y < in.height; ++y) {
        const std::uint8_t* source = in.row(y);
        std::int32_t x = 0;
        for (; x + 8 <= in.width; x += 8) {
            const uint16x8_t eight = vmovl_u8(vld1_u8(source + x));
            const float32x4_t most = vdupq_n_f32(255.0f);
            vst1q_f32(out + x, vdivq_f32(vcvtq_f32_u32(vmovl_u16(vget_low_u16(eight))), most));
            vst1q_f32(out + x + 4, vdivq_f32(vcvtq_f32_u32(vmovl_high_u16(eight)), most));
        }
        for (; x < in.width; ++x)
            out[x] = static_cast<float>(source[x]) / 255.0f;
        out += in.width;
    }
}

void blur(const PlaneView<const float>& in, float edge, float center, float* rows, float* out) {
    blur_plane(in, edge, center, rows, out);
}

} // namespace

const Kernels neon_kernels{"neon", horizontal, vertical, to_unit, blur};

} // namespace morphobench

#endif
