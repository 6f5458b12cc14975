#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/array_view.hpp"
#include "views/view_distribution.hpp"

namespace morphobench {

template <class T>
using Writable = T;
template <class T>
using ReadOnly = const T;

// The parameters of V views of N images, a field at a time, each (V, N). The fields from flip_vertical on may
// be absent: then nothing of the kind is done.
template <template <class> class Access>
struct ViewParamsFields {
    FieldView<Access<std::int32_t>> top, left, height, width;
    FieldView<Access<std::uint8_t>> flip;
    FieldView<Access<float>> blur_sigma;
    std::size_t views, images;
    FieldView<Access<std::uint8_t>> flip_vertical, quarter_turns;
    FieldView<Access<float>> noise_sigma;
    FieldView<Access<std::uint64_t>> noise_key;
    FieldView<Access<float>> brightness, contrast; // a number for each channel

    ViewParams get(std::size_t view, std::size_t image) const;
    Jitter jitter(std::size_t view, std::size_t image, std::size_t channel) const {
        return {brightness ? brightness.get(view, image, channel) : 1.0f,
                contrast ? contrast.get(view, image, channel) : 1.0f};
    }
};

using ViewParamsArray = ViewParamsFields<ReadOnly>;
using WritableViewParams = ViewParamsFields<Writable>;

template <template <class> class Access>
ViewParams ViewParamsFields<Access>::get(std::size_t view, std::size_t image) const {
    ViewParams view_params{};
    view_params.window = {top.get(view, image), left.get(view, image), height.get(view, image),
                          width.get(view, image)};
    view_params.flip = flip.get(view, image) != 0;
    view_params.blur_sigma = blur_sigma.get(view, image);
    if (flip_vertical) view_params.flip_vertical = flip_vertical.get(view, image) != 0;
    if (quarter_turns) view_params.quarter_turns = quarter_turns.get(view, image);
    if (noise_sigma) view_params.noise_sigma = noise_sigma.get(view, image);
    if (noise_key) view_params.noise_key = noise_key.get(view, image);
    return view_params;
}

// View numbers are of 16 bits.
constexpr std::size_t most_views = 0x10000;

// The distribution of each view of an image.
class ViewDistributions {
public:
    // Lets the next `count` views be drawn by this distribution.
    void add(std::size_t count, const ViewDistribution& distribution) {
        distributions_.push_back(distribution);
        distribution_of_view_.insert(distribution_of_view_.end(), count,
                                     static_cast<std::uint32_t>(distributions_.size() - 1));
    }
    std::size_t views() const { return distribution_of_view_.size(); }
    const ViewDistribution& of_view(std::size_t view) const {
        return distributions_[distribution_of_view_[view]];
    }

private:
    std::vector<ViewDistribution> distributions_;
    std::vector<std::uint32_t> distribution_of_view_;
};

// Draws every view of every image; view v of the array, as many as the distributions', is view number
// first_view + v of the stream.
void draw_view_params(const ViewDistributions& distributions, const std::int64_t* image_ids,
                      std::uint64_t seed, std::uint32_t epoch, std::uint16_t first_view, std::int32_t height,
                      std::int32_t width, unsigned threads, const WritableViewParams& params);

// Throws std::invalid_argument naming the first view whose window is empty or leaves its image, or whose
// blur, turns, noise or jitter is out of range.
void validate_view_params(const ViewParamsArray& params, std::int32_t height, std::int32_t width);

} // namespace morphobench
