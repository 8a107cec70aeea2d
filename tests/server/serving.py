"""A server of the test's own on a free port of this machine."""

import threading
import time
from contextlib import contextmanager

from asr.server.app import Settings, create_app
from asr.server.listening import bind, make_server


@contextmanager
def serving(recognizer, settings=None, send_buffer=256 * 1024):
    """Gives host and port."""
    settings = settings or Settings()
    server = make_server(create_app(recognizer, settings), settings.limits)
    with bind("127.0.0.1", 0, send_buffer) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()
