"""Writers to the lake that are overtaken by others."""

from concurrent.futures import ThreadPoolExecutor


def before_the_next_commit(monkeypatch, other):
    """Let another writer come in between, when the next commit is about to be made."""
    writers = iter([other])

    def reached(name):
        if name == "lake.before_commit" and (writer := next(writers, None)):
            with ThreadPoolExecutor(1) as thread:
                thread.submit(writer).result()

    monkeypatch.setattr("airloom.stores.lake.failpoint", reached)
