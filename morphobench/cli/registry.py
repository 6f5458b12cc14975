"""The commands, in the order of the help.

To add one: its options in ``cli/options.py``, its function in ``cli/commands.py``, an entry here.
"""

from __future__ import annotations

from morphobench.cli import commands, options, results
from morphobench.cli.audit import AuditOptions, audit
from morphobench.cli.doctor import doctor
from morphobench.cli.history import HistoryOptions, history
from morphobench.cli.parser import Command
from morphobench.cli.search import SearchCommand, search
from morphobench.cli.verify import VerifyOptions, verify_path

COMMANDS = (
    Command(
        "simulate",
        "make a store of simulated cell images with known answers",
        options.SimulateOptions,
        commands.simulate,
        "morphobench simulate store --images 2000 --seed 1",
    ),
    Command(
        "ingest",
        "read images from disk into a store",
        options.IngestOptions,
        commands.ingest_images,
        "morphobench ingest images/ store --metadata images/wells.csv --size-px 64",
    ),
    Command(
        "audit",
        "say what a store's images can show before anything is trained: units, confounders, power",
        AuditOptions,
        audit,
        "morphobench audit store --json audit.json",
    ),
    Command(
        "run",
        "train and evaluate setups under identical conditions; run again to go on where it stopped",
        options.RunCommand,
        commands.run,
        "morphobench run store results --profile quick --setups '*/aug_multi_crop,simclr/aug_one_crop'",
    ),
    Command(
        "project",
        "predict hours, memory and disk of a run from a few batches of each setup",
        options.ProjectOptions,
        commands.project,
        "morphobench project store --profile paper",
    ),
    Command(
        "search",
        "search hyper-parameters of one setup on the validation part; run again to go on where it stopped",
        SearchCommand,
        search,
        "morphobench search store search --objective byol --space space.toml --trials 20",
    ),
    Command(
        "cost",
        "measure training time and memory of setups in interleaved rounds, per epoch and to convergence",
        options.CostCommand,
        commands.cost,
        "morphobench cost store costs --rounds 5 --budget-min 60",
    ),
    Command(
        "embed",
        "embed a store's images with a trained encoder",
        options.EmbedOptions,
        commands.embed_store,
        "morphobench embed store --weights encoder.safetensors --out embeddings.parquet",
    ),
    Command(
        "evaluate",
        "evaluate embeddings, whoever made them",
        options.EvaluateOptions,
        commands.evaluate_embeddings,
        "morphobench evaluate profiles.parquet --into results --name cellprofiler",
    ),
    Command(
        "summarize",
        "print which setup to take and the table of a run, of several runs, or of benchmarks",
        results.SummarizeOptions,
        results.summarize_results,
        "morphobench summarize results --sort similarity.d --format markdown",
    ),
    Command(
        "report",
        "write the page of a run's tables and figures",
        results.ReportOptions,
        results.report,
        "morphobench report results",
    ),
    Command(
        "recommend",
        "choose a setup within limits of time and memory",
        results.RecommendOptions,
        results.recommend_setup,
        "morphobench recommend results --max-minutes 120 --images 50000 --epochs 20",
    ),
    Command(
        "board",
        "write a page over many results: data sets, setups and machines, with ranks",
        results.BoardOptions,
        results.make_board,
        "morphobench board results-a results-b --out board.html",
    ),
    Command(
        "views",
        "make a picture of the views of a store's images",
        options.ViewsOptions,
        commands.views,
        "morphobench views store --out views.png --setting all",
    ),
    Command(
        "verify",
        "check a store, or a run: checksums, and metrics from stored embeddings; exit code 1 if wrong",
        VerifyOptions,
        verify_path,
        "morphobench verify results --store store",
    ),
    Command(
        "compare",
        "compare two benchmark files or two runs; exit code 1 where NEW is worse",
        options.CompareOptions,
        commands.compare,
        "morphobench compare before.json after.json --tolerance 1.1",
    ),
    Command(
        "history",
        "show results over commits, and where they changed",
        HistoryOptions,
        history,
        "morphobench history results/history --out history.png",
    ),
    Command(
        "info",
        "show versions, the build, the machine, setups and presets as JSON",
        options.InfoOptions,
        commands.info,
        "morphobench info",
    ),
    Command(
        "doctor",
        "check the installation and the machine, and say what to do; exit code 1 where something is wrong",
        options.DoctorOptions,
        doctor,
        "morphobench doctor --folder /data",
    ),
)
