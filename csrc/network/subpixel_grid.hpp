#pragma once

#include <cstddef>

namespace morphobench {

// Upsampling x2 (nearest) and then a 3x3 convolution is one 2x2 convolution of the small image, (h, w), into
// four times the features, one group per phase (row parity, column parity) of the large image. With padding 1
// its result is a grid (N, h + 1, w + 1, 4, F); pixel (2i + a, 2j + b) of the large image is phase 2a + b of
// cell (i + a, j + b).
struct PhaseGrid {
    std::size_t images, height, width, features; // of the small image; features a multiple of 32

    std::size_t cells() const { return (height + 1) * (width + 1) * 4 * features; }
    // Where pixel (y, x) of the large image stands in its image's grid.
    std::size_t at(std::size_t y, std::size_t x) const {
        const std::size_t a = y % 2, b = x % 2;
        return (((y / 2 + a) * (width + 1) + x / 2 + b) * 4 + 2 * a + b) * features;
    }
};

// The large image (N, 2h, 2w, F), rectified.
void unfold_forward(const PhaseGrid& shape, const float* grid, float* out);
void unfold_forward(const PhaseGrid& shape, const double* grid, double* out);

// The grid's gradient; every element is written, those that no pixel reads with zero.
void unfold_backward(const PhaseGrid& shape, const float* gradient, const float* out, float* grid_gradient);
void unfold_backward(const PhaseGrid& shape, const double* gradient, const double* out,
                     double* grid_gradient);

// The decoder's last layer, on the rectified large image without making it: 3x3 convolution, padding 1, to C
// channels. weight (C, 9, F), bias (C), logits (N, C, 2h, 2w).
void readout_forward(const PhaseGrid& shape, std::size_t channels, const float* grid, const float* weight,
                     const float* bias, float* logits);
void readout_forward(const PhaseGrid& shape, std::size_t channels, const double* grid, const double* weight,
                     const double* bias, double* logits);

// The gradients of grid and weight from those of the logits; every element is written.
void readout_backward(const PhaseGrid& shape, std::size_t channels, const float* gradient, const float* grid,
                      const float* weight, float* grid_gradient, float* weight_gradient);
void readout_backward(const PhaseGrid& shape, std::size_t channels, const double* gradient,
                      const double* grid, const double* weight, double* grid_gradient,
                      double* weight_gradient);

} // namespace morphobench
