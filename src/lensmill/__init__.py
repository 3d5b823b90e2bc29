"""lensmill: from survey images to strong-lens models.

The verbs, each the same here and on the command line: `simulate`, `train`, `search`, `calibrate`,
`evaluate`, `limits`, `run`, `watch`, `export`, `check_domain`, `inject`, `operating_point`,
`doctor`, `report`, `demo`; and `open_board`, which is `lensmill board`. They are imported when
first used, so `import lensmill` stays light.
"""

__version__ = "0.1.0"

_VERBS = {
    "simulate": "lensmill.simulation.simulate",
    "train": "lensmill.training.train",
    "search": "lensmill.training.search",
    "calibrate": "lensmill.evaluation.calibrate",
    "evaluate": "lensmill.evaluation.evaluate",
    "limits": "lensmill.evaluation.limits",
    "run": "lensmill.survey.run",
    "watch": "lensmill.survey.watch",
    "export": "lensmill.survey.export",
    "check_domain": "lensmill.survey.domain",
    "inject": "lensmill.survey.inject",
    "operating_point": "lensmill.evaluation.operating",
    "doctor": "lensmill.survey.doctor",
    "report": "lensmill.evaluation.report",
    "demo": "lensmill.survey.demo",
    "open_board": "lensmill.board.serve",
}
__all__ = ["__version__", *_VERBS]


def __getattr__(name: str) -> object:
    if name not in _VERBS:
        raise AttributeError(f"module 'lensmill' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_VERBS[name]), name)
