"""Work in threads that goes on until stopped: what goes wrong in one is told at the end."""

import threading


class Threads:
    """Within `with`, each work (function, argument) runs in a thread of its own; the function returns
    when self.ended is set."""

    def __init__(self, works):
        self.ended = threading.Event()
        self.problems = []
        self.threads = [threading.Thread(target=self.guard, args=work) for work in works]

    def guard(self, run, argument):
        try:
            run(argument)
        except Exception as problem:  # noqa: BLE001: told at the end
            self.problems.append(f"{run.__name__} {argument}: {type(problem).__name__}: {problem}")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()
        assert not self.problems, "\n".join(self.problems)
