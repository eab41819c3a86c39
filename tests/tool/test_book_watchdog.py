"""A notebook that hangs is stopped; one on a slow or busy machine is not."""

import re
import subprocess
import sys
import time
from itertools import count

from tiny_book import edit, executed, tiny_book

from keyfilters_build.watchdog import Watchdog


def outcome(root, code, seconds):
    """The run or the failure of a notebook that begins with `code`, planned to take `seconds`."""
    project = tiny_book(root, "one")
    edit(project, "one", 2, lambda source: f"import time\n{code}\n{source}")
    project.manifest.write_text(project.manifest.read_text().replace("budget_seconds: 60", f"budget_seconds: {seconds}"))
    runs, failures = executed(project)
    [result] = [*runs.values(), *failures]
    return result


def test_one_that_hangs_is_stopped_long_before_its_budget(tmp_path, monkeypatch):
    monkeypatch.setattr("keyfilters_build.execute.PATIENCE", 6)
    failure = outcome(tmp_path / "book", "time.sleep(3600)", 1800)
    assert failure.cell == 3 and failure.error == "hung: its processes took no processor time for 6 s"


def test_one_over_its_budget_that_gets_on_is_not_stopped(tmp_path, monkeypatch, capfd):
    """It takes longer than the patience too; the log says that it took longer than planned."""
    monkeypatch.setattr("keyfilters_build.execute.PATIENCE", 8)
    run = outcome(tmp_path / "book", "while time.process_time() < 12: pass", 2)
    assert run.record["seconds"] > 12 and "note" not in run.record
    assert re.search(
        r"^  one: [0-9.]+ s, planned 2 s at most; it had \d+% of a processor$", capfd.readouterr().err, re.MULTILINE
    )


def test_one_without_end_is_stopped(tmp_path):
    failure = outcome(tmp_path / "book", "while True: pass", 1)
    assert failure.cell == 3
    assert failure.error == "no end in sight: its processes took more than 10 s of processor time"


def test_what_ran_before_is_left_alone():
    """A browser that somebody opened in this process, say."""
    nap = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(nap) as earlier:
        with Watchdog(ceiling=60, patience=2, seconds=0.1) as watchdog:
            assert subprocess.run(nap).returncode != 0
        assert watchdog.verdict and earlier.poll() is None
        earlier.kill()


def test_time_in_which_nobody_watched_does_not_count(monkeypatch):
    """Ctrl-Z, or a computer that sleeps: at the next look the clock shows a thousand seconds more."""
    clock, looks = time.monotonic, count()
    monkeypatch.setattr("keyfilters_build.watchdog.time.monotonic", lambda: clock() + 1000 * (next(looks) > 4))
    with Watchdog(ceiling=60, patience=300, seconds=0.1) as watchdog:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(3)"], check=True)
    assert next(looks) > 6 and not watchdog.verdict
