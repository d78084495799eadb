"""The one home of Prometheus metrics: a registry a process, and the few shapes a metric may have.

Names follow https://prometheus.io/docs/practices/naming/: `markov_`, the thing, the base unit (seconds, bytes).
Labels have few values, known beforehand or bounded by the code; never a guild, channel, user or text. Every name
is described in docs/metrics.md (a test compares).
"""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge, Histogram, Info, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

_SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class _Total(Collector):
    def __init__(self, name: str, text: str, read: Callable[[], float]) -> None:
        self._name, self._text, self._read = name, text, read

    def describe(self) -> Iterable[Metric]:
        return [CounterMetricFamily(self._name, self._text)]

    def collect(self) -> Iterable[Metric]:
        return [CounterMetricFamily(self._name, self._text, value=self._read())]


class _Labelled(Collector):
    """One figure for each value of a label."""

    def __init__(
        self,
        family: type[CounterMetricFamily | GaugeMetricFamily],
        name: str,
        text: str,
        label: str,
        read: Callable[[], Mapping[str, float]],
    ) -> None:
        self._family, self._name, self._text, self._label, self._read = family, name, text, label, read

    def describe(self) -> Iterable[Metric]:
        return [self._family(self._name, self._text, labels=[self._label])]

    def collect(self) -> Iterable[Metric]:
        family = self._family(self._name, self._text, labels=[self._label])
        for value, figure in sorted(self._read().items()):
            family.add_metric([value], figure)
        return [family]


class Metrics:
    """A registry of its own for each process object, so that tests may hold several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        GCCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        ProcessCollector(registry=self.registry)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A figure read when it is scraped."""
        Gauge(name, text, registry=self.registry).set_function(read)

    def total(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A count that only grows, read when it is scraped; `_total` is appended to its name."""
        self.registry.register(_Total(name, text, read))

    def totals(self, name: str, text: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """As `total`, one count for each value of a label that has few, known values."""
        self.registry.register(_Labelled(CounterMetricFamily, name, text, label, read))

    def gauges(self, name: str, text: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """As `gauge`, one figure for each value of a label that has few, known values."""
        self.registry.register(_Labelled(GaugeMetricFamily, name, text, label, read))

    def info(self, name: str, text: str, values: Mapping[str, str]) -> None:
        """What does not change while the process runs; `_info` is appended to the name."""
        Info(name, text, registry=self.registry).info(dict(values))

    def seconds(self, name: str, text: str) -> Histogram:
        """Durations, with buckets around this project's budgets."""
        return Histogram(name, text, registry=self.registry, buckets=_SECONDS)

    def stages(self, name: str, text: str) -> "Stages":
        """Durations of the named stages of one kind of work, under the label `stage`."""
        return Stages(Histogram(name, text, ["stage"], registry=self.registry, buckets=_SECONDS))


class Stages:
    """A histogram a stage: `observe("score", 0.0002)`. Stage names are words of the code, never of its input."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._by_stage: dict[str, Histogram] = {}

    def observe(self, stage: str, seconds: float) -> None:
        """Counts one stage that took so long."""
        child = self._by_stage.get(stage)
        if child is None:
            child = self._by_stage[stage] = self._histogram.labels(stage)
        child.observe(seconds)
