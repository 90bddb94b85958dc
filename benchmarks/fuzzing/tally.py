"""What a whole run came to: counts, offenders grouped by where they fail, cost, and whether memory grows."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import median
from typing import Any

WRONG = ("exception", "crashed", "timeout", "memory", "error", "left behind", "untidy message", "generator")
SHOWN = 10  # numbers of inputs a finding
WARM_UP = 0.25  # of a worker's inputs: arenas and caches reach their size


@dataclass
class Finding:
    """Inputs that fail in the same way."""

    what: str
    where: str
    message: str
    count: int = 0
    inputs: list[int] = field(default_factory=list)


class Tally:
    """Rows of :class:`benchmarks.fuzzing.attempt.Attempt`, added up."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.details: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.findings: dict[tuple[str, str], Finding] = {}
        self.memory: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        self.seconds: list[tuple[float, int]] = []
        self.peaks: list[tuple[int, int]] = []
        self.cpu = 0.0
        self.per_worker: Counter[int] = Counter()

    def add(self, row: dict[str, Any]) -> None:
        """One outcome."""
        outcome = row["outcome"]
        self.outcomes[outcome] += 1
        if outcome == "result":
            self.details[row["detail"]] += 1
        self.warnings.update(row.get("warnings", ()))
        self.seconds = sorted([*self.seconds, (round(row.get("cpu", 0.0), 2), row["index"])])[-5:]
        self.peaks = sorted([*self.peaks, (row.get("peak", 0) >> 20, row["index"])])[-5:]
        self.cpu += row.get("cpu", 0.0)
        process = row.get("process", 0)
        self.per_worker[process] += 1
        if "memory" in row:
            self.memory[process].append((self.per_worker[process], row["memory"], row["descriptors"]))
        if outcome in WRONG:
            what = (
                row.get("type", outcome)
                if outcome == "exception"
                else f"{outcome}: {row.get('type', '')}".rstrip(": ")
            )
            found = self.findings.setdefault(
                (what, row["where"]), Finding(what, row["where"], row["message"])
            )
            found.count += 1
            found.inputs = [*found.inputs, row["index"]][:SHOWN]

    @property
    def wrong(self) -> int:
        """Outcomes that are neither a result nor an error of ours."""
        return sum(self.outcomes[name] for name in WRONG)

    def summary(self) -> dict[str, Any]:
        """JSON of all of it, findings with most inputs first."""
        findings = sorted(self.findings.values(), key=lambda finding: -finding.count)
        return {
            "outcomes": dict(self.outcomes.most_common()),
            "results": dict(self.details.most_common()),
            "wrong": self.wrong,
            "findings": [vars(finding) for finding in findings],
            "warnings": dict(self.warnings.most_common(30)),
            "slowest": [
                {"input": index, "cpu_seconds": seconds} for seconds, index in reversed(self.seconds)
            ],
            "largest": [{"input": index, "peak_mb": peak} for peak, index in reversed(self.peaks)],
            "cpu_seconds": round(self.cpu, 1),
            "memory": self._memory(),
        }

    def _memory(self) -> dict[str, Any]:
        """MB after the warm-up and at the end (medians of three), of the worker that grew most."""
        grown = []
        for process, rows in self.memory.items():
            settled = [row for row in rows if row[0] > WARM_UP * self.per_worker[process]]
            if len(settled) < 6:
                continue
            (early, late), descriptors = (
                (median(row[1] for row in part) for part in (settled[:3], settled[-3:])),
                settled,
            )
            grown.append((late - early, early, late, descriptors[0][2], descriptors[-1][2]))
        if not grown:
            return {"workers_measured": 0}
        most = max(grown)
        return {
            "workers_measured": len(grown),
            "after_warm_up_mb": round(most[1] / 2**20, 1),
            "at_end_mb": round(most[2] / 2**20, 1),
            "growth_mb": round(most[0] / 2**20, 1),
            "descriptors": [most[3], most[4]],
        }
