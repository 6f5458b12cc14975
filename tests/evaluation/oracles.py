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
