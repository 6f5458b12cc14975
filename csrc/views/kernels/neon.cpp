// Kernels for 64-bit ARM, all of which has NEON; every result equals that of scalar.cpp, see
// fixed_point_taps.hpp for why.

#include "views/kernels/kernels.hpp"

#if MORPHOBENCH_NEON

#include <arm_neon.h>

#include <algorithm>

#include "views/kernels/blur_rows.hpp"

namespace morphobench {

namespace {

// (sum + (a - b) rest / 2^15 + 64) >> 7 of eight outputs, as bytes: the formula of TwoTaps.
MORPHOBENCH_INLINE uint8x8_t finish_two(int16x8_t sum, int16x8_t difference, int16x8_t rests) {
    return vqmovun_s16(vrshrq_n_s16(vaddq_s16(sum, vqdmulhq_s16(difference, rests)), 7));
}

void horizontal_two(PlaneView<const std::uint8_t> in, const TwoTaps& taps, PlaneView<std::uint8_t> out) {
    const auto signed_words = [](uint8x8_t bytes) { return vreinterpretq_s16_u16(vmovl_u8(bytes)); };
    for (std::int32_t y = 0; y < in.height; ++y)
        for (std::int32_t x = 0; x < out.width; x += 8) {
            const std::size_t at = static_cast<std::size_t>(x);
            const uint8x16_t pixels =
                vqtbl1q_u8(vld1q_u8(in.row(y) + taps.bases[at / 8]), vld1q_u8(taps.shuffles.data() + 2 * at));
            const uint8x16_t shares = vreinterpretq_u8_s8(vld1q_s8(taps.shares.data() + 2 * at));
            const uint16x8_t sums =
                vpaddq_u16(vmull_u8(vget_low_u8(pixels), vget_low_u8(shares)), vmull_high_u8(pixels, shares));
            const int16x8_t difference = vsubq_s16(signed_words(vget_low_u8(vuzp1q_u8(pixels, pixels))),
                                                   signed_words(vget_low_u8(vuzp2q_u8(pixels, pixels))));
            vst1_u8(out.row(y) + x,
                    finish_two(vreinterpretq_s16_u16(sums), difference, vld1q_s16(taps.rests.data() + at)));
        }
}

void vertical_two(PlaneView<const std::uint8_t> in, const TwoTaps& taps, PlaneView<std::uint8_t> out) {
    for (std::int32_t o = 0; o < out.height; ++o) {
        const auto at = static_cast<std::size_t>(o);
        const std::int8_t* shares = &taps.shares[2 * at];
        const int16x8_t rests = vdupq_n_s16(taps.rests[at]);
        const std::uint8_t* above = in.row(taps.first[at]);
        const std::uint8_t* below = in.row(taps.second[at]);
        for (std::int32_t x = 0; x < in.width; x += 8) {
            const int16x8_t a = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(above + x)));
            const int16x8_t b = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(below + x)));
            vst1_u8(out.row(o) + x,
                    finish_two(vmlaq_n_s16(vmulq_n_s16(a, shares[0]), b, shares[1]), vsubq_s16(a, b), rests));
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
    if (table.two.usable && !table.two.bases.empty())
        horizontal_two(in, table.two, out);
    else
        horizontal_many(in, table, out);
}

void vertical(const PlaneView<const std::uint8_t>& in, const AxisTable& table,
              const PlaneView<std::uint8_t>& out) {
    if (table.two.usable)
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

const ViewKernels neon_kernels{
    .level = "neon", .horizontal = horizontal, .vertical = vertical, .to_unit = to_unit, .blur = blur};

} // namespace morphobench

#endif
