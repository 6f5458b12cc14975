#pragma once

#include <cstddef>
#include <cstdint>

#include "core/array_view.hpp"

namespace morphobench {

// The edges of a weighted graph: head[i] and tail[i] attract each other with strengths[i].
struct EdgesView {
    const std::int32_t* head;
    const std::int32_t* tail;
    const float* strengths;
    std::size_t count;
};

struct SgdSettings {
    int epochs;
    float a, b; // similarity at distance r: 1 / (1 + a r^(2b))
    int negatives_per_edge;
    std::uint64_t seed;
};

// UMAP's stochastic gradient descent (McInnes, Healy and Melville, arXiv:1802.03426, section 4.2) on
// `points` (N x 2), in place. Edges are visited in proportion to their strength, each visit with random
// points that repel its head. One thread: the result depends on the arguments alone.
void umap_sgd(MatrixView<float> points, EdgesView edges, SgdSettings settings);

} // namespace morphobench
