"""Counts of what the server did, in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

# Upper edges in seconds: from a refusal to the longest that a default server lets anybody take.
BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """How many observations lay at or below each edge."""

    def __init__(self) -> None:
        self.counts = [0] * len(BUCKETS)
        self.count, self.sum = 0, 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.count += 1
        self.sum += seconds
        for index, edge in enumerate(BUCKETS):
            self.counts[index] += seconds <= edge

    def lines(self, name: str, about: str) -> list[str]:
        """In the text format."""
        rows = [f"# HELP {name} {about}", f"# TYPE {name} histogram"]
        rows += [f'{name}_bucket{{le="{edge:g}"}} {count}' for edge, count in zip(BUCKETS, self.counts)]
        return [
            *rows,
            f'{name}_bucket{{le="+Inf"}} {self.count}',
            f"{name}_sum {self.sum:.6f}",
            f"{name}_count {self.count}",
        ]


class WorkerCounts:
    """Of one worker: tasks, their seconds, changes of the model, starts after a failure by their kind."""

    def __init__(self) -> None:
        self.tasks, self.seconds, self.switches = 0, 0.0, 0
        self.restarts: Counter[str] = Counter()
        self.ready: Callable[[], bool] = bool

    def values(self) -> tuple[float, ...]:
        """In the order of :data:`OF_WORKERS`."""
        return self.ready(), self.tasks, self.seconds, self.switches


OF_WORKERS = (
    ("geco_worker_ready", "gauge", "1 where a model is loaded."),
    ("geco_worker_tasks_total", "counter", "Tasks of a worker."),
    ("geco_worker_seconds_total", "counter", "Seconds of work of a worker."),
    ("geco_worker_switches_total", "counter", "Changes of a worker's model."),
)


class Metrics:
    """All counts of one server. Gauges are functions, asked when the page is read."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.work, self.wait = Histogram(), Histogram()
        self.dropped = 0
        self.jobs: Counter[str] = Counter()
        self.workers: list[WorkerCounts] = []
        self.refused_connections = 0
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}

    def text(self) -> str:
        """The page."""
        lines = [
            "# HELP geco_requests_total Requests by route and status.",
            "# TYPE geco_requests_total counter",
        ]
        for (route, status), count in sorted(self.requests.items()):
            lines.append(f'geco_requests_total{{route="{route}",status="{status}"}} {count}')
        lines += self.work.lines("geco_work_seconds", "Seconds of work of a request.")
        lines += self.wait.lines("geco_wait_seconds", "Seconds that a request waited for its turn.")
        lines += self._of_workers()
        lines += ["# HELP geco_jobs_total Jobs that ended, by state.", "# TYPE geco_jobs_total counter"]
        lines += [f'geco_jobs_total{{state="{state}"}} {n}' for state, n in sorted(self.jobs.items())]
        lines += _single(
            "geco_dropped_total", "counter", "Requests whose client left before their turn.", self.dropped
        )
        about = "Connections refused because too many were open."
        lines += _single("geco_refused_connections_total", "counter", about, self.refused_connections)
        for name, (about, value) in self.gauges.items():
            lines += _single(name, "gauge", about, value())
        return "\n".join(lines) + "\n"

    def _of_workers(self) -> list[str]:
        lines = ["# HELP geco_worker_restarts_total Starts of a worker after a failure, by its kind."]
        lines += ["# TYPE geco_worker_restarts_total counter"]
        for number, counts in enumerate(self.workers):
            for reason, count in sorted(counts.restarts.items()):
                label = f'reason="{reason}",worker="{number}"'
                lines.append(f"geco_worker_restarts_total{{{label}}} {count}")
        for place, (name, kind, about) in enumerate(OF_WORKERS):
            lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
            for number, counts in enumerate(self.workers):
                lines.append(f'{name}{{worker="{number}"}} {counts.values()[place]:g}')
        return lines


def _single(name: str, kind: str, about: str, value: float) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}", f"{name} {value:g}"]
