"""The terms of the objectives' losses, each with its source. B images, D features, K prototypes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from morphobench.types import Protocol as ProtocolId

_VARIANCE_EPSILON = 1e-4


def classification_loss(logits: Tensor, labels: Tensor, *, protocol: ProtocolId) -> Tensor:
    """Compute the cross-entropy, summed over the images.

    Args:
        logits: (B, 2).
        labels: int64 (B,).
        protocol: ``reference-1`` applies softmax first and gives its result to the cross-entropy as if it
            were logits, as the study's program does.

    Returns:
        A 0-dim tensor.
    """
    scores = logits.softmax(1) if protocol == "reference-1" else logits
    return functional.cross_entropy(scores, labels, reduction="sum")


def reconstruction_loss(logits: Tensor, images: Tensor) -> Tensor:
    """Compute the binary cross-entropy of sigmoid(logits): mean over each image, summed over the images.

    Args:
        logits: (B, C, S, S).
        images: (B, C, S, S) in [0, 1].

    Returns:
        A 0-dim tensor.
    """
    summed = functional.binary_cross_entropy_with_logits(logits, images, reduction="sum")
    return summed / images[0].numel()


def masked_loss(logits: Tensor, images: Tensor, hidden: Tensor) -> Tensor:
    """Compute the squared error of sigmoid(logits): mean over each image's hidden pixels, summed over images.

    He et al. 2022, "Masked autoencoders are scalable vision learners", section 3, "Reconstruction target":
    the loss is computed on masked patches only.

    Args:
        logits: (B, C, S, S).
        images: (B, C, S, S) in [0, 1].
        hidden: bool (B, 1, S, S), equally many True in every image.

    Returns:
        A 0-dim tensor.
    """
    squared = (logits.sigmoid() - images).square() * hidden
    return squared.sum() / (hidden[0].sum() * images.shape[1])


def byol_loss(predictions: Tensor, projections: Tensor) -> Tensor:
    """Compute 2 - 2 cos between the online prediction and the target projection of each image.

    Grill et al. 2020, "Bootstrap your own latent", equation 2.

    Args:
        predictions: (B, D).
        projections: (B, D).

    Returns:
        (B,).
    """
    cosine = (functional.normalize(predictions, dim=1) * functional.normalize(projections, dim=1)).sum(1)
    return 2 - 2 * cosine


def dino_loss(
    student: Tensor,
    teacher: Tensor,
    center: Tensor,
    *,
    student_temperature: float,
    teacher_temperature: float,
) -> Tensor:
    """Compute the cross-entropy of the teacher's centred, sharpened softmax and the student's softmax.

    Caron et al. 2021, "Emerging properties in self-supervised vision transformers", equation 2 and
    algorithm 1 (function H).

    Args:
        student: (B, K).
        teacher: (B, K).
        center: (K,), subtracted from the teacher's scores.
        student_temperature: divides the student's scores.
        teacher_temperature: divides the teacher's centred scores.

    Returns:
        (B,).
    """
    targets = ((teacher - center) / teacher_temperature).softmax(1)
    return -(targets * functional.log_softmax(student / student_temperature, dim=1)).sum(1)


def nt_xent(projections: Tensor, *, temperature: float) -> Tensor:
    """Compute the normalized temperature-scaled cross-entropy, averaged over all 2B rows.

    Chen et al. 2020, "A simple framework for contrastive learning of visual representations", equation 1:
    each row's other view against the other 2B - 2 rows.

    Args:
        projections: (2B, D); rows i and i + B are views of one image.
        temperature: divides the cosines.

    Returns:
        A 0-dim tensor.
    """
    unit = functional.normalize(projections, dim=1)
    similarity = unit @ unit.T / temperature
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    partner = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
    return functional.cross_entropy(similarity.masked_fill(itself, -torch.inf), partner)


def variance_loss(vectors: Tensor) -> Tensor:
    """Compute the mean over features of max(0, 1 - standard deviation).

    Bardes et al. 2022, "VICReg", equation 1.

    Args:
        vectors: (B, D).

    Returns:
        A 0-dim tensor.
    """
    return functional.relu(1 - (vectors.var(0) + _VARIANCE_EPSILON).sqrt()).mean()


def covariance_loss(vectors: Tensor) -> Tensor:
    """Compute the sum of squared covariances of different features, divided by D.

    Bardes et al. 2022, "VICReg", equations 3 and 4.

    Args:
        vectors: (B, D).

    Returns:
        A 0-dim tensor.
    """
    centred = vectors - vectors.mean(0)
    covariance = centred.T @ centred / (len(vectors) - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / vectors.shape[1]


def supervised_contrastive_loss(
    projections: Tensor, codes: Tensor | None = None, *, temperature: float, matches: Tensor | None = None
) -> Tensor:
    """Compute the contrastive loss with any number of positives per row, averaged over rows that have one.

    Khosla et al. 2020, "Supervised contrastive learning", equation 2 (L_out): for each row the mean over its
    positives of -log softmax over all other rows.

    Args:
        projections: (N, D).
        codes: int64 (N,); rows of one code are positives of one another.
        temperature: divides the cosines.
        matches: bool (N, N), the positives of each row; instead of ``codes``.

    Returns:
        A 0-dim tensor; 0 where no row has a positive.
    """
    unit = functional.normalize(projections, dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    log_probability = (unit @ unit.T / temperature).masked_fill(itself, -torch.inf).log_softmax(1)
    if matches is None:
        if codes is None:
            raise TypeError("codes or matches must be given, got neither")
        matches = codes[:, None] == codes[None]
    matches = matches & ~itself
    positives = matches.sum(1)
    # the diagonal is -inf there and no positive: where, not a product, which would be NaN
    sums = torch.where(matches, log_probability, 0.0).sum(1) / positives.clamp(min=1)
    return -sums.sum() / (positives > 0).sum().clamp(min=1)


def sigreg_loss(projections: Tensor, directions: Tensor) -> Tensor:
    """Compare projections with an isotropic Gaussian by the Epps-Pulley statistic, averaged over directions.

    Balestriero and LeCun 2025, "LeJEPA", section 4 (SIGReg, algorithm 1): N times the integral over t of
    |empirical characteristic function - exp(-t^2 / 2)|^2 exp(-t^2 / 2), by the trapezoidal rule at 17 points
    of -5 to 5.

    Args:
        projections: (N, D).
        directions: unit vectors (D, M).

    Returns:
        A 0-dim tensor.
    """
    points = torch.linspace(-5, 5, 17, device=projections.device, dtype=projections.dtype)
    gaussian = (-points.square() / 2).exp()
    phases = (projections @ directions)[..., None] * points
    error = (phases.cos().mean(0) - gaussian).square() + phases.sin().mean(0).square()
    return len(projections) * torch.trapezoid(error * gaussian, points, dim=1).mean()
