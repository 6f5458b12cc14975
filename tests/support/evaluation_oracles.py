"""Slow and obvious versions of what the evaluation computes, for the tests to compare with."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def make_network(features, *, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(features, 256), nn.LeakyReLU(0.01), nn.Linear(256, 2))


def train_one(
    network, embeddings, labels, rows, point, *, epochs, batch_size, seed, class_weights=None, softmax=False
):
    """Plain torch training of one network by one grid point, embeddings already scaled."""
    optimizer = torch.optim.SGD(
        network.parameters(), lr=point.learning_rate, momentum=point.momentum, weight_decay=point.weight_decay
    )
    weight = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
    criterion = nn.CrossEntropyLoss(weight=weight)
    order = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        shuffled = rows[torch.randperm(len(rows), generator=order).numpy()]
        for start in range(0, len(rows), batch_size):
            chosen = shuffled[start : start + batch_size]
            output = network(torch.from_numpy(embeddings[chosen]))
            loss = criterion(
                torch.softmax(output, 1) if softmax else output, torch.from_numpy(labels[chosen])
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network


def probabilities(network, embeddings):
    with torch.no_grad():
        return torch.softmax(network(torch.from_numpy(embeddings)).double(), 1)[:, 1].numpy()


def roc_auc(labels, scores):
    """The share of (drug, control) pairs ranked rightly, ties half."""
    wins = pairs = 0.0
    for drug in scores[labels == 1]:
        for control in scores[labels == 0]:
            pairs += 1
            wins += 1.0 if drug > control else 0.5 if drug == control else 0.0
    return wins / pairs


def naive_median(a, b, distance):
    return float(np.median([distance(x, y) for x in a for y in b]))


def silhouette(points, labels):
    """Mean over points of (b - a) / max(a, b), by loops; 0 for a point alone in its cluster."""
    values = []
    for point, label in zip(points, labels, strict=True):
        gaps = np.linalg.norm(points - point, axis=1)
        own = labels == label
        if own.sum() == 1:
            values.append(0.0)
            continue
        a = gaps[own].sum() / (own.sum() - 1)
        b = min(gaps[labels == other].mean() for other in set(labels) - {label})
        values.append((b - a) / max(a, b))
    return float(np.mean(values))


def calinski_harabasz(points, labels):
    clusters = sorted(set(labels))
    center = points.mean(axis=0)
    between = within = 0.0
    for cluster in clusters:
        members = points[labels == cluster]
        between += len(members) * ((members.mean(axis=0) - center) ** 2).sum()
        within += ((members - members.mean(axis=0)) ** 2).sum()
    return float(between / (len(clusters) - 1) / (within / (len(points) - len(clusters))))


def davies_bouldin(points, labels):
    clusters = sorted(set(labels))
    centers = {c: points[labels == c].mean(axis=0) for c in clusters}
    spread = {c: np.linalg.norm(points[labels == c] - centers[c], axis=1).mean() for c in clusters}
    worst = [
        max((spread[i] + spread[j]) / np.linalg.norm(centers[i] - centers[j]) for j in clusters if j != i)
        for i in clusters
    ]
    return float(np.mean(worst))


def adjusted_rand(first, second):
    """From the counts of pairs of points that both, one or none of the partitions put together."""
    together = np.zeros((2, 2))
    for i in range(len(first)):
        for j in range(i):
            together[int(first[i] == first[j]), int(second[i] == second[j])] += 1
    (n00, n01), (n10, n11) = together
    return 2 * (n00 * n11 - n01 * n10) / ((n00 + n01) * (n01 + n11) + (n00 + n10) * (n10 + n11))


def entropy(names):
    counts = np.asarray([list(names).count(name) for name in set(names)]) / len(names)
    return float(-(counts * np.log(counts)).sum())


def fuzzy_graph(indices, distances, neighbours):
    """UMAP's edge strengths by loops over points."""
    strengths = np.zeros((len(indices), len(indices)))
    for point in range(len(indices)):
        gaps = distances[point, :neighbours].astype(float)
        nearest = min((gap for gap in gaps if gap > 0), default=0.0)

        def total(scale, gaps=gaps, nearest=nearest):
            return sum(np.exp(-max(gap - nearest, 0) / scale) for gap in gaps[1:])

        low, high = 1e-9, 1e9
        for _ in range(200):
            middle = np.sqrt(low * high)
            low, high = (low, middle) if total(middle) > np.log2(neighbours) else (middle, high)
        for other, gap in zip(indices[point, :neighbours], gaps, strict=True):
            if other != point:
                strengths[point, other] = np.exp(-max(gap - nearest, 0) / low)
    return strengths + strengths.T - strengths * strengths.T


def split_mix(seed):
    """SplitMix64, one 64-bit number after the other."""
    mask = (1 << 64) - 1
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        bits = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & mask
        yield bits ^ (bits >> 31)


def descend_layout(points, head, tail, strengths, *, epochs, a, b, negatives, seed):
    """UMAP's gradient descent in float64, one edge after the other."""
    points = points.astype(float)
    numbers = split_mix(seed)
    period = strengths.max() / strengths.astype(float)
    due, negative_due = period.copy(), period / negatives
    for epoch in range(epochs):
        rate = 1 - epoch / epochs
        for edge, (i, j) in enumerate(zip(head, tail, strict=True)):
            if due[edge] > epoch:
                continue
            due[edge] += period[edge]
            gap = points[i] - points[j]
            squared = gap @ gap
            pull = -2 * a * b * squared ** (b - 1) / (a * squared**b + 1)
            step = rate * np.clip(pull * gap, -4, 4)
            points[i] += step
            points[j] -= step
            count = int((epoch - negative_due[edge]) / (period[edge] / negatives))
            negative_due[edge] += count * (period[edge] / negatives)
            for _ in range(count):
                gap = points[i] - points[((next(numbers) >> 32) * len(points)) >> 32]
                squared = gap @ gap
                if squared > 0:
                    push = 2 * b / ((0.001 + squared) * (a * squared**b + 1))
                    points[i] += rate * np.clip(push * gap, -4, 4)
    return points
