"""Tables of the registered plugs: models, datasets, tasks, formats, runtimes, processors, metrics
and rules.
"""

from __future__ import annotations

from lab import registry
from lab.plugs import FACES, Format
from lab.reference.markdown import code, linked, table
from lab.types import ModelCard

FACE_HELP = {
    "inspect": "inputs, outputs, operators, weights and multiplications",
    "anatomy": "the file's bytes by part: weights, scales, graph, names",
    "layers": "the layer table, by which layers are chosen and compared",
    "loading": "Python lines that load the file without the lab",
    "parts": "the several files that other software wants instead of one",
    "synthesise": "calibration items made from batch-normalisation statistics",
}


def models() -> str:
    """Return the table of the sample models."""
    rows = [
        [
            code(c.id),
            c.framework,
            registry.dataset(c.dataset).title,
            f"{c.parameters or 0:,}",
            f"{c.macs or 0:,}",
            _baseline(c),
        ]
        for c in registry.sample_cards().values()
    ]
    return table(["model", "framework", "data", "parameters", "MACs", "float baseline"], rows)


def _baseline(card: ModelCard) -> str:
    """Return the task's metric with its interval: "AUC 93.1 % (92.0–94.1 %)"."""
    task = registry.task(card.task)
    m = card.baseline[task.primary]
    low, high = 100 * (m.low or 0), 100 * (m.high or 1)
    return f"{task.noun} {100 * m.value:.1f} % ({low:.1f}–{high:.1f} %)"


def tasks() -> str:
    """Return the table of the tasks."""
    rows = [
        [code(t.id), t.help, linked("metrics.md", t.primary), linked("metrics.md", t.agreement)]
        for t in registry.tasks().values()
    ]
    return table(["task", "what it does", "accuracy axis", "against float"], rows)


def datasets() -> str:
    """Return the table of the datasets."""
    rows = [
        [
            code(d.id),
            d.title,
            registry.task(d.task).title.lower(),
            str(len(d.class_names)),
            f"{d.test_items:,}",
            "online" if d.sources else "here",
            d.licence,
        ]
        for d in registry.datasets().values()
    ]
    return table(["data", "is", "task", "classes", "test items", "from", "licence"], rows)


def formats() -> str:
    """Return the tables of the formats: what they are, and which faces each has."""
    found = registry.formats().values()
    about = [
        [
            code(f.id),
            f.help,
            code(*f.suffixes),
            code(*f.packages),
            "yes" if f.source else "–",
            *_users(f),
        ]
        for f in found
    ]
    faces = [[code(f.id), *("yes" if f.has(face) else "–" for face in FACES)] for f in found]
    head = ["format", "is", "suffixes", "read with", "`lab add`", "made by", "run by"]
    return (
        f"{table(head, about)}\n## Faces\n\nA format may lack a face; the lab then shows nothing"
        f" there.\n\n{table(['format', *FACES], faces)}\n"
        f"{table(['face', 'gives'], [[code(f), FACE_HELP[f]] for f in FACES])}"
    )


def _users(format_: Format) -> list[str]:
    """Return the techniques that make a format from another one, and the runtimes that run it."""
    makers = [
        t.id
        for t in registry.techniques().values()
        if t.produces == format_.id and format_.id not in t.accepts
    ]
    runners = [r.id for r in registry.runtimes().values() if format_.id in r.formats]
    return [linked("techniques.md", *makers), linked("runtimes.md", *runners)]


def runtimes() -> str:
    """Return a section for each runtime."""
    return "\n".join(
        f"## {r.id}\n\n{r.title}: {r.help}\n\n"
        + table(
            ["runs", "needs", "presets", "options"],
            [
                [
                    code(*r.formats),
                    code(*r.requires),
                    ", ".join(r.presets) or "–",
                    linked("options.md", *(o.id for o in r.options)),
                ]
            ],
        )
        for r in registry.runtimes().values()
    )


def processors() -> str:
    """Return the table of the emulated processors."""
    rows = [
        [code(p.id), p.title, p.help, code(*p.formats), code(*p.runtimes) if p.runtimes else "any"]
        for p in registry.processors().values()
    ]
    return table(["processor", "is", "what differs", "formats", "runtimes"], rows)


def metrics() -> str:
    """Return a section for each metric."""
    better = {"maximize": "more", "minimize": "less"}
    return "\n".join(
        f"## {m.id}\n\n{m.title}: {m.help}\n\n"
        + table(
            ["unit", "better is", "tasks", "computed from"],
            [[m.unit, better[m.direction], code(*m.tasks) if m.tasks else "all", code(*m.needs)]],
        )
        for m in registry.metrics().values()
    )


def rules() -> str:
    """Return the table of the rules."""
    rows = [[code(r.id), r.title, r.help] for r in registry.rules().values()]
    return table(["rule", "reason", "what it means"], rows)
