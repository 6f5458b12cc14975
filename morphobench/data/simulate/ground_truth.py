"""Ground truth of the simulated study: cell lines, drugs, their mechanisms and their effects on a cell.

Names of drugs and cell lines make the tables readable and let the study's rules (which name Methotrexate and
Pemetrexed) run; the effects are invented and say nothing about the real drugs or lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from morphobench.data.simulate.counter_rng import normals
from morphobench.types import Float64Array

TRAITS: Final = (
    "nucleus_size",
    "nucleus_elongation",
    "nucleus_brightness",
    "chromatin_contrast",
    "chromatin_grain",
    "second_nucleus",
    "fragments",
    "cell_size",
    "cell_elongation",
    "fibres",
    "texture_grain",
    "granules",
    "vacuoles",
    "roughness",
    "density",
)
"""Traits of a cell, each in standard deviations of the variation among untreated cells of one line."""

CELL_LINES: Final = (
    "A549",
    "BT549",
    "COLO205",
    "DU145",
    "EKVX",
    "HCC2998",
    "HCT116",
    "HOP62",
    "HOP92",
    "HS578T",
    "HT29",
    "IGROV1",
    "KM12",
    "MCF7",
    "MDAMB231",
    "NCIH460",
    "OVCAR4",
    "PC3",
    "SKOV3",
    "SW620",
    "U251",
)
"""21 names, as the study has 21 lines."""

CONTROLS: Final = ("DMSO", "PBS")
PBS_WELLS: Final = ("D5", "K17")
"""Wells that hold PBS on every plate; DMSO is in the study's own wells."""


@dataclass(frozen=True)
class Compound:
    """One simulated drug.

    Attributes:
        name: its name.
        moa: its mechanism of action.
        strength: planted strength of its effect, 0 (none) to 1 (strongest).
    """

    name: str
    moa: str
    strength: float


MECHANISMS: Final[dict[str, dict[str, float]]] = {
    "antifolate": {"nucleus_size": 1.6, "chromatin_grain": -1.2, "cell_size": 1.2, "density": -1.0},
    "tubulin destabilizer": {
        "second_nucleus": 1.8,
        "fragments": 1.2,
        "cell_elongation": -0.8,
        "fibres": -1.6,
    },
    "tubulin stabilizer": {"fibres": 2.0, "fragments": 1.4, "nucleus_elongation": -0.6, "roughness": 0.8},
    "anthracycline": {"nucleus_brightness": 1.4, "chromatin_contrast": 1.8, "cell_size": -0.8},
    "topoisomerase I inhibitor": {"nucleus_size": 1.4, "chromatin_contrast": -1.2, "cell_elongation": 1.4},
    "topoisomerase II inhibitor": {"nucleus_size": 1.2, "fragments": 1.6, "texture_grain": 1.0},
    "platinum": {"nucleus_size": -1.0, "roughness": 1.8, "chromatin_grain": 1.2},
    "HDAC inhibitor": {"cell_elongation": 1.8, "fibres": 1.2, "nucleus_brightness": -1.2},
    "proteasome inhibitor": {"granules": 2.0, "cell_size": -1.2, "nucleus_elongation": 1.2},
    "mTOR inhibitor": {"cell_size": -1.6, "nucleus_size": -1.2, "vacuoles": 1.2},
    "EGFR inhibitor": {"roughness": -1.4, "cell_elongation": -1.0, "texture_grain": -1.6},
    "BRAF inhibitor": {"cell_elongation": 1.4, "texture_grain": 1.8, "vacuoles": -0.8},
    "nucleoside analogue": {"chromatin_grain": 1.8, "nucleus_size": 1.0, "granules": -1.0},
    "ABL inhibitor": {"vacuoles": 2.0, "fibres": -1.0, "roughness": -0.8},
    "MEK inhibitor": {"cell_size": 1.4, "roughness": 1.2, "fibres": 0.8},
    "CDK inhibitor": {"nucleus_size": 1.8, "cell_size": 1.4, "granules": 0.8},
    "PARP inhibitor": {"nucleus_elongation": 1.6, "chromatin_contrast": 1.0, "density": -0.8},
    "estrogen receptor modulator": {"granules": 1.4, "vacuoles": 1.4, "density": -0.6},
}
"""What a mechanism does to the traits at strength 1."""

COMPOUNDS: Final = (
    Compound("Methotrexate", "antifolate", 0.95),
    Compound("Pemetrexed", "antifolate", 0.9),
    Compound("Vincristine", "tubulin destabilizer", 1.0),
    Compound("Vinblastine", "tubulin destabilizer", 0.95),
    Compound("Paclitaxel", "tubulin stabilizer", 1.0),
    Compound("Docetaxel", "tubulin stabilizer", 0.9),
    Compound("Doxorubicin", "anthracycline", 0.95),
    Compound("Epirubicin", "anthracycline", 0.85),
    Compound("Bortezomib", "proteasome inhibitor", 0.9),
    Compound("Carfilzomib", "proteasome inhibitor", 0.8),
    Compound("Vorinostat", "HDAC inhibitor", 0.8),
    Compound("Panobinostat", "HDAC inhibitor", 0.85),
    Compound("Topotecan", "topoisomerase I inhibitor", 0.75),
    Compound("Irinotecan", "topoisomerase I inhibitor", 0.7),
    Compound("Dasatinib", "ABL inhibitor", 0.7),
    Compound("Imatinib", "ABL inhibitor", 0.6),
    Compound("Temsirolimus", "mTOR inhibitor", 0.55),
    Compound("Everolimus", "mTOR inhibitor", 0.5),
    Compound("Gemcitabine", "nucleoside analogue", 0.5),
    Compound("Cytarabine", "nucleoside analogue", 0.45),
    Compound("Vemurafenib", "BRAF inhibitor", 0.45),
    Compound("Dabrafenib", "BRAF inhibitor", 0.4),
    Compound("Cisplatin", "platinum", 0.4),
    Compound("Carboplatin", "platinum", 0.3),
    Compound("Erlotinib", "EGFR inhibitor", 0.3),
    Compound("Gefitinib", "EGFR inhibitor", 0.25),
    Compound("Etoposide", "topoisomerase II inhibitor", 0.8),
    Compound("Trametinib", "MEK inhibitor", 0.65),
    Compound("Palbociclib", "CDK inhibitor", 0.6),
    Compound("Tamoxifen", "estrogen receptor modulator", 0.2),
    Compound("Olaparib", "PARP inhibitor", 0.15),
)
"""31 drugs: 13 pairs that share a mechanism, strongest first, then 5 that stand alone."""

STRESS: Final = {
    "chromatin_contrast": 1.5,
    "granules": 2.0,
    "vacuoles": 1.0,
    "roughness": 0.8,
    "cell_size": -0.6,
    "density": -0.6,
}
"""Effect that all drugs share, at strength 1: the common response to stress."""

EFFECT_SCALE: Final = 2.0
"""Strength 1 shifts a trait by this many times what MECHANISMS and STRESS say, in standard deviations."""


def effect(compound: Compound) -> Float64Array:
    """Compute how a drug shifts the traits of a cell.

    Args:
        compound: the drug.

    Returns:
        float64 (len(TRAITS),), in standard deviations.
    """
    shifts = MECHANISMS[compound.moa]
    scale = EFFECT_SCALE * compound.strength
    return np.array([scale * (shifts.get(trait, 0.0) + STRESS.get(trait, 0.0)) for trait in TRAITS])


def cell_line_traits() -> Float64Array:
    """Compute how each cell line differs from the average; the same for every seed.

    Returns:
        float64 (21, len(TRAITS)), in standard deviations.
    """
    lines = np.arange(len(CELL_LINES), dtype=np.int64)
    return 0.6 * normals(0, lines, len(TRAITS), stream=1)
