"""Prometheus metrics of one process: names as https://prometheus.io/docs/practices/naming/, no guild or user labels."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily
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


class _Totals(Collector):
    def __init__(self, name: str, text: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        self._name, self._text, self._label, self._read = name, text, label, read

    def describe(self) -> Iterable[Metric]:
        return [CounterMetricFamily(self._name, self._text, labels=[self._label])]

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._text, labels=[self._label])
        for value, count in sorted(self._read().items()):
            family.add_metric([value], count)
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
        self.registry.register(_Totals(name, text, label, read))

    def seconds(self, name: str, text: str) -> Histogram:
        """Durations, with buckets around this project's budgets."""
        return Histogram(name, text, registry=self.registry, buckets=_SECONDS)
