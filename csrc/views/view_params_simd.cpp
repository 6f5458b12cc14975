#include "views/view_params_simd.hpp"

#include "dispatch/at_level.hpp"

namespace morphobench {

namespace {

constexpr std::size_t lanes = ViewParamsLanes::count;

// A block of each lane's stream.
struct BlockLanes {
    std::uint32_t words[4][lanes];
};

MORPHOBENCH_INLINE void draw_block(const ViewParamsLanes& images, std::uint64_t seed, std::uint32_t epoch,
                                   std::uint16_t view, std::uint16_t number, BlockLanes& block) {
    auto& words = block.words;
    for (std::size_t i = 0; i < lanes; ++i) {
        words[0][i] = images.image_low[i];
        words[1][i] = images.image_high[i];
        words[2][i] = epoch;
        words[3][i] = ViewStream::place(view, number);
    }
    PhiloxKey key = ViewStream::key_of(seed);
    for (int round = 0; round < philox_rounds; ++round, key = next_key(key))
        for (std::size_t i = 0; i < lanes; ++i) {
            const PhiloxCounter next =
                philox_round({words[0][i], words[1][i], words[2][i], words[3][i]}, key);
            for (std::size_t word = 0; word < 4; ++word)
                words[word][i] = next[word];
        }
}

MORPHOBENCH_INLINE void draw_crops(const CropSampler& distribution, std::int32_t image_height,
                                   std::int32_t image_width, const BlockLanes& attempt,
                                   const BlockLanes& position, ViewParamsLanes& out) {
    double height[lanes], width[lanes];
    for (std::size_t i = 0; i < lanes; ++i) {
        const auto sides =
            distribution.sides(image_height, image_width, uniform53(attempt.words[0][i], attempt.words[1][i]),
                               uniform53(attempt.words[2][i], attempt.words[3][i]));
        height[i] = sides.height;
        width[i] = sides.width;
    }
    for (std::size_t i = 0; i < lanes; ++i) {
        out.fits[i] =
            (height[i] >= 1.0) & (width[i] >= 1.0) & (height[i] <= image_height) & (width[i] <= image_width);
        out.height[i] = static_cast<std::int32_t>(out.fits[i] ? height[i] : 1.0);
        out.width[i] = static_cast<std::int32_t>(out.fits[i] ? width[i] : 1.0);
        out.top[i] = below(position.words[0][i], image_height - out.height[i] + 1);
        out.left[i] = below(position.words[1][i], image_width - out.width[i] + 1);
    }
}

MORPHOBENCH_INLINE void draw_all(const ViewDistribution& distribution, std::int32_t image_height,
                                 std::int32_t image_width, std::uint64_t seed, std::uint32_t epoch,
                                 std::uint16_t view, ViewParamsLanes& out) {
    if (distribution.crop.whole()) {
        for (std::size_t i = 0; i < lanes; ++i) {
            out.fits[i] = 1;
            out.top[i] = out.left[i] = 0;
            out.height[i] = image_height;
            out.width[i] = image_width;
        }
    } else {
        BlockLanes attempt, position;
        draw_block(out, seed, epoch, view, 0, attempt);
        draw_block(out, seed, epoch, view, CropSampler::position_block, position);
        draw_crops(distribution.crop, image_height, image_width, attempt, position, out);
    }
    BlockLanes block;
    draw_block(out, seed, epoch, view, ViewDistribution::flip_and_blur_block, block);
    for (std::size_t i = 0; i < lanes; ++i) {
        out.flip[i] = distribution.flips(uniform32(block.words[0][i]));
        out.blur_sigma[i] = distribution.blur_of(uniform32(block.words[1][i]), uniform32(block.words[2][i]));
    }
}

} // namespace

void ViewParamsLanes::sample(const ViewDistribution& distribution, std::int32_t image_height,
                             std::int32_t image_width, std::uint64_t seed, std::uint32_t epoch,
                             std::uint16_t view) {
    at_level<draw_all>(distribution, image_height, image_width, seed, epoch, view, *this);
}

} // namespace morphobench
