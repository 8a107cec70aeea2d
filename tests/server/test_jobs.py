"""The queue: how many wait, what becomes of those who leave."""

import asyncio
import io
import threading

import pytest

from asr.server.jobs import Jobs
from asr.server.limits import Limits
from asr.server.metrics import Metrics
from asr.server.problems import RefusedError

from ..tones import listener, play, wav

SPOKEN = "---aaa-bbb|---"


def jobs(recognizer=None, **limits):
    return Jobs(recognizer or listener(), Limits(**limits), Metrics())


async def last(events):
    found = [event async for event in events]
    return found[-1]


class Slow:
    """Recognises when it is told to, and notes whether it was let to the end."""

    def __init__(self):
        self.started, self.go, self.ended = threading.Event(), threading.Event(), []

    def transcribe_many(self, sources, *, warn, progress):
        self.started.set()
        assert self.go.wait(10)
        progress(1.0)
        self.ended.append(sources)
        return listener().transcribe_many(sources)


def test_progress_comes_before_the_transcript():
    async def run():
        return [event async for event in jobs().run(wav(play(SPOKEN)), "a.wav")]

    *seconds, transcript = asyncio.run(run())
    assert seconds == sorted(seconds)
    assert seconds[-1] == pytest.approx(transcript.duration)
    assert transcript.text == "ab"


def test_the_file_is_closed_and_the_place_free_afterwards():
    async def run():
        queue, file = jobs(), wav(play(SPOKEN))
        await last(queue.run(file, "a.wav"))
        return file.closed, queue.slots.taken

    assert asyncio.run(run()) == (True, 0)


def test_who_finds_the_queue_full_is_told_when_to_come_again():
    async def run():
        slow = Slow()
        queue = jobs(slow, jobs=1, waiting=1)
        tasks = [asyncio.create_task(last(queue.run(wav(play(SPOKEN)), "a"))) for _ in range(2)]
        await asyncio.to_thread(slow.started.wait, 10)
        with pytest.raises(RefusedError) as caught:
            await last(queue.run(wav(play(SPOKEN)), "a"))
        slow.go.set()
        results = await asyncio.gather(*tasks)
        return caught.value, [result.text for result in results]

    error, texts = asyncio.run(run())
    assert (error.status, error.retry_after_s) == (503, 10)
    assert texts == ["ab", "ab"]


def test_work_that_nobody_waits_for_stops():
    async def run():
        slow = Slow()
        queue = jobs(slow, jobs=1, waiting=1)
        tasks = [asyncio.create_task(last(queue.run(wav(play(SPOKEN)), "a"))) for _ in range(2)]
        await asyncio.to_thread(slow.started.wait, 10)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        slow.go.set()
        while queue.slots.taken:
            await asyncio.sleep(0.01)
        return slow.ended

    assert asyncio.run(run()) == []


def test_the_limit_counts_where_the_header_says_nothing_as_well():
    async def run():
        sound = wav(play("a" * 100))  # 4 s
        await last(jobs(recording_s=3.0).run(sound, "a.wav"))

    with pytest.raises(RefusedError) as caught:
        asyncio.run(run())
    assert caught.value.status == 413


def test_an_unreadable_file_is_named():
    async def run():
        await last(jobs().run(io.BytesIO(b"not sound"), "notes.txt"))

    with pytest.raises(RefusedError, match=r"^notes\.txt: not a recording"):
        asyncio.run(run())
