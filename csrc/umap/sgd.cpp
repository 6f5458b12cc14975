#include "umap/sgd.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/splitmix64.hpp"

namespace morphobench {
namespace {

std::uint32_t below(SplitMix64& random, std::uint32_t count) {
    return static_cast<std::uint32_t>(((random.next() >> 32) * count) >> 32);
}

float clipped(float gradient) { return std::clamp(gradient, -4.0f, 4.0f); }

// How often an edge is due: every `period` epochs, and its negatives every `negative_period`.
struct Schedule {
    double period, next, negative_period, negative_next;
};

std::vector<Schedule> schedules(EdgesView edges, SgdSettings settings) {
    const float* last = edges.strengths + edges.count;
    const double strongest = edges.count == 0 ? 1.0 : *std::max_element(edges.strengths, last);
    std::vector<Schedule> due(edges.count);
    for (std::size_t i = 0; i < edges.count; ++i) {
        const double period = strongest / edges.strengths[i];
        const double negative = period / settings.negatives_per_edge;
        due[i] = {period, period, negative, negative};
    }
    return due;
}

} // namespace

void umap_sgd(MatrixView<float> points, EdgesView edges, SgdSettings settings) {
    std::vector<Schedule> due = schedules(edges, settings);
    SplitMix64 random(settings.seed);
    const float a = settings.a, b = settings.b;
    const auto count = static_cast<std::uint32_t>(points.rows);
    for (int epoch = 0; epoch < settings.epochs; ++epoch) {
        const float rate = 1.0f - static_cast<float>(epoch) / static_cast<float>(settings.epochs);
        for (std::size_t i = 0; i < edges.count; ++i) {
            Schedule& edge = due[i];
            if (edge.next > epoch) continue;
            edge.next += edge.period;
            float* const head = points.row(static_cast<std::size_t>(edges.head[i]));
            float* const tail = points.row(static_cast<std::size_t>(edges.tail[i]));
            float x = head[0], y = head[1];

            float dx = x - tail[0], dy = y - tail[1];
            float squared = dx * dx + dy * dy;
            if (squared > 0.0f) {
                const float power = std::pow(squared, b);
                const float pull = -2.0f * a * b * power / (squared * (a * power + 1.0f));
                const float step_x = rate * clipped(pull * dx), step_y = rate * clipped(pull * dy);
                x += step_x;
                y += step_y;
                tail[0] -= step_x;
                tail[1] -= step_y;
            }

            const int negatives = static_cast<int>((epoch - edge.negative_next) / edge.negative_period);
            for (int k = 0; k < negatives; ++k) {
                const float* const other = points.row(below(random, count));
                if (other == head) continue; // it has moved, but only in x and y so far
                dx = x - other[0];
                dy = y - other[1];
                squared = dx * dx + dy * dy;
                if (!(squared > 0.0f)) continue;
                const float push = 2.0f * b / ((0.001f + squared) * (a * std::pow(squared, b) + 1.0f));
                x += rate * clipped(push * dx);
                y += rate * clipped(push * dy);
            }
            edge.negative_next += negatives * edge.negative_period;
            head[0] = x;
            head[1] = y;
        }
    }
}

} // namespace morphobench
