"""The text, read back by Prometheus' own parser."""

from prometheus_client.parser import text_string_to_metric_families

from asr.server.metrics import Counter, Gauge, Histogram, Metrics


def samples(text):
    families = text_string_to_metric_families(text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_prometheus_reads_what_was_counted():
    metrics = Metrics()
    metrics.gauges.append(Gauge("asr_live_streams", "Now.", lambda: 3))
    metrics.requests.add(2, 200)
    metrics.requests.add(1, 415)
    metrics.streams.add()
    metrics.audio_s.add(1.5, "live")
    metrics.delay_s.observe(0.05)
    metrics.delay_s.observe(0.3)
    metrics.delay_s.observe(60.0)
    found = samples(metrics.text())
    assert found["asr_http_requests_total", "200"] == 2
    assert found["asr_http_requests_total", "415"] == 1
    assert found["asr_live_streams_total",] == 1
    assert found["asr_audio_seconds_total", "live"] == 1.5
    assert found["asr_live_streams",] == 3
    buckets = [found["asr_live_delay_seconds_bucket", b] for b in ("0.025", "0.05", "0.5", "+Inf")]
    assert buckets == [0, 1, 2, 3]
    assert found["asr_live_delay_seconds_count",] == 3
    assert found["asr_live_delay_seconds_sum",] == 60.35


def test_every_metric_has_a_type_and_a_help():
    for family in text_string_to_metric_families(Metrics().text()):
        assert family.type != "unknown"
        assert family.documentation


def test_labels_are_escaped():
    counter = Counter("a_total", "A.", ("b",))
    counter.add(1, 'quote " backslash \\ line \n end')
    text = "# TYPE a_total counter\n" + "\n".join(counter.lines()) + "\n"
    ((_, label),) = samples(text)
    assert label == 'quote " backslash \\ line \n end'


def test_a_bound_belongs_to_its_bucket():
    histogram = Histogram("h", "H.", (1.0, 2.0))
    for value in (1.0, 1.5, 2.0, 2.5):
        histogram.observe(value)
    assert list(histogram.lines())[:3] == [
        'h_bucket{le="1.0"} 1',
        'h_bucket{le="2.0"} 3',
        'h_bucket{le="+Inf"} 4',
    ]
