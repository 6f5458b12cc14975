"""Options that several commands share: of the data, of training, of the evaluation, of the machine.

They stand here, below the packages that take them, so that the command line can be made from them without
importing torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from morphobench import types
from morphobench._util.options import Options, group, option
from morphobench.errors import InputError
from morphobench.setups import Sweep
from morphobench.types import (
    Aggregate,
    Normalization,
    Precision,
    ProfileLevel,
    ProfileMetric,
    SplitBy,
    SplitChoice,
)

TASK_NAMES = ("classification", "clustering", "profiling", "restrictions", "shortcuts", "similarity")
"""Evaluation tasks of this package, known without importing them."""

BASELINE_NAMES = (
    "chance",
    "mean_intensity",
    "pca_pixels",
    "cell_count",
    "field_density",
    "cp_measure",
    "untrained_encoder",
    "untrained_batch_norm",
)
"""Baselines of this package, known without importing them."""

DEFAULT_BASELINES = tuple(name for name in BASELINE_NAMES if name != "cp_measure")
"""Those that need no further package."""


@dataclass(frozen=True)
class DataOptions(Options):
    """Which images of a store are used."""

    images: int | None = option(
        "use at most N images of the store, a subset stratified by class and compound",
        default=None,
        metavar="N",
        minimum=1,
        default_text="all",
    )
    train_images: int | None = option(
        "train on at most N images of the train part; the other parts stay as they are",
        default=None,
        metavar="N",
        minimum=1,
        default_text="all",
    )
    split_by: SplitBy = option(
        "what train, validation and test images must not share: plate, well or image; auto: the column "
        "Metadata_Split where the store has one, else plates, wells of a single plate, or images where "
        "neither is known",
        default="auto",
    )


@dataclass(frozen=True)
class TrainingOptions(Options):
    """How a setup is trained; the defaults are the study's.

    Attributes:
        epochs: Passes over the images.
        batch_size: Images in a batch; a batch of V views is V optimizer steps of this many.
        accumulate: Batches whose gradients are averaged into one optimizer step. Steps, order and dropped
            images are those of ``accumulate`` times ``batch_size``; but only ``batch_size`` images are in
            the networks together, and in BatchNorm's statistics.
        precision: ``"float32"``, or on CUDA devices ``"tf32"`` or ``"bf16"`` (autocast around each step).
        optimizer: ``"adam"``, the study's, or ``"adamw"``; like the next two for runs, where objectives are
            made from options.
        learning_rate: Of every optimizer; the highest one of a schedule.
        weight_decay: Of every optimizer.
        schedule: ``"constant"``, or ``"one_cycle"`` (Smith and Topin 2018).
        orientation: Whether every view is also flipped and turned by quarters at random.
        plate_batches: Whether each batch is of one plate, unless the objective samples in a way of its own.
        batch_norm: Statistics of an encoder's BatchNorm when images are embedded, in trained and untrained
            encoders alike: ``"running"``, of the ``"train"`` images (32,768 at most), or of each ``"plate"``.
        seed: Seed of the order of images and of the views; the objective has been created with its own.
        size_px: Height and width of a view.
        device: Where torch trains, such as ``"cpu"`` or ``"cuda:0"``.
        threads: Threads of torch and of the views; None leaves torch's number and takes all cores for views.
        checkpoint_dir: Folder of ``checkpoint.safetensors`` and ``metrics.jsonl``; training goes on from a
            checkpoint found there. None keeps nothing.
        checkpoint_every_s: Seconds between checkpoints within an epoch; None: only at the end of each.
        checkpoint_every_steps: Steps between checkpoints within an epoch, counted beside the seconds.
        early_stopping: ``"protocol"`` applies the protocol's rule (reference-1: the study's, for BYOL only);
            ``"never"`` trains every epoch.
        prefetch: Whether a thread makes the next batch while one trains. None: with an accelerator only; on a
            CPU both would share the cores, and the step's time would no longer be the step's own.
        check_memory: Whether to refuse, before the first step, what the estimate says cannot fit.
        data_id: Identity of the images, such as the store's checksum; a checkpoint of another is refused.
        pause_after_epoch: Leave after this epoch (from 1) although more are wanted; the same call with a
            later one, or None, goes on from the checkpoint. Changes no result.

    Raises:
        InputError: A value is out of bounds.
    """

    epochs: int = option("passes over the training images", default=50, metavar="E", minimum=1)
    batch_size: int = option("images in a batch", default=256, metavar="B", minimum=1, maximum=2**24)
    accumulate: int = option(
        "average the gradients of N batches into one optimizer step",
        default=1,
        metavar="N",
        minimum=1,
        maximum=2**24,
    )
    precision: Precision = option(
        "precision of matrix products on a CUDA device; on a processor always float32", default="float32"
    )
    optimizer: Literal["adam", "adamw"] = option("optimizer of every setup", default="adam")
    learning_rate: float = option(
        "learning rate; of a schedule, the highest", default=1e-4, metavar="X", minimum=0, maximum=10
    )
    weight_decay: float = option("weight decay", default=0.0, metavar="X", minimum=0, maximum=10)
    schedule: Literal["constant", "one_cycle"] = option(
        "how the learning rate changes: not at all, or up in the first 30 % of the steps and down to 0",
        default="constant",
    )
    orientation: bool = option(
        "also turn every view by a random multiple of 90 degrees, and flip it: cells have no up and no left",
        default=False,
    )
    plate_batches: bool = option(
        "fill each batch with images of one plate only, so that differences between plates cannot help; "
        "paradigms that choose their own batches go on doing so",
        default=False,
    )
    batch_norm: Literal["running", "train", "plate"] = option(
        "mean and variance that an encoder with BatchNorm uses when it embeds images. running: averages "
        "collected in training; train: those of the training images, 32,768 at most; plate: those of each "
        "plate's own images",
        default="running",
    )
    seed: int = 0
    size_px: int = 64
    device: str = "cpu"
    threads: int | None = None
    checkpoint_dir: types.Path | None = None
    checkpoint_every_s: float | None = 60.0
    checkpoint_every_steps: int | None = None
    early_stopping: Literal["protocol", "never"] = "protocol"
    prefetch: bool | None = None
    check_memory: bool = True
    data_id: str | None = None
    pause_after_epoch: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("size_px", "threads", "checkpoint_every_steps", "pause_after_epoch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1, got {value}")
        if self.seed < 0:
            raise InputError(f"seed must be at least 0, got {self.seed}")
        if self.early_stopping not in ("protocol", "never"):
            raise InputError(f"early_stopping must be 'protocol' or 'never', got {self.early_stopping!r}")

    @property
    def images_per_step(self) -> int:
        """Images of one optimizer step, where there are so many."""
        return self.batch_size * self.accumulate

    @property
    def last_epoch(self) -> int:
        """The epoch, from 1, after which ``train`` returns."""
        return self.epochs if self.pause_after_epoch is None else min(self.epochs, self.pause_after_epoch)

    @property
    def folder(self) -> Path | None:
        """``checkpoint_dir`` as a Path."""
        return None if self.checkpoint_dir is None else Path(self.checkpoint_dir)


def _pair(text: str) -> tuple[str, str]:
    names = [part.strip() for part in text.split(",")]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise ValueError("two different compounds, A,B")
    return names[0], names[1]


@dataclass(frozen=True)
class EvaluationOptions(Options):
    """How embeddings are evaluated; the defaults are the study's."""

    tasks: tuple[str, ...] = option(
        f"evaluation tasks, separated by commas: {', '.join(TASK_NAMES)}; integration, with "
        "the extra of that name, only where it is named; or your own as package.module:function",
        default=TASK_NAMES,
        flag="--task",
        metavar="TASKS",
        default_text="all",
    )
    pairs: tuple[tuple[str, str], ...] | None = option(
        "two compounds expected to act alike, for the similarity task; may be given several times",
        default=None,
        metavar="A,B",
        parse=_pair,
        default_text="the study's pair, else all compounds that share a Metadata_MOA",
    )
    balance_classes: bool = option(
        "weight the classes in the classifiers' loss by the inverse of their frequency", default=False
    )
    aggregate: Aggregate = option(
        "how the embeddings of a well's images become the well's profile", default="median"
    )
    normalize: Normalization = option(
        "how well profiles are normalized to the negative controls (mad_robustize, spherize), or corrected "
        "for batch effects between plates (tvn, harmony)",
        default="mad_robustize",
    )
    split: SplitChoice = option(
        "images that metrics are reported on. auto: the test split; none: all, for embeddings of a network "
        "that was trained on none of them",
        default="auto",
    )
    level: ProfileLevel = option(
        "what one profile sums up: a well, or all wells of a treatment (compound and concentration)",
        default="well",
    )
    metric: ProfileMetric = option("distance by which profiles are searched and matched", default="cosine")
    sweep: Sweep = group(Sweep)


@dataclass(frozen=True)
class DeviceOptions(Options):
    """Where the work is done; ``device`` and ``threads`` are resolved to those of the machine."""

    device: str = option(
        "cpu, cuda or cuda:N; auto: the first GPU where there is one, else the processor", default="auto"
    )
    threads: int | None = option(
        "processor threads", default=None, metavar="T", minimum=1, maximum=4096, default_text="all cores"
    )


@dataclass(frozen=True)
class ExecutionOptions(DeviceOptions):
    """Where the work is done, and how long its steps are timed."""

    timing_s: float = option(
        "seconds for measuring the training steps of all setups, which take turns; 0: do not measure",
        default=30.0,
        metavar="S",
        minimum=0,
        maximum=86_400,
        saved=False,
    )


@dataclass(frozen=True)
class EngineOptions(Options):
    """Where the setups of a run are trained; no result depends on it, so none is kept with the results."""

    engine: Literal["local", "ray", "slurm"] = option(
        "where setups are trained: local, one after another on this machine; ray, on a Ray cluster; slurm, "
        "as jobs of a Slurm array",
        default="local",
        saved=False,
    )
    ray_address: str | None = option(
        "address of a running Ray cluster, such as auto or 10.0.0.1:6379",
        default=None,
        metavar="ADDRESS",
        default_text="one is started on this machine",
        saved=False,
    )
    partition: str | None = option(
        "Slurm partition of the jobs", default=None, metavar="NAME", default_text="the cluster's", saved=False
    )
    time_limit_min: int = option(
        "Slurm time limit of each job; one that reaches it is queued again and resumes",
        default=240,
        metavar="M",
        unit="minutes",
        minimum=2,
        maximum=100_000,
        saved=False,
    )
    parallel_jobs: int = option(
        "largest number of Slurm jobs at a time",
        default=64,
        metavar="J",
        minimum=1,
        maximum=4096,
        saved=False,
    )
    dry_run: bool = option(
        "with --engine slurm: write the submission script to OUT/engine and submit nothing",
        default=False,
        saved=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dry_run and self.engine != "slurm":  # otherwise it would train
            raise InputError(f"--engine must be slurm with --dry-run, got {self.engine}")
